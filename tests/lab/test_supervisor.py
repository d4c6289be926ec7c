"""The supervisor with real processes: what it restarts, what it must not, and how it stops them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shiftproof.lab import supervisor
from shiftproof.lab.supervisor import Command, Daemon, PartFailed
from shiftproof.lab.waiting import until

SERVES = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))\n"
SERVES += "print('up', flush=True)\nwhile True: time.sleep(0.05)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\n"
DEAF += "while True: time.sleep(0.05)"


@pytest.fixture
def daemons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Daemon]]:
    monkeypatch.setattr(supervisor, "RESTART_AFTER_S", 0.05)
    made: list[Daemon] = []
    yield made
    for daemon in made:
        daemon.kill()


def make(
    daemons: list[Daemon], folder: Path, code: str, *, stop_within_s: float = 10.0, restart: bool = True
) -> Daemon:
    argv = (sys.executable, "-c", code)
    daemon = Daemon(Command("test/part", "here", argv, stop_within_s=stop_within_s, restart=restart), folder)
    daemons.append(daemon)
    return daemon


def is_up(daemon: Daemon) -> str | None:
    return None if "up" in daemon.tail() else "not up"


def test_ready_with_its_pid_and_log(daemons: list[Daemon], tmp_path: Path) -> None:
    daemon = make(daemons, tmp_path, SERVES)
    daemon.start()
    daemon.wait_ready(lambda: is_up(daemon), 60)
    pid = daemon.pid()
    assert pid is not None
    assert Path(f"/proc/{pid}").exists()
    assert daemon.log_file == tmp_path / "test-part.log"


def test_one_that_dies_before_it_is_ready_is_an_error_and_not_tried_again(
    daemons: list[Daemon], tmp_path: Path
) -> None:
    daemon = make(daemons, tmp_path, "print('no such flag'); raise SystemExit(7)")
    daemon.start()
    with pytest.raises(PartFailed, match=r"test/part did not start: ended with exit code 7") as raised:
        daemon.wait_ready(lambda: "never", 60)
    assert raised.value.log == ("no such flag",)
    assert daemon.restarts == 0


def test_one_that_is_late_says_what_was_missing(daemons: list[Daemon], tmp_path: Path) -> None:
    daemon = make(daemons, tmp_path, SERVES)
    daemon.start()
    with pytest.raises(PartFailed, match="the port is closed"):
        daemon.wait_ready(lambda: "the port is closed", 0.1)


def test_one_that_dies_later_is_started_again(daemons: list[Daemon], tmp_path: Path) -> None:
    daemon = make(daemons, tmp_path, SERVES)
    daemon.start()
    daemon.wait_ready(lambda: is_up(daemon), 60)
    first = daemon.pid()
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: None if daemon.pid() not in (None, first) else "not back", 60)
    assert daemon.restarts == 1
    assert not daemon.stopped


def test_one_that_may_not_be_restarted_stays_dead(daemons: list[Daemon], tmp_path: Path) -> None:
    daemon = make(daemons, tmp_path, "import time; print('up', flush=True); time.sleep(0.3)", restart=False)
    daemon.start()
    daemon.wait_ready(lambda: is_up(daemon), 60)
    until(lambda: "alive" if daemon.alive() else None, 60)
    watcher = daemon._watcher
    assert watcher is not None
    watcher.join(60)
    assert not watcher.is_alive()
    assert not daemon.alive()
    assert not daemon.stopped


def test_stop_is_sigterm_and_no_restart(daemons: list[Daemon], tmp_path: Path) -> None:
    daemon = make(daemons, tmp_path, SERVES)
    daemon.start()
    daemon.wait_ready(lambda: is_up(daemon), 60)
    daemon.stop()
    assert not daemon.alive()
    assert daemon.stopped
    assert daemon.pid() is None
    assert daemon.tail()[-1] == "bye"
    daemon.stop()  # safe twice


def test_one_that_does_not_hear_sigterm_is_killed_in_the_end(daemons: list[Daemon], tmp_path: Path) -> None:
    daemon = make(daemons, tmp_path, DEAF, stop_within_s=0.3)
    daemon.start()
    daemon.wait_ready(lambda: is_up(daemon), 60)
    daemon.stop()
    assert not daemon.alive()


def test_started_again_with_another_environment(daemons: list[Daemon], tmp_path: Path) -> None:
    code = "import os, time; print('up', os.environ.get('COLOUR'), flush=True); time.sleep(60)"
    daemon = make(daemons, tmp_path, code)
    daemon.start()
    until(lambda: None if daemon.tail() == ["up None"] else "not up", 60)
    daemon.stop()
    daemon.start(Command("test/part", "here", daemon.command.argv, env={"COLOUR": "red"}))
    until(lambda: None if daemon.tail()[-1] == "up red" else str(daemon.tail()), 60)


def test_the_users_own_settings_do_not_reach_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("KUBECONFIG", "/home/me/.kube/config")
    assert not {"AWS_PROFILE", "KUBECONFIG"} & supervisor.base_environment().keys()
