"""What a view of a running gate is told, and the words that all views share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shiftproof.model.result import PhaseRow, RunResult
from shiftproof.model.verdict import Verdict
from shiftproof.report.words import clean, count, percent, step

Seconds = Callable[[], float]

#: A verdict so far is no verdict: words that nobody can take for one, except FAIL, which is final.
SO_FAR = {
    Verdict.PASS: "nothing against it",
    Verdict.INCONCLUSIVE: "not enough yet",
    Verdict.FAIL: "FAIL",
    None: "too early to say",
}
LATE_WORTH_SAYING_PCT = 1.0


@dataclass(frozen=True, slots=True)
class Header:
    """What runs. rate_per_s: pairs a second asked for."""

    service: str
    target: str
    from_pct: int
    to_pct: int
    rate_per_s: float
    run_id: str

    def left(self) -> str:
        parts = (self.service, step(self.from_pct, self.to_pct), self.target, f"{self.rate_per_s:g} pairs/s")
        return "   ".join(clean(part) for part in parts)


@dataclass(frozen=True, slots=True)
class LiveNumbers:
    """How the running phase goes. Counts are of all its repeats so far; `elapsed_s` is the phase's own time.

    failed_both: pairs of which both sides failed. late_pct: share of sends later than 20 ms, in percent. budgeted: a
    crash, whose failures are held against its budget and so are no alarm.
    """

    phase: str
    pairs: int
    attributed: int
    failed_both: int
    rate_per_s: float
    late_pct: float
    elapsed_s: float
    verdict_so_far: Verdict | None = None
    budgeted: bool = False


class View(Protocol):
    """What the gate calls: `begin` first, `end` last (None: no result). A second `end` does nothing."""

    def begin(self, header: Header) -> None: ...

    def phase_started(self, name: str, repeat: int = 1, of: int = 1) -> None:
        """Also for each further repeat of the same phase; its line stays one."""
        ...

    def progress(self, numbers: LiveNumbers) -> None:
        """As often as one likes; about every 250 ms is smooth."""
        ...

    def phase_ended(self, row: PhaseRow) -> None:
        """Once a phase, after its last repeat."""
        ...

    def note(self, text: str) -> None: ...

    def end(self, result: RunResult | None) -> None: ...


def number_words(numbers: LiveNumbers) -> str:
    """The running phase in figures; what is as it should be is left out."""
    parts = [f"{count(numbers.pairs)} pairs", f"{count(numbers.attributed)} attributed", f"{numbers.rate_per_s:.0f}/s"]
    if numbers.failed_both:
        parts.append(f"{count(numbers.failed_both)} failed on both")
    if numbers.late_pct >= LATE_WORTH_SAYING_PCT:
        parts.append(f"{percent(numbers.late_pct / 100)} sent late")
    return "   ".join(parts)
