"""Put the platform's services on the cluster, and wait until customers could be served on both sides."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from shiftproof.errors import LabError
from shiftproof.lab import balancer
from shiftproof.lab.kube import KubeApi, conditions
from shiftproof.lab.network import KUBECONFIG
from shiftproof.lab.plan import LabPlan, ServicePlan
from shiftproof.lab.supervisor import PartFailed, base_environment
from shiftproof.lab.waiting import NotInTime, until

_APPLY_WITHIN_S = 60
_AVAILABLE_WITHIN_S = 120.0
_HEALTHY_WITHIN_S = 60.0
_POLL_S = 0.2


def kubectl_environment(plan: LabPlan) -> dict[str, str]:
    """For kubectl: the lab's cluster, our own kubectl first on PATH, its cache inside the lab."""
    own = str(Path(plan.programs["kubectl"]).parent)
    return {
        **base_environment(),
        "PATH": f"{own}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}",
        "KUBECONFIG": str(KUBECONFIG),
        "KUBECACHEDIR": str(KUBECONFIG.parent / "cache"),
    }


def apply(plan: LabPlan, service: ServicePlan) -> None:
    """`kubectl apply -k` of the service's overlay, as a deploy does. Raises PartFailed with kubectl's words."""
    done = subprocess.run(
        ["kubectl", "apply", "-k", service.manifests],
        env=kubectl_environment(plan),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=_APPLY_WITHIN_S,
    )
    if done.returncode != 0:
        raise PartFailed(f"{service.name}/manifests", "kubectl apply failed", done.stderr.strip().splitlines()[-5:])


def wait_available(api: KubeApi, service: ServicePlan) -> None:
    """Wait until the Deployment has all its replicas available and updated. Raises PartFailed with pods' reasons."""
    try:
        until(lambda: _deployment_problem(api, service), _AVAILABLE_WITHIN_S, poll_s=_POLL_S)
    except NotInTime as error:
        raise PartFailed(f"{service.name}/pods", str(error), pod_reasons(api, service.namespace)) from error


def wait_healthy(service: ServicePlan) -> None:
    """Wait until the load balancer calls both sides healthy and gets answers from both. Raises PartFailed."""
    try:
        until(lambda: balancer.service_problem(service), _HEALTHY_WITHIN_S, poll_s=_POLL_S)
    except NotInTime as error:
        raise PartFailed(f"{service.name}/targets", str(error)) from error


def _deployment_problem(api: KubeApi, service: ServicePlan) -> str | None:
    try:
        found = api.get(f"/apis/apps/v1/namespaces/{service.namespace}/deployments/{service.deployment}")
    except (LabError, OSError) as error:
        return str(error)
    wanted, status = found["spec"]["replicas"], found.get("status", {})
    counts = {name: status.get(name, 0) for name in ("updatedReplicas", "availableReplicas")}
    if status.get("observedGeneration") != found["metadata"]["generation"]:
        return "the Deployment was not looked at yet"
    return None if all(count == wanted for count in counts.values()) else f"{counts} of {wanted} replicas"


def pod_reasons(api: KubeApi, namespace: str) -> list[str]:
    """One line for each pod that is not ready: what its containers wait for, or why it is not scheduled."""
    try:
        pods = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    except (LabError, OSError) as error:
        return [str(error)]
    return [_reason(pod) for pod in pods if conditions(pod).get("Ready") != "True"]


def _reason(pod: dict[str, object]) -> str:
    status = pod.get("status")
    assert isinstance(status, dict)
    name = pod["metadata"]["name"]  # type: ignore[index]
    reasons = [
        f"{state.get('reason', kind)} {state.get('message', '')}".strip()
        for container in status.get("containerStatuses", ())
        for kind, state in container.get("state", {}).items()
        if kind != "running"
    ]
    unmet = [
        c.get("message", "") for c in status.get("conditions", ()) if c.get("status") != "True" and c.get("message")
    ]
    return f"pod {name}: {status.get('phase')} {'; '.join([*reasons, *unmet])}"
