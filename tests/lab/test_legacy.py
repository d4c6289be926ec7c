"""A legacy machine: what it is told, what it tells, and what its process sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shiftproof.lab import balancer, legacy
from shiftproof.lab.legacy import LegacyHost, environment
from shiftproof.lab.plan import ServicePlan
from shiftproof.lab.supervisor import Command, PartFailed

SERVICE = ServicePlan(
    name="payments",
    namespace="payments",
    deployment="payments",
    manifests="",
    image_tar="",
    app_folder="/app",
    command=("python3",),
    migrate=("python3",),
    legacy_env={"POOL_SIZE": "10", "PARTNER_TOKEN": "x"},
    health_path="/ready",
    legacy_target_group="payments-legacy",
    cluster_target_group="payments-cluster",
)


class FakeDaemon:
    """A process that answers unless its PARTNER_TOKEN is gone."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.done: list[str] = []
        self.stopped = False
        self.runs = False

    def start(self, command: Command | None = None) -> None:
        if not self.runs:
            self.command = command or self.command
            self.runs = "PARTNER_TOKEN" in self.command.env
            self.stopped = False
            self.done.append("start")

    def stop(self) -> None:
        self.runs, self.stopped = False, True
        self.done.append("stop")

    def alive(self) -> bool:
        return self.runs

    def wait_ready(self, problem: Callable[[], str | None], within_s: float) -> None:
        if not self.runs:
            raise PartFailed(self.command.name, "ended with exit code 1")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> LegacyHost:
    monkeypatch.setattr(legacy, "Daemon", FakeDaemon)
    monkeypatch.setattr(balancer, "target_states", lambda group: {"198.18.0.31:8080": "healthy"})
    made = LegacyHost("legacy-1", SERVICE)
    made.start()
    return made


def done(host: LegacyHost) -> list[str]:
    daemon: Any = host.daemon
    found = list(daemon.done)
    daemon.done.clear()
    return found


def test_settings_win_and_null_takes_one_away() -> None:
    found = environment(SERVICE, "legacy-1", {"POOL_SIZE": "1", "PARTNER_TOKEN": None})
    assert found["POOL_SIZE"] == "1"
    assert "PARTNER_TOKEN" not in found
    assert found["SERVED_BY"] == "legacy-1"


def test_it_is_made_as_told_and_tells_it(host: LegacyHost) -> None:
    assert host.state() == {"running": True, "env": {}}
    done(host)
    assert host.change({"POOL_SIZE": "1"}, running=True) == {"problem": None, "in_rotation": True}
    assert host.state() == {"running": True, "env": {"POOL_SIZE": "1"}}
    assert done(host) == ["stop", "start"]
    assert host.daemon.command.env["POOL_SIZE"] == "1"
    host.change({"POOL_SIZE": "1"}, running=True)
    assert done(host) == [], "it is so already"
    host.restart()
    assert host.daemon.command.env["POOL_SIZE"] == "1", "a restart keeps what it has"
    host.change({}, running=False)
    assert host.state() == {"running": False, "env": {}}
    assert host.change({}, running=True)["problem"] is None
    assert host.daemon.command.env["POOL_SIZE"] == "10"


def test_settings_with_which_it_cannot_run_are_a_state_too(host: LegacyHost) -> None:
    assert host.change({"PARTNER_TOKEN": None}, running=True) == {
        "problem": "ended with exit code 1",
        "in_rotation": False,
    }
    assert host.state() == {"running": True, "env": {"PARTNER_TOKEN": None}}
    assert host.change({}, running=True)["problem"] is None


def test_a_process_that_died_is_started_by_the_same_words(host: LegacyHost) -> None:
    daemon: Any = host.daemon
    daemon.runs = False
    assert host.change({}, running=True)["problem"] is None
    assert daemon.runs


def test_a_load_balancer_that_does_not_see_it_is_no_error(host: LegacyHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "_IN_ROTATION_WITHIN_S", 0.1)
    monkeypatch.setattr(balancer, "target_states", lambda group: {"198.18.0.31:8080": "unhealthy"})
    assert host.change({"A": "1"}, running=True) == {"problem": None, "in_rotation": False}
