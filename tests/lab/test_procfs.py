"""The lab is found by /proc alone, and nothing that only looks like it is taken for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shiftproof.lab import procfs

OURS, LABS = "pid:[1]", "pid:[2]"
INIT = ["/venv/bin/python", "-m", "shiftproof.lab.init", "--progress", "7"]


class FakeProc:
    """A /proc made of files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.add(100, ["python", "-m", "pytest"])
        (root / "self").symlink_to("100")

    def add(
        self,
        pid: int,
        argv: list[str],
        *,
        uid: int = 0,
        ns_pids: tuple[int, ...] = (),
        pid_namespace: str = OURS,
        network: str = "net:[1]",
        parent: int = 1,
    ) -> None:
        folder = self.root / str(pid)
        (folder / "ns").mkdir(parents=True)
        pids = " ".join(str(number) for number in ns_pids or (pid,))
        (folder / "status").write_text(f"Name:\tx\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nNSpid:\t{pids}\n")
        (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in argv))
        (folder / "ns" / "pid").symlink_to(pid_namespace)
        (folder / "ns" / "net").symlink_to(network)


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


def test_no_lab(proc: FakeProc) -> None:
    assert procfs.find_init(proc.root) is None


def test_the_init_is_found_with_its_pid_as_the_machine_sees_it(proc: FakeProc) -> None:
    proc.add(4711, INIT, ns_pids=(4711, 1), pid_namespace=LABS)
    found = procfs.find_init(proc.root)
    assert found is not None
    assert found.pid == 4711


@pytest.mark.parametrize(
    ("argv", "uid", "ns_pids", "pid_namespace"),
    [
        pytest.param(INIT, 1000, (5, 1), LABS, id="another user's"),
        pytest.param(INIT, 0, (5,), OURS, id="not in a namespace of its own"),
        pytest.param(INIT, 0, (5, 8), LABS, id="not process 1 there"),
        pytest.param(INIT, 0, (5, 3, 1), LABS, id="two namespaces down: somebody else's machine"),
        pytest.param(["vi", "-m", "shiftproof.lab.init"], 0, (5, 1), LABS, id="an editor"),
        pytest.param(["python", "-c", "x", "shiftproof.lab.init"], 0, (5, 1), LABS, id="words in an argument"),
        pytest.param(["python", "-m", "shiftproof.lab.initial"], 0, (5, 1), LABS, id="a longer name"),
        pytest.param([], 0, (5, 1), LABS, id="a dead one"),
    ],
)
def test_look_alikes_are_not_taken_for_it(
    proc: FakeProc, argv: list[str], uid: int, ns_pids: tuple[int, ...], pid_namespace: str
) -> None:
    proc.add(5, argv, uid=uid, ns_pids=ns_pids, pid_namespace=pid_namespace)
    assert procfs.find_init(proc.root) is None


def test_processes_that_vanish_while_one_looks_are_left_out(proc: FakeProc) -> None:
    (proc.root / "77").mkdir()
    assert [process.pid for process in procfs.processes(proc.root)] == [100]


def test_guests_are_those_of_the_machine_in_the_labs_network(proc: FakeProc) -> None:
    proc.add(50, ["unshare", "--pid"], network="net:[9]")
    proc.add(51, INIT, ns_pids=(51, 1), pid_namespace=LABS, network="net:[9]", parent=50)
    proc.add(52, ["etcd"], ns_pids=(52, 2), pid_namespace=LABS, network="net:[9]", parent=51)
    proc.add(53, ["python", "-m", "shiftproof", "gate"], network="net:[9]")
    proc.add(54, ["sleep"], network="net:[1]")
    init = procfs.find_init(proc.root)
    assert init is not None
    assert [process.pid for process in procfs.guests(init, proc.root)] == [53]


def test_children(proc: FakeProc) -> None:
    proc.add(60, ["a"], parent=100)
    proc.add(61, ["b"], parent=100)
    assert procfs.children(100, proc.root) == [60, 61]


def test_outer_pid_is_the_pid_itself_without_namespaces() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert procfs.outer_pid(child.pid) == child.pid
        read = procfs.read_process(child.pid)
        assert read is not None
        assert read.parent == os.getpid()
        child.communicate(b"\n")
    with pytest.raises(ProcessLookupError):
        procfs.outer_pid(child.pid)
