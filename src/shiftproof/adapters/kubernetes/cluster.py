"""The Kubernetes side of one service: its state, a rolling update, and waiting until it is whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.api import Api, Json, KubernetesError
from shiftproof.adapters.kubernetes.budgets import blocking
from shiftproof.adapters.kubernetes.digest import ROLLED, digest, referenced
from shiftproof.adapters.kubernetes.nodes import hindering, not_serving
from shiftproof.adapters.kubernetes.objects import cleaned
from shiftproof.adapters.kubernetes.patience import Patience
from shiftproof.adapters.kubernetes.pods import (
    HOPELESS,
    condition,
    image_ids,
    is_ready,
    is_terminating,
    pod_state,
    troubles,
    waiting,
)
from shiftproof.errors import ServiceFault
from shiftproof.model.platform import Service
from shiftproof.ports import Clock, Rollout, UndoLog, WorkloadState

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient

POLL_S = 0.2
HOPELESS_AFTER_S = 15.0
"""A rollout is given up before its deadline only on Kubernetes' own word: its progress deadline is exceeded, or a new
pod was refused for this long for a reason that waiting does not mend. Long enough for a secret that another operator
writes a moment late; the refusal then ends and so does this count."""


@dataclass(frozen=True, slots=True)
class _View:
    """The Deployment and its pods, read one after the other."""

    deployment: Json
    pods: list[Json]

    @property
    def settled(self) -> bool:
        """Every wanted replica is of the newest template and available, and the controller has seen that template."""
        wanted = int(self.deployment["spec"].get("replicas", 1))
        status = self.deployment.get("status", {})
        counts = [int(status.get(key, 0)) for key in ("updatedReplicas", "replicas", "availableReplicas")]
        return self.observed and counts == [wanted] * 3

    @property
    def observed(self) -> bool:
        seen = int(self.deployment.get("status", {}).get("observedGeneration", 0))
        return seen >= int(self.deployment["metadata"]["generation"])

    @property
    def whole(self) -> bool:
        """Settled, each pod ready, and none leaving."""
        wanted = int(self.deployment["spec"].get("replicas", 1))
        serving = [pod for pod in self.living if is_ready(pod) and not is_terminating(pod)]
        return self.settled and len(serving) == len(self.living) == wanted

    @property
    def living(self) -> list[Json]:
        """Pods less those that have ended for good (an evicted pod's object stays until somebody removes it)."""
        return [pod for pod in self.pods if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")]

    def rolled(self, mark: str) -> bool:
        """Whole, and no pod of an older template is left."""
        return self.whole and all(_mark(pod) == mark for pod in self.living)


class KubernetesCluster:
    """Implements ports.Cluster for one Deployment.

    target: the target's name, for the undo journal. journal: written before a rollout changes anything.
    """

    def __init__(self, client: ApiClient, service: Service, clock: Clock, *, target: str, journal: UndoLog) -> None:
        self._api = Api(client)
        self._service = service
        self._clock = clock
        self._target = target
        self._journal = journal
        self._path = paths.deployment(service.namespace, service.deployment)

    def workload(self) -> WorkloadState:
        """The state as the API server holds it now. Raises ServiceFault when there is no such Deployment."""
        view = self._view()
        spec = view.deployment["spec"]
        wanted = int(spec.get("replicas", 1))
        scaler = self._scaler()
        template = spec["template"]
        budgets = self._budgets(template)
        return WorkloadState(
            replicas=wanted,
            ready=int(view.deployment.get("status", {}).get("readyReplicas", 0)),
            max_replicas=int(scaler["spec"]["maxReplicas"]) if scaler else wanted,
            max_surge=_surge(spec.get("strategy") or {}, wanted),
            images=tuple(container["image"] for container in template["spec"]["containers"]),
            manifest_digest=digest(self._objects(view.deployment, scaler, budgets), scaled=scaler is not None),
            pods=tuple(pod_state(pod) for pod in view.pods),
            hindered_by=self._hindered_by(view),
            image_ids=image_ids(view.pods),
            undrainable=blocking(budgets, wanted),
        )

    def roll(self, deadline_s: float) -> Rollout:
        """Give the pod template a new annotation and wait until only new pods are left, all of them available.

        A rollout that does not end, or whose wait is cut short, is undone by giving the template back what it had, so
        that the old ReplicaSet takes over again. One that ended keeps its annotation: taking it off would be another
        rollout, and it changes nothing that a pod does.
        """
        before = self._view().deployment
        mark = str(self._clock.now_ns())
        entry = self._journal.record(
            kind="object", subject=f"deployment/{self._service.deployment}", undo=self._undo(before), lease_s=0.0
        )
        rollout: Rollout | None = None
        try:
            self._annotate(mark)
            rollout = self._await(mark, deadline_s)
        finally:
            if rollout is None or not rollout.complete:
                self._annotate(_mark(before["spec"]["template"]))
            # Not reached when putting it back failed: the entry then stays for `shiftproof recover`.
            self._journal.done(entry)
        return rollout

    def wait_steady(self, deadline_s: float) -> bool:
        """True once all wanted pods are ready, none is leaving, and the Deployment has settled."""
        give_up_ns = self._clock.now_ns() + int(deadline_s * 1e9)
        patience = Patience(self._clock.now_ns)
        while True:
            view = patience.ask(self._view)
            if view is not None and view.whole:
                return True
            # Without an answer nobody knows: only what was seen at the deadline may be held against the service.
            if view is not None and self._clock.now_ns() >= give_up_ns:
                return False
            self._clock.sleep(POLL_S)

    def _await(self, mark: str, deadline_s: float) -> Rollout:
        start_ns = self._clock.now_ns()
        refused_since: dict[str, int] = {}
        patience = Patience(self._clock.now_ns)
        while True:
            view = patience.ask(self._view)
            if view is None:
                self._clock.sleep(POLL_S)
                continue
            now_ns = self._clock.now_ns()
            seconds = (now_ns - start_ns) / 1e9
            if view.rolled(mark):
                return Rollout(seconds=seconds, complete=True, replicas=len(view.living))
            problem = _stuck(view, mark, now_ns, refused_since)
            if problem is None and seconds >= deadline_s:
                problem = f"not done after {deadline_s:.0f} s: {_why(view, mark)}"
            if problem is not None:
                return Rollout(seconds=seconds, complete=False, replicas=_ready(view, mark), problem=problem)
            self._clock.sleep(POLL_S)

    def _annotate(self, mark: str | None) -> None:
        """A merge patch of this one key, so that nothing that others changed meanwhile is touched; None removes it."""
        self._api.patch(self._path, {"spec": {"template": {"metadata": {"annotations": {ROLLED: mark}}}}})

    def _undo(self, before: Json) -> dict[str, Any]:
        return {
            "target": self._target,
            "api_version": "apps/v1",
            "kind": "Deployment",
            "namespace": self._service.namespace,
            "name": self._service.deployment,
            "before": cleaned(before),
        }

    def _view(self) -> _View:
        name = f"{self._service.namespace}/{self._service.deployment}"
        deployment = self._api.find(self._path)
        if deployment is None:
            raise ServiceFault(f"there is no Deployment {name}", hint="apply the service's manifests first")
        selector = paths.selector_text(deployment["spec"]["selector"])
        return _View(deployment, self._api.items(paths.pods(self._service.namespace), labelSelector=selector))

    def _hindered_by(self, view: _View) -> tuple[str, ...]:
        """Nodes are asked for only when there is something to explain."""
        if not not_serving(view.living):
            return ()
        return hindering(view.living, self._api.items(paths.NODES), self._clock.now_ns())

    def _scaler(self) -> Json | None:
        """The HorizontalPodAutoscaler of this Deployment, if it has one."""
        for scaler in self._items("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"):
            aim = scaler["spec"]["scaleTargetRef"]
            if (aim["kind"], aim["name"]) == ("Deployment", self._service.deployment):
                return scaler
        return None

    def _budgets(self, template: Json) -> list[Json]:
        """The PodDisruptionBudgets of its pods."""
        labels = template.get("metadata", {}).get("labels", {})
        budgets = self._items("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")
        return [budget for budget in budgets if paths.selects(budget["spec"].get("selector"), labels)]

    def _objects(self, deployment: Json, scaler: Json | None, budgets: list[Json]) -> list[Json]:
        """All that decides how the service behaves: also Services, PodDisruptionBudgets, and what the pods read."""
        namespace = self._service.namespace
        template = deployment["spec"]["template"]
        labels = template.get("metadata", {}).get("labels", {})
        found = [{**deployment, "kind": "Deployment"}, *([scaler] if scaler else []), *budgets]
        for service in self._api.items(paths.core(namespace, "services")):
            selector = service["spec"].get("selector")
            if selector and paths.selects({"matchLabels": selector}, labels):
                found.append({**service, "kind": "Service"})
        for plural, name in sorted(referenced(template)):
            thing = self._api.find(f"{paths.core(namespace, plural)}/{name}")
            if thing is not None:
                found.append(thing)
        return found

    def _items(self, group: str, plural: str, kind: str) -> list[Json]:
        """Objects of a group that a small cluster may not serve; items of a list do not name their kind."""
        try:
            found = self._api.items(paths.grouped(group, self._service.namespace, plural))
        except KubernetesError as error:
            if error.status == 404:
                return []
            raise
        return [{**thing, "kind": kind} for thing in found]


def _mark(thing: Json) -> str | None:
    """The rollout that a pod, or a pod template, belongs to; None for one that no gate rolled."""
    found: str | None = (thing.get("metadata", {}).get("annotations") or {}).get(ROLLED)
    return found


def _stuck(view: _View, mark: str, now_ns: int, refused_since: dict[str, int]) -> str | None:
    """Why the rollout will not end, on Kubernetes' own word; `refused_since` remembers pods from call to call."""
    progressing = condition(view.deployment, "Progressing")
    if view.observed and progressing.get("reason") == "ProgressDeadlineExceeded":
        return f"Kubernetes gave it up (ProgressDeadlineExceeded): {_why(view, mark)}"
    new = [pod for pod in view.pods if _mark(pod) == mark]
    refused = {str(pod["metadata"]["uid"]): pod for pod in new if waiting(pod)[0] in HOPELESS}
    for uid in [uid for uid in refused_since if uid not in refused]:
        del refused_since[uid]
    for uid, pod in refused.items():
        if now_ns - refused_since.setdefault(uid, now_ns) >= HOPELESS_AFTER_S * 1e9:
            return f"for {HOPELESS_AFTER_S:.0f} s no container could start: {troubles([pod])}"
    return None


def _why(view: _View, mark: str) -> str:
    """The pods' own reasons, or the controller's, or what is still left to do."""
    own = troubles([pod for pod in view.pods if _mark(pod) == mark])
    if own is not None:
        return own
    failure = condition(view.deployment, "ReplicaFailure")
    if failure.get("status") == "True":
        return f"{failure.get('reason')}: {failure.get('message')}"
    old = sum(_mark(pod) != mark for pod in view.living)
    return f"{_ready(view, mark)} new pods ready of {view.deployment['spec'].get('replicas', 1)}, {old} old ones left"


def _ready(view: _View, mark: str) -> int:
    return sum(_mark(pod) == mark and is_ready(pod) and not is_terminating(pod) for pod in view.pods)


def _surge(strategy: Json, replicas: int) -> int:
    """Pods above `replicas` that a rollout may make; a share is rounded up, as Kubernetes does."""
    if strategy.get("type") == "Recreate":
        return 0
    value = (strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(int(value[:-1]) * replicas / 100)
    return int(value)
