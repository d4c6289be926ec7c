"""The legacy side: machines that run a service as a plain process, the very files that its image holds."""

from __future__ import annotations

import http.client
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any

from shiftproof.errors import LabError
from shiftproof.lab import balancer, cgroups, namespaces
from shiftproof.lab.network import LEGACY_IPS, SERVICE_PORT
from shiftproof.lab.plan import ServicePlan
from shiftproof.lab.supervisor import Command, Daemon, PartFailed, base_environment
from shiftproof.lab.waiting import NotInTime, http_problem, until

Settings = Mapping[str, str | None]
"""Environment on top of the ordinary one; None takes a variable away."""

_WITHIN_S = 60.0
_STOP_WITHIN_S = 30.0
_ANSWERS_WITHIN_S = 20.0
_IN_ROTATION_WITHIN_S = 15.0
_POLL_S = 0.2


def environment(service: ServicePlan, host: str = "", extra: Settings | None = None) -> dict[str, str]:
    """What the service's process sees on a legacy VM. `extra` wins: a planted defect may set anything."""
    found: dict[str, str | None] = {
        **app_environment(service.app_folder),
        **service.legacy_env,
        **({"SERVED_BY": host} if host else {}),
        **(extra or {}),
    }
    return {name: value for name, value in found.items() if value is not None}


def app_environment(app_folder: str) -> dict[str, str]:
    """What any process of an app sees where it runs outside of its image."""
    return {
        **base_environment(),
        "PYTHONPATH": app_folder,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def migrate(service: ServicePlan) -> None:
    """Bring the service's database to its schema, from the first legacy machine. Raises PartFailed."""
    migrate_with(service.name, service.migrate, environment(service))


def migrate_with(name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
    """The same by a command of its own. Raises PartFailed."""
    host = next(iter(LEGACY_IPS))
    done = subprocess.run(
        [*namespaces.inside(host), *command],
        env=env,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=_WITHIN_S,
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise PartFailed(f"{name}/database", f"{' '.join(command)} ended with {done.returncode}", lines[-5:])


class LegacyHost:
    """One VM that runs one service. Methods may be called from any thread."""

    def __init__(self, host: str, service: ServicePlan) -> None:
        self.host = host
        self.address = LEGACY_IPS[host]
        self._service = service
        self._lock = threading.Lock()
        self._extra: dict[str, str | None] = {}
        self.daemon = Daemon(self._command())

    def start(self, extra: Settings | None = None) -> None:
        """Start the process; returns when it answers. Does nothing when it runs. Raises PartFailed."""
        with self._lock:
            if not self.daemon.alive():
                self._extra = dict(extra or {})
                self.daemon.start(self._command())
            self.daemon.wait_ready(self.problem, _WITHIN_S)

    def stop(self) -> None:
        """SIGTERM, as a deploy to a VM does; returns when it is gone."""
        with self._lock:
            self.daemon.stop()

    def restart(self) -> None:
        """Stop, and start again with the settings that it had. Raises PartFailed."""
        with self._lock:
            self.daemon.stop()
            self.daemon.start(self._command())
            self.daemon.wait_ready(self.problem, _WITHIN_S)

    def state(self) -> dict[str, Any]:
        """{"running": whether it is meant to run, "env": what was set on top of the ordinary settings}."""
        return {"running": not self.daemon.stopped, "env": dict(self._extra)}

    def change(self, extra: Settings, running: bool) -> dict[str, Any]:
        """Make it run (or not) with these settings on top, whatever becomes of it: broken settings are a state too.

        A process that runs is stopped by SIGTERM, as a deploy does. Returns {"problem": why it does not answer, or
        null, "in_rotation": whether the load balancer sends to it again}; does nothing when all is so already.
        """
        with self._lock:
            if self.state() != {"running": running, "env": dict(extra)} or (running and not self.daemon.alive()):
                self.daemon.stop()
                self._extra = dict(extra)
                if running:
                    self.daemon.start(self._command())
            if not running:
                return {"problem": None, "in_rotation": False}
            try:
                self.daemon.wait_ready(self.problem, _ANSWERS_WITHIN_S)
            except PartFailed as error:
                return {"problem": error.why, "in_rotation": False}
            return {"problem": None, "in_rotation": self._in_rotation()}

    def _in_rotation(self) -> bool:
        """Wait for the load balancer to see that it is back: until then a change elsewhere could leave no target."""
        target = f"{self.address}:{SERVICE_PORT}"

        def missing() -> str | None:
            try:
                state = balancer.target_states(self._service.legacy_target_group).get(target)
            except (OSError, http.client.HTTPException, ET.ParseError) as error:
                return str(error)
            return None if state == "healthy" else str(state)

        try:
            until(missing, _IN_ROTATION_WITHIN_S, poll_s=_POLL_S)
        except NotInTime:
            return False
        return True

    def problem(self) -> str | None:
        return http_problem(self.address, SERVICE_PORT, self._service.health_path)

    def _command(self) -> Command:
        return Command(
            f"{self.host}/{self._service.name}",
            self.host,
            self._service.command,
            env=environment(self._service, self.host, self._extra),
            prefix=(*cgroups.entering(self.host), *namespaces.inside(self.host)),
            stop_within_s=_STOP_WITHIN_S,
        )


def host_named(hosts: Mapping[str, LegacyHost], name: str) -> LegacyHost:
    """Raises LabError naming the hosts there are."""
    if name not in hosts:
        raise LabError(f"no legacy machine is called {name!r}: there are {', '.join(hosts)}")
    return hosts[name]
