"""`shiftproof sensitivity`: how often does the gate itself err?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shiftproof.sensitivity.run import Result

Defects = Annotated[str, typer.Option("--defects", metavar="GLOB", help="Names in experiments/defects, or paths.")]
Clean = Annotated[int, typer.Option("--clean", metavar="N", min=0, help="Gates with nothing planted.")]
Repeat = Annotated[int, typer.Option("--repeat", metavar="N", min=0, help="Gates with each defect.")]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE", help="The table here too; - prints it alone.")]
Results = Annotated[
    Path | None, typer.Option("--results", metavar="DIR", help="Copy the table here, to be checked in.")
]


def sensitivity(  # noqa: PLR0913, PLR0917 (a command has the options that it has)
    defects: Defects = "*",
    clean: Clean = 1,
    repeat: Repeat = 1,
    service: Annotated[str, typer.Option("--service", help="A service of infra/platform.yaml.")] = "payments",
    to: Annotated[int, typer.Option("--to", metavar="PCT", help="The cluster's weight that gates prove.")] = 25,
    json: Json = None,
    results: Results = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="What would be run, and how long it would take.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew instead of going on where it was stopped.")
    ] = False,
    infra: Annotated[Path, typer.Option("--infra", help="Folder of platform.yaml and targets/.")] = Path("infra"),
) -> int:
    """Plant each defect, run the gate, and count what it missed (lab only). Goes on where it was stopped.

    Exit code: 0 all caught and no false alarm, 1 a miss or a false FAIL, 2 something inconclusive, caught by another
    claim than expected or not wholly planted, 3 could not run to the end.
    """
    from shiftproof.errors import UserError
    from shiftproof.gate.request import Request, check_request
    from shiftproof.gate.signals import ends_as_interrupted
    from shiftproof.report.live import open_console
    from shiftproof.sensitivity.catalogue import find_defects
    from shiftproof.sensitivity.document import last_line
    from shiftproof.sensitivity.fingerprint import fingerprint
    from shiftproof.sensitivity.page import PAGE_FILE
    from shiftproof.sensitivity.plan import make_turns
    from shiftproof.sensitivity.run import Asked, Sensitivity, still_to_run
    from shiftproof.sensitivity.view import print_plan, print_summary, view_for
    from shiftproof.sensitivity.wiring import lab_parts, require_writable

    if dry_run and (json is not None or results is not None):
        raise UserError("--dry-run takes neither --json nor --results: it comes to no result")
    check_request(Request(service, to, infra_dir=infra))
    console = open_console(to_stderr=json == "-")

    def note(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    planted = find_defects(defects, infra, service, note) if repeat else ()
    asked = Asked(service, to, make_turns(planted, clean, repeat), fingerprint(infra, planted))
    if dry_run:
        print_plan(console, *still_to_run(asked, fresh))
        return 0

    for folder in [*([Path(json).parent] if json not in (None, "-") else []), *([results] if results else [])]:
        require_writable(folder)  # not after an hour

    def tell(result: Result) -> None:
        _copy(result, json, results)  # first: a terminal that is gone must not cost the results
        print_summary(console, result.summary, last_line(result.summary), str(result.folder / PAGE_FILE))

    with ends_as_interrupted():
        sensitivity_of = Sensitivity(asked, lab_parts(asked, infra), view_for(console))
        return sensitivity_of.run(fresh=fresh, ended=tell).summary.exit_code


def _copy(result: Result, json: str | None, results: Path | None) -> None:
    """The table to where it was asked for. Raises SetupError when it cannot be written."""
    from shiftproof.report.verdict_file import write_atomic
    from shiftproof.sensitivity.document import JSON_FILE, MARKDOWN_FILE

    text = (result.folder / JSON_FILE).read_text(encoding="utf-8")
    if json == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    elif json is not None:
        write_atomic(Path(json), text)
    # Half a table is not checked in; nor is one whose last gate left a platform that is not back to normal.
    if results is not None and result.summary.complete and result.about.stopped is None:
        write_atomic(results / JSON_FILE, text)
        write_atomic(results / MARKDOWN_FILE, (result.folder / MARKDOWN_FILE).read_text(encoding="utf-8"))
