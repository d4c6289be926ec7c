"""Ask the running lab to do what only it can: power of nodes, processes of pods, legacy machines, status.

One request a connection over a unix socket: a line of JSON there, a line of JSON back. Works inside the lab and
outside.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shiftproof.errors import LabError
from shiftproof.lab.network import LAB_DIR

SOCKET = LAB_DIR / "control.sock"
LONGEST_CUT_S = 600.0
LONGEST_FAULT_S = 3600.0
_AUTOSCALING_WITHIN_S = 300.0
_TIMEOUT_S = 90.0
_LONGEST_ANSWER_BYTES = 16 * 2**20


class LabControl:
    """Each method asks once; raises LabError when the lab is not there, or says that it could not.

    Every cut of power carries its own end: the lab brings the node back after `for_s`, whoever asked may be dead by
    then.
    """

    def __init__(self, path: Path | None = None, timeout_s: float = _TIMEOUT_S) -> None:
        """`path`: the socket, when it is not where it is inside the lab (see enter.find_lab().control())."""
        self._path = path or SOCKET
        self._timeout_s = timeout_s

    def power_off(self, node: str, for_s: float) -> None:
        """Cut the node's power: all its processes die at once, its link is silent. Returns when they are dead."""
        self._ask("power_off", node=node, for_s=for_s)

    def power_on(self, node: str) -> None:
        """Give the node power now; returns when its kubelet runs again. Does nothing when it has power."""
        self._ask("power_on", node=node)

    def kill_pod(self, node: str, pod_uid: str) -> list[int]:
        """kill -9 the processes of the pod's containers, from the node. Returns their pids as the machine sees them."""
        answer = self._ask("kill_pod", node=node, pod_uid=pod_uid)
        return [int(pid) for pid in answer["pids"]]

    def status(self) -> Mapping[str, Any]:
        """{"ready", "coming_up", "up_s": seconds, "parts": [{…}], "nodes": {name: pid of its process 1, or null},
        "network": [{"id", "fault": in words, "ends_in_s", "dropped": packets}] of the network faults in force,
        "legacy": as legacy_state, "autoscaling": {"up", "problem": why an instance is no node, or null}}.

        A part: {"name", "where", "pid", "state", "restarts", "problem"}; state: "ready", "not-ready", "dead",
        "stopped", "off" (a node without power); pids as the machine sees them.
        """
        return self._ask("status")

    def restart_legacy(self, host: str) -> None:
        """Stop (SIGTERM) and start again with the same settings; returns when it answers."""
        self._ask("restart_legacy", host=host)

    def stop_legacy(self, host: str) -> None:
        """SIGTERM; returns when the process is gone. It stays stopped."""
        self._ask("stop_legacy", host=host)

    def start_legacy(self, host: str, env: Mapping[str, str] | None = None) -> None:
        """Start with the ordinary settings, `env` on top; returns when it answers. Does nothing when it runs."""
        self._ask("start_legacy", host=host, env=dict(env or {}))

    def legacy_state(self) -> dict[str, dict[str, Any]]:
        """{host: {"running", "env"}}: whether its process is meant to run, and what is set on top of the ordinary
        settings ({} when nothing is; a value of null takes the variable away).
        """
        found: dict[str, dict[str, Any]] = self._ask("legacy_state")["hosts"]
        return found

    def change_legacy(self, host: str, env: Mapping[str, str | None], *, running: bool = True) -> Mapping[str, Any]:
        """Make the host as legacy_state tells it; SIGTERM and a new start unless it is so already.

        Returns {"problem": why its process does not answer within 20 s, or null, "in_rotation": whether the load
        balancer sends to it}. Settings with which it cannot run are no error.
        """
        return self._ask("change_legacy", host=host, env=dict(env), running=running)

    def autoscale(self, plan: Mapping[str, Any]) -> Mapping[str, float]:
        """Bring up what scales pods and nodes (an AutoscalingPlan as a dict), unless it is up; seconds by part."""
        slow = LabControl(self._path, _AUTOSCALING_WITHIN_S)
        parts_s: dict[str, float] = slow._ask("autoscale", plan=dict(plan))["parts_s"]
        return parts_s

    def autoscaling_progress(self) -> Mapping[str, float]:
        """Seconds by part of those that are up, while `autoscale` is under way or after it."""
        parts_s: dict[str, float] = self._ask("autoscaling_progress")["parts_s"]
        return parts_s

    def autoscaling_problem(self, since_s: float) -> str | None:
        """Why an instance was no node at some time since then (time.monotonic of any process here); None: all were."""
        found: str | None = self._ask("autoscaling_problem", since_s=since_s)["problem"]
        return found

    def set_boot_delay(self, seconds: float, for_s: float) -> float:
        """How long machines take to boot from now on, and for how long that holds; returns what it was."""
        return float(self._ask("set_boot_delay", seconds=seconds, for_s=for_s)["former_s"])

    def pause_part(self, name: str, for_s: float) -> None:
        """Let a part's process stand still (pauses.PAUSABLE); it goes on by itself after `for_s`."""
        self._ask("pause_part", name=name, for_s=for_s)

    def resume_part(self, name: str) -> None:
        """Let it go on; does nothing when it is not paused."""
        self._ask("resume_part", name=name)

    def database(self, service: str) -> Mapping[str, Any]:
        """{"host", "port", "name", "role", "password"} of the service's database and its owner."""
        return self._ask("database", service=service)

    def check_network(self, fault: Mapping[str, Any]) -> None:
        """Raises LabError when this machine cannot make it. Changes nothing."""
        self._ask("check_network", fault=dict(fault))

    def add_network(self, fault_id: str, fault: Mapping[str, Any], for_s: float) -> None:
        """Put a network fault in force: the fields of network_rules.NetworkFault. It ends by itself after `for_s`."""
        self._ask("add_network", fault_id=fault_id, fault=dict(fault), for_s=for_s)

    def remove_network(self, fault_id: str) -> None:
        """Take it away; does nothing when it is not there."""
        self._ask("remove_network", fault_id=fault_id)

    def _ask(self, verb: str, **parameters: Any) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(self._timeout_s)
                client.connect(str(self._path))
                client.sendall(json.dumps({"verb": verb, **parameters}).encode() + b"\n")
                with client.makefile("rb") as stream:
                    line = stream.readline(_LONGEST_ANSWER_BYTES)
        except OSError as error:
            raise LabError(f"the lab does not answer: {error.strerror or error}", hint="shiftproof lab up") from error
        if not line.endswith(b"\n"):
            raise LabError(f"the lab ended while it was to do {verb}", hint="shiftproof lab status")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LabError(answer["error"], hint=answer.get("hint"))
        return answer
