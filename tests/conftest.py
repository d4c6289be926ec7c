"""What all tests may use: the lab, brought up once for all that need it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from fakes.defects import said
from xdist.scheduler import LoadScopeScheduling

from shiftproof.lab.enter import RunningLab, find_lab, require_lab

# A shell starts its background jobs with SIGINT ignored, and whoever ignores it passes that on: tests of Ctrl-C would
# then wait for ever, depending on who started them.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_report_header() -> str:
    return said()


SCATTERED = ("test_gate_run", "test_harness_faults", "test_journal_faults", "test_judging_faults", "test_load_faults")
"""Whole gates that take seconds each and share nothing: with several workers they go wherever there is time."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist comes without types
    """With several workers a file's tests stay on one, in order: they share servers, namespaces, cgroups or ports."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if Path(file).stem in SCATTERED else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def shiftproof(*words: str, within_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    program = (sys.executable, "-c", "from shiftproof.cli import main; main()")
    return subprocess.run([*program, *words], capture_output=True, text=True, timeout=within_s, check=False)


class LabOfTheRun:
    """The lab that tests share. One that was up before is used and left as it is; ours is ended with the run."""

    def __init__(self) -> None:
        self.is_ours = find_lab() is None

    def ensure(self) -> RunningLab:
        """The lab, started if there is none: a test may have killed it."""
        if find_lab() is None:
            came = shiftproof("lab", "up", within_s=300.0)
            assert came.returncode == 0, came.stderr
            self.is_ours = True
        return require_lab()

    def end(self) -> None:
        if self.is_ours:
            gone = shiftproof("lab", "down", "--force")
            assert gone.returncode == 0, gone.stderr


@pytest.fixture(scope="session")
def lab_of_the_run() -> Iterator[LabOfTheRun]:
    made = LabOfTheRun()
    yield made
    made.end()


@pytest.fixture
def lab(lab_of_the_run: LabOfTheRun) -> RunningLab:
    """The lab, up. Tests that use it carry the marker `lab`."""
    return lab_of_the_run.ensure()


@pytest.fixture
def own_lab(lab_of_the_run: LabOfTheRun) -> RunningLab:
    """The lab, for a test that will end it: only one that this run has started."""
    if not lab_of_the_run.is_ours:
        pytest.skip("a lab that others may use is up: take it down to run this test")
    return lab_of_the_run.ensure()
