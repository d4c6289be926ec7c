"""The control socket: both ends over a real socket, with fakes behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from shiftproof.errors import LabError
from shiftproof.lab import control_server
from shiftproof.lab.control import LabControl
from shiftproof.lab.legacy import LegacyHost
from shiftproof.lab.node import Node


class FakeNode:
    def __init__(self) -> None:
        self.done: list[object] = []

    def power_off(self, for_s: float) -> None:
        if self.done:
            raise LabError("node-1 is off already, and comes back in 3 s")
        self.done.append(("off", for_s))

    def power_on(self) -> None:
        self.done.append("on")

    def kill_pod(self, pod_uid: str) -> list[int]:
        self.done.append(("kill", pod_uid))
        return [41, 42]


class FakeHost:
    def __init__(self) -> None:
        self.done: list[object] = []

    def start(self, env: Mapping[str, str] | None = None) -> None:
        self.done.append(("start", env))

    def stop(self) -> None:
        self.done.append("stop")

    def restart(self) -> None:
        raise OSError("broken")


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def control(tmp_path: Path, node: FakeNode, host: FakeHost) -> Iterator[LabControl]:
    verbs = control_server.verbs(
        {"node-1": cast("Node", node)}, {"legacy-1": cast("LegacyHost", host)}, lambda: {"ready": True}
    )
    server = control_server.serve(verbs, tmp_path / "control.sock")
    yield LabControl(tmp_path / "control.sock")
    server.shutdown()
    server.server_close()


def test_power(control: LabControl, node: FakeNode) -> None:
    control.power_off("node-1", 7.5)
    control.power_on("node-1")
    assert node.done == [("off", 7.5), "on"]


def test_what_the_lab_refuses_comes_back_as_its_own_error(control: LabControl) -> None:
    control.power_off("node-1", 5)
    with pytest.raises(LabError, match="off already"):
        control.power_off("node-1", 5)


@pytest.mark.parametrize("for_s", [0, -1, 601, float("nan"), float("inf")])
def test_no_cut_without_an_end_in_sight(control: LabControl, node: FakeNode, for_s: float) -> None:
    with pytest.raises(LabError, match="power can be cut for"):
        control.power_off("node-1", for_s)
    assert node.done == []


def test_kill_pod(control: LabControl, node: FakeNode) -> None:
    assert control.kill_pod("node-1", "ab-12") == [41, 42]
    assert node.done == [("kill", "ab-12")]


@pytest.mark.parametrize("uid", ["", "../..", "*", "a b"])
def test_only_a_uid_is_looked_for_in_control_groups(control: LabControl, node: FakeNode, uid: str) -> None:
    with pytest.raises(LabError, match="is no pod's uid"):
        control.kill_pod("node-1", uid)
    assert node.done == []


def test_unknown_names_are_answered_with_the_known(control: LabControl) -> None:
    with pytest.raises(LabError, match="'node-9': there are node-1"):
        control.power_on("node-9")
    with pytest.raises(LabError, match="'legacy-9': there are legacy-1"):
        control.stop_legacy("legacy-9")


def test_legacy(control: LabControl, host: FakeHost) -> None:
    control.stop_legacy("legacy-1")
    control.start_legacy("legacy-1", {"POOL_SIZE": "1"})
    control.start_legacy("legacy-1")
    assert host.done == ["stop", ("start", {"POOL_SIZE": "1"}), ("start", None)]


def test_trouble_inside_is_an_answer_and_not_a_dead_lab(control: LabControl) -> None:
    with pytest.raises(LabError, match="OSError: broken"):
        control.restart_legacy("legacy-1")
    assert control.status() == {"ready": True}


def test_no_lab(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="the lab does not answer") as raised:
        LabControl(tmp_path / "nothing.sock").status()
    assert raised.value.hint == "shiftproof lab up"


@pytest.mark.parametrize("line", [b"", b"[]\n", b"no json\n", b'{"verb": "format_disk"}\n', b'{"verb": ["status"]}\n'])
def test_nonsense_is_answered(line: bytes) -> None:
    answer: dict[str, Any] = control_server.answer({"status": lambda _: {}}, line)
    assert "error" in answer
    json.dumps(answer)
