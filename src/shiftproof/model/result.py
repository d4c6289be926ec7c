"""What one run of the gate came to: all that the verdict file, the summary and the page are written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from shiftproof.model.rehearsed import Rehearsed
from shiftproof.model.verdict import Finding, Outage, Verdict


@dataclass(frozen=True, slots=True)
class PairCount:
    """Pairs (or triples) judged; failed: whose treatment failed; attributed: of these, charged to the cluster."""

    pairs: int = 0
    failed: int = 0
    attributed: int = 0


@dataclass(frozen=True, slots=True)
class CustomerCount:
    """What the observer of the customers' own traffic saw."""

    requests: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Who ran what, with which inputs. digests: name to "sha256:…"; versions: name to version.

    quick: a PASS rules out 1% only. defect: the defect that was planted on purpose, if one was. load_s: seconds of load
    until the verdict was decided (0.0: before the first request); None in runs of before this was kept.
    """

    id: str
    operator: str = ""
    ticket: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    config_hash: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    quick: bool = False
    defect: str | None = None
    load_s: float | None = None


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """One phase as it ended: one line of the live view, all repeats of the phase together.

    verdict: None while nobody judged it. pairs: None where they are not the point (preflight, a crash with a budget);
    then `detail` says it all, e.g. "14 checks" or "outage 1.9 s +- 7 ms (budget 5 s), 112 requests".
    """

    name: str
    verdict: Verdict | None
    detail: str = ""
    pairs: int | None = None
    attributed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunResult:
    """One finished run. `started_at` knows its time zone; `seconds` is the whole run, preflight included.

    sentence: why, in one sentence; empty: the report makes it from the findings. next_command: what to type next (PASS:
    the shift; INCONCLUSIVE: what would settle it). proof: the signed statement, where there is one. run_dir: where the
    raw files lie. event: the load event that was rehearsed, None of a gate; from_pct and to_pct are then both the
    cluster's weight while it was, since it takes no step.
    """

    verdict: Verdict
    service: str
    target: str
    from_pct: int
    to_pct: int
    started_at: datetime
    seconds: float
    findings: tuple[Finding, ...]
    requests: PairCount
    customers: CustomerCount
    outages: tuple[Outage, ...]
    run: RunInfo
    run_dir: Path
    sentence: str = ""
    next_command: str | None = None
    phases: tuple[PhaseRow, ...] = ()
    proof: Path | None = None
    event: Rehearsed | None = None
