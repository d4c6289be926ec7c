"""The kubelet's counters of periods in which a container was stopped by its CPU limit."""

from __future__ import annotations

from typing import Any

from shiftproof.adapters.kubernetes.api import KubernetesError
from shiftproof.adapters.kubernetes.throttling import counted, throttled

_OF = 'container="{c}",id="/x",image="i",name="n",namespace="{n}",pod="{p}"'


def line(sort: str, value: float, *, pod: str = "a", container: str = "payments", namespace: str = "payments") -> str:
    labels = _OF.format(c=container, n=namespace, p=pod)
    return f"container_cpu_cfs_{sort}_total{{{labels}}} {value:g} 1795409286586\n"


METRICS = (
    "# TYPE container_cpu_cfs_periods_total counter\n"
    + line("periods", 200)
    + line("throttled_periods", 61)
    + line("periods", 900, container="")  # the pod as a whole, which would count twice
    + line("periods", 50, namespace="other")
    + line("periods", 100, pod="b")
    + 'container_cpu_cfs_throttled_seconds_total{container="payments",namespace="payments",pod="a"} 4.2 1\n'
)


class FakeApi:
    """One pod with a limit, one without."""

    def __init__(self, *, limit: str | None = "50m", fails: bool = False) -> None:
        self.limit = limit
        self.fails = fails
        self.asked: list[str] = []

    def items(self, path: str) -> list[dict[str, Any]]:
        limits = {"limits": {"cpu": self.limit}} if self.limit else {}
        return [
            {"metadata": {"name": "a"}, "spec": {"nodeName": "node-1", "containers": [{"resources": limits}]}},
            {"metadata": {"name": "b"}, "spec": {"nodeName": "node-2", "containers": [{}]}},
        ]

    def text(self, path: str) -> str:
        self.asked.append(path)
        if self.fails:
            raise KubernetesError("refused", status=403)
        return METRICS


def told(api: FakeApi) -> list[tuple[str, object, object, object]]:
    found = throttled(api, "payments", 7)  # type: ignore[arg-type]
    return [(h.subject, h.data["throttled"], h.data["periods"], h.data["cpu_limit"]) for h in found]


def test_counters_are_of_containers_and_of_this_namespace() -> None:
    assert counted(METRICS, "payments") == {"a": (61, 200), "b": (0, 100)}


def test_a_pod_that_was_stopped_is_told_with_its_limit() -> None:
    api = FakeApi()
    assert told(api) == [("pod/a", 61, 200, "50m")]
    assert api.asked == ["/api/v1/nodes/node-1/proxy/metrics/cadvisor"], "only nodes with limited pods are asked"


def test_without_limits_nobody_is_asked() -> None:
    api = FakeApi(limit=None)
    assert not told(api)
    assert not api.asked


def test_a_target_that_refuses_loses_a_sentence_and_no_evidence() -> None:
    assert not told(FakeApi(fails=True))
