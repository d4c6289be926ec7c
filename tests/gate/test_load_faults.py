"""Faults of the real load child, planted while a whole gate goes on: killed, stopped, its files cut, its disk full.

Everything else is the made-up world, in real time. Without a fault the gate passes, as the first test says: one that
never passes would pass all the others.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.clock import wait_until
from fakes.entry import Entry, entry
from fakes.gates import Gate, reasons, shut
from fakes.load_target import OPERATIONS
from fakes.made_up_load import PLAN
from fakes.world import World

from shiftproof.adapters.locust import LocustLoad, RunningLocust, child
from shiftproof.gate import opening
from shiftproof.gate.clock import RunClock
from shiftproof.gate.parts import Parts
from shiftproof.model.event import EVENT_DTYPE
from shiftproof.ports import LoadPlan, Rollout, Weights

pytestmark = [pytest.mark.component, pytest.mark.timeout(300)]
RATE_PER_S = 60
RECORD = EVENT_DTYPE.itemsize


class Kept(LocustLoad):
    """Keeps what it started, for a test to break."""

    running: RunningLocust

    def start(self, plan: LoadPlan, run_dir: Path, name: str) -> RunningLocust:
        self.running = super().start(plan, run_dir, name)
        return self.running


class LoadedWorld(World):
    """The made-up world under a real load."""

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.load = Kept()
        self.platform = {"pairs_per_s": RATE_PER_S, "peak_per_s": 150}
        self._entry = entry
        write = self.router.set_weights

        def follow(rule: str, weights: Weights) -> None:
            write(rule, weights)
            if rule == "weighted":
                entry.send_to_cluster(weights.cluster_pct)

        self.router.set_weights = follow  # type: ignore[method-assign]

    def parts(self) -> Parts:
        plan = replace(
            PLAN,
            base_url=self._entry.url,
            rate_per_s=RATE_PER_S,
            timeout_s=2,
            operations=OPERATIONS,
            probes_per_s=10,
            max_seconds=240,
            anchor_ns=self.clock.anchor_ns,
        )
        return replace(super().parts(), load=self.load, load_plan=plan)

    def when_rolling(self, act: Callable[[RunningLocust], None]) -> None:
        """Do it in the midst of the first rollout."""
        roll = self.cluster.roll

        def meanwhile(deadline_s: float) -> Rollout:
            self.cluster.roll = roll  # type: ignore[method-assign]
            act(self.load.running)
            return roll(deadline_s)

        self.cluster.roll = meanwhile  # type: ignore[method-assign]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoadedWorld]:
    monkeypatch.setattr(child, "FIRST_RECORD_S", 90.0)
    with entry() as served:
        yield LoadedWorld(served)


@pytest.fixture
def loaded_gate(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """In real time, as the child lives."""
    monkeypatch.setattr(opening, "RunClock", RunClock)
    monkeypatch.setattr("shiftproof.gate.phases.PAIRS_DEADLINE_FACTOR", 10)
    return gate


def test_without_a_fault_the_gate_passes(loaded_gate: Gate, world: LoadedWorld) -> None:
    outcome = loaded_gate()
    assert outcome.exit_code == 0, reasons(outcome)


def test_a_child_that_is_killed(loaded_gate: Gate, world: LoadedWorld) -> None:
    world.when_rolling(lambda load: os.kill(load.pid, signal.SIGKILL))
    shut(loaded_gate(), "died")


def test_a_child_that_is_told_to_end_by_somebody_else(loaded_gate: Gate, world: LoadedWorld) -> None:
    world.when_rolling(lambda load: os.kill(load.pid, signal.SIGTERM))
    shut(loaded_gate(), "a signal that was not ours")


def test_a_child_that_is_stopped_for_some_seconds(loaded_gate: Gate, world: LoadedWorld) -> None:
    def stop(load: RunningLocust) -> None:
        os.kill(load.pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(load.pid, signal.SIGCONT)

    world.when_rolling(stop)
    shut(loaded_gate(), "20 ms late")


def test_a_child_that_is_stopped_for_good(loaded_gate: Gate, world: LoadedWorld) -> None:
    world.when_rolling(lambda load: os.kill(load.pid, signal.SIGSTOP))
    shut(loaded_gate(), "has recorded nothing for")


@pytest.mark.parametrize("cut_bytes", [7, 3 * RECORD, 40 * RECORD], ids=["mid-record", "records", "many-records"])
def test_records_that_are_cut_off(loaded_gate: Gate, world: LoadedWorld, cut_bytes: int) -> None:
    def cut(load: RunningLocust) -> None:
        wait_until(lambda: load.events_path.stat().st_size > 2 * cut_bytes)
        os.truncate(load.events_path, load.events_path.stat().st_size - cut_bytes)

    world.when_rolling(cut)
    outcome = loaded_gate()
    shut(outcome, "the load")


def test_a_record_that_is_taken_away(loaded_gate: Gate, world: LoadedWorld) -> None:
    world.when_rolling(lambda load: load.events_path.unlink())
    shut(loaded_gate(), "are gone")


def probes_path(load: RunningLocust) -> Path:
    """Once some conversations are in it."""
    path = load.events_path.with_name("probes-pairs.jsonl")
    wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") > 5)
    return path


def test_a_record_of_the_probes_that_is_taken_away(loaded_gate: Gate, world: LoadedWorld) -> None:
    world.when_rolling(lambda load: probes_path(load).unlink())
    shut(loaded_gate(), "probes are missing from the record")


def test_a_record_of_the_probes_that_is_emptied(loaded_gate: Gate, world: LoadedWorld) -> None:
    world.when_rolling(lambda load: os.truncate(probes_path(load), 0))
    shut(loaded_gate(), "the record")


def test_a_record_of_the_probes_that_is_cut_off(loaded_gate: Gate, world: LoadedWorld) -> None:
    """In the midst of a line: what is written next makes it one that is none."""

    def cut(load: RunningLocust) -> None:
        path = probes_path(load)
        os.truncate(path, path.stat().st_size - 40)

    world.when_rolling(cut)
    shut(loaded_gate(), "the record")


def test_names_of_servers_that_are_taken_away(loaded_gate: Gate, world: LoadedWorld, tmp_path: Path) -> None:
    world.when_rolling(lambda load: (tmp_path / "run" / "servers-pairs.txt").unlink())
    shut(loaded_gate(), "a server without a name")


def test_a_file_that_may_grow_no_more(loaded_gate: Gate, world: LoadedWorld) -> None:
    def limit(load: RunningLocust) -> None:
        size = load.events_path.stat().st_size
        resource.prlimit(load.pid, resource.RLIMIT_FSIZE, (size, size))

    world.when_rolling(limit)
    shut(loaded_gate(), "died")


def test_a_disk_that_is_full(loaded_gate: Gate, world: LoadedWorld, tmp_path: Path) -> None:
    def fill(load: RunningLocust) -> None:
        with (tmp_path / "run" / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(512)):
                pass

    world.when_rolling(fill)
    with _small_disk(tmp_path / "run"):
        shut(loaded_gate(), "No space left on device")
        assert not (tmp_path / "run" / "verdict.json").exists()


@contextmanager
def _small_disk(path: Path) -> Iterator[None]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)
