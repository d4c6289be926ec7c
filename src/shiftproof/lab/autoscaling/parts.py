"""Autoscaling as parts of the running lab: what each needs, and when it is ready."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftproof.errors import LabError
from shiftproof.lab import cgroups, namespaces, outside
from shiftproof.lab.autoscaling import commands, instances
from shiftproof.lab.autoscaling.joiner import BootDelay, Joiner
from shiftproof.lab.autoscaling.plan import AutoscalingPlan, WorkerPlan
from shiftproof.lab.kube import ApiError, conditions
from shiftproof.lab.legacy import app_environment, migrate_with
from shiftproof.lab.node import Node
from shiftproof.lab.node_config import Identity
from shiftproof.lab.parts import Part, Progress, bring_up
from shiftproof.lab.postgres import Database
from shiftproof.lab.services import kubectl_environment
from shiftproof.lab.supervisor import Command, PartFailed, base_environment
from shiftproof.lab.waiting import NotInTime, until

if TYPE_CHECKING:
    from shiftproof.lab.runtime import Lab

_READY_WITHIN_S = 90.0
_POLL_S = 0.2
_CRDS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_POOLS_PATH = "/apis/karpenter.sh/v1/nodepools"
_EXTERNAL_METRICS = "/apis/external.metrics.k8s.io/v1beta1"


class Autoscaling:
    """Of one lab. `bring_up` may be asked for again: it does nothing when all is there."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._made = lab.credentials
        self._up: AutoscalingPlan | None = None
        self._joiner: Joiner | None = None
        self._lock = threading.Lock()
        self.boot = BootDelay(0)
        self.ready: dict[str, float] = {}

    def bring_up(self, plan: AutoscalingPlan) -> dict[str, float]:
        """Seconds by part. Raises PartFailed; LabError when another plan is up already."""
        with self._lock:
            if self._up is None:
                self.boot.set(plan.boot_s, 0)
                self.ready = {}
                parts = self.parts(plan)
                try:
                    bring_up(parts, self._note)
                except PartFailed:
                    # Asked again, it begins anew; half of it must not be taken for a lab that is broken.
                    for part in parts:
                        self._lab.forget(part.name)
                    if self._joiner is not None:
                        self._joiner.stop()
                    raise
                self._up = plan
            elif self._up != plan:
                raise LabError(
                    "the lab's autoscaling was brought up otherwise", hint="shiftproof lab down && shiftproof lab up"
                )
            return self.ready

    def _note(self, progress: Progress) -> None:
        if progress.state == "ready":
            self.ready[progress.part] = round(progress.seconds, 2)

    def parts(self, plan: AutoscalingPlan) -> list[Part]:
        """All of them, with what they need."""
        made, programs = self._made, plan.programs
        return [
            Part("aws", partial(self._build_estate, plan)),
            Part("crds", partial(self._create_crds, plan)),
            self._daemon(commands.prometheus(programs["prometheus"], made, plan.scraped), commands.prometheus_problem),
            self._daemon(
                commands.keda_operator(programs["keda-operator"], made), commands.keda_operator_problem, "crds"
            ),
            self._daemon(
                commands.keda_adapter(programs["keda-adapter"], made), self._external_metrics, "keda-operator", "keda"
            ),
            Part("keda", self._create_keda_api, ("crds",)),
            self._daemon(
                commands.karpenter(programs["karpenter"], made, plan.interruption_queue),
                commands.karpenter_problem,
                *("aws", "crds"),
            ),
            Part("node-pools", partial(self._create_pools, plan), ("karpenter",)),
            *self._image_parts(plan),
            Part("joiner", partial(self._start_joiner, plan), ("aws",)),
            *(Part(f"{worker.name}/database", partial(self._prepare, worker)) for worker in plan.workers),
        ]

    def _image_parts(self, plan: AutoscalingPlan) -> list[Part]:
        """The workers' images for the nodes that are there: errands of theirs (asking, checking) may run on any."""
        images = tuple(worker.image_tar for worker in plan.workers)
        return [Part(f"{node.name}/images", partial(node.add_images, images)) for node in self._lab.fixed_nodes()]

    def _daemon(self, command: Command, problem: Callable[[], str | None], *needs: str) -> Part:
        def start() -> None:
            self._lab.start(command, problem, _READY_WITHIN_S)

        return Part(command.name, start, needs)

    def _build_estate(self, plan: AutoscalingPlan) -> None:
        queues = [plan.interruption_queue, *(worker.queue for worker in plan.workers)]
        options = [text for queue in queues for text in ("--queue", queue)]
        self._run("aws", [self._lab.plan.python, "-m", "shiftproof.lab.autoscaling.estate", *options])

    def _create_crds(self, plan: AutoscalingPlan) -> None:
        """On the server's side: some are too large for the annotation that the client would keep them in."""
        folders = [text for folder in plan.crds for text in ("-f", folder)]
        self._run("crds", ["kubectl", "apply", "--server-side", *folders])
        # Not `kubectl wait`: it takes a definition that has no conditions yet for an error.
        self._wait("crds", lambda: self._not_true(_CRDS_PATH, "Established"))

    def _create_keda_api(self) -> None:
        api = self._made.api()
        name, port = commands.KEDA_METRICS, commands.KEDA_METRICS_PORT
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": commands.KEDA_NAMESPACE}}
        outside.create(api, "/api/v1/namespaces", namespace)
        for path, body in outside.service(commands.KEDA_NAMESPACE, name, [outside.port("https", port)]):
            outside.create(api, path, body)
        authority = self._made.authority.certificate
        path, body = outside.api("external.metrics.k8s.io", commands.KEDA_NAMESPACE, name, port, authority)
        outside.create(api, path, body)

    def _external_metrics(self) -> str | None:
        """None once the API server gets to the adapter: until then an HPA knows nothing."""
        return self._made.api(2.0).problem(_EXTERNAL_METRICS)

    def _create_pools(self, plan: AutoscalingPlan) -> None:
        self._run("node-pools", ["kubectl", "apply", "-k", plan.node_pools])
        self._wait("node-pools", lambda: self._not_true(_POOLS_PATH, "Ready"))

    def _not_true(self, path: str, condition: str) -> str | None:
        """None once the condition is true of all objects there, and there are some."""
        try:
            found = {item["metadata"]["name"]: conditions(item) for item in self._made.api().get(path)["items"]}
        except (ApiError, OSError) as error:
            return str(error)
        late = {name: states for name, states in found.items() if states.get(condition) != "True"}
        return f"not {condition.lower()}: {late or 'none is there'}" if late or not found else None

    def _wait(self, part: str, problem: Callable[[], str | None]) -> None:
        try:
            until(problem, _READY_WITHIN_S, poll_s=_POLL_S)
        except NotInTime as error:
            raise PartFailed(part, str(error)) from error

    @property
    def is_up(self) -> bool:
        return self._up is not None

    def problem(self, since_s: float | None = None) -> str | None:
        """Why instances would not become nodes, see Joiner.problem; None when they do, or when nothing scales yet."""
        return self._joiner.problem(since_s) if self._up is not None and self._joiner is not None else None

    def _start_joiner(self, plan: AutoscalingPlan) -> None:
        images = tuple(worker.image_tar for worker in plan.workers)

        def make(place: str, identity: Identity) -> Node:
            instances.restore_groups(identity.instance)
            namespaces.remove(place)  # of a try that ended half way
            namespaces.connect(place)
            return Node(place, self._lab.plan, identity, images)

        joiner = Joiner(
            self._lab.nodes,
            instances.running,
            make,
            self._join,
            self._made.api(),
            self.boot,
        )
        joiner.start()
        self._joiner = joiner

    def _join(self, node: Node) -> None:
        """A node among others from here on."""
        node.start_kubelet(self._made)
        node.wait_ready()
        cgroups.weigh(node.name, booting=False)

    def _prepare(self, worker: WorkerPlan) -> None:
        """Its database, made ready as a service's is."""
        self._lab.postgres.create(Database.of(worker.env))
        migrate_with(worker.name, worker.migrate, {**app_environment(worker.app_folder), **worker.env})

    def _run(self, part: str, words: Sequence[str]) -> None:
        environment: dict[str, Any] = {**base_environment(), **kubectl_environment(self._lab.plan)}
        done = subprocess.run(
            list(words), env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["it said nothing"]
            raise PartFailed(part, f"{Path(words[0]).name}: {said[-1]}", said[-5:])
