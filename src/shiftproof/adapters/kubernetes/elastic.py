"""What scales: one service's pods, its autoscaler, the nodes below, and the size that a target rehearses events in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.api import Api, Json, KubernetesError
from shiftproof.adapters.kubernetes.kinds import ObjectRef
from shiftproof.adapters.kubernetes.nodes import SPOT, is_autoscaled, machine_of
from shiftproof.adapters.kubernetes.objects import Objects, undo_payload
from shiftproof.adapters.kubernetes.overlay import Folders, Overlays
from shiftproof.adapters.kubernetes.pods import condition, is_ready, is_terminating, name_of
from shiftproof.adapters.kubernetes.scaling import number
from shiftproof.errors import UserError
from shiftproof.model.platform import Service
from shiftproof.model.scaling import Worker
from shiftproof.model.target import Target
from shiftproof.ports import AutoscalerState, SupplyState, UndoLog

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient

PAUSED = "autoscaling.keda.sh/paused-replicas"
SCALED_OBJECT = "ScaledObject"
NODE_CLAIMS = "/apis/karpenter.sh/v1/nodeclaims"


class KubernetesElastic:
    """Implements ports.Elastic for one service and the workers beside it. overlays: None where no size is changed."""

    def __init__(
        self,
        client: ApiClient,
        target: Target,
        service: Service,
        workers: Sequence[Worker],
        journal: UndoLog,
        overlays: Overlays | None,
    ) -> None:
        self._api = Api(client)
        self._objects = Objects(self._api)
        self._target = target
        self._service = service
        self._workers = workers
        self._journal = journal
        self._overlays = overlays

    def state(self) -> SupplyState:
        deployment = self._api.get(paths.deployment(self._service.namespace, self._service.deployment))
        pods = self._living(self._service.namespace, deployment)
        nodes = self._api.items(paths.NODES)
        named = {name_of(node) for node in nodes}
        ready = {name_of(node) for node in nodes if is_ready(node) and not is_terminating(node)}
        workers = {worker.name: self._pods_of(worker) for worker in self._workers}
        return SupplyState(
            wanted=int(deployment["spec"].get("replicas", 1)),
            ready=_ready(pods),
            pods=len(pods),
            pending=sum(not pod["spec"].get("nodeName") for pod in pods),
            nodes=frozenset(ready),
            spot_nodes=frozenset(name_of(node) for node in nodes if machine_of(node).capacity_type == SPOT) & ready,
            unready=(frozenset(named) - ready) | self._on_their_way(named),
            workers={name: len(found) for name, found in workers.items()},
            machines=frozenset(name_of(node) for node in nodes if is_autoscaled(node)),
            workers_ready={name: _ready(found) for name, found in workers.items()},
        )

    def autoscaler(self) -> AutoscalerState | None:
        scaler = self._scaler()
        if scaler is None:
            return None
        spec = scaler["spec"]
        return AutoscalerState(
            name=str(scaler["metadata"]["name"]),
            least=int(spec.get("minReplicas", 1)),
            most=int(spec["maxReplicas"]),
            problem=_blind(scaler),
            per_pod=_per_pod(spec),
        )

    def resize(self) -> Sequence[str]:
        return self._overlays.put_in() if self._overlays is not None else ()

    def fix(self, pods: int) -> None:
        """KEDA's ScaledObject is paused at so many; a plain autoscaler is taken away. Raises UserError, SetupError."""
        scaled = self._scaled_object()
        if scaled is not None:
            self._record(scaled)
            self._objects.patch(scaled, "merge", {"metadata": {"annotations": {PAUSED: str(pods)}}})
            return
        scaler = self._scaler()
        if scaler is not None:
            name, namespace = str(scaler["metadata"]["name"]), self._service.namespace
            ref = self._objects.locate("HorizontalPodAutoscaler", name, namespace, "autoscaling/v2")
            self._record(ref)
            self._objects.delete(ref)
        deployment = self._objects.locate("Deployment", self._service.deployment, self._service.namespace, "apps/v1")
        self._record(deployment)
        self._objects.patch(deployment, "merge", {"spec": {"replicas": pods}})

    def _record(self, ref: ObjectRef) -> None:
        """On disk before it is changed."""
        before = self._objects.read(ref)
        self._journal.record(
            kind="object", subject=str(ref), undo=undo_payload(self._target.name, ref, before), lease_s=0.0
        )

    def _scaled_object(self) -> ObjectRef | None:
        """KEDA's, of this Deployment; None where there is no KEDA or none of its objects."""
        service = self._service
        try:
            found = self._api.items(paths.grouped("keda.sh/v1alpha1", service.namespace, "scaledobjects"))
        except KubernetesError as error:
            if error.status == 404:
                return None
            raise
        for one in found:
            aim = one["spec"]["scaleTargetRef"]
            if (aim.get("kind", "Deployment"), aim["name"]) == ("Deployment", service.deployment):
                name = str(one["metadata"]["name"])
                return self._objects.locate(SCALED_OBJECT, name, service.namespace, "keda.sh/v1alpha1")
        return None

    def _scaler(self) -> Json | None:
        """Two of them would fight over the number of pods; that is for a person to end. Raises UserError."""
        service = self._service
        listed = self._api.items(paths.grouped("autoscaling/v2", service.namespace, "horizontalpodautoscalers"))
        aims = [(one["spec"]["scaleTargetRef"], one) for one in listed if not is_terminating(one)]
        found = [one for aim, one in aims if (aim["kind"], aim["name"]) == ("Deployment", service.deployment)]
        if len(found) > 1:
            names = ", ".join(sorted(str(one["metadata"]["name"]) for one in found))
            raise UserError(f"several autoscalers scale {service.deployment}: {names}", hint="leave one")
        return found[0] if found else None

    def _on_their_way(self, nodes: set[str]) -> frozenset[str]:
        """Nodes that Karpenter has asked for and that are not there yet; none where there is no Karpenter."""
        claims = (self._api.find(NODE_CLAIMS) or {}).get("items", [])
        names = {str(one["metadata"]["name"]): (one.get("status") or {}).get("nodeName") for one in claims}
        return frozenset(claim for claim, node in names.items() if node not in nodes)

    def _pods_of(self, worker: Worker) -> list[Json]:
        deployment = self._api.find(paths.deployment(worker.namespace, worker.deployment))
        return [] if deployment is None else self._living(worker.namespace, deployment)

    def _living(self, namespace: str, deployment: Json) -> list[Json]:
        """Its pods less those that have ended for good: an evicted pod's object stays until somebody removes it."""
        selector = paths.selector_text(deployment["spec"]["selector"])
        pods = self._api.items(paths.pods(namespace), labelSelector=selector)
        return [pod for pod in pods if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")]


def overlays_for(
    target: Target, service: Service, workers: Sequence[Worker], infra_dir: str, journal: UndoLog, client: ApiClient
) -> Overlays | None:
    """The target's overlay for events of the service and each worker; None where it names none.

    Raises UserError when the service has no such overlay. A worker without one stays as it is.
    """
    name = target.events.overlay
    if name is None:
        return None
    own = Folders.of(infra_dir, service.manifests, name)
    if not own.is_there():
        raise UserError(
            f"target {target.name} rehearses events in overlay {name!r}, and {service.name} has none: {own.events}",
            hint=f"write it, or set events.overlay of infra/targets/{target.name}.yaml",
        )
    others = [Folders.of(infra_dir, worker.manifests, name) for worker in workers]
    return Overlays(target, [own, *(one for one in others if one.is_there())], journal, Objects(Api(client)))


def _per_pod(spec: Json) -> tuple[float, ...]:
    """Of metrics that the service or its queue tells; CPU and memory are shares of what a pod asks for."""
    told = [metric.get(str(metric["type"]).lower()) or {} for metric in spec.get("metrics", ())]
    aims = [one.get("target", {}).get("averageValue") for one in told if "metric" in one]
    return tuple(number(aim) for aim in aims if aim is not None)


def _blind(scaler: Json) -> str | None:
    """Why it cannot read its metrics, in its own words; None: it can, and has looked at least once."""
    active = condition(scaler, "ScalingActive")
    if not active:
        return "it has not looked yet"
    if active.get("status") != "True":
        return f"{active.get('reason', '')}: {active.get('message', '')}".strip(": ")
    if not (scaler.get("status") or {}).get("currentMetrics"):
        return "it has no value of its metric yet"
    return None


def _ready(pods: Sequence[Json]) -> int:
    return sum(is_ready(pod) and not is_terminating(pod) for pod in pods)
