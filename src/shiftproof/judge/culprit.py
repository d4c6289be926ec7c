"""What happened around the failures: each lost request is laid beside the timeline and the load balancer's log.

General patterns, none made for one defect. Of one request: a pod or a node that was leaving; an address kept by the
load balancer after its pod was gone; a pod that got traffic before it was ready; a pod whose container ended; a pod
that fails by itself; a host of the legacy side. Of the whole side: no target left; every pod unready at once; too few
pods left to carry the load; pods that join the load balancer late; connections that a quiet spell broke. And, where
nothing fits, whatever happened last before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from shiftproof.judge.around import around, quiet_before
from shiftproof.judge.culprit_words import Said, Scene, in_words
from shiftproof.judge.lives import Lives, PodLife, read_lives
from shiftproof.judge.losses import Loss, loss_of, records_of
from shiftproof.judge.pairing import Pairs
from shiftproof.judge.words import count
from shiftproof.model.history import History

#: A watcher hears of a change a little after it happened.
WATCH_LAG_NS = 250_000_000
#: A pod is new for this long after it became ready.
NEW_NS = 2_000_000_000

LEAVING = ("pod-leaving", "node-leaving", "late-to-let-go")
#: What a quiet spell breaks shows as one of these, and never as an answer of a target that was asked.
_BROKEN = ("reset", "left without an answer", "lost")


@dataclass(frozen=True, slots=True)
class Culprit:
    """What some of the failures have in common.

    pattern: one of LEAVING, "hurt", "not-ready-yet", "crashed", "unready", "short-handed", "idle-dropped",
    "pod-failing", "no-target", "legacy-failing", "target-failing", "nearby" or "unknown". leaving: the request was put
    on the pod or node that was then leaving. t_ns: when the first of them failed. sentence: what happened, ready to
    print. hint: what to try.
    """

    pattern: str
    subject: str
    leaving: bool
    t_ns: int
    requests: int
    sentence: str
    hint: str | None = None


def find_culprits(history: History, pairs: Pairs, rows: Iterable[int]) -> tuple[Culprit, ...]:
    """Explain the failures of the treatment in `rows`; those on something that was leaving first, then by number."""
    scene = Scene(history, read_lives(history.timeline))
    records = records_of(history)
    named = []
    for row in rows:
        loss = loss_of(history, pairs, records, int(row))
        pattern, subject = _pattern(scene.lives, pairs, loss, logged=history.logged)
        named.append((pattern, subject, loss.verb, loss))
    named.sort(key=lambda one: (one[0], one[1], one[2], one[3].at_ns))
    culprits = [
        _culprit(scene, pairs, pattern, subject, [one[3] for one in same])
        for (pattern, subject, _), same in groupby(named, key=lambda one: one[:3])
    ]
    return tuple(sorted(culprits, key=lambda culprit: (not culprit.leaving, -culprit.requests, culprit.t_ns)))


def main_culprit(culprits: Sequence[Culprit]) -> Culprit | None:
    """The first, with a word on how many others did the same; None when there is none."""
    if not culprits:
        return None
    first = culprits[0]
    more = {other.subject for other in culprits[1:] if other.pattern == first.pattern} - {first.subject}
    if not more:
        return first
    sort = first.subject.partition("/")[0].replace("legacy", "host")
    requests = sum(other.requests for other in culprits if other.pattern == first.pattern)
    extra = f" The same at {count(len(more), f'other {sort}')}: {count(requests, 'request')} in all."
    return replace(first, sentence=first.sentence + extra)


def _culprit(scene: Scene, pairs: Pairs, pattern: str, subject: str, losses: list[Loss]) -> Culprit:
    quiet = quiet_before(pairs.intended_ns, losses[0].at_ns) if pattern == "idle-dropped" else None
    said: Said = in_words(scene, pattern, subject, losses, quiet)
    leaving = pattern in LEAVING
    return Culprit(said.pattern, subject, leaving, losses[0].at_ns, len(losses), said.sentence, said.hint)


def _pod_of(lives: Lives, loss: Loss) -> PodLife | None:
    if loss.ip:
        return lives.pod_at(loss.ip, loss.at_ns)
    server = loss.server.removeprefix("pod/")
    return lives.pods.get(server) or lives.pod_at(server.rpartition(":")[0] or server, loss.at_ns)


def _pattern(lives: Lives, pairs: Pairs, loss: Loss, *, logged: bool) -> tuple[str, str]:
    """(pattern, subject) of one loss."""
    if loss.cause == "no-target":
        return "no-target", "group/cluster"
    pod = _pod_of(lives, loss)
    if pod is not None:
        return _pod_pattern(lives, pairs, pod, loss)
    if loss.ip or loss.server:
        sort = "legacy" if loss.ip in lives.hosts else "target"
        return f"{sort}-failing", f"{sort}/{loss.ip or loss.server}"
    if not logged:  # the timeline alone must do; what a log that is there does not have, never came to a pod
        for one in lives.pods.values():
            if _leaving(one, loss.at_ns) and not loss.verb.startswith("not sent"):
                return "pod-leaving", f"pod/{one.name}"
    return ("idle-dropped", "") if _after_quiet(pairs, loss) else ("nearby", "")


def _pod_pattern(lives: Lives, pairs: Pairs, pod: PodLife, loss: Loss) -> tuple[str, str]:
    """What the pod itself was going through, the most telling first."""
    subject, seen_ns = f"pod/{pod.name}", loss.at_ns + WATCH_LAG_NS
    node = lives.nodes.get(pod.node)
    if pod.gone_ns is not None and loss.at_ns >= pod.gone_ns and loss.sent_ns >= pod.gone_ns - WATCH_LAG_NS:
        return "late-to-let-go", subject
    if pod.terminating_ns is not None and loss.at_ns >= pod.terminating_ns - WATCH_LAG_NS:
        return "pod-leaving", subject
    # A pod that answers is there and was not told to go, whatever becomes of its node.
    if node is not None and node.leaving_at(seen_ns) is not None and not loss.verb.startswith("answered"):
        return "node-leaving", f"node/{node.name}"
    if pod.hurt_at(seen_ns) is not None:
        return "hurt", subject
    if pod.crashed_at(seen_ns) is not None:
        return "crashed", subject
    return _pattern_of_the_side(lives, pairs, pod, loss), subject


def _pattern_of_the_side(lives: Lives, pairs: Pairs, pod: PodLife, loss: Loss) -> str:
    """Nothing happened to the pod that fails; is it new, is it the pod, or what the whole side was like?"""
    if pod.ready_ns is None or (not pod.old and loss.at_ns < pod.ready_ns + NEW_NS):
        return "not-ready-yet"
    if _after_quiet(pairs, loss):
        return "idle-dropped"
    seen = around(lives, loss.at_ns)
    if pod in seen.unready:
        return "unready"
    if len(seen.serving) < seen.usual and loss.cause != "connect-refused":
        return "short-handed"
    return "pod-failing"


def _after_quiet(pairs: Pairs, loss: Loss) -> bool:
    """Sent soon after a quiet spell, and lost rather than answered."""
    broken = loss.verb in _BROKEN or loss.verb.startswith("answered 50")
    return broken and quiet_before(pairs.intended_ns, loss.sent_ns) is not None


def _leaving(pod: PodLife, t_ns: int) -> bool:
    """Whether it was being deleted at t_ns and could still be sent requests."""
    if pod.terminating_ns is None:
        return False
    ended = pod.left_ns() or pod.gone_ns or pod.terminating_ns + 30_000_000_000
    return pod.terminating_ns - WATCH_LAG_NS <= t_ns <= ended + WATCH_LAG_NS
