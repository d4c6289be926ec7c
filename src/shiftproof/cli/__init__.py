"""The command line: one way out for every error, so that an exit code never lies.

    0  PASS, or done          2  INCONCLUSIVE
    1  FAIL                   3  could not run: bad input, a broken set-up, interrupted, or a fault of our own

Python's own habits would break this: an uncaught exception ends with 1, which here means that the service failed; a
mistyped option ends with 2. Both become 3.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import typer

from shiftproof.cli import doctor, gate, lab, report
from shiftproof.errors import ShiftproofError

COULD_NOT_RUN = 3

app = typer.Typer(
    name="shiftproof",
    help="Prove the cutover before the traffic moves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(lab.app, name="lab")
app.command("gate")(gate.gate)
app.command("recover")(gate.recover)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """The `shiftproof` program."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Raises nothing."""
    try:
        result = app(list(arguments), prog_name="shiftproof", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except ShiftproofError as error:
        return _say(error.one_line())
    except typer.TyperException as error:
        return _say(f"{_what(error)}  ->  {_help_for(error)}")
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted")
    except Exception as error:  # noqa: BLE001 - the last door: our own fault must not look like a verdict
        traceback.print_exc()
        return _say(f"a fault in shiftproof itself: {type(error).__name__}: {error}")


def _say(message: str) -> int:
    print(f"shiftproof: {' '.join(message.split())}", file=sys.stderr)
    return COULD_NOT_RUN


def _help_for(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'shiftproof'} --help"


def _what(error: typer.TyperException) -> str:
    return str(getattr(error, "format_message", error.__str__)())
