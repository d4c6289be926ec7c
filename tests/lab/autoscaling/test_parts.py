"""Autoscaling as parts: which, in which order, and what becomes of a start that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from shiftproof.errors import LabError
from shiftproof.lab import aws, control_plane
from shiftproof.lab.autoscaling import commands, instances, parts
from shiftproof.lab.autoscaling.instances import Instance
from shiftproof.lab.autoscaling.parts import Autoscaling
from shiftproof.lab.autoscaling.plan import AutoscalingPlan, WorkerPlan
from shiftproof.lab.parts import Part, Progress
from shiftproof.lab.runtime import Lab
from shiftproof.lab.supervisor import PartFailed

WORKER = WorkerPlan("statements", "/tar", "/app", "statements", ("python3", "-m", "statements", "migrate"), {})
PROGRAMS = {name: f"/bin/{name}" for name in ("prometheus", "keda-operator", "keda-adapter", "karpenter")}
PLAN = AutoscalingPlan(PROGRAMS, ("/crds",), "/pools", 40.0, "notices", ("payments", "statements"), (WORKER,))


class FakeNode:
    name = "node-1"

    def add_images(self, images: object) -> None:
        """Nothing: which parts there are is what is looked at."""


class FakeLab:
    """What Autoscaling asks of its lab."""

    def __init__(self, credentials: control_plane.Credentials) -> None:
        self.credentials = credentials
        self.forgotten: list[str] = []

    def fixed_nodes(self) -> list[FakeNode]:
        return [FakeNode()]

    def forget(self, name: str) -> None:
        self.forgotten.append(name)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    monkeypatch.setattr(commands, "LAB_DIR", tmp_path)
    return FakeLab(control_plane.make_credentials(tmp_path / "kubernetes"))


@pytest.fixture
def autoscaling(lab: FakeLab) -> Autoscaling:
    return Autoscaling(cast("Lab", lab))


def test_each_part_waits_for_what_it_needs(autoscaling: Autoscaling) -> None:
    needs = {part.name: set(part.needs) for part in autoscaling.parts(PLAN)}
    assert set(needs) >= {
        *PROGRAMS,
        "aws",
        "crds",
        "keda",
        "node-pools",
        "joiner",
        "node-1/images",
        "statements/database",
    }
    assert needs["karpenter"] == {"aws", "crds"}
    assert needs["node-pools"] == {"karpenter"}
    assert needs["keda-adapter"] == {"keda-operator", "keda"}


def test_it_is_brought_up_once_and_only_by_one_plan(autoscaling: Autoscaling, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def bring_up(_: list[Part], note: Callable[[Progress], None]) -> None:
        calls.append(1)
        note(Progress("aws", "ready", 1.234))

    monkeypatch.setattr(parts, "bring_up", bring_up)
    assert autoscaling.bring_up(PLAN) == {"aws": 1.23}
    assert autoscaling.bring_up(PLAN) == {"aws": 1.23}
    assert len(calls) == 1
    assert autoscaling.boot.get() == 40
    other = AutoscalingPlan(PROGRAMS, ("/crds",), "/pools", 10.0, "notices", ("payments",), ())
    with pytest.raises(LabError, match="brought up otherwise"):
        autoscaling.bring_up(other)


def test_a_start_that_fails_leaves_nothing_half_and_may_be_asked_again(
    autoscaling: Autoscaling, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: list[Part], note: Callable[[Progress], None]) -> None:
        note(Progress("prometheus", "ready", 1.0))
        raise PartFailed("karpenter", "ended with exit code 2")

    monkeypatch.setattr(parts, "bring_up", fails)
    with pytest.raises(PartFailed, match="karpenter did not start"):
        autoscaling.bring_up(PLAN)
    assert set(PROGRAMS) <= set(lab.forgotten)
    monkeypatch.setattr(parts, "bring_up", lambda *_: None)
    assert autoscaling.bring_up(PLAN) == {}


def test_prometheus_asks_running_pods_of_these_namespaces() -> None:
    config = json.loads(commands.prometheus_config(Path("/kubeconfig"), ["payments", "statements"]))
    (job,) = config["scrape_configs"]
    (found,) = job["kubernetes_sd_configs"]
    assert found == {
        "role": "pod",
        "kubeconfig_file": "/kubeconfig",
        "namespaces": {"names": ["payments", "statements"]},
    }
    kept = [rule["source_labels"] for rule in job["relabel_configs"] if rule.get("action") == "keep"]
    assert kept == [["__meta_kubernetes_pod_container_port_name"], ["__meta_kubernetes_pod_phase"]]


def test_keda_and_karpenter_go_by_the_lab(lab: FakeLab) -> None:
    karpenter = commands.karpenter("/bin/karpenter", lab.credentials, "notices")
    assert karpenter.env["INTERRUPTION_QUEUE"] == "notices"
    assert karpenter.env["AWS_ENDPOINT_URL"] == aws.environment()["AWS_ENDPOINT_URL"]
    operator = commands.keda_operator("/bin/keda-operator", lab.credentials)
    folder = commands.keda_certificates(lab.credentials)
    assert f"--cert-dir={folder}" in operator.argv
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "tls.crt", "tls.key"}


_ANSWER = """<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet>
<item><instancesSet><item><instanceId>i-2</instanceId><instanceState><name>running</name></instanceState>
<placement><availabilityZone>eu-west-1b</availabilityZone></placement></item></instancesSet></item>
<item><instancesSet><item><instanceId>i-1</instanceId><instanceState><name>pending</name></instanceState>
<placement><availabilityZone>eu-west-1a</availabilityZone></placement></item>
<item><instanceId>i-0</instanceId><instanceState><name>terminated</name></instanceState>
<placement><availabilityZone>eu-west-1a</availabilityZone></placement></item></instancesSet></item>
</reservationSet></DescribeInstancesResponse>"""


def test_instances_that_are_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    import xml.etree.ElementTree as ET

    monkeypatch.setattr(aws, "ask", lambda service, action: ET.fromstring(_ANSWER))
    assert instances.running() == [Instance("i-1", "eu-west-1a"), Instance("i-2", "eu-west-1b")]
