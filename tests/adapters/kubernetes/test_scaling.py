from __future__ import annotations

import copy
from typing import Any

import pytest
from fakes.clock import RealClock, wait_until
from fakes.kubernetes_api import FakeKubernetes, deployment

from shiftproof.adapters.kubernetes import ScaleWatcher
from shiftproof.adapters.kubernetes.scaling import AutoscalerReader, DeploymentReader, ratios

SCALERS = "/apis/autoscaling/v2/namespaces/payments/horizontalpodautoscalers"
DEPLOYMENTS = "/apis/apps/v1/namespaces/payments/deployments"


def keda(now: str | None, *, active: bool = True) -> dict[str, Any]:
    """As KEDA 2.20 makes one of a Prometheus trigger of 30 a pod, and its controller fills it in."""
    metric = {"name": "s0-prometheus", "selector": {"matchLabels": {"scaledobject.keda.sh/name": "payments"}}}
    reason = "ValidMetricFound" if active else "FailedGetExternalMetric"
    status: dict[str, Any] = {
        "currentReplicas": 2,
        "desiredReplicas": 2,
        "conditions": [{"type": "ScalingActive", "status": str(active), "reason": reason, "message": "said"}],
    }
    if now is not None:
        # value is there and 0 when the target is an average: it is no reading
        current = {"value": "0", "averageValue": now}
        status["currentMetrics"] = [{"type": "External", "external": {"metric": metric, "current": current}}]
    return {
        "metadata": {"name": "keda-hpa-payments", "namespace": "payments", "uid": "u"},
        "spec": {
            "minReplicas": 2,
            "maxReplicas": 6,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "payments"},
            "metrics": [
                {
                    "type": "External",
                    "external": {"metric": metric, "target": {"type": "AverageValue", "averageValue": "30"}},
                }
            ],
        },
        "status": status,
    }


def cpu(utilisation: int | None) -> dict[str, Any]:
    """As in infra/services/payments/base; what a controller that has not looked yet leaves out is left out."""
    target = {"type": "Utilization", "averageUtilization": 70}
    current = {"averageUtilization": utilisation, "averageValue": "91m"}
    seen = [{"type": "Resource", "resource": {"name": "cpu", "current": current}}]
    return {
        "metadata": {"name": "payments", "namespace": "payments", "uid": "v"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "payments"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
        "status": {} if utilisation is None else {"currentMetrics": seen},
    }


@pytest.mark.parametrize(
    ("scaler", "seen"),
    [
        (keda("45"), {"s0-prometheus": 1.5}),
        (keda("28500m"), {"s0-prometheus": 0.95}),
        (keda("0"), {"s0-prometheus": 0.0}),
        (keda(None), {"s0-prometheus": None}),
        (keda("45", active=False), {"s0-prometheus": None}),
        (cpu(140), {"cpu": 2.0}),
        (cpu(None), {"cpu": None}),
    ],
)
def test_the_ratio_is_what_the_controller_makes_of_metric_and_target(
    scaler: dict[str, Any], seen: dict[str, float | None]
) -> None:
    assert ratios(scaler) == seen


def test_of_several_metrics_each_is_found_wherever_the_status_has_it() -> None:
    both = keda("60")
    both["spec"]["metrics"] = [*cpu(35)["spec"]["metrics"], *both["spec"]["metrics"]]
    both["status"]["currentMetrics"] = [{"type": ""}, *both["status"]["currentMetrics"]]
    assert ratios(both) == {"cpu": None, "s0-prometheus": 2.0}, "one that could not be read has an empty type"


def test_what_is_observed_is_told_when_it_changes() -> None:
    reader = AutoscalerReader()
    (first,) = reader.listed(1, [keda("15")], first=True)
    assert (first.kind, first.subject) == ("scale.observed", "autoscaler/keda-hpa-payments")
    assert first.data == {
        "metric": "s0-prometheus",
        "ratio": 0.5,
        "namespace": "payments",
        "workload": "payments",
    }
    assert reader.changed(2, "MODIFIED", keda("15")) == []
    (more,) = reader.changed(3, "MODIFIED", keda("75"))
    assert (more.t_ns, more.data["ratio"]) == (3, 2.5)
    (blind,) = reader.changed(4, "MODIFIED", keda("75", active=False))
    assert blind.data["ratio"] is None
    assert blind.data["reason"] == "FailedGetExternalMetric: said"
    (gone,) = reader.changed(5, "DELETED", keda("75"))
    assert (gone.data["ratio"], gone.detail) == (None, "the autoscaler is gone")


def test_what_is_wanted_is_told_once_and_at_each_change() -> None:
    reader = DeploymentReader()
    (first,) = reader.listed(1, [deployment(replicas=2)], first=True)
    assert (first.kind, first.subject, first.data["replicas"]) == ("scale.wanted", "deployment/payments", 2)
    ready = copy.deepcopy(deployment(replicas=2))
    ready["status"]["readyReplicas"] = 1
    assert reader.changed(2, "MODIFIED", ready) == []
    assert [found.data["replicas"] for found in reader.changed(3, "MODIFIED", deployment(replicas=6))] == [6]
    none = deployment(replicas=0)
    assert [found.data["replicas"] for found in reader.changed(4, "MODIFIED", none)] == [0], "scaled to zero is no 1"


def test_the_watcher_brings_both_of_all_namespaces(fake_and_client: tuple[FakeKubernetes, Any]) -> None:
    fake, client = fake_and_client
    fake.put(f"{DEPLOYMENTS}/payments", deployment())
    worker = "/apis/apps/v1/namespaces/statements/deployments/statements"
    fake.put(worker, deployment("statements", replicas=0))
    watcher = ScaleWatcher(client, ["payments", "statements", "payments"], RealClock())
    watcher.start()
    wait_until(lambda: fake.watching("deployments") == 2 and fake.watching("horizontalpodautoscalers") == 2)
    fake.put(f"{SCALERS}/keda-hpa-payments", keda("75"))
    fake.put(worker, deployment("statements", replicas=3))
    wait_until(lambda: len(watcher.happenings()) == 4)
    watcher.stop()
    assert {
        (one.kind, one.subject, one.data.get("replicas", one.data.get("ratio"))) for one in watcher.happenings()
    } == {
        ("scale.wanted", "deployment/payments", 2),
        ("scale.wanted", "deployment/statements", 0),
        ("scale.wanted", "deployment/statements", 3),
        ("scale.observed", "autoscaler/keda-hpa-payments", 2.5),
    }
    assert watcher.problem() is None
