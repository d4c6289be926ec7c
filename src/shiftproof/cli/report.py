"""`shiftproof report`: the runs so far, and what one of them came to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[
        str | None, typer.Argument(help="A run: its id, its folder, or the start of either. Newest.")
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="All runs, newest first.")] = False,
    json: Annotated[str | None, typer.Option("--json", metavar="FILE", help="The verdict; - prints it alone.")] = None,
    reports: Annotated[Path, typer.Option("--reports", help="Where runs leave their files.")] = Path("reports"),
) -> None:
    """Show what a run came to and where its page is, or list all runs."""
    from shiftproof.report.live import open_console
    from shiftproof.report.runs import find_run, list_runs, print_runs
    from shiftproof.report.summary import print_run
    from shiftproof.report.verdict_file import STDOUT, write_verdict

    console = open_console(to_stderr=json == STDOUT)
    if list_all:
        entries = list_runs(reports)
        if entries:
            print_runs(console, entries)
        else:
            console.print(f"no runs in {reports}", markup=False, highlight=False)
        return
    result = find_run(reports, run)
    if json is not None:
        write_verdict(result, json, sys.stdout)
    if json != STDOUT:
        print_run(console, result)
