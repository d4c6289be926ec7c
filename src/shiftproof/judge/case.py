"""What a judge is given: one run's history, joined into pairs and outages, and what it is held to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shiftproof.judge.outages import OutageSpan, find_outages
from shiftproof.judge.pairing import Pairs, pair_up
from shiftproof.judge.sequential import split_alpha
from shiftproof.model.history import History, Phase, PhaseKind, Source
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Finding

#: Tests that may FAIL a run by chance, rounded up: 103 of a gate of payments, live and at the end (docs/STATISTICS.md).
PLANNED_TESTS = 110

#: Phases without which a gate has proven nothing, whatever else it tried.
REQUIRED_PHASES = ("steady", "quiet", "capacity", "deploy", "shift", "rollback")


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a judge may look at. Build it with `make_case`.

    ruled_out_rate: the rate of attributed failures that a PASS rules out at `confidence` over all graceful pairs.
    alpha: chance of any wrong FAIL by a statistical test, split evenly over `planned_tests`, a number fixed before
    the run so that stopping early cannot change it. repeats: how often each graceful action is tried.
    min_pairs: complete pairs wanted in each repeat. soak_s: least seconds of load before PASS.
    latency_confidence: for the statement that latency stays within its margin. pairs_per_s: the rate that was planned.
    required_phases: names that must be there. watchers: sources that must have been heard.
    decided: findings already made while the run went on (the live judge's clear FAIL).
    min_probes: good conversations of each kind wanted in the run, a quarter of it in a phase that is about them.
    parity_ignore: paths that a person accepted as noise. duplicates_not_applicable: why nothing can be sent twice.
    keyed: operations whose requests carry a key.
    """

    history: History
    pairs: Pairs
    outages: tuple[OutageSpan, ...]
    objectives: Objectives
    quick: bool = False
    ruled_out_rate: float = 0.001
    confidence: float = 0.99
    alpha: float = 0.01
    planned_tests: int = PLANNED_TESTS
    repeats: int = 3
    min_pairs: int = 900
    soak_s: float = 60.0
    latency_confidence: float = 0.95
    pairs_per_s: float | None = None
    required_phases: tuple[str, ...] = REQUIRED_PHASES
    watchers: tuple[Source, ...] = (Source.KUBERNETES, Source.LOAD_BALANCER)
    decided: tuple[Finding, ...] = ()
    min_probes: int = 40
    parity_ignore: tuple[str, ...] = ()
    duplicates_not_applicable: str | None = None
    keyed: tuple[str, ...] = ()

    @property
    def alpha_share(self) -> float:
        """Alpha of one test."""
        return split_alpha(self.alpha, self.planned_tests)

    def phases(self, *kinds: PhaseKind) -> Iterator[tuple[int, Phase]]:
        """(index, phase) of the kinds given, of all when none is."""
        for index, phase in enumerate(self.history.phases):
            if not kinds or phase.kind in kinds:
                yield index, phase

    def groups(self, *kinds: PhaseKind) -> dict[str, list[tuple[int, Phase]]]:
        """Repeats by the action's name, in the order they were tried."""
        out: dict[str, list[tuple[int, Phase]]] = {}
        for index, phase in self.phases(*kinds):
            out.setdefault(phase.name, []).append((index, phase))
        return out


def make_case(
    history: History,
    objectives: Objectives,
    *,
    quick: bool = False,
    required_phases: tuple[str, ...] = REQUIRED_PHASES,
    watchers: tuple[Source, ...] = (Source.KUBERNETES, Source.LOAD_BALANCER),
    decided: tuple[Finding, ...] = (),
) -> Case:
    """Join the history once for all judges. quick: a PASS rules out 1% instead of the objective's own rate."""
    pairs = pair_up(history.events, history.phases)
    spans = find_outages(pairs, started_ns=history.started_ns)
    return Case(
        history=history,
        pairs=pairs,
        outages=spans,
        objectives=objectives,
        quick=quick,
        ruled_out_rate=0.01 if quick else objectives.availability.unacceptable,
        min_pairs=150 if quick else 900,
        soak_s=20.0 if quick else 60.0,
        min_probes=12 if quick else 40,
        latency_confidence=0.8 if quick else 0.95,
        required_phases=required_phases,
        watchers=watchers,
        decided=decided,
    )
