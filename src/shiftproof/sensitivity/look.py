"""One look at the lab's platform, as JSON on stdout; runs as a process of its own, which enters the lab as a gate does.

python -m shiftproof.sensitivity.look payments --infra infra
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from shiftproof.adapters import elbv2, kubernetes
from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.digest import digest
from shiftproof.adapters.kubernetes.elastic import NODE_CLAIMS
from shiftproof.adapters.kubernetes.nodes import is_autoscaled
from shiftproof.errors import ServiceFault, SetupError, ShiftproofError
from shiftproof.gate.clock import RunClock, take_anchor
from shiftproof.gate.config import find_target, read_platform, service
from shiftproof.gate.planting import database_facts, platform_problems
from shiftproof.gate.world import enter, scope_of
from shiftproof.model.event import Side
from shiftproof.model.platform import Service
from shiftproof.model.scaling import Worker
from shiftproof.model.target import Target
from shiftproof.safety.journal import Journal, journal_dir
from shiftproof.sensitivity.normal import Look

TARGET = "lab"
SALT_ENV = "SHIFTPROOF_SENSITIVITY_SALT"
COULD_NOT_LOOK = 3

_KINDS = (
    ("ConfigMap", None, "configmaps"),
    ("Secret", None, "secrets"),
    ("Service", None, "services"),
    ("ResourceQuota", None, "resourcequotas"),
    ("LimitRange", None, "limitranges"),
    ("Deployment", "apps/v1", "deployments"),
    ("StatefulSet", "apps/v1", "statefulsets"),
    ("DaemonSet", "apps/v1", "daemonsets"),
    ("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
    ("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
    ("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    ("Ingress", "networking.k8s.io/v1", "ingresses"),
    ("ServiceAccount", None, "serviceaccounts"),
    ("Role", "rbac.authorization.k8s.io/v1", "roles"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
    ("CronJob", "batch/v1", "cronjobs"),
    ("Job", "batch/v1", "jobs"),
    ("TargetGroupBinding", "elbv2.k8s.aws/v1beta1", "targetgroupbindings"),
    ("ScaledObject", "keda.sh/v1alpha1", "scaledobjects"),
)


def look(target: Target, moved: Service, workers: Sequence[Worker] = ()) -> Look:
    """Everything that a defect may have changed and its undo must have put back.

    Workers are there in an event only: what is left of one is as much a change as of the service itself.
    """
    client = kubernetes.connect(target)
    api = kubernetes.Api(client)
    router = elbv2.connect(target, moved)
    facts = {
        **dict(_objects(api, moved.namespace)),
        **{f"{name} of {one.name}": facts for one in workers for name, facts in _objects(api, one.namespace)},
        **{f"weights of rule {rule}": _percents(weights) for rule, weights in router.all_weights().items()},
        **_lags(target),
        **database_facts(moved),
    }
    problems = [*_not_undone(), *platform_problems(moved, target), *_nodes(api), *_targets(router)]
    cluster = kubernetes.KubernetesCluster(
        client, moved, RunClock(take_anchor()), target=target.name, journal=Journal(journal_dir())
    )
    passing = (*_scaled_out(api, moved), *_machines(api))
    return Look(scope_of(target), facts, (*problems, *_workload(cluster)), passing)


def _not_undone() -> Iterator[str]:
    for entry in Journal(journal_dir()).pending():
        yield f"{entry.kind} of {entry.subject} is still in the undo journal (run {entry.run_id or '?'})"


def _nodes(api: kubernetes.Api) -> Iterator[str]:
    """Those that are always there: one of autoscaling may well be cordoned, since that is how it goes."""
    for node in api.items(paths.NODES):
        name = node["metadata"]["name"]
        if is_autoscaled(node):
            continue
        if node["spec"].get("unschedulable"):
            yield f"node {name} is cordoned"
        ready = [one["status"] for one in node["status"].get("conditions", ()) if one["type"] == "Ready"]
        if ready != ["True"]:
            yield f"node {name} is not ready"


def _workload(cluster: kubernetes.KubernetesCluster) -> Iterator[str]:
    try:
        state = cluster.workload()
    except ServiceFault as error:
        yield str(error)
        return
    serving = sum(pod.ready and not pod.terminating for pod in state.pods)
    if not state.replicas == state.ready == serving == len(state.pods):
        yield f"{serving} of {state.replicas} pods serve, and there are {len(state.pods)}"
    yield from state.hindered_by


def _scaled_out(api: kubernetes.Api, moved: Service) -> Iterator[str]:
    """More pods than there are without load: they would carry what the next gate's defect takes away, and hide it."""
    deployments = _listed(api, moved.namespace, "apps/v1", "deployments")
    wanted = {one["metadata"]["name"]: one["spec"]["replicas"] for one in deployments}
    for scaler in _listed(api, moved.namespace, "autoscaling/v2", "horizontalpodautoscalers"):
        aim, floor = scaler["spec"]["scaleTargetRef"], scaler["spec"].get("minReplicas", 1)
        pods = wanted.get(moved.deployment, 0)
        if (aim["kind"], aim["name"]) == ("Deployment", moved.deployment) and pods > floor:
            yield f"scaled out: {pods} pods, its floor is {floor}; the HPA takes them back by itself"


def _machines(api: kubernetes.Api) -> Iterator[str]:
    """Of autoscaling: what an event brought goes minutes after it, and would be room that the next one starts with."""
    nodes = {node["metadata"]["name"] for node in api.items(paths.NODES) if is_autoscaled(node)}
    claims = (api.find(NODE_CLAIMS) or {}).get("items", [])
    named = {one["metadata"]["name"]: (one.get("status") or {}).get("nodeName") for one in claims}
    for name in sorted(nodes | {claim for claim, node in named.items() if node not in nodes}):
        yield f"machine {name} of autoscaling is still there; it goes by itself"


def _targets(router: elbv2.Elbv2Router) -> Iterator[str]:
    for side in (Side.LEGACY, Side.CLUSTER):
        targets = router.targets(side)
        for target in targets:
            if target.state != "healthy":
                yield f"target {target.address} of the {side.name.lower()} side is {target.state}"
        if not targets:
            yield f"the {side.name.lower()} side has no target"


def _objects(api: kubernetes.Api, namespace: str) -> Iterator[tuple[str, str]]:
    """A short digest of each object of the namespace that people write."""
    found = [
        {**thing, "kind": kind} for kind, group, plural in _KINDS for thing in _listed(api, namespace, group, plural)
    ]
    scaled = {
        scaler["spec"]["scaleTargetRef"]["name"] for scaler in found if scaler["kind"] == "HorizontalPodAutoscaler"
    }
    for thing in found:
        name = thing["metadata"]["name"]
        if thing["kind"] == "Job" and any(
            owner.get("controller") for owner in thing["metadata"].get("ownerReferences", ())
        ):
            continue  # a CronJob makes one when its time has come
        if thing["kind"] == "Secret":
            thing["metadata"] = {**thing["metadata"], "resourceVersion": _salted(thing.get("data") or {})}
        yield f"{thing['kind']} {name}", digest([thing], scaled=name in scaled)[:12]


def _listed(api: kubernetes.Api, namespace: str, group: str | None, plural: str) -> list[dict[str, Any]]:
    path = paths.core(namespace, plural) if group is None else paths.grouped(group, namespace, plural)
    try:
        return api.items(path)
    except kubernetes.KubernetesError as error:
        if error.status == 404:  # a kind that this small cluster does not serve
            return []
        raise


def _salted(data: Mapping[str, str]) -> str:
    """A Secret's values stay out of a plain hash, which could be searched for weak ones."""
    salt = os.environ.get(SALT_ENV, "").encode()
    return hmac.new(salt, json.dumps(data, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _percents(weights: Any) -> str:
    return f"legacy {weights.legacy_pct} cluster {weights.cluster_pct}"


def _lags(target: Target) -> dict[str, str]:
    try:
        answer = httpx.get(f"{target.aws_endpoint}/_lab/lag", timeout=5.0, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise SetupError(f"the lab's load balancer does not tell its lags: {error}") from error
    return {f"the load balancer's {name}": f"{value}" for name, value in answer.json().items()}


def main() -> int:
    """0 and a Look as JSON on stdout; or COULD_NOT_LOOK and one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service")
    parser.add_argument("--infra", type=Path, default=Path("infra"))
    asked = parser.parse_args()
    try:
        target = find_target(asked.infra, TARGET)
        enter(target, [sys.executable, "-m", "shiftproof.sensitivity.look", *sys.argv[1:]])
        platform = read_platform(asked.infra)
        seen = look(target, service(platform, asked.service), platform.workers)
    except ShiftproofError as error:
        print(error.one_line(), file=sys.stderr)
        return COULD_NOT_LOOK
    print(json.dumps(asdict(seen)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
