"""infra/lab/bootstrap.sh with dpkg, apt and uv replaced by stand-ins: what it decides, not what apt does."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from shiftproof.lab.setup import app, paths


@dataclass(frozen=True, slots=True)
class Machine:
    """A clone, a cache and a PATH of its own; `calls` has a line for every stand-in that ran."""

    clone: Path
    cache: Path
    programs: Path
    calls: Path

    def program(self, name: str, body: str, folder: Path | None = None) -> None:
        file = (folder or self.programs) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{body}\n')
        file.chmod(0o755)

    def set_up(self) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.cache),
            "SHIFTPROOF_CACHE": str(self.cache),
        }
        words = ["sh", str(self.clone / "infra" / "lab" / "bootstrap.sh")]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)

    def called(self) -> str:
        return self.calls.read_text() if self.calls.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "clone", tmp_path / "cache", tmp_path / "programs", tmp_path / "calls")
    shutil.copytree(
        paths.project_root() / "infra" / "lab", made.clone / "infra" / "lab", ignore=shutil.ignore_patterns("tools")
    )
    made.program("dpkg-query", "printf 'ii '")
    made.program("apt-get", "exit 1")
    version = app.uv_version(made.clone / "infra" / "lab" / "uv-requirements.txt")
    made.program("uv", "exit 0", made.cache / f"uv-{version}" / "bin")
    for name in ("python", "shiftproof"):
        made.program(name, "exit 0", made.clone / ".venv" / "bin")
    return made


def test_with_all_there_it_installs_nothing_and_is_quick(machine: Machine) -> None:
    start_s = time.monotonic()
    done = machine.set_up()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "apt-get" not in machine.called()
    assert machine.called().splitlines()[-2:] == ["python -m compileall -q src suites", "shiftproof lab build"]
    assert time.monotonic() - start_s < 2


def test_one_who_is_not_root_is_told_what_is_missing(machine: Machine) -> None:
    machine.program("dpkg-query", 'case "$*" in *haproxy) exit 1 ;; *) printf "ii " ;; esac')
    machine.program("id", "echo 1000")
    done = machine.set_up()
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "shiftproof: these Debian packages are missing and only root can install them: haproxy  ->  run it as root"
    ]
    assert "apt-get" not in machine.called()


def test_an_environment_that_cannot_be_made_is_one_line_with_the_cause(machine: Machine) -> None:
    version = app.uv_version(machine.clone / "infra" / "lab" / "uv-requirements.txt")
    machine.program("uv", "echo 'error: the lock is out of date' >&2; exit 2", machine.cache / f"uv-{version}" / "bin")
    done = machine.set_up()
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith(
        "shiftproof: python environment failed: error: the lock is out of date  ->  see "
    )
    assert "shiftproof lab build" not in machine.called()


def test_a_cache_that_cannot_be_written_is_one_line(machine: Machine) -> None:
    shutil.rmtree(machine.cache)
    machine.cache.write_text("a file is in the way")
    done = machine.set_up()
    assert done.returncode == 3
    assert "cannot write to the cache" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_second_of_two_waits_for_the_first(machine: Machine) -> None:
    (machine.cache / "lock").mkdir(parents=True)
    holder = subprocess.Popen(
        ["flock", str(machine.cache / "lock" / "setup"), "sh", "-c", "echo held; read line"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    environment = os.environ | {
        "SHIFTPROOF_CACHE": str(machine.cache),
        "PATH": f"{machine.programs}:{os.environ['PATH']}",
    }
    second = subprocess.Popen(
        ["sh", str(machine.clone / "infra" / "lab" / "bootstrap.sh")],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert second.stderr is not None
    assert second.stderr.readline() == "..  waiting for another set-up to end\n"
    assert machine.called() == ""
    holder.communicate("go\n")
    assert second.wait(90) == 0
    second.stderr.close()
    assert "shiftproof lab build" in machine.called()
