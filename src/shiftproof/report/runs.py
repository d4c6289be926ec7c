"""The runs that lie in the reports folder, newest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shiftproof.errors import UserError
from shiftproof.model.result import RunResult
from shiftproof.report.summary import STYLES
from shiftproof.report.verdict_file import VERDICT_FILE, read_run
from shiftproof.report.words import clean, duration, subject

RUN_NAME = re.compile(r"\d{8}-\d{6}-.")


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One folder of the reports; result None and a problem where no verdict can be read."""

    folder: Path
    result: RunResult | None
    problem: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What a person may call it."""
        return (self.folder.name,) if self.result is None else (self.folder.name, self.result.run.id)


def list_runs(reports: Path) -> list[RunEntry]:
    """All runs below `reports`, newest first; those without a verdict come last. A missing folder has none."""
    if not reports.is_dir():
        return []
    entries = [_entry(path) for path in sorted(reports.iterdir(), reverse=True) if _is_run(path)]
    return sorted(entries, key=_age)


def _is_run(path: Path) -> bool:
    """A folder with a verdict, or one named as the gate names its runs: other things lie there too."""
    return (path / VERDICT_FILE).is_file() or (path.is_dir() and RUN_NAME.match(path.name) is not None)


def _age(entry: RunEntry) -> float:
    return float("inf") if entry.result is None else -entry.result.started_at.timestamp()


def find_run(reports: Path, name: str | None) -> RunResult:
    """The run called `name`: its id, its folder's name, the unique start of either, or a path; None: the newest.

    Raises UserError when there is none, more than one, or it has no verdict.
    """
    if name is not None and (Path(name) / VERDICT_FILE).is_file():
        return read_run(Path(name))
    entries = list_runs(reports)
    if name is None:
        found = [entry for entry in entries if entry.result is not None][:1]
        if not found:
            raise UserError(f"no run in {reports} has a verdict", hint="shiftproof gate SERVICE --to PCT")
    else:
        found = [entry for entry in entries if name in entry.names]
        found = found or [entry for entry in entries if any(one.startswith(name) for one in entry.names)]
    if not found:
        raise UserError(f"no run {name!r} in {reports}", hint="shiftproof report --list")
    if len(found) > 1:
        same = ", ".join(entry.folder.name for entry in found[:5])
        raise UserError(f"{name!r} fits {len(found)} runs: {same}", hint="give more of the name")
    if found[0].result is None:
        raise UserError(found[0].problem)
    return found[0].result


def print_runs(console: Console, entries: Sequence[RunEntry]) -> None:
    """One line a run, and below them the folders that hold no verdict."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(7):
        table.add_column(no_wrap=True)
    for result in (entry.result for entry in entries if entry.result is not None):
        table.add_row(
            Text(clean(result.run.id), style="bold"),
            Text(result.verdict.value, style=STYLES[result.verdict]),
            Text(clean(result.service)),
            subject(result) if result.event is not None else f"{result.from_pct}% -> {result.to_pct}%",
            Text(clean(result.target)),
            f"{result.started_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
            Text(duration(result.seconds), style="dim"),
        )
    console.print(table)
    for entry in entries:
        if entry.result is None:
            console.print(Text(f"no verdict: {clean(entry.folder.name)}", style="dim"), soft_wrap=True)


def _entry(folder: Path) -> RunEntry:
    try:
        return RunEntry(folder, read_run(folder))
    except UserError as error:
        return RunEntry(folder, None, str(error))
