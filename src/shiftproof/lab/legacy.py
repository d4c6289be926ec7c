"""The legacy side: machines that run a service as a plain process, the very files that its image holds."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping

from shiftproof.errors import LabError
from shiftproof.lab import cgroups, namespaces
from shiftproof.lab.network import LEGACY_IPS, SERVICE_PORT
from shiftproof.lab.plan import ServicePlan
from shiftproof.lab.supervisor import Command, Daemon, PartFailed, base_environment
from shiftproof.lab.waiting import http_problem

_WITHIN_S = 60.0
_STOP_WITHIN_S = 30.0


def environment(service: ServicePlan, host: str = "", extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the service's process sees on a legacy VM. `extra` wins: a planted defect may set anything."""
    return {
        **base_environment(),
        "PYTHONPATH": service.app_folder,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **service.legacy_env,
        **({"SERVED_BY": host} if host else {}),
        **(extra or {}),
    }


def migrate(service: ServicePlan) -> None:
    """Bring the service's database to its schema, from the first legacy machine. Raises PartFailed."""
    host = next(iter(LEGACY_IPS))
    done = subprocess.run(
        [*namespaces.inside(host), *service.migrate],
        env=environment(service),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=_WITHIN_S,
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise PartFailed(
            f"{service.name}/database", f"{' '.join(service.migrate)} ended with {done.returncode}", lines[-5:]
        )


class LegacyHost:
    """One VM that runs one service. Methods may be called from any thread."""

    def __init__(self, host: str, service: ServicePlan) -> None:
        self.host = host
        self.address = LEGACY_IPS[host]
        self._service = service
        self._lock = threading.Lock()
        self.daemon = Daemon(self._command(None))

    def start(self, extra: Mapping[str, str] | None = None) -> None:
        """Start the process; returns when it answers. Does nothing when it runs. Raises PartFailed."""
        with self._lock:
            self.daemon.start(self._command(extra))
            self.daemon.wait_ready(self.problem, _WITHIN_S)

    def stop(self) -> None:
        """SIGTERM, as a deploy to a VM does; returns when it is gone."""
        with self._lock:
            self.daemon.stop()

    def restart(self) -> None:
        """Stop, and start again with the settings that it had. Raises PartFailed."""
        with self._lock:
            command = self.daemon.command
            self.daemon.stop()
            self.daemon.start(command)
            self.daemon.wait_ready(self.problem, _WITHIN_S)

    def problem(self) -> str | None:
        return http_problem(self.address, SERVICE_PORT, self._service.health_path)

    def _command(self, extra: Mapping[str, str] | None) -> Command:
        return Command(
            f"{self.host}/{self._service.name}",
            self.host,
            self._service.command,
            env=environment(self._service, self.host, extra),
            prefix=(*cgroups.entering(self.host), *namespaces.inside(self.host)),
            stop_within_s=_STOP_WITHIN_S,
        )


def host_named(hosts: Mapping[str, LegacyHost], name: str) -> LegacyHost:
    """Raises LabError naming the hosts there are."""
    if name not in hosts:
        raise LabError(f"no legacy machine is called {name!r}: there are {', '.join(hosts)}")
    return hosts[name]
