from __future__ import annotations

import copy
from typing import Any

import pytest
from fakes.kubernetes_api import node, pod

from shiftproof.adapters.kubernetes.changes import EndpointReader, PodReader, WarningReader
from shiftproof.adapters.kubernetes.node_changes import NodeReader
from shiftproof.adapters.kubernetes.nodes import Machine, machine_of
from shiftproof.adapters.kubernetes.pods import workload_of


def kinds(happenings: list[Any]) -> list[str]:
    return [happening.kind for happening in happenings]


def test_the_life_of_a_pod() -> None:
    reader = PodReader()
    born: dict[str, Any] = {"metadata": {"name": "p", "uid": "u"}, "spec": {}, "status": {"phase": "Pending"}}
    assert kinds(reader.changed(1, "ADDED", born)) == ["pod.created"]
    placed = copy.deepcopy(born)
    placed["spec"]["nodeName"] = "node-2"
    assert kinds(reader.changed(2, "MODIFIED", placed)) == ["pod.scheduled"]
    running = pod("p", node="node-2", ip="198.18.2.9", ready=False)
    running["metadata"]["uid"] = "u"
    assert kinds(reader.changed(3, "MODIFIED", running)) == ["pod.started"]
    ready = pod("p", node="node-2", ip="198.18.2.9")
    ready["metadata"]["uid"] = "u"
    (happening,) = reader.changed(4, "MODIFIED", ready)
    assert (happening.kind, happening.subject, happening.t_ns) == ("pod.ready", "pod/p", 4)
    known = {"ip": "198.18.2.9", "node": "node-2", "pod": "p", "namespace": "", "workload": "payments-7d4"}
    assert happening.data == known
    leaving = copy.deepcopy(ready)
    leaving["metadata"] |= {"deletionTimestamp": "2025-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30}
    (happening,) = reader.changed(5, "MODIFIED", leaving)
    assert happening.kind == "pod.terminating"
    assert happening.data["grace_s"] == 30
    assert reader.changed(6, "MODIFIED", copy.deepcopy(leaving)) == []
    ended = copy.deepcopy(leaving)
    ended["status"]["containerStatuses"][0]["state"] = {
        "terminated": {"containerID": "c://p/0", "exitCode": 0, "reason": "Completed"}
    }
    ended["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    assert kinds(reader.changed(7, "MODIFIED", ended)) == ["pod.stopped"]
    assert kinds(reader.changed(8, "DELETED", ended)) == ["pod.gone"]


def test_a_container_killed_and_started_again_within_one_change_is_seen() -> None:
    reader = PodReader()
    reader.listed(1, [pod("p")], first=True)
    again = pod("p", restarts=1)
    again["status"]["containerStatuses"][0]["lastState"] = {
        "terminated": {"containerID": "c://p/0", "exitCode": 137, "reason": "Error"}
    }
    told = reader.changed(2, "MODIFIED", again)
    assert kinds(told) == ["pod.stopped", "pod.started"]
    assert told[0].data["exit_code"] == 137


def test_a_pod_that_cannot_start_says_why_once() -> None:
    reader = PodReader()
    stuck = pod("p", waiting=("CreateContainerConfigError", "couldn't find key X"))
    told = reader.changed(1, "ADDED", stuck)
    assert kinds(told) == ["pod.created", "pod.scheduled", "pod.failing"]
    assert told[2].data["reason"] == "CreateContainerConfigError"
    assert told[2].detail == "couldn't find key X"
    assert reader.changed(2, "MODIFIED", copy.deepcopy(stuck)) == []
    removed = pod("p", ready=False)
    removed["status"]["phase"] = "Failed"
    removed["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    assert "pod.failing" not in kinds(reader.changed(3, "MODIFIED", removed)), "it was told to go, and went"


def test_across_a_gap_everything_that_changed_is_told() -> None:
    reader = PodReader()
    told = reader.listed(1, [pod("stays"), pod("goes"), pod("fails")], first=True)
    assert kinds(told) == ["pod.present"] * 3
    told = reader.listed(9, [pod("stays"), pod("fails", ready=False), pod("comes")], first=False)
    assert [(happening.kind, happening.subject) for happening in told] == [
        ("pod.gone", "pod/goes"),
        ("pod.not-ready", "pod/fails"),
        ("pod.created", "pod/comes"),
        ("pod.scheduled", "pod/comes"),
        ("pod.started", "pod/comes"),
        ("pod.ready", "pod/comes"),
    ]


def piece(*endpoints: dict[str, Any]) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": "payments"}
    return {"metadata": {"name": "payments-x", "uid": "s", "labels": labels}, "endpoints": list(endpoints)}


def endpoint(ip: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [ip], "conditions": conditions, "nodeName": "node-1", "targetRef": {"name": f"pod-{ip[-1]}"}}


def test_an_endpoint_comes_leaves_and_is_removed() -> None:
    reader = EndpointReader()
    assert kinds(reader.listed(1, [piece(endpoint("10.0.0.1", ready=True))], first=True)) == ["endpoint.present"]
    coming = piece(endpoint("10.0.0.1", ready=True), endpoint("10.0.0.2", ready=False, serving=False))
    assert reader.changed(2, "MODIFIED", coming) == []
    both = piece(endpoint("10.0.0.1", ready=True), endpoint("10.0.0.2", ready=True, serving=True))
    (happening,) = reader.changed(3, "MODIFIED", both)
    assert (happening.kind, happening.subject, happening.data["pod"]) == (
        "endpoint.added",
        "pod/pod-2",
        "pod-2",
    )
    leaving = piece(endpoint("10.0.0.1", ready=False, serving=True, terminating=True), endpoint("10.0.0.2", ready=True))
    assert kinds(reader.changed(4, "MODIFIED", leaving)) == ["endpoint.terminating"]
    deaf = piece(endpoint("10.0.0.1", ready=False, serving=False, terminating=True), endpoint("10.0.0.2", ready=True))
    assert kinds(reader.changed(5, "MODIFIED", deaf)) == ["endpoint.not-serving"]
    assert kinds(reader.changed(6, "MODIFIED", piece(endpoint("10.0.0.2", ready=True)))) == ["endpoint.removed"]
    assert kinds(reader.changed(7, "DELETED", piece(endpoint("10.0.0.2", ready=True)))) == ["endpoint.removed"]


def test_a_node_is_cordoned_lost_and_back() -> None:
    reader = NodeReader()
    reader.listed(1, [node("node-1")], first=True)
    assert kinds(reader.changed(2, "MODIFIED", node("node-1", cordoned=True))) == ["node.cordoned"]
    told = reader.changed(3, "MODIFIED", node("node-1", ready=False))
    assert kinds(told) == ["node.not-ready", "node.uncordoned"]
    assert told[0].data == {"node": "node-1", "ip": "198.18.0.21", "reason": ""}
    assert kinds(reader.changed(4, "MODIFIED", node("node-1"))) == ["node.ready"]
    assert kinds(reader.changed(5, "DELETED", node("node-1"))) == ["node.gone"]
    assert kinds(reader.changed(6, "ADDED", node("node-3"))) == ["node.joined", "node.ready"]


MACHINE = "aws:///eu-west-1a/i-0abc"


def told_of_machine(happening: Any) -> dict[str, str]:
    return {key: happening.data[key] for key in ("machine", "capacity_type", "zone") if key in happening.data}


def test_a_node_names_its_machine_and_how_it_was_bought() -> None:
    reader = NodeReader()
    labels = {"eks.amazonaws.com/capacityType": "ON_DEMAND", "topology.kubernetes.io/zone": "eu-west-1b"}
    (there,) = reader.listed(1, [node("node-1", labels=labels)], first=True)
    assert told_of_machine(there) == {"machine": "", "capacity_type": "on-demand", "zone": "eu-west-1b"}
    joined, ready = reader.changed(2, "ADDED", node("node-3", provider_id=MACHINE))
    assert told_of_machine(joined) == {"machine": "i-0abc", "capacity_type": "", "zone": "eu-west-1a"}
    assert told_of_machine(ready) == {}
    spot = node("node-3", provider_id=MACHINE, labels={"karpenter.sh/capacity-type": "spot"})
    (described,) = reader.changed(3, "MODIFIED", spot)
    assert (described.kind, described.data["machine"]) == ("node.described", "i-0abc")
    assert described.data["capacity_type"] == "spot", "its label came after it had joined"
    assert reader.changed(4, "MODIFIED", copy.deepcopy(spot)) == []


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"eks.amazonaws.com/capacityType": "SPOT"}, "spot"),
        ({"node.kubernetes.io/lifecycle": "normal"}, "on-demand"),
        ({"karpenter.sh/capacity-type": "reserved", "node.kubernetes.io/lifecycle": "spot"}, "reserved"),
        ({"kubernetes.io/os": "linux"}, ""),
    ],
)
def test_who_makes_nodes_has_words_of_its_own(labels: dict[str, str], said: str) -> None:
    assert machine_of(node("n", labels=labels)).capacity_type == said


@pytest.mark.parametrize("provider", ["", "gce://project/zone/name", "aws:///eu-west-1a/x/fargate-ip-10-0-0-1", "i-0"])
def test_what_is_no_ec2_instance_is_no_machine(provider: str) -> None:
    assert machine_of(node("n", provider_id=provider)) == Machine()


def test_a_pod_names_its_deployment() -> None:
    labels = {"app": "statements", "pod-template-hash": "7d4"}
    mine = pod("statements-7d4-x", labels=labels)
    mine["metadata"] |= {"namespace": "statements"}
    mine["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "statements-7d4", "controller": True}]
    (happening,) = PodReader().listed(1, [mine], first=True)
    assert (happening.data["namespace"], happening.data["workload"]) == ("statements", "statements")
    mine["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "check-7d4", "controller": True}]
    assert workload_of(mine) == "check-7d4", "only a ReplicaSet's name ends with the template's hash"
    mine["metadata"].pop("ownerReferences")
    assert workload_of(mine) == ""


def test_a_pod_without_a_place_is_told_by_receipt_with_the_schedulers_own_time() -> None:
    reader = PodReader()
    born: dict[str, Any] = {"metadata": {"name": "p", "uid": "u"}, "spec": {}, "status": {"phase": "Pending"}}
    assert kinds(reader.changed(1, "ADDED", born)) == ["pod.created"]
    refused = copy.deepcopy(born)
    said = {"reason": "Unschedulable", "message": "0/2 nodes", "lastTransitionTime": "2025-01-01T00:00:07Z"}
    refused["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", **said}]
    (happening,) = reader.changed(2, "MODIFIED", refused)
    assert (happening.kind, happening.t_ns, happening.data["reason"]) == ("pod.failing", 2, "Unschedulable")
    assert happening.data["since"] == "2025-01-01T00:00:07Z"


def test_warnings_are_told_and_the_rest_is_not() -> None:
    reader = WarningReader()
    event = {
        "metadata": {"name": "e", "uid": "e"},
        "type": "Warning",
        "reason": "Unhealthy",
        "message": "Readiness probe failed",
        "involvedObject": {"kind": "Pod", "name": "p"},
    }
    assert reader.listed(1, [event], first=True) == []
    (happening,) = reader.changed(2, "ADDED", event)
    assert (happening.kind, happening.subject, happening.detail) == ("event.warning", "pod/p", "Readiness probe failed")
    assert reader.changed(3, "ADDED", {**event, "type": "Normal"}) == []
    assert reader.changed(4, "DELETED", event) == []
