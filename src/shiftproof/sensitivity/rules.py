"""What others' rules would have said on the traffic of a run: its history, read back from the run's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shiftproof.adapters.locust.events import read_parquet
from shiftproof.errors import LoadError
from shiftproof.judge.others import other_rules
from shiftproof.model.history import Happening, History, Phase, PhaseKind, Source
from shiftproof.sensitivity.attempts import OtherRule

EVENTS_FILE = "events.parquet"
TIMELINE_FILE = "timeline.jsonl"


def others_of(run_dir: Path) -> tuple[OtherRule, ...]:
    """Each rule's verdict; none for a run that ended before its first request (no canary would have begun).

    Raises LoadError when the run's files cannot be read, or hold what no run of ours writes.
    """
    if not (run_dir / EVENTS_FILE).is_file():
        return ()
    try:
        return tuple(OtherRule(**asdict(verdict)) for verdict in other_rules(read_history(run_dir)))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # figures that do not fit together
        raise LoadError(f"the files of {run_dir.name} hold what no run writes: {error}") from error


def none_asked(run_dir: Path) -> tuple[OtherRule, ...]:  # noqa: ARG001 (in place of others_of)
    """Of a rehearsal: these rules compare a new version with an old one under the same steady traffic. An event has one
    version, and the rise that its customers feel is what it is about."""
    return ()


def read_history(run_dir: Path) -> History:
    """Events, timeline and phases of a run. Load and customers' reports, budgets and facts are not kept there.

    Raises LoadError when the files are not there or damaged.
    """
    table = read_parquet(run_dir / EVENTS_FILE)
    timeline = _read_timeline(run_dir / TIMELINE_FILE)
    phases = _read_phases(timeline, run_dir / TIMELINE_FILE)
    started = [happening.t_ns for happening in timeline[:1]] or [int(t) for t in table.events["intended_ns"][:1]] or [0]
    return History(
        started_ns=started[0],
        phases=phases,
        events=table.events,
        operations=table.operations,
        servers=table.servers,
        timeline=timeline,
    )


def phases_of(timeline: Sequence[Happening]) -> tuple[Phase, ...]:
    """The phases that were marked on the timeline; one that never ended is none.

    Raises KeyError, TypeError or ValueError when a mark does not say of what.
    """
    return tuple(_phases(timeline))


def _read_phases(timeline: Sequence[Happening], path: Path) -> tuple[Phase, ...]:
    try:
        return phases_of(timeline)
    except (KeyError, TypeError, ValueError) as error:
        raise LoadError(f"{path} is no timeline of a run: a phase is marked wrongly: {error}") from error


def _phases(timeline: Sequence[Happening]) -> Iterator[Phase]:
    begin: Happening | None = None
    acted: list[int] = []
    for happening in timeline:
        if happening.kind == "phase.start":
            begin, acted = happening, []
        elif happening.kind in ("action.start", "action.end") and begin is not None:
            acted.append(happening.t_ns)
        elif happening.kind == "phase.end" and begin is not None:
            yield Phase(
                name=begin.subject.removeprefix("phase/"),
                kind=PhaseKind(begin.data["phase_kind"]),
                repeat=int(begin.data["repeat"]),
                start_ns=begin.t_ns,
                end_ns=happening.t_ns,
                action_start_ns=acted[0] if acted else begin.t_ns,
                action_end_ns=acted[-1] if acted else happening.t_ns,
            )
            begin = None


def _read_timeline(path: Path) -> tuple[Happening, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return tuple(_happening(json.loads(line)) for line in lines)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(f"{path} is no timeline of a run: {error}") from error


def _happening(line: dict[str, Any]) -> Happening:
    kind, subject, detail = (str(line[name]) for name in ("kind", "subject", "detail"))
    return Happening(int(line["t_ns"]), Source(line["source"]), kind, subject, detail, dict(line["data"]))
