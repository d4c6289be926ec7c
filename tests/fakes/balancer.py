"""The lab's load balancer as a process of its own on loopback: real moto, real HAProxy."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx

from fakes.backends import Backend
from fakes.ports import free_port
from shiftproof.model.marks import ID_HEADER, REHEARSAL_HEADER
from shiftproof.model.platform import Platform, Service
from shiftproof.model.target import Target

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

START_S = 120.0
PLATFORM = """
version: 1
name: test
services:
  - name: payments
    namespace: payments
    deployment: payments
    manifests: services/payments
    load_balancer: {name: lb, legacy_target_group: payments-legacy, cluster_target_group: payments-cluster}
    load: {operations: [{name: read, method: GET, path: /payments}]}
"""


def eventually(condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
    """Wait until it is true; fail with `what` when it does not become so."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.02)


@dataclass
class Balancer:
    """A running one, and the ways to speak to it."""

    folder: Path
    api: str
    entry: str
    process: subprocess.Popen[bytes]
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        return boto3.client(
            "elbv2",
            region_name="eu-west-1",
            endpoint_url=self.api,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    @property
    def target(self) -> Target:
        return Target(name="lab", kind="lab", aws_endpoint=self.api, kubeconfig="none", entry=self.entry)

    @property
    def service(self) -> Service:
        return Platform.model_validate(json.loads(json.dumps(_platform()))).services[0]

    @property
    def access_log(self) -> Path:
        return self.folder / "access.log"

    def group(self, side: str) -> str:
        return self.elbv2.describe_target_groups(Names=[f"payments-{side}"])["TargetGroups"][0]["TargetGroupArn"]

    def states(self, side: str) -> dict[str, tuple[str, str]]:
        """State and reason by address."""
        answer = self.elbv2.describe_target_health(TargetGroupArn=self.group(side))
        return {
            f"{entry['Target']['Id']}:{entry['Target']['Port']}": (
                entry["TargetHealth"]["State"],
                entry["TargetHealth"].get("Reason", ""),
            )
            for entry in answer["TargetHealthDescriptions"]
        }

    def state(self, side: str, backend: Backend) -> str:
        return self.states(side).get(f"{backend.ip}:{backend.port}", ("gone", ""))[0]

    def register(self, side: str, *backends: Backend, healthy: bool = True) -> None:
        self.elbv2.register_targets(TargetGroupArn=self.group(side), Targets=[b.target for b in backends])  # type: ignore[misc]
        if healthy:
            for backend in backends:
                self.wait_healthy(side, backend)

    def wait_healthy(self, side: str, backend: Backend) -> None:
        eventually(lambda: self.state(side, backend) == "healthy", f"{backend.name} healthy")

    def deregister(self, side: str, *backends: Backend) -> None:
        self.elbv2.deregister_targets(TargetGroupArn=self.group(side), Targets=[b.target for b in backends])  # type: ignore[misc]

    def get(
        self, rule: str | None = None, path: str = "/payments", client: httpx.Client | None = None
    ) -> tuple[str, httpx.Response]:
        """One request: its id, which is new each time, and the answer. On a connection of its own without a client."""
        identity = f"{next(self.ids)}-1"
        headers = {ID_HEADER: identity} | ({REHEARSAL_HEADER: rule} if rule else {})
        if client is not None:
            return identity, client.get(f"{self.entry}{path}", headers=headers)
        return identity, httpx.get(f"{self.entry}{path}", headers=headers, timeout=60)

    def lag(self, **seconds: float | None) -> None:
        assert httpx.put(f"{self.api}/_lab/lag", json=seconds).status_code == 200

    def log_of(self, identity: str) -> dict[str, Any]:
        """The one line of a request, once it is there."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            lines = self.access_log.read_text(encoding="utf-8").splitlines()
            found[:] = [entry for entry in map(json.loads, lines) if entry["id"] == identity]
            return bool(found)

        eventually(look, f"a log line of {identity}")
        assert len(found) == 1
        return found[0]


@dataclass(frozen=True)
class Estate:
    """A balancer and the legacy targets that it started with."""

    balancer: Balancer
    legacy: tuple[Backend, Backend]


@contextmanager
def running_balancer(
    folder: Path, legacy: Sequence[Backend], kubeconfig: Path | None = None, exit_code: int = 0
) -> Iterator[Balancer]:
    """Start it, wait until it is ready, and end it and its HAProxy; `exit_code`: how it must have ended."""
    platform = folder / "platform.yaml"
    platform.write_text(PLATFORM, encoding="utf-8")
    api_port, entry_port = free_port(), free_port()
    command = [
        sys.executable,
        "-m",
        "shiftproof.lab.lb",
        "--bind",
        f"127.0.0.1:{api_port}",
        "--dir",
        str(folder / "lb"),
    ]
    command += ["--haproxy-bind", f"127.0.0.1:{entry_port}", "--kubeconfig", str(kubeconfig or "")]
    command += ["--platform", str(platform)]
    for backend in legacy:
        command += ["--legacy-target", f"{backend.ip}:{backend.port}"]
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "NO_PROXY": "*"}
        )
    api = f"http://127.0.0.1:{api_port}"
    balancer = Balancer(folder / "lb", api, f"http://127.0.0.1:{entry_port}", process)
    try:
        eventually(lambda: _ready(balancer), f"ready: {folder / 'output.txt'}", START_S)
        yield balancer
    finally:
        process.send_signal(signal.SIGTERM)  # nothing happens when it has ended
        assert process.wait(timeout=60) == exit_code, (folder / "output.txt").read_text(encoding="utf-8")


def _ready(balancer: Balancer) -> bool:
    assert balancer.process.poll() is None, "the load balancer ended at once"
    try:
        return httpx.get(f"{balancer.api}/_lab/ready").status_code == 200
    except httpx.TransportError:
        return False


def _platform() -> Any:
    import yaml

    return yaml.safe_load(PLATFORM)
