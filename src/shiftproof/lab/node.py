"""A worker node: its machine, and on it containerd, kubelet and kube-proxy; its power; its pods' processes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence

from shiftproof.errors import LabError
from shiftproof.lab import cgroups, namespaces, node_config, procfs
from shiftproof.lab.control_plane import Credentials
from shiftproof.lab.kube import conditions
from shiftproof.lab.machine import Machine
from shiftproof.lab.network import AWS_REGION, NODE_IPS
from shiftproof.lab.plan import LabPlan
from shiftproof.lab.supervisor import Command, Daemon, PartFailed, base_environment
from shiftproof.lab.waiting import http_problem

_DAEMON_WITHIN_S = 30.0
_READY_WITHIN_S = 60.0
_RETURN_ATTEMPTS = 3
_TASKS = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"

log = logging.getLogger(__name__)


class Node:
    """One node. Power is changed under a lock; everything else may be called from any thread."""

    def __init__(self, name: str, plan: LabPlan, identity: node_config.Identity, images: Sequence[str] = ()) -> None:
        """images: archives that it holds beside those of the plan."""
        self.name = name
        self._images = (plan.pause_tar, *(service.image_tar for service in plan.services), *images)
        self.identity = identity
        self.machine = Machine(name)
        self._plan = plan
        self._credentials: Credentials | None = None
        self._daemons: dict[str, Daemon] = {}
        self._power = threading.RLock()
        self._is_cut = False
        self._back_at_s: float | None = None
        self._timer: threading.Timer | None = None

    @property
    def daemons(self) -> Sequence[Daemon]:
        return tuple(self._daemons.values())

    def start_containers(self) -> None:
        """Machine, containerd, images; needs nothing but the network. Raises PartFailed."""
        cgroups.make(self.name)
        if self.identity.instance:
            cgroups.weigh(self.name, booting=True)
        disk = self.machine.disk
        (disk / "cni").mkdir(parents=True, exist_ok=True)
        (disk / "cni" / "10-lab.conflist").write_text(node_config.pod_network(self.name))
        (disk / "containerd.toml").write_text(node_config.containerd(disk, self._plan.pause_reference))
        self.machine.power_on()
        self._start_containerd()
        self._import(self._images)

    def start_kubelet(self, credentials: Credentials) -> None:
        """Kubelet and kube-proxy; needs the API server. Returns once the kubelet is healthy. Raises PartFailed."""
        self._credentials = credentials
        disk = self.machine.disk
        server = credentials.kubelet_servers[self.name]
        config = node_config.kubelet(self.name, disk, credentials.authority.certificate, server, self.identity)
        (disk / "kubelet.json").write_text(config)
        (disk / "proxy.json").write_text(node_config.proxy(self.name, credentials.kubeconfig(f"proxy-{self.name}")))
        self._start_kubernetes()

    def wait_ready(self, within_s: float = _READY_WITHIN_S) -> None:
        """Wait until the API server calls the node Ready. Raises PartFailed."""
        assert self._credentials is not None
        api = self._credentials.api()

        def missing() -> str | None:
            try:
                state = conditions(api.get(f"/api/v1/nodes/{self.name}"))
            except (LabError, OSError) as error:
                return str(error)
            return None if state.get("Ready") == "True" else f"the node is not Ready: {state}"

        self._daemons["kubelet"].wait_ready(missing, within_s)

    def is_off(self) -> bool:
        """True from the moment its power is cut until it is back."""
        return self._is_cut

    def back_in_s(self) -> float | None:
        """Seconds until a cut of its power ends by itself; None while it has power."""
        return None if self._back_at_s is None else max(0.0, self._back_at_s - time.monotonic())

    def power_off(self, for_s: float) -> None:
        """Cut its power: all its processes die at once and its link goes silent. Ends by itself after `for_s`.

        Raises LabError when it is off already, or when something on it does not die.
        """
        with self._power:
            if self.is_off():
                raise LabError(f"{self.name} is off already, and comes back in {self.back_in_s() or 0:.0f} s")
            # The end is set before the beginning: whatever happens in between, it comes back.
            self._is_cut = True
            self._back_at_s = time.monotonic() + for_s
            self._timer = threading.Timer(for_s, self._come_back)
            self._timer.daemon = True
            self._timer.start()
            namespaces.cut(self.name)
            self._die()

    def power_on(self) -> None:
        """Give it power; returns when its kubelet runs again. Does nothing when it has power. Raises LabError."""
        with self._power:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            if not self.is_off():
                return
            self._die()  # a cut, or a return, that broke off half-way may have left something
            namespaces.connect(self.name)
            cgroups.make(self.name)
            self.machine.power_on()
            self._start_containerd()
            self._start_kubernetes()
            self._is_cut, self._back_at_s = False, None

    def retire(self) -> None:
        """The machine is no more: all of it dies at once, and nothing of it comes back. Raises LabError."""
        with self._power:
            if self._timer is not None:
                self._timer.cancel()
            self._is_cut, self._back_at_s = True, None
            if namespaces.exists(self.name):
                namespaces.cut(self.name)
            self._die()
            shutil.rmtree(self.machine.disk, ignore_errors=True)

    def _die(self) -> None:
        for daemon in self.daemons:
            daemon.abandon()
        self.machine.power_off()
        for daemon in self.daemons:
            daemon.kill()
        namespaces.remove(self.name)
        # As a reboot does. A kubelet that finds cgroups of dead containers waits 3 s for each of them.
        cgroups.remove(node=self.name)

    def kill_pod(self, pod_uid: str) -> list[int]:
        """kill -9 the processes of the pod's containers, not its sandbox's. Returns pids as the machine sees them.

        Raises LabError when the pod has none here.
        """
        killed: list[int] = []
        for container, pids in cgroups.pids_of_containers(self.name, pod_uid).items():
            if self._is_sandbox(container):
                continue
            for pid in pids:
                try:
                    killed.append(procfs.outer_pid(pid))
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue  # it went together with one that was killed just before
        if not killed:
            raise LabError(f"no process of pod {pod_uid} runs on {self.name}")
        return killed

    def _come_back(self) -> None:
        """The end of a cut. A return that fails is written down and tried again: nobody may be left to ask for it."""
        for attempt in range(1, _RETURN_ATTEMPTS + 1):
            try:
                self.power_on()
            except (LabError, OSError):
                log.exception("%s has power again and did not come back, attempt %d", self.name, attempt)
            else:
                return

    def _is_sandbox(self, container: str) -> bool:
        try:
            spec = json.loads(self.machine.path(f"{_TASKS}/{container}/config.json").read_text())
        except FileNotFoundError:
            return True  # it ends already
        return bool(spec.get("annotations", {}).get("io.kubernetes.cri.container-type") != "container")

    def _start_containerd(self) -> None:
        config = str(self.machine.disk / "containerd.toml")
        daemon = self._daemon("containerd", ("containerd", "--config", config, "--log-level", "warn"))
        daemon.wait_ready(self._containerd_problem, _DAEMON_WITHIN_S)

    def _containerd_problem(self) -> str | None:
        """Its socket is on the node's own /run, which can be reached through /proc."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.machine.path(node_config.CONTAINERD_SOCKET)))
        except OSError as error:
            return f"{node_config.CONTAINERD_SOCKET}: {error.strerror}"
        return None

    def add_images(self, images: Sequence[str]) -> None:
        """More of them, on a node that has power. Raises PartFailed."""
        self._import(images)

    def _import(self, images: Sequence[str]) -> None:
        for tar in images:
            done = self._run(("ctr", "-n", "k8s.io", "images", "import", tar))
            if done.returncode != 0:
                raise PartFailed(f"{self.name}/images", f"import of {tar}", done.stderr.strip().splitlines()[-3:])

    def _start_kubernetes(self) -> None:
        assert self._credentials is not None
        disk = self.machine.disk
        region, zone = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
        kubelet = (
            self._plan.programs["kubelet"],
            f"--config={disk / 'kubelet.json'}",
            f"--kubeconfig={self._credentials.kubeconfig(f'kubelet-{self.name}')}",
            f"--root-dir={disk / 'kubelet'}",
            f"--cert-dir={disk / 'kubelet-pki'}",
            f"--hostname-override={self.name}",
            f"--node-ip={NODE_IPS[self.name]}",
            f"--node-labels={region}={AWS_REGION},{zone}={self.identity.zone}",
        )
        proxy = (self._plan.programs["kube-proxy"], f"--config={disk / 'proxy.json'}")
        address = NODE_IPS[self.name]
        running = self._daemon("kubelet", kubelet)
        self._daemon("kube-proxy", proxy).wait_ready(
            lambda: http_problem(address, node_config.PROXY_HEALTH_PORT, "/healthz"), _DAEMON_WITHIN_S
        )
        running.wait_ready(lambda: http_problem(address, node_config.KUBELET_HEALTH_PORT, "/healthz"), _DAEMON_WITHIN_S)

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.machine.prefix(), *words],
            env=base_environment(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def _daemon(self, name: str, argv: tuple[str, ...]) -> Daemon:
        """Start one on the machine as it is now: a machine that was off has a new process 1 to enter."""
        command = Command(f"{self.name}/{name}", self.name, argv, prefix=self.machine.prefix(), forks=True)
        daemon = self._daemons.setdefault(name, Daemon(command))
        daemon.start(command)
        return daemon
