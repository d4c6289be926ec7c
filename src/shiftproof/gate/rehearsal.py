"""The rehearsal, as a drill in suites/ holds it:

def test_deploy(rehearsal, cluster):
    for phase in rehearsal.three_times("deploy"):
        with phase:
            cluster.roll()
    rehearsal.prove("availability", "outage", "deploy")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from shiftproof.gate.phases import OpenPhase, Phases
from shiftproof.gate.settings import Depth
from shiftproof.model.history import Budget, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

Judge = Callable[[Sequence[str], Sequence[str]], tuple[Finding, ...]]
"""(claims, phase names) -> findings, over what was recorded so far."""

EARLY = ("availability", "outage")
"""Claims that may be decided by what one repeat has lost."""


class ClaimFailed(AssertionError):
    """At least one claim is FAIL; the message is the first one's sentence."""


class ClaimInconclusive(Exception):
    """No claim is FAIL and at least one is INCONCLUSIVE. No AssertionError: reports must not show it as a failure."""


class Rehearsal:
    """Phases under load, and the claims about them."""

    def __init__(self, phases: Phases, depth: Depth, settle: Callable[[], None], judge: Judge, look: Judge) -> None:
        """judge: at the end of a drill; look: between repeats, of what may be FAIL already."""
        self._phases = phases
        self._depth = depth
        self._settle = settle
        self._judge = judge
        self._look = look
        self._unproven: list[str] = []

    def phase(
        self, name: str, kind: PhaseKind = PhaseKind.GRACEFUL, *, repeat: int = 1, of: int = 1
    ) -> AbstractContextManager[OpenPhase]:
        """One phase. The block is the action; the phase goes on until it has its pairs and has settled."""
        self._remember(name)
        return self._phases.phase(name, kind, repeat=repeat, of=of, min_pairs=self._depth.pairs_of(kind))

    def steady(self) -> AbstractContextManager[OpenPhase]:
        """A phase in which nothing is done, for as long as the soak floor asks."""
        self._remember("steady")
        return self._phases.phase("steady", PhaseKind.STEADY, min_s=self._depth.steady_s)

    def three_times(
        self, name: str, kind: PhaseKind = PhaseKind.GRACEFUL
    ) -> Iterator[AbstractContextManager[OpenPhase]]:
        """A graceful action is tried three times, since a defect may cost 2 of 2,500 requests, and not every time."""
        return self.repeat(name, self._depth.repeats, kind)

    def repeat(
        self, name: str, times: int, kind: PhaseKind, *, budget: Budget | None = None
    ) -> Iterator[AbstractContextManager[OpenPhase]]:
        """`times` phases of one name; the cluster side is whole again before each.

        Raises ClaimFailed between two of them when what was seen is a FAIL already: a loss on a pod that was leaving
        needs no second one.
        """
        self._remember(name)
        for repeat in range(1, times + 1):
            self._settle()
            yield self._phases.phase(name, kind, repeat=repeat, of=times, budget=budget)
            if repeat < times:
                self._raise_first(self._look(EARLY, (name,)), {Verdict.FAIL: ClaimFailed})

    def prove(self, *claims: str) -> tuple[Finding, ...]:
        """Judge these claims over the phases since the last `prove`.

        Raises ClaimFailed, or ClaimInconclusive: what is not proven does not pass.
        """
        names, self._unproven = tuple(self._unproven), []
        findings = self._judge(claims, names)
        self._raise_first(findings, {Verdict.FAIL: ClaimFailed, Verdict.INCONCLUSIVE: ClaimInconclusive})
        if not findings:
            raise ClaimInconclusive(f"no judge said anything of {', '.join(claims)} in {', '.join(names)}")
        return findings

    @staticmethod
    def _raise_first(findings: Sequence[Finding], raised: Mapping[Verdict, type[Exception]]) -> None:
        for verdict, error in raised.items():
            for finding in findings:
                if finding.verdict is verdict:
                    raise error(f"{finding.claim} in {finding.phase}: {finding.reason}")

    def _remember(self, name: str) -> None:
        if name not in self._unproven:
            self._unproven.append(name)
