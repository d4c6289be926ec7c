"""`shiftproof sensitivity`: how often does the gate itself err, or the rehearsal of a load event?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from shiftproof.rehearse.request import EventRequest
    from shiftproof.sensitivity.kind import Kind
    from shiftproof.sensitivity.run import Result

TO_PCT = 25

Defects = Annotated[str, typer.Option("--defects", metavar="GLOB", help="Names in experiments/defects, or paths.")]
Clean = Annotated[int, typer.Option("--clean", metavar="N", min=0, help="Runs with nothing planted.")]
Repeat = Annotated[int, typer.Option("--repeat", metavar="N", min=0, help="Runs with each defect.")]
Event = Annotated[
    str | None, typer.Option("--event", metavar="NAME", help="Rehearsals of this load event instead of gates.")
]
To = Annotated[
    int | None, typer.Option("--to", metavar="PCT", help=f"The cluster's weight that gates prove (default: {TO_PCT}).")
]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE", help="The table here too; - prints it alone.")]
Results = Annotated[
    Path | None, typer.Option("--results", metavar="DIR", help="Copy the table here, to be checked in.")
]


def sensitivity(  # noqa: PLR0913, PLR0917 (a command has the options that it has)
    defects: Defects = "*",
    clean: Clean = 1,
    repeat: Repeat = 1,
    event: Event = None,
    service: Annotated[str, typer.Option("--service", help="A service of infra/platform.yaml.")] = "payments",
    to: To = None,
    json: Json = None,
    results: Results = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="What would be run, and how long it would take.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew instead of going on where it was stopped.")
    ] = False,
    infra: Annotated[Path, typer.Option("--infra", help="Folder of platform.yaml and targets/.")] = Path("infra"),
) -> int:
    """Plant each defect, run the gate, and count what it missed (lab only). Goes on where it was stopped.

    With --event its rehearsal is run, and the defects are those that it must catch.

    Exit code: 0 all caught and no false alarm, 1 a miss or a false FAIL, 2 something inconclusive, caught by another
    claim than expected or not wholly planted, 3 could not run to the end.
    """
    from shiftproof.errors import UserError
    from shiftproof.gate.signals import ends_as_interrupted
    from shiftproof.rehearse.profiles import profiles_dir
    from shiftproof.report.live import open_console
    from shiftproof.sensitivity.catalogue import find_defects
    from shiftproof.sensitivity.fingerprint import fingerprint
    from shiftproof.sensitivity.page import PAGE_FILE
    from shiftproof.sensitivity.plan import make_turns
    from shiftproof.sensitivity.run import Asked, Sensitivity, still_to_run
    from shiftproof.sensitivity.view import print_plan, print_summary, view_for
    from shiftproof.sensitivity.wiring import lab_parts, require_writable
    from shiftproof.sensitivity.wording import last_line

    if dry_run and (json is not None or results is not None):
        raise UserError("--dry-run takes neither --json nor --results: it comes to no result")
    if event is not None and to is not None:
        raise UserError("--event goes without --to: a rehearsal takes no step", hint="leave out one of them")
    to_pct = None if event is not None else TO_PCT if to is None else to
    kind, request = _kind(event, service, to_pct, infra)
    console = open_console(to_stderr=json == "-")

    def note(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    planted = find_defects(defects, infra, service, note, event=kind.event) if repeat else ()
    turns = make_turns(planted, clean, repeat, kind.event)
    profiles = profiles_dir(infra) if request is not None else None
    asked = Asked(service, to_pct, turns, fingerprint(infra, planted, profiles), kind=kind)
    if dry_run:
        print_plan(console, *still_to_run(asked, fresh), kind.many)
        return 0

    for folder in [*([Path(json).parent] if json not in (None, "-") else []), *([results] if results else [])]:
        require_writable(folder)  # not after an hour

    def tell(result: Result) -> None:
        _copy(result, json, results)  # first: a terminal that is gone must not cost the results
        print_summary(console, result.summary, last_line(result.summary), str(result.folder / PAGE_FILE))

    with ends_as_interrupted():
        parts = lab_parts(asked, infra, profiles, _making_ready(request, console))
        return Sensitivity(asked, parts, view_for(console)).run(fresh=fresh, ended=tell).summary.exit_code


def _kind(event: str | None, service: str, to_pct: int | None, infra: Path) -> tuple[Kind, EventRequest | None]:
    """What is run, and what each rehearsal will be asked for. Raises UserError when it cannot be asked so."""
    from shiftproof.gate.request import Request, check_request
    from shiftproof.rehearse.request import EventRequest
    from shiftproof.rehearse.settings import settings_for
    from shiftproof.sensitivity.kind import GATES, rehearsals

    if to_pct is not None:
        check_request(Request(service, to_pct, infra_dir=infra))
        return GATES, None
    request = EventRequest(event=str(event).replace("_", "-"), service=service, infra_dir=infra)
    found = settings_for(request).event  # what is wrong with the profile is said before anything is run
    return rehearsals(request.event, found.seconds), request


def _making_ready(request: EventRequest | None, console: Console) -> Callable[[], None]:
    """What the lab needs for events is built and brought up before the first of them, which is not to take longer."""
    from shiftproof.gate.request import target_of
    from shiftproof.rehearse.lab_ready import make_ready

    if request is None:
        return lambda: None
    what = f"sensitivity of {request.event} (getting the lab ready)"
    return lambda: make_ready(target_of(request), console, what)


def _copy(result: Result, json: str | None, results: Path | None) -> None:
    """The table to where it was asked for. Raises SetupError when it cannot be written."""
    from shiftproof.report.verdict_file import write_atomic
    from shiftproof.sensitivity.document import JSON_FILE, MARKDOWN_FILE, published_names

    text = (result.folder / JSON_FILE).read_text(encoding="utf-8")
    if json == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    elif json is not None:
        write_atomic(Path(json), text)
    # Half a table is not checked in; nor is one whose last turn left a platform that is not back to normal.
    if results is not None and result.summary.complete and result.about.stopped is None:
        json_name, markdown_name = published_names(result.about.event)
        write_atomic(results / json_name, text)
        write_atomic(results / markdown_name, (result.folder / MARKDOWN_FILE).read_text(encoding="utf-8"))
