"""A node's power, with a machine that is only noted down; the real one is cut in test_whole_lab.py."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shiftproof.errors import LabError
from shiftproof.lab import cgroups, namespaces, procfs
from shiftproof.lab.machine import Machine
from shiftproof.lab.node import Node
from shiftproof.lab.node_config import Identity
from shiftproof.lab.plan import LabPlan
from shiftproof.lab.waiting import until

PLAN = LabPlan("/python", "/clone", {"kubelet": "/k", "kube-proxy": "/p"}, "/pause.tar", "pause:lab", "/logs")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to machine, network and control groups, in order."""
    noted: list[str] = []
    for module, names in ((namespaces, ("cut", "remove", "connect")), (cgroups, ("remove", "make"))):
        for name in names:
            where = f"{module.__name__.rpartition('.')[2]}.{name}"
            monkeypatch.setattr(module, name, lambda *_, where=where, **__: noted.append(where))
    monkeypatch.setattr(Machine, "power_off", lambda _: noted.append("machine.off"))
    monkeypatch.setattr(Machine, "power_on", lambda _: noted.append("machine.on"))
    monkeypatch.setattr(Node, "_start_containerd", lambda _: noted.append("containerd"))
    monkeypatch.setattr(Node, "_start_kubernetes", lambda _: noted.append("kubelet"))
    return noted


def test_a_machine_that_ended_is_dead_and_does_not_come_back(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "exists", lambda _: True)
    made = Node("node-11", PLAN, Identity("eu-west-1b", "i-1"))
    made.power_off(60)
    done.clear()
    made.retire()
    assert done == ["namespaces.cut", "machine.off", "namespaces.remove", "cgroups.remove"]
    assert made.back_in_s() is None
    assert made.is_off()


@pytest.fixture
def cut_node(done: list[str]) -> Iterator[Node]:
    made = Node("node-1", PLAN, Identity("eu-west-1a"))
    made.power_off(60)
    yield made
    made.power_on()


def test_a_cut_silences_the_link_first_and_leaves_nothing_running(done: list[str], cut_node: Node) -> None:
    assert done == ["namespaces.cut", "machine.off", "namespaces.remove", "cgroups.remove"]
    assert cut_node.is_off()
    left_s = cut_node.back_in_s()
    assert left_s is not None
    assert 50 < left_s <= 60
    with pytest.raises(LabError, match="node-1 is off already, and comes back in"):
        cut_node.power_off(60)


def test_power_comes_back_whole_and_only_once(done: list[str], cut_node: Node) -> None:
    done.clear()
    cut_node.power_on()
    assert done[-5:] == ["namespaces.connect", "cgroups.make", "machine.on", "containerd", "kubelet"]
    assert not cut_node.is_off()
    assert cut_node.back_in_s() is None
    done.clear()
    cut_node.power_on()
    assert done == []


def test_a_cut_ends_by_itself(done: list[str]) -> None:
    made = Node("node-1", PLAN, Identity("eu-west-1a"))
    made.power_off(0.05)
    until(lambda: "off" if made.is_off() else None, 60)
    assert done[-1] == "kubelet"


def test_a_cut_that_breaks_off_half_way_still_ends(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(_: Machine) -> None:
        if "machine.stuck" not in done:
            done.append("machine.stuck")
            raise LabError("node-1 does not die")

    monkeypatch.setattr(Machine, "power_off", stuck)
    made = Node("node-1", PLAN, Identity("eu-west-1a"))
    with pytest.raises(LabError, match="does not die"):
        made.power_off(0.05)
    until(lambda: "off" if made.is_off() else None, 60)
    assert done[-1] == "kubelet"


def test_a_return_that_fails_is_tried_again(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def once(_: Node) -> None:
        done.append("containerd")
        if done.count("containerd") == 1:
            raise LabError("containerd did not start")

    monkeypatch.setattr(Node, "_start_containerd", once)
    made = Node("node-1", PLAN, Identity("eu-west-1a"))
    made.power_off(0.05)
    until(lambda: "off" if made.is_off() else None, 60)
    assert done.count("machine.on") == 2


def test_kill_pod_kills_containers_and_spares_the_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for container, kind in (("pause", "sandbox"), ("main", "container")):
        (tmp_path / container).mkdir()
        spec = {"annotations": {"io.kubernetes.cri.container-type": kind}}
        (tmp_path / container / "config.json").write_text(json.dumps(spec))
    killed: list[int] = []
    found = {"pause": (10,), "main": (11, 12), "gone": (13,)}
    monkeypatch.setattr(cgroups, "pids_of_containers", lambda *_: found)
    monkeypatch.setattr(Machine, "path", lambda _, inside: tmp_path / "/".join(inside.rsplit("/", 2)[1:]))
    monkeypatch.setattr(procfs, "outer_pid", lambda pid: pid + 1000)
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    assert Node("node-1", PLAN, Identity("eu-west-1a")).kill_pod("ab-12") == [1011, 1012]
    assert killed == [11, 12]
    found.pop("main")
    with pytest.raises(LabError, match="no process of pod ab-12 runs on node-1"):
        Node("node-1", PLAN, Identity("eu-west-1a")).kill_pod("ab-12")
