"""The running lab as the init holds it: what its parts are, what each needs, and how each is.

Part names are what people see while it comes up and in `lab status`.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from shiftproof.errors import LabError
from shiftproof.lab import balancer, control_plane, outside, services
from shiftproof.lab.autoscaling.parts import Autoscaling
from shiftproof.lab.kube import KubeApi, conditions
from shiftproof.lab.legacy import LegacyHost, migrate
from shiftproof.lab.network import AWS_REGION, CONTROL_IP, FIXED_NODE_IPS, LEGACY_IPS, POSTGRES_IP, POSTGRES_PORT
from shiftproof.lab.network_faults import NetworkFaults
from shiftproof.lab.node import Node
from shiftproof.lab.node_config import Identity
from shiftproof.lab.parts import Part
from shiftproof.lab.pauses import Pauses
from shiftproof.lab.plan import LabPlan, ServicePlan
from shiftproof.lab.pooler import Pooler
from shiftproof.lab.postgres import Database, Postgres
from shiftproof.lab.supervisor import Command, Daemon
from shiftproof.lab.waiting import http_problem

_WITHIN_S = 30.0
_LOAD_BALANCER_WITHIN_S = 60.0
_METRICS_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A daemon and the question whether it does its work (None: it is enough that it runs)."""

    daemon: Daemon
    problem: Callable[[], str | None] | None = None


class Lab:
    """All parts of one lab. Made after mounts and network."""

    def __init__(self, plan: LabPlan) -> None:
        self.plan = plan
        self.credentials = control_plane.make_credentials()
        self._watched: dict[str, Watched] = {}
        self._started_s = time.monotonic()
        self.up = threading.Event()
        self.nodes = {
            name: Node(name, plan, Identity(f"{AWS_REGION}{letter}"))
            for name, letter in zip(FIXED_NODE_IPS, "abcdef", strict=False)
        }
        self.legacy = {host: LegacyHost(host, plan.services[0]) for host in LEGACY_IPS} if plan.services else {}
        self.postgres = Postgres()
        self.pooler = Pooler()
        self.network = NetworkFaults()
        self.autoscaling = Autoscaling(self)
        self.pauses = Pauses(self._process_of)

    def parts(self) -> list[Part]:
        """All of them, with what they need."""
        return [*self._control_plane_parts(), *self._node_parts(), *self._data_parts(), *self._service_parts()]

    def _control_plane_parts(self) -> list[Part]:
        made, programs = self.credentials, self.plan.programs
        api = made.api(timeout_s=2.0)

        def start(command: Command, problem: Callable[[], str | None]) -> Callable[[], None]:
            return lambda: self.start(command, problem)

        healthy = self._secure_health
        return [
            Part("etcd", start(control_plane.etcd(programs["etcd"]), control_plane.etcd_problem)),
            Part(
                "apiserver", start(control_plane.api_server(programs["kube-apiserver"], made), api.problem), ("etcd",)
            ),
            Part(
                "controller-manager",
                start(control_plane.controller_manager(programs["kube-controller-manager"], made), healthy(10257)),
                ("apiserver",),
            ),
            Part(
                "scheduler",
                start(control_plane.scheduler(programs["kube-scheduler"], made), healthy(10259)),
                ("apiserver",),
            ),
            Part("addons", self._create_addons, ("apiserver",)),
            Part("dns", start(control_plane.dns(programs["coredns"], made), control_plane.dns_problem), ("addons",)),
            Part("metrics", self._start_metrics, ("addons", "node-1", "node-2")),
        ]

    def _node_parts(self) -> list[Part]:
        parts: list[Part] = []
        for name, node in self.nodes.items():
            images = f"{name}/images"
            parts.append(Part(images, node.start_containers))
            parts.append(Part(name, partial(self._start_node, node), (images, "apiserver")))
        return parts

    def _data_parts(self) -> list[Part]:
        databases = {Database.of(service.legacy_env): None for service in self.plan.services}

        def start(name: str, server: Postgres | Pooler) -> None:
            self._watched[name] = Watched(server.daemon, server.problem)
            server.start(list(databases))

        return [
            Part("postgres", partial(start, "postgres", self.postgres)),
            Part("pgbouncer", partial(start, "pgbouncer", self.pooler)),
            Part("load-balancer", self._start_balancer),
        ]

    def _service_parts(self) -> list[Part]:
        parts: list[Part] = []
        for service in self.plan.services:
            database = f"{service.name}/database"
            parts.append(Part(database, partial(migrate, service), ("postgres",)))
            parts.append(self._manifests_part(service, database))
            # The machines run the first service; others would need machines of their own.
            hosts = [] if service is not self.plan.services[0] else list(self.legacy.values())
            parts += [self._legacy_part(host, service, database) for host in hosts]
            everywhere = (f"{service.name}/pods", "load-balancer", *(f"{host.host}/{service.name}" for host in hosts))
            parts.append(Part(f"{service.name}/targets", partial(services.wait_healthy, service), everywhere))
        return parts

    def _manifests_part(self, service: ServicePlan, database: str) -> Part:
        def start() -> None:
            services.apply(self.plan, service)
            services.wait_available(self.credentials.api(), service)

        # Pods may be created before there is a node, as on a cluster that scales from nothing.
        return Part(f"{service.name}/pods", start, ("apiserver", "controller-manager", "scheduler", database))

    def _legacy_part(self, host: LegacyHost, service: ServicePlan, database: str) -> Part:
        def start() -> None:
            self._watched[f"{host.host}/{service.name}"] = Watched(host.daemon, host.problem)
            host.start()

        return Part(f"{host.host}/{service.name}", start, (database,))

    def _process_of(self, name: str) -> int | None:
        """Pid of a part's process in the lab's own namespace."""
        watched = self._watched.get(name)
        return watched.daemon.own_pid() if watched is not None else None

    def start(self, command: Command, problem: Callable[[], str | None], within_s: float = _WITHIN_S) -> None:
        """Start a part and keep watch of it. Raises PartFailed."""
        daemon = Daemon(command)
        self._watched[command.name] = Watched(daemon, problem)
        daemon.start()
        daemon.wait_ready(problem, within_s)

    def fixed_nodes(self) -> list[Node]:
        """Those that are there from the start, and are no instances of autoscaling."""
        return [node for node in list(self.nodes.values()) if not node.identity.instance]

    def forget(self, name: str) -> None:
        """Stop a part and watch it no more. Does nothing for what is none."""
        watched = self._watched.pop(name, None)
        if watched is not None:
            watched.daemon.stop()

    def _start_balancer(self) -> None:
        self.start(balancer.command(self.plan), balancer.problem, _LOAD_BALANCER_WITHIN_S)

    def _start_node(self, node: Node) -> None:
        node.start_kubelet(self.credentials)
        node.wait_ready()

    def _create_addons(self) -> None:
        api = self.credentials.api()
        for path, body in control_plane.addons():
            outside.create(api, path, body)

    def _start_metrics(self) -> None:
        """Ready when the API server gets figures of nodes through it: until then an HPA knows nothing."""
        api = self.credentials.api()
        outside.create(api, *control_plane.metrics_api(self.credentials.authority.certificate))
        command = control_plane.metrics_server(self.plan.programs["metrics-server"], self.credentials)
        self.start(command, self._metrics_problem(api), _METRICS_WITHIN_S)
        # Later on, figures may be missing because nodes are down, which is no fault of metrics-server.
        alive = self._secure_health(control_plane.METRICS_PORT, CONTROL_IP, "/livez")
        self._watched[command.name] = Watched(self._watched[command.name].daemon, alive)

    def _metrics_problem(self, api: KubeApi) -> Callable[[], str | None]:
        def problem() -> str | None:
            try:
                known = {item["metadata"]["name"] for item in api.get("/apis/metrics.k8s.io/v1beta1/nodes")["items"]}
            except (LabError, OSError) as error:
                return str(error)
            return None if known else "no figures of any node yet"

        return problem

    def _secure_health(self, port: int, host: str = "127.0.0.1", path: str = "/healthz") -> Callable[[], str | None]:
        """Some answer with a certificate that they made themselves; that somebody answers is enough here."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return lambda: http_problem(host, port, path, tls=context)

    def status(self) -> dict[str, Any]:
        """See control.LabControl.status; asks every part how it is."""
        parts = [_describe(name, watched) for name, watched in sorted(self._watched.items())]
        fixed = self.fixed_nodes()
        for node in fixed:
            parts += self._describe_node(node)
        ready = self.up.is_set() and all(part["state"] == "ready" for part in parts)
        # Machines of autoscaling come and go; that one is not there yet is no fault of the lab.
        for node in [node for node in list(self.nodes.values()) if node not in fixed]:
            parts += self._describe_node(node)
        return {
            "ready": ready,
            "coming_up": not self.up.is_set(),
            "up_s": round(time.monotonic() - self._started_s, 1),
            "parts": parts,
            "nodes": {name: node.machine.init_pid for name, node in list(self.nodes.items())},
            "network": self.network.status(),
            "autoscaling": {"up": self.autoscaling.is_up, "problem": self.autoscaling.problem()},
            "legacy": {name: host.state() for name, host in self.legacy.items()},
        }

    def database(self, name: str) -> dict[str, Any]:
        """See control.LabControl.database. Raises LabError for a service that the lab does not run."""
        for service in self.plan.services:
            if service.name == name:
                own = Database.of(service.legacy_env)
                return {"host": POSTGRES_IP, "port": POSTGRES_PORT, **asdict(own)}
        known = ", ".join(service.name for service in self.plan.services)
        raise LabError(f"the lab runs no service {name!r}: it runs {known}")

    def _describe_node(self, node: Node) -> list[dict[str, Any]]:
        if node.is_off():
            problem = f"its power is cut, back in {node.back_in_s() or 0:.0f} s"
            return [_row(node.name, node.name, None, "off", 0, problem)]
        trouble = self._node_problem(node)
        first = _row(node.name, node.name, node.machine.init_pid, "not-ready" if trouble else "ready", 0, trouble)
        return [first, *(_describe(daemon.command.name, Watched(daemon)) for daemon in node.daemons)]

    def _node_problem(self, node: Node) -> str | None:
        try:
            state = conditions(self.credentials.api(2.0).get(f"/api/v1/nodes/{node.name}")).get("Ready")
        except (LabError, OSError) as error:
            return str(error)
        return None if state == "True" else f"Ready is {state}"


def _describe(name: str, watched: Watched) -> dict[str, Any]:
    daemon = watched.daemon
    problem: str | None
    if not daemon.alive():
        state = "stopped" if daemon.stopped else "dead"
        problem = "it was stopped" if daemon.stopped else "it does not run"
    else:
        problem = watched.problem() if watched.problem else None
        state = "not-ready" if problem else "ready"
    return _row(name, daemon.command.where, daemon.pid(), state, daemon.restarts, problem)


def _row(name: str, where: str, pid: int | None, state: str, restarts: int, problem: str | None) -> dict[str, Any]:
    return {"name": name, "where": where, "pid": pid, "state": state, "restarts": restarts, "problem": problem}
