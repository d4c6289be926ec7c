"""Running a gate as a command: pytest inside, one verdict outside."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest

from shiftproof.errors import SetupError
from shiftproof.gate.hooks import GatePlugin
from shiftproof.gate.opening import Request, open_gate
from shiftproof.gate.outcome import ALLURE_FOLDER
from shiftproof.gate.preflight import CHECKS
from shiftproof.gate.undo import recover_all
from shiftproof.model.platform import Target
from shiftproof.report.live import open_console, view_for
from shiftproof.report.verdict_file import write_verdict
from shiftproof.safety.lock import exclusive

SUITES = "suites"


def run_gate(request: Request, json: str | None, only: str, marked: str) -> int:
    """The whole gate; returns its exit code. The verdict is on disk, on the terminal, and where --json says."""
    view = view_for(open_console(to_stderr=json == "-"))
    plugin = GatePlugin(request, view)
    arguments = [SUITES, "-p", "no:terminal", "-p", "no:cacheprovider", "-o", "addopts=", "-p", "no:locust"]
    arguments += ["--shiftproof-service", request.service, "--shiftproof-to", str(request.to_pct)]
    arguments += ["--alluredir", str(request.folder / ALLURE_FOLDER)]
    arguments += ["-k", only] if only else []
    arguments += ["-m", marked] if marked else []
    pytest.main(arguments, plugins=[plugin])
    outcome = plugin.outcome
    if outcome.error is not None:
        raise outcome.error
    if outcome.result is None:
        raise SetupError("the suites could not be collected", hint=f"see: pytest {SUITES} --collect-only")
    if json is not None:
        write_verdict(outcome.result, json, sys.stdout)
    return outcome.exit_code


def dry_run_gate(request: Request, json: str | None) -> int:
    """Preflight, and what would be done; not one weight or pod is touched."""
    view = view_for(open_console(to_stderr=json == "-"))
    with open_gate(request, view) as opened:
        findings = [opened.session.check(name) for name in CHECKS]
        times = opened.settings.depth.repeats
        rate = opened.settings.service.load.pairs_per_s
        view.note(f"{len(findings)} checks passed; a gate would now try, under {rate:g} pairs/s:")
        view.note(
            f"steady; deploy x{times}; shift 0..{request.to_pct}% x{times} on the rehearsal rule; rollback x{times}"
        )
        for experiment in opened.experiments:
            view.note(f"{experiment.name} x{experiment.repeats}: {experiment.title}")
    view.end(None)
    return 0


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
