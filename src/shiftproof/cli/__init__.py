"""The command line: one way out for every error, so that an exit code never lies.

    0  PASS, or done          2  INCONCLUSIVE
    1  FAIL                   3  could not run: bad input, a broken set-up, interrupted, or a fault of our own

Python's own habits would break this: an uncaught exception ends with 1, which here means that the service failed; a
mistyped option ends with 2. Both become 3.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import typer
import typer.main

from shiftproof.cli import doctor, gate, lab, rehearse, report, sensitivity
from shiftproof.errors import ShiftproofError

COULD_NOT_RUN = 3

app = typer.Typer(
    name="shiftproof",
    help="Prove the cutover before the traffic moves.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(lab.app, name="lab")
app.command("gate")(gate.gate)
app.command("recover")(gate.recover)
app.command("rehearse")(rehearse.rehearse)
app.command("report")(report.report)
app.command("sensitivity")(sensitivity.sensitivity)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """The `shiftproof` program."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Raises nothing but SystemExit, from a command that chose it.

    The command is invoked here and not by typer's own `main`, which turns Ctrl-C into 130 and a closed pipe into 1.
    """
    command = typer.main.get_command(app)
    try:
        with command.make_context("shiftproof", list(arguments) or ["--help"]) as context:
            result = command.invoke(context)
        return result if isinstance(result, int) else 0
    except typer.Exit as chosen:
        return chosen.exit_code
    except SystemExit as chosen:
        if isinstance(chosen.__context__, BrokenPipeError):  # rich ends with 1 when the reader of a pipe goes away
            return _nobody_reads()
        raise
    except BrokenPipeError:
        return _nobody_reads()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last door: our own fault must not look like FAIL
        return _say(_reason(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, ShiftproofError):
        return error.one_line()
    if isinstance(error, typer.TyperException):
        return f"{_what(error)}  ->  {_help_for(error)}"
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted"
    traceback.print_exception(error)
    return f"a fault in shiftproof itself: {type(error).__name__}: {error}"


def _nobody_reads() -> int:
    """Python would complain once more when it flushes at its end; so give it somewhere to flush to."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return COULD_NOT_RUN


def _say(message: str) -> int:
    print(f"shiftproof: {' '.join(message.splitlines())}", file=sys.stderr)
    return COULD_NOT_RUN


def _help_for(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'shiftproof'} --help"


def _what(error: typer.TyperException) -> str:
    return str(getattr(error, "format_message", error.__str__)())
