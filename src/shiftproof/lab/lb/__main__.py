"""`python -m shiftproof.lab.lb`: the AWS API, the estate, HAProxy and the target group bindings in one process."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from shiftproof.errors import ShiftproofError
from shiftproof.lab import network
from shiftproof.lab.lb import api, desired, estate
from shiftproof.lab.lb.access_log import AccessLogPump
from shiftproof.lab.lb.binding import TargetGroupBinding
from shiftproof.lab.lb.config import Files
from shiftproof.lab.lb.desired import Address
from shiftproof.lab.lb.lag import SharedLag
from shiftproof.lab.lb.process import HaproxyProcess
from shiftproof.lab.lb.reconciler import Reconciler
from shiftproof.lab.lb.runtime import Runtime
from shiftproof.model.platform import Platform

TICK_S = 0.1
PLATFORM = Path("infra/platform.yaml")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Returns 0, or 3 with one line on stderr when something is broken."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        _Balancer(arguments).run(stopped)
    except ShiftproofError as error:
        print(f"load balancer: {error.one_line()}", file=sys.stderr)
        return 3
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shiftproof.lab.lb", description=__doc__)
    parser.add_argument("--bind", type=_address, default=f"{network.CONTROL_IP}:{network.AWS_PORT}", help="AWS API")
    parser.add_argument("--dir", type=Path, default=network.LB_DIR, help="where logs, socket and configuration go")
    parser.add_argument("--haproxy-prefix", default="", help="words before haproxy's command, e.g. an nsenter")
    parser.add_argument("--haproxy-bind", default=f"{network.LOAD_BALANCER_IP}:{network.LOAD_BALANCER_PORT}")
    parser.add_argument("--kubeconfig", default=str(network.KUBECONFIG), help="empty: no Kubernetes, no binding")
    parser.add_argument("--platform", type=Path, default=PLATFORM)
    parser.add_argument("--region", default=network.AWS_REGION)
    parser.add_argument(
        "--legacy-target", type=_address, action="append", help="address:port, may be repeated; default: the lab's VMs"
    )
    return parser


def _address(text: str) -> Address:
    ip, _, port = text.rpartition(":")
    if not ip or not port.isdigit():
        raise argparse.ArgumentTypeError(f"address:port is wanted, not {text!r}")
    return Address(ip, int(port))


class _Balancer:
    """The parts, put together."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._platform = estate.load_platform(arguments.platform)
        self._lag = SharedLag()
        self._ready = threading.Event()
        self._bindings: list[TargetGroupBinding] = []
        folder: Path = arguments.dir
        (folder / "maps").mkdir(parents=True, exist_ok=True)
        files = Files(folder)
        runtime = Runtime(files.socket)
        self._log = AccessLogPump(files.access_log)
        self._process = HaproxyProcess(files, runtime, shlex.split(arguments.haproxy_prefix), self._log.write_fd)
        self._reconciler = Reconciler(self._read, files, self._process, runtime, self._lag, bind=arguments.haproxy_bind)

    def run(self, stopped: threading.Event) -> None:
        """Serve the API first: it is what everybody waits for, the estate is built through it."""
        application = api.LabApi(
            api.moto_application(), self._lag, lambda: self._read().groups, self._reconciler.health, self._status
        )
        self._log.start()
        bind = self._arguments.bind
        server = api.serve(application, bind.ip, bind.port)
        try:
            clusters = self._build_estate()
            self._reconciler.tick()
            self._bind_targets(self._platform, clusters)
            self._ready.set()
            while not stopped.wait(TICK_S):
                self._reconciler.tick()
                if not self._process.alive():
                    raise ShiftproofError("HAProxy ended by itself", hint=f"see {self._arguments.dir}/haproxy.err")
        finally:
            self._process.stop()
            self._log.stop()
            server.shutdown()

    def _read(self) -> desired.Desired:
        return desired.read(self._arguments.region)

    def _build_estate(self) -> dict[str, str]:
        legacy = self._arguments.legacy_target or [
            Address(ip, network.SERVICE_PORT) for ip in network.LEGACY_IPS.values()
        ]
        ec2 = self._client("ec2")
        subnets = ec2.describe_subnets()["Subnets"][: estate.SUBNETS_PER_BALANCER]
        port = int(self._arguments.haproxy_bind.rpartition(":")[2])
        return dict(
            estate.build(
                self._client("elbv2"),
                [subnet["SubnetId"] for subnet in subnets],
                subnets[0]["VpcId"],
                self._platform,
                legacy,
                port,
            )
        )

    def _bind_targets(self, platform: Platform, clusters: dict[str, str]) -> None:
        if not self._arguments.kubeconfig:
            return
        for service in platform.services:
            binding = TargetGroupBinding(
                self._client("elbv2"),
                clusters[service.name],
                Path(self._arguments.kubeconfig),
                service.namespace,
                service.name,
            )
            binding.start()
            self._bindings.append(binding)

    def _status(self) -> dict[str, Any]:
        return {"ready": self._ready.is_set(), "bindings": [binding.state for binding in self._bindings]}

    def _client(self, name: Any) -> Any:
        bind = self._arguments.bind
        return boto3.client(
            name,
            region_name=self._arguments.region,
            endpoint_url=f"http://{bind.ip}:{bind.port}",
            aws_access_key_id="lab",
            aws_secret_access_key="lab",
            config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}),
        )


if __name__ == "__main__":
    # The environment of whoever starts the lab must not decide what it talks to.
    for key in [key for key in os.environ if key.startswith("AWS_")]:
        del os.environ[key]
    sys.exit(main())
