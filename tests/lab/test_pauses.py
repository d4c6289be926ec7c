"""Processes that stand still, real ones."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shiftproof.errors import LabError
from shiftproof.lab.pauses import Pauses
from shiftproof.lab.waiting import until


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(["sleep", "600"])
    yield running
    running.kill()
    running.wait()


def state(process: subprocess.Popen[bytes]) -> str:
    """T: it was stopped by a signal; S: it sleeps."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def comes_to(process: subprocess.Popen[bytes], wanted: str) -> None:
    until(lambda: None if state(process) == wanted else state(process), 30)


def test_it_stands_still_until_it_is_let_go_on(process: subprocess.Popen[bytes]) -> None:
    pauses = Pauses({"prometheus": process.pid}.get)
    pauses.pause("prometheus", 600)
    comes_to(process, "T")
    assert 590 < (pauses.ends_in_s("prometheus") or 0) <= 600
    with pytest.raises(LabError, match="paused already"):
        pauses.pause("prometheus", 5)
    pauses.resume("prometheus")
    comes_to(process, "S")
    assert pauses.ends_in_s("prometheus") is None
    pauses.resume("prometheus")


def test_a_pause_ends_by_itself(process: subprocess.Popen[bytes]) -> None:
    pauses = Pauses({"prometheus": process.pid}.get)
    pauses.pause("prometheus", 0.2)
    until(lambda: None if pauses.ends_in_s("prometheus") is None else "paused", 30)
    comes_to(process, "S")


def test_only_what_a_cluster_can_do_without_is_paused() -> None:
    pauses = Pauses(lambda _: None)
    with pytest.raises(LabError, match="no part that can be paused: there are metrics-server, prometheus"):
        pauses.pause("etcd", 5)
    with pytest.raises(LabError, match="karpenter does not run"):
        pauses.pause("karpenter", 5)
    assert pauses.ends_in_s("karpenter") is None


def test_a_part_that_ends_just_then_is_not_taken_for_paused(process: subprocess.Popen[bytes]) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    pids = {"prometheus": gone.pid}
    pauses = Pauses(pids.get)
    with pytest.raises(LabError, match="prometheus could not be paused: No such process"):
        pauses.pause("prometheus", 600)
    assert pauses.ends_in_s("prometheus") is None
    pids["prometheus"] = process.pid  # it was started again
    pauses.pause("prometheus", 600)
    comes_to(process, "T")
