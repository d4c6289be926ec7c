"""However a lab ends, nothing of it is left: each of these tests ends the lab."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LabOfTheRun, shiftproof

from shiftproof.lab import cgroups, procfs
from shiftproof.lab.enter import RunningLab, find_lab
from shiftproof.lab.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

FOLDERS = ("/run/shiftproof", "/run/netns", "/var/lib/kubelet", "/var/log/pods", "/var/log/containers", "/var/lib/cni")
KERNEL_SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys")


def traces() -> list[str]:
    """All that a lab could leave on the machine, control groups apart."""
    modules = (procfs.INIT_MODULE, procfs.KEEPER_MODULE)
    processes = [p for p in procfs.processes() if any(procfs.runs_module(p, module) for module in modules)]
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    links = [path.name for path in Path("/sys/class/net").iterdir()]
    return [
        *(f"process {process.pid}" for process in processes),
        *(line for line in mounts if "shiftproof" in line or "/run/netns" in line),
        *(f"link {name}" for name in links if name == "lab0" or name.startswith("v-")),
        *(folder for folder in FOLDERS if Path(folder).exists()),
    ]


def settings() -> dict[str, str]:
    return {name: Path("/proc/sys", name).read_text() for name in KERNEL_SETTINGS}


def insiders() -> set[int]:
    """Processes in pid namespaces of their own: all of the lab's."""
    return {process.pid for process in procfs.processes() if len(process.ns_pids) > 1}


def all_gone(pids: set[int]) -> str | None:
    left = pids & insiders()
    return f"{len(left)} processes" if left else None


@pytest.mark.parametrize("victim", ["init", "keeper"])
def test_killing_either_end_ends_all(own_lab: RunningLab, victim: str) -> None:
    inside = insiders()
    assert len(inside) > 20
    assert traces()  # the look-out sees a lab that is there
    keeper = procfs.find_keeper()
    assert keeper is not None
    os.kill(own_lab.pid if victim == "init" else keeper.pid, signal.SIGKILL)
    until(lambda: all_gone(inside), 60)
    until(lambda: ", ".join(traces()) or None, 60)
    if victim == "init":  # the keeper lives, and removes the control groups too
        until(lambda: f"{len(cgroups.leftovers())} control groups" if cgroups.leftovers() else None, 60)
    down = shiftproof("lab", "down")
    assert down.returncode == 0, down.stderr
    assert cgroups.leftovers() == []


def test_up_and_down_leave_the_machine_as_it_was(lab_of_the_run: LabOfTheRun, own_lab: RunningLab) -> None:
    inside = insiders()
    down = shiftproof("lab", "down", "--json")
    assert json.loads(down.stdout) == {"up": False, "was_up": True, "guests_ended": []}
    assert all_gone(inside) is None
    before = (traces(), cgroups.leftovers(), settings())
    assert before[:2] == ([], [])
    lab_of_the_run.ensure()
    assert shiftproof("lab", "down").returncode == 0
    assert (traces(), cgroups.leftovers(), settings()) == before


def test_down_when_there_is_none(own_lab: RunningLab) -> None:
    assert shiftproof("lab", "down").returncode == 0
    again = shiftproof("lab", "down")
    assert (again.returncode, again.stdout) == (0, "no lab was up\n")
    for command in (["status"], ["exec", "--", "true"], ["forward", "entry"]):
        done = shiftproof("lab", *command)
        assert done.returncode == 3
        assert done.stderr == "shiftproof: the lab is not up  ->  shiftproof lab up\n"


def start_up() -> subprocess.Popen[str]:
    words = [sys.executable, "-c", "from shiftproof.cli import main; main()", "lab", "up"]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_start_that_is_interrupted_leaves_nothing(own_lab: RunningLab, number: signal.Signals) -> None:
    assert shiftproof("lab", "down").returncode == 0
    starting = start_up()
    assert starting.stderr is not None
    while "etcd" not in starting.stderr.readline():
        assert starting.poll() is None
    second = shiftproof("lab", "up")
    assert second.returncode == 3
    assert f"pid {starting.pid}" in second.stderr or "still coming up" in second.stderr
    starting.send_signal(number)
    _, said = starting.communicate(timeout=90)
    until(lambda: ", ".join(traces()) or None, 60)
    until(lambda: "control groups" if cgroups.leftovers() else None, 60)
    if number == signal.SIGINT:
        assert starting.returncode == 3
        assert said.splitlines()[-1] == "shiftproof: interrupted"


def test_a_part_that_does_not_start_is_named_and_the_lab_is_gone(own_lab: RunningLab, tmp_path: Path) -> None:
    assert shiftproof("lab", "down").returncode == 0
    code = (
        "import dataclasses\n"
        "from shiftproof.lab import launch, planning\n"
        "plan = planning.make_plan()\n"
        "programs = {**plan.programs, 'etcd': '/bin/false'}\n"
        f"plan = dataclasses.replace(plan, programs=programs, logs_kept={str(tmp_path / 'logs')!r})\n"
        "launch.bring_up(plan, lambda message: None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "etcd did not start: ended with exit code 1" in done.stderr
    assert (tmp_path / "logs" / "etcd.log").is_file()
    assert find_lab() is None
    assert (traces(), cgroups.leftovers()) == ([], [])
