"""The control socket: both ends over a real socket, with fakes behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from shiftproof.errors import LabError
from shiftproof.lab import control_server
from shiftproof.lab.autoscaling.joiner import BootDelay
from shiftproof.lab.autoscaling.parts import Autoscaling
from shiftproof.lab.autoscaling.plan import AutoscalingPlan, WorkerPlan
from shiftproof.lab.control import LabControl
from shiftproof.lab.legacy import LegacyHost
from shiftproof.lab.network_faults import NetworkFaults
from shiftproof.lab.network_rules import NetworkFault
from shiftproof.lab.node import Node
from shiftproof.lab.pauses import Pauses


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

    def state(self) -> dict[str, Any]:
        return {"running": True, "env": {"POOL_SIZE": "1"}}

    def change(self, env: Mapping[str, str | None], running: bool) -> dict[str, Any]:
        self.done.append(("change", dict(env), running))
        return {"problem": "it ended with exit code 1", "in_rotation": False}


class FakeNetwork:
    def __init__(self) -> None:
        self.done: list[object] = []

    def check(self, fault: NetworkFault) -> None:
        if fault.kind == "delay":
            raise LabError("this machine's kernel cannot delay packets")

    def add(self, fault_id: str, fault: NetworkFault, for_s: float) -> None:
        self.done.append(("add", fault_id, fault, for_s))

    def remove(self, fault_id: str) -> None:
        self.done.append(("remove", fault_id))


def database(service: str) -> dict[str, Any]:
    if service != "payments":
        raise LabError(f"the lab runs no service {service!r}")
    return {"host": "198.18.0.41", "port": 5432, "name": "payments", "role": "payments", "password": "x"}


PLAN = AutoscalingPlan(
    {"karpenter": "/k"},
    ("/crds",),
    "/pools",
    40.0,
    "notices",
    ("payments", "statements"),
    (
        WorkerPlan(
            "statements", "/tar", "/app", "statements", ("python3", "-m", "statements", "migrate"), {"PGUSER": "x"}
        ),
    ),
)


class FakeAutoscaling:
    """Notes the plans that it is given."""

    def __init__(self) -> None:
        self.plans: list[AutoscalingPlan] = []
        self.boot = BootDelay(40)
        self.ready = {"aws": 1.5}

    def bring_up(self, plan: AutoscalingPlan) -> dict[str, float]:
        self.plans.append(plan)
        return self.ready


class FakePauses:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, float]] = []

    def pause(self, name: str, for_s: float) -> None:
        self.done.append(("pause", name, for_s))

    def resume(self, name: str) -> None:
        self.done.append(("resume", name, 0))


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def autoscaling() -> FakeAutoscaling:
    return FakeAutoscaling()


@pytest.fixture
def pauses() -> FakePauses:
    return FakePauses()


@pytest.fixture
def control(
    tmp_path: Path,
    node: FakeNode,
    host: FakeHost,
    network: FakeNetwork,
    autoscaling: FakeAutoscaling,
    pauses: FakePauses,
) -> Iterator[LabControl]:
    parts = control_server.Parts(
        {"node-1": cast("Node", node)},
        {"legacy-1": cast("LegacyHost", host)},
        cast("NetworkFaults", network),
        cast("Autoscaling", autoscaling),
        cast("Pauses", pauses),
        database,
        lambda: {"ready": True},
    )
    server = control_server.serve(control_server.verbs(parts), tmp_path / "control.sock")
    yield LabControl(tmp_path / "control.sock")
    server.shutdown()
    server.server_close()


def test_autoscaling_is_brought_up_as_planned(control: LabControl, autoscaling: FakeAutoscaling) -> None:
    assert control.autoscale(PLAN.to_dict()) == {"aws": 1.5}
    assert autoscaling.plans == [PLAN]
    assert control.autoscaling_progress() == {"aws": 1.5}


def test_a_boot_delay_is_changed_for_a_while(control: LabControl, autoscaling: FakeAutoscaling) -> None:
    assert control.set_boot_delay(220, 60) == 40
    assert autoscaling.boot.get() == 220
    for seconds, for_s in ((-1, 60), (601, 60), (40, 0), (40, 3601)):
        with pytest.raises(LabError, match="a boot takes"):
            control.set_boot_delay(seconds, for_s)


def test_a_part_is_paused_with_an_end(control: LabControl, pauses: FakePauses) -> None:
    control.pause_part("prometheus", 30)
    control.resume_part("prometheus")
    assert pauses.done == [("pause", "prometheus", 30), ("resume", "prometheus", 0)]
    with pytest.raises(LabError, match="for more than 0"):
        control.pause_part("prometheus", 0)


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


def test_legacy_machines_tell_their_state_and_take_another(control: LabControl, host: FakeHost) -> None:
    assert control.legacy_state() == {"legacy-1": {"running": True, "env": {"POOL_SIZE": "1"}}}
    assert control.change_legacy("legacy-1", {"PGHOST": None}, running=False)["problem"] is not None
    assert host.done == [("change", {"PGHOST": None}, False)]
    with pytest.raises(LabError, match="env is a mapping"):
        control.change_legacy("legacy-1", cast("Any", {"POOL_SIZE": 1}))


def test_a_network_fault_is_checked_before_it_reaches_the_network(control: LabControl, network: FakeNetwork) -> None:
    deny = {"kind": "deny", "source": "legacy", "destination": "database", "port": 5432}
    control.add_network("a1", deny, 60)
    control.remove_network("a1")
    fault = NetworkFault("deny", "legacy", "database", port=5432)
    assert network.done == [("add", "a1", fault, 60), ("remove", "a1")]
    for wrong, said in (
        ({**deny, "kind": "flood"}, "no network fault is called 'flood'"),
        ({**deny, "destination": "internet"}, "the lab has no 'internet'"),
        ({**deny, "destination": "8.8.8.8"}, "is no address of the lab"),
        ({**deny, "port": 0}, "is no port"),
        ({"kind": "deny"}, "no network fault: KeyError"),
    ):
        with pytest.raises(LabError, match=said):
            control.add_network("a2", wrong, 60)
    with pytest.raises(LabError, match="cannot delay"):
        control.check_network({**deny, "kind": "delay", "delay_ms": 5, "port": None})
    assert len(network.done) == 2


def test_the_database_of_a_service(control: LabControl) -> None:
    assert control.database("payments")["role"] == "payments"
    with pytest.raises(LabError, match="runs no service 'nothing'"):
        control.database("nothing")


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
