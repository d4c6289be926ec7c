"""What a load says of itself at its end, held against the file of its events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shiftproof.adapters.locust.events import implausible, read_servers
from shiftproof.adapters.locust.probes import count_probes
from shiftproof.model.event import EVENT_DTYPE, Events, Failure
from shiftproof.model.history import LoadReport

_FIGURES = ("scheduled", "recorded", "locust_requests", "locust_failures", "late", "probes")
_ENDED = {
    "limit": "the load ended by itself, after its longest time of {max_seconds:.0f} s, before it was told to",
    "signal": "the load was told to end by a signal that was not ours",
    "orphan": "the load lost its connection to the gate",
}


@dataclass(frozen=True, slots=True)
class LoadFiles:
    """What one load leaves in the run's folder. name: "pairs", "customers", "event"."""

    run_dir: Path
    name: str

    @property
    def plan(self) -> Path:
        return self.run_dir / f"plan-{self.name}.json"

    @property
    def events(self) -> Path:
        return self.run_dir / f"events-{self.name}.bin"

    @property
    def servers(self) -> Path:
        return self.run_dir / f"servers-{self.name}.txt"

    @property
    def probes(self) -> Path:
        return self.run_dir / f"probes-{self.name}.jsonl"

    @property
    def report(self) -> Path:
        return self.run_dir / f"load-{self.name}.json"

    @property
    def log(self) -> Path:
        return self.run_dir / f"load-{self.name}.log"


def own_report(path: Path) -> dict[str, Any] | None:
    """The child's own; None when there is none that says all that it has to, so that nothing is taken for what it is
    not."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) and _is_whole(report) else None


def account(files: LoadFiles, *, operations: int, max_seconds: float, death: str) -> LoadReport:
    """The child's own totals against the file. Events that are damaged or fewer than reported are a problem.

    death: how it ended, in words, for a child that left no report.
    """
    data = files.events.read_bytes() if files.events.exists() else b""
    whole = len(data) // EVENT_DTYPE.itemsize
    events = np.frombuffer(data, dtype=EVENT_DTYPE, count=whole)
    own = own_report(files.report)
    if own is None:
        return LoadReport(whole, whole, 0, 0, _late(events), finished=False, problem=death)
    problem = own["problem"] or _ENDED.get(own["reason"], "").format(max_seconds=max_seconds) or None
    problem = problem or _mismatch(own, events, len(data) % EVENT_DTYPE.itemsize)
    probes, half = count_probes(files.probes)
    if problem is None and (half or probes != own["probes"]):
        problem = f"probes are missing from the record: {own['probes']} held, {probes} whole lines in the file"
    problem = problem or implausible(events, operations=operations, servers=len(read_servers(files.servers)))
    return LoadReport(
        scheduled=own["scheduled"],
        recorded=whole,
        locust_requests=own["locust_requests"],
        locust_failures=own["locust_failures"],
        late=own["late"],
        finished=own["reason"] in ("told", "over") and own["problem"] is None,
        problem=problem,
        probes=probes,
    )


def _is_whole(report: Mapping[str, Any]) -> bool:
    figures = [report.get(name) for name in _FIGURES]
    known = all(isinstance(figure, int) and not isinstance(figure, bool) for figure in figures)
    return known and isinstance(report.get("reason"), str) and isinstance(report.get("problem"), str | None)


def _late(events: Events) -> int:
    return int(np.count_nonzero(events["sent_ns"] - events["intended_ns"] > 20_000_000))


def _mismatch(own: Mapping[str, Any], events: Events, half: int) -> str | None:
    """Where the child's own counts, Locust's and the file's disagree; None when all tell the same story."""
    failed = int(np.count_nonzero(events["failure"] != Failure.NONE))
    if half:
        return f"the events file ends with {half} bytes of a record"
    if not own["scheduled"] == own["recorded"] == own["locust_requests"] == len(events):
        return (
            f"requests are missing from the record: {own['scheduled']} scheduled, {own['locust_requests']} counted by "
            f"Locust, {len(events)} in the file"
        )
    if own["locust_failures"] != failed:
        return f"Locust counted {own['locust_failures']} failures and the file holds {failed}"
    return None
