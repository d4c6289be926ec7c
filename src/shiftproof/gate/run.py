"""Running a gate as a command: pytest inside, one verdict outside."""

from __future__ import annotations

import io
import shutil
import sys
from contextlib import redirect_stderr
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shiftproof.errors import SetupError, UserError
from shiftproof.gate.hooks import GatePlugin
from shiftproof.gate.opening import Opened, open_gate
from shiftproof.gate.outcome import ALLURE_FOLDER
from shiftproof.gate.preflight import CHANGING, CHECKS
from shiftproof.gate.rehearsal import ClaimFailed
from shiftproof.gate.request import Request, check_dry_run
from shiftproof.gate.undo import recover_all
from shiftproof.model.target import Target
from shiftproof.model.verdict import Verdict
from shiftproof.report.live import open_console, view_for
from shiftproof.report.live_view import View
from shiftproof.report.verdict_file import VERDICT_FILE, write_verdict
from shiftproof.safety.lock import exclusive

SUITES = "suites"
JUNIT_FILE = "junit.xml"


def run_gate(request: Request, json: str | None, only: str, marked: str) -> int:
    """The whole gate; returns its exit code. The verdict is on disk, on the terminal, and where --json says."""
    forget_old_verdict(request.folder, json)
    view = view_for(open_console(to_stderr=json == "-"))
    plugin = GatePlugin(request, view)
    arguments = [SUITES, "-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:locust"]
    arguments += ["-o", "addopts=--import-mode=importlib"]  # nothing that a project's own settings would add
    arguments += ["--shiftproof-service", request.service, "--shiftproof-to", str(request.to_pct)]
    arguments += ["--alluredir", str(request.folder / ALLURE_FOLDER)]
    arguments += ["--junitxml", str(request.folder / JUNIT_FILE)]
    arguments += ["-k", only] if only else []
    arguments += ["-m", marked] if marked else []
    said = io.StringIO()
    with redirect_stderr(said):  # what ends a run is said once, by us; the view has a terminal of its own
        pytest.main(arguments, plugins=[plugin])
    outcome = plugin.outcome
    if outcome.result is None:
        _drop_reports_of_nothing(request.folder)
    wrong = [line.removeprefix("ERROR: ") for line in said.getvalue().splitlines() if line.startswith("ERROR: ")]
    if wrong:
        raise UserError(wrong[0], hint="check -k and -m")
    if outcome.error is not None:
        raise outcome.error
    if outcome.result is None:
        raise SetupError("the suites could not be collected", hint=f"see: pytest {SUITES} --collect-only")
    if json is not None:
        write_verdict(outcome.result, json, sys.stdout)
    return outcome.exit_code


def dry_run_gate(request: Request, json: str | None) -> int:
    """Preflight, and what would be done; not one weight or pod is touched. Exit code 1 when a check fails."""
    check_dry_run(request, json)
    view = view_for(open_console())
    try:
        with open_gate(request, view) as opened:
            checks = [name for name in CHECKS if name not in CHANGING]
            for name in checks:
                opened.session.check(name)
            _say_plan(view, opened, len(checks))
    except ClaimFailed as error:
        view.note(f"FAIL   {error}")
        return Verdict.FAIL.exit_code
    finally:
        view.end(None)
    return 0


def _say_plan(view: View, opened: Opened, checks: int) -> None:
    settings = opened.settings
    times, load = settings.depth.repeats, settings.service.load
    peak = f"legacy at {load.peak_per_s:g}/s" if load.peak_per_s is not None else "no peak, as none is declared"
    view.note(f"{checks} checks passed; a gate would now try, under {load.pairs_per_s:g} pairs/s:")
    view.note(f"steady; {load.quiet_s:g} s of quiet; {peak}; deploy x{times};")
    view.note(f"shift to {settings.to_pct}% (rehearsal rule) x{times}; rollback x{times}")
    for experiment in opened.experiments:
        view.note(f"{experiment.name} x{experiment.repeats}: {experiment.title}")


def forget_old_verdict(folder: Path, json: str | None) -> None:
    """A verdict of an earlier run must not be taken for this one's, should this one not come to any."""
    old = [folder / VERDICT_FILE] + ([Path(json)] if json not in (None, "-") else [])
    for path in old:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from error


def _drop_reports_of_nothing(folder: Path) -> None:
    """A gate that was refused leaves no folder, though pytest's own reports were opened in it."""
    if folder.is_dir() and all(path.name in (JUNIT_FILE, ALLURE_FOLDER) for path in folder.iterdir()):
        shutil.rmtree(folder)


def run_recover(target: Target) -> int:
    """Undo all that is pending, and say what was undone."""
    with exclusive("recover"):
        recovery = recover_all(target)
    for entry in recovery.undone:
        when = datetime.fromtimestamp(entry.recorded_ns / 1e9, UTC).strftime("%H:%M:%S UTC")
        print(f"put back: {entry.kind} of {entry.subject} (changed at {when}, run {entry.run_id or '?'})")
    for entry in recovery.moot:
        print(f"nothing left to undo: {entry.kind} of {entry.subject} (its lab is gone)")
    if not recovery.undone and not recovery.moot:
        print("nothing to put back")
    return 0
