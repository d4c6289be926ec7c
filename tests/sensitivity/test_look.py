"""What a look at the cluster compares, on a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from servers.kube_api import kube_api

from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.kubernetes.objects import Objects
from shiftproof.adapters.kubernetes.paths import deployment as deployment_path
from shiftproof.gate.config import read_platform, service
from shiftproof.gate.planting.left import lab_problems
from shiftproof.lab.setup.paths import project_root
from shiftproof.sensitivity.look import _machines, _nodes, _objects, _scaled_out
from shiftproof.sensitivity.settling import PASSES_WITHIN_S

pytestmark = pytest.mark.component

POD: dict[str, Any] = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
CPU: dict[str, Any] = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
}
OWNER = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "u", "controller": True}


def test_everything_that_people_write_is_compared_and_what_is_made_for_them_is_not(tmp_path: Path) -> None:
    with kube_api(tmp_path) as target:
        api = Api(connect(target))
        api.post("/api/v1/namespaces", {"metadata": {"name": "payments"}})
        objects = Objects(api)
        before = dict(_objects(api, "payments"))

        def make(kind: str, name: str = "new", **fields: Any) -> None:
            metadata = {"name": name, **fields.pop("metadata", {})}
            objects.create(objects.locate(kind, name, "payments"), {"metadata": metadata, **fields})

        make("Role", rules=[])
        make("RoleBinding", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "new"})
        make("ServiceAccount")
        make("Ingress", spec={"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}})
        make("CronJob", spec={"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": POD}}})
        make("Job", spec={"template": POD})
        make("Job", "made-by-a-cronjob", metadata={"ownerReferences": [OWNER]}, spec={"template": POD})
        added = dict(_objects(api, "payments")).keys() - before.keys()
        assert added == {
            f"{kind} new" for kind in ("Role", "RoleBinding", "ServiceAccount", "Ingress", "CronJob", "Job")
        }


LABELS = {"app": "payments"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
AIM = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "payments"}


def test_more_pods_than_the_autoscalers_floor_are_a_problem_that_passes(tmp_path: Path) -> None:
    payments = service(read_platform(project_root() / "infra"), "payments")
    with kube_api(tmp_path) as target:
        api = Api(connect(target))
        api.post("/api/v1/namespaces", {"metadata": {"name": "payments"}})
        assert list(_scaled_out(api, payments)) == [], "without a Deployment something else is wrong"
        spec = {"replicas": 5, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
        deployment = api.post(
            "/apis/apps/v1/namespaces/payments/deployments", {"metadata": {"name": "payments"}, "spec": spec}
        )
        assert list(_scaled_out(api, payments)) == [], "nobody would take them back: five is what was asked for"
        api.post(
            "/apis/autoscaling/v2/namespaces/payments/horizontalpodautoscalers",
            {
                "metadata": {"name": "payments"},
                "spec": {"scaleTargetRef": AIM, "minReplicas": 3, "maxReplicas": 6, "metrics": [CPU]},
            },
        )
        assert list(_scaled_out(api, payments)) == [
            "scaled out: 5 pods, its floor is 3; the HPA takes them back by itself"
        ]
        api.patch(deployment_path("payments", "payments"), {"spec": {"replicas": 3}})
        assert list(_scaled_out(api, payments)) == []
        assert deployment["spec"]["replicas"] == 5


def test_a_machine_that_an_event_brought_passes_and_is_no_damage(tmp_path: Path) -> None:
    with kube_api(tmp_path) as target:
        api = Api(connect(target))
        pool = {"karpenter.sh/nodepool": "on-demand"}
        for name, labels in (("node-1", {}), ("node-11", pool)):
            node = {"metadata": {"name": name, "labels": labels}, "spec": {"unschedulable": True}}
            api.post("/api/v1/nodes", node)
        assert list(_nodes(api)) == ["node node-1 is cordoned", "node node-1 is not ready"]
        assert list(_machines(api)) == ["machine node-11 of autoscaling is still there; it goes by itself"]


def part(where: str, state: str) -> dict[str, Any]:
    return {"name": f"{where}/kubelet", "where": where, "state": state, "problem": None}


def test_parts_of_machines_that_come_and_go_are_no_problem_of_the_lab() -> None:
    status: dict[str, Any] = {
        "network": [],
        "legacy": {},
        "parts": [part("node-11", "dead"), part("node-1", "ready")],
        "autoscaling": {"up": True, "problem": None},
    }
    assert lab_problems(status) == []
    sick = {**status, "parts": [part("node-1", "dead")], "autoscaling": {"up": True, "problem": "i-1 did not boot"}}
    assert lab_problems(sick) == [
        "the lab's node-1/kubelet is dead: no reason given",
        "the lab's autoscaling: i-1 did not boot (if it stays: `shiftproof lab down`)",
    ]


def test_the_wait_is_longer_than_the_way_down() -> None:
    """The figures of infra: five quiet minutes, then one pod a minute from most to least."""
    scaler = yaml.safe_load((project_root() / "infra/services/payments/base/hpa.yaml").read_text())["spec"]
    down = scaler["behavior"]["scaleDown"]
    (policy,) = down["policies"]
    steps = (scaler["maxReplicas"] - scaler["minReplicas"]) / policy["value"]
    assert down["stabilizationWindowSeconds"] + steps * policy["periodSeconds"] < PASSES_WITHIN_S
