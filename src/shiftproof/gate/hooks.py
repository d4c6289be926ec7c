"""A gate as a pytest run: opens the session, listens to every drill, and ends with the verdict's exit code."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack

import pytest

from shiftproof.errors import ServiceFault, SetupError, ShiftproofError, UserError
from shiftproof.gate.integrity import Integrity
from shiftproof.gate.opening import Opened, open_gate
from shiftproof.gate.outcome import COULD_NOT_RUN, Outcome, write_outcome
from shiftproof.gate.rehearsal import ClaimFailed
from shiftproof.gate.request import Request
from shiftproof.gate.session import GateSession
from shiftproof.gate.signals import ends_as_interrupted, undisturbed
from shiftproof.ports import Experiment
from shiftproof.report.live import open_console, view_for
from shiftproof.report.live_view import View


class PreflightDrills:
    """What the `preflight` fixture hands to a drill."""

    def __init__(self, session: GateSession) -> None:
        self._session = session

    def prove(self, check: str) -> None:
        """Run one check. Raises ClaimFailed when the service is not fit; what is our own fault ends the run."""
        self._session.check(check)


class GatePlugin:
    """Registered by shiftproof.pytest_plugin when a service is named."""

    NAME = "shiftproof-gate"

    def __init__(self, request: Request, view: View | None = None) -> None:
        self.__name__ = self.NAME  # what pytest registers it under, whoever hands it in
        self._request = request
        # Opened before pytest captures output, so that the live view keeps its terminal.
        self._view = view or view_for(open_console(to_stderr=True))
        self._stack = ExitStack()
        self._opened: Opened | None = None
        self.outcome = Outcome()

    @property
    def session(self) -> GateSession:
        assert self._opened is not None, "pytest_sessionstart opens it before any drill"
        return self._opened.session

    @property
    def _integrity(self) -> Integrity:
        return self.session.integrity

    def experiments(self) -> list[Experiment]:
        """Those that platform.yaml names for the service."""
        return [] if self._opened is None else self._opened.experiments

    # --- pytest's hooks, in the order they are called -------------------------------------------------------------

    def pytest_sessionstart(self) -> None:
        try:
            self._stack.enter_context(ends_as_interrupted())
            self._opened = self._stack.enter_context(open_gate(self._request, self._view))
        except ShiftproofError as error:
            self.outcome.error = error
            self._close()
            raise pytest.exit.Exception(error.one_line(), returncode=COULD_NOT_RUN) from error

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            why = str(report.longrepr).strip().splitlines()[-1]
            self.outcome.error = SetupError(f"{report.nodeid} cannot be read as drills: {why}")
        elif report.skipped:
            self._integrity.drill_skipped(report.nodeid, _skip_reason(report))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._integrity.deselected += [item.name for item in items if _required(item)]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._integrity.expected += [item.name for item in session.items if _required(item)]
        for item in session.items:
            # A drill is bounded by the phases' own deadlines; pytest-timeout would cut it in the middle of a fault.
            item.add_marker(pytest.mark.timeout(0))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._listen(item, call, report)
        return report

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest calls this for `shouldstop` too, which is how a clear FAIL ends the run early.
        if excinfo.type is KeyboardInterrupt:
            self.outcome.error = SetupError("interrupted; faults undone and weights put back")

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.outcome.error = SetupError(f"pytest broke: {excinfo.type.__name__}: {excinfo.value}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._opened is None:
            session.exitstatus = COULD_NOT_RUN
            return
        if exitstatus == pytest.ExitCode.USAGE_ERROR and self.outcome.error is None:
            self.outcome.error = UserError("the drills could not be selected", hint="check -k, -m and the folder")
        self._guarded(self._finish)
        self._close()
        self._guarded(self._write)
        self._view.end(self.outcome.result if self.outcome.error is None else None)
        session.exitstatus = self.outcome.exit_code

    # --- inside ----------------------------------------------------------------------------------------------------

    def _listen(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        error = call.excinfo.value if call.excinfo is not None else None
        if report.skipped:
            self._integrity.drill_skipped(item.name, _skip_reason(report))
        elif report.passed and call.when == "call":
            self._integrity.drill_passed(item.name)
            if hasattr(report, "wasxfail"):
                self._integrity.drill_skipped(item.name, "it was expected to fail")
        elif report.failed and isinstance(error, SetupError | UserError):
            self.outcome.error = error
            item.session.shouldstop = error.one_line()
        elif report.failed:
            self._integrity.drill_broke(item.name, error)
            if isinstance(error, ClaimFailed | ServiceFault):
                # A clear FAIL stops early: nothing that follows could open the gate again.
                item.session.shouldstop = str(error)

    def _finish(self) -> None:
        if self.outcome.error is None:
            self.outcome.result, self.outcome.case = self.session.finish()

    def _write(self) -> None:
        write_outcome(self.outcome, self.session.settings)

    def _close(self) -> None:
        """Put everything back. A second Ctrl-C must not cut that short."""
        with undisturbed():
            self._guarded(self._stack.close)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Run one step of the end; what goes wrong in it becomes the outcome's error, never an exit code of 1."""
        try:
            step()
        except ShiftproofError as error:
            self.outcome.error = error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 (the last door: not even sys.exit(0) may look like a verdict)
            self.outcome.error = SetupError(f"a fault in shiftproof itself: {type(error).__name__}: {error}")


def _required(item: pytest.Item) -> bool:
    """Every drill below suites/ is; a team may mark one of its own `optional`."""
    return item.get_closest_marker("optional") is None


def _skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", "") or "skipped")
