"""Whether the measurement itself can be believed: what `sufficiency` asks beside how much was measured.

Each function yields sentences, one a fault of the harness. Whatever they find, the service has no part in it; and a
harness with such a fault may measure a failing service as a clean one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.pairing import Bools
from shiftproof.judge.words import count, length, percent
from shiftproof.model.history import Phase, Source

#: A send later than this is late.
LATE_NS = 20_000_000
#: The load may fall behind for a moment; not for long, nor for this share of a phase: an outage may hide meanwhile.
_LATE_SHARE_OF_A_PHASE = 0.05
_STALL_NS = 250_000_000
_STALL_ANYWHERE_NS = 1_000_000_000
#: The distance of two pairs may be this much longer than the plan's.
_DISTANCE_FACTOR = 1.1
#: What was seen this long before its cause is still its effect: two clocks are never quite the same.
_SLACK_NS = 500_000_000


def of_the_run(case: Case) -> Iterator[str]:
    """Faults of the load as a whole."""
    yield from _numbers(case)
    yield from _rate(case)
    yield from _parted(case)


def of_a_phase(case: Case, index: int, phase: Phase) -> Iterator[str]:
    """Faults within one phase: a load that stood still, an action that nobody saw."""
    yield from stalled(case, index)
    yield from _unseen(case, phase)


def _numbers(case: Case) -> Iterator[str]:
    """Pairs are numbered without a gap, so whole pairs that are missing leave one."""
    pair = case.pairs.pair
    if len(pair):
        missing = int(pair.max()) - int(pair.min()) + 1 - len(pair)
        if missing:
            yield f"{count(missing, 'pair')} of the plan missing from the record, by their numbers"


def _rate(case: Case) -> Iterator[str]:
    """The load that was planned: what a service bears at half of it says nothing. By the median, so a pause is none."""
    if case.pairs_per_s is None or len(case.pairs) < 2:
        return
    distance_ns = float(np.median(np.diff(case.pairs.intended_ns)))
    if distance_ns > _DISTANCE_FACTOR * 1e9 / case.pairs_per_s:
        yield f"the load was {1e9 / distance_ns:.0f} pairs/s, and {case.pairs_per_s:g} pairs/s were planned"


def _parted(case: Case) -> Iterator[str]:
    """A side that is compared with itself loses nothing, whatever the other one does."""
    pairs = case.pairs
    both = np.intersect1d(pairs.legacy.served_by[pairs.legacy.ok], pairs.cluster.served_by[pairs.cluster.ok])
    names = [case.history.servers[index] for index in both if 0 < index < len(case.history.servers)]
    if names:
        yield f"requests pinned to legacy and to cluster were answered by the same server ({', '.join(names)})"


def stalled(case: Case, index: int) -> Iterator[str]:
    """The load itself stood still in this phase: what failed on both sides meanwhile may be the machine's doing."""
    pairs, rows = case.pairs, case.pairs.rows(index)
    late_ns = np.zeros(rows.stop - rows.start, dtype=np.int64)
    for side in (pairs.legacy, pairs.cluster, pairs.weighted):
        sent: Bools = side.there[rows] & side.sent[rows]
        late_ns = np.maximum(late_ns, np.where(sent, side.sent_ns[rows] - pairs.intended_ns[rows], 0))
    if not len(late_ns):
        return
    share, longest_ns = float((late_ns > LATE_NS).mean()), int(late_ns.max())
    if longest_ns > _STALL_ANYWHERE_NS or (share > _LATE_SHARE_OF_A_PHASE and longest_ns > _STALL_NS):
        yield f"{percent(share)} of its pairs left late, by up to {length(longest_ns / 1e6)}: the load stood still"


def _unseen(case: Case, phase: Phase) -> Iterator[str]:
    """An action on pods that Kubernetes told nothing of: it did not happen, or the watcher is deaf."""
    victims = [str(victim) for victim in phase.facts.get("victims") or ()]
    rolled = phase.facts.get("complete") is True
    if not victims and not rolled:
        return
    begin = phase.action_start_ns - _SLACK_NS
    seen = {
        happening.subject
        for happening in case.history.timeline
        if happening.source is Source.KUBERNETES and begin <= happening.t_ns <= phase.end_ns
    }
    if rolled and not any(subject.startswith("pod/") for subject in seen):
        yield "it is said to have rolled, but no pod was seen to come or go"
    # A lost node's pods look alive to Kubernetes for most of a minute, so only of pods alone is anything to be seen.
    if all(victim.startswith("pod/") for victim in victims) and (unseen := sorted(set(victims) - seen)):
        yield f"nothing was seen to happen to {', '.join(unseen)}, though the fault is said to have taken effect"
