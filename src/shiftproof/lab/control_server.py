"""The other end of control.py: answers requests on the lab's unix socket, one thread a request."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shiftproof.errors import LabError, ShiftproofError
from shiftproof.lab import network_rules
from shiftproof.lab.autoscaling.parts import Autoscaling
from shiftproof.lab.autoscaling.plan import AutoscalingPlan
from shiftproof.lab.control import LONGEST_CUT_S, LONGEST_FAULT_S, SOCKET
from shiftproof.lab.legacy import LegacyHost, host_named
from shiftproof.lab.network_faults import NetworkFaults
from shiftproof.lab.node import Node
from shiftproof.lab.pauses import Pauses

log = logging.getLogger(__name__)
Request = Mapping[str, Any]
Verb = Callable[[Request], dict[str, Any]]
_LONGEST_REQUEST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Parts:
    """What the requests are about. `database`: where a service's database is, and who owns it."""

    nodes: Mapping[str, Node]
    legacy: Mapping[str, LegacyHost]
    network: NetworkFaults
    autoscaling: Autoscaling
    pauses: Pauses
    database: Callable[[str], dict[str, Any]]
    status: Callable[[], dict[str, Any]]


def verbs(parts: Parts) -> dict[str, Verb]:
    """What can be asked, by name."""
    return {
        **_node_verbs(parts.nodes),
        **_legacy_verbs(parts.legacy),
        **_network_verbs(parts.network),
        **_autoscaling_verbs(parts.autoscaling, parts.pauses),
        "status": lambda _: parts.status(),
        "database": lambda request: parts.database(str(request.get("service"))),
    }


def _node_verbs(nodes: Mapping[str, Node]) -> dict[str, Verb]:
    def power_off(request: Request) -> dict[str, Any]:
        _node(nodes, request).power_off(_cut_s(request))
        return {}

    def power_on(request: Request) -> dict[str, Any]:
        _node(nodes, request).power_on()
        return {}

    def kill_pod(request: Request) -> dict[str, Any]:
        return {"pids": _node(nodes, request).kill_pod(_pod_uid(request))}

    return {verb.__name__: verb for verb in (power_off, power_on, kill_pod)}


def _legacy_verbs(legacy: Mapping[str, LegacyHost]) -> dict[str, Verb]:
    def restart_legacy(request: Request) -> dict[str, Any]:
        host_named(legacy, str(request.get("host"))).restart()
        return {}

    def stop_legacy(request: Request) -> dict[str, Any]:
        host_named(legacy, str(request.get("host"))).stop()
        return {}

    def start_legacy(request: Request) -> dict[str, Any]:
        host_named(legacy, str(request.get("host"))).start(_env(request) or None)
        return {}

    def legacy_state(request: Request) -> dict[str, Any]:
        del request
        return {"hosts": {name: host.state() for name, host in legacy.items()}}

    def change_legacy(request: Request) -> dict[str, Any]:
        return host_named(legacy, str(request.get("host"))).change(_env(request), request.get("running") is not False)

    known = (restart_legacy, stop_legacy, start_legacy, legacy_state, change_legacy)
    return {verb.__name__: verb for verb in known}


def _network_verbs(network: NetworkFaults) -> dict[str, Verb]:
    def check_network(request: Request) -> dict[str, Any]:
        network.check(_fault(request))
        return {}

    def add_network(request: Request) -> dict[str, Any]:
        network.add(str(request.get("fault_id")), _fault(request), float(request.get("for_s", 0)))
        return {}

    def remove_network(request: Request) -> dict[str, Any]:
        network.remove(str(request.get("fault_id")))
        return {}

    return {verb.__name__: verb for verb in (check_network, add_network, remove_network)}


def _autoscaling_verbs(autoscaling: Autoscaling, pauses: Pauses) -> dict[str, Verb]:
    def autoscale(request: Request) -> dict[str, Any]:
        return {"parts_s": autoscaling.bring_up(AutoscalingPlan.from_dict(request["plan"]))}

    def autoscaling_progress(request: Request) -> dict[str, Any]:
        del request
        return {"parts_s": dict(autoscaling.ready)}

    def autoscaling_problem(request: Request) -> dict[str, Any]:
        return {"problem": autoscaling.problem(float(request.get("since_s", 0)))}

    def set_boot_delay(request: Request) -> dict[str, Any]:
        seconds, for_s = float(request.get("seconds", 0)), float(request.get("for_s", 0))
        if not 0 <= seconds <= LONGEST_CUT_S or not 0 < for_s <= LONGEST_FAULT_S:
            raise LabError(f"a boot takes 0 to {LONGEST_CUT_S:g} s, for at most {LONGEST_FAULT_S:g} s")
        return {"former_s": autoscaling.boot.set(seconds, for_s)}

    def pause_part(request: Request) -> dict[str, Any]:
        pauses.pause(str(request.get("name")), _cut_s(request))
        return {}

    def resume_part(request: Request) -> dict[str, Any]:
        pauses.resume(str(request.get("name")))
        return {}

    known = (autoscale, autoscaling_progress, autoscaling_problem, set_boot_delay, pause_part, resume_part)
    return {verb.__name__: verb for verb in known}


def serve(known: Mapping[str, Verb], path: Path = SOCKET) -> socketserver.BaseServer:
    """Answer on threads until the process ends. The socket is root's alone."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline(_LONGEST_REQUEST_BYTES)
            self.wfile.write(json.dumps(answer(known, line)).encode() + b"\n")

    server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
    server.daemon_threads = True
    path.chmod(0o600)
    threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05), name="control", daemon=True).start()
    return server


def answer(known: Mapping[str, Verb], line: bytes) -> dict[str, Any]:
    """The answer to one request; whatever goes wrong is an answer too, never a dead thread."""
    try:
        request = json.loads(line)
        verb = known.get(str(request.get("verb"))) if isinstance(request, dict) else None
        if verb is None:
            return {"error": f"the lab knows no such request: {line[:100]!r}"}
        return verb(request)
    except ShiftproofError as error:
        return {"error": str(error), "hint": error.hint}
    except (OSError, ValueError, TypeError) as error:
        log.exception("request %r", line[:200])
        return {"error": f"{type(error).__name__}: {error}", "hint": "see init.log in the lab's logs"}


def _node(nodes: Mapping[str, Node], request: Request) -> Node:
    name = str(request.get("node"))
    if name not in nodes:
        raise LabError(f"no node of the lab is called {name!r}: there are {', '.join(nodes)}")
    return nodes[name]


def _cut_s(request: Request) -> float:
    for_s = float(request.get("for_s", 0))
    if not 0 < for_s <= LONGEST_CUT_S:
        raise LabError(f"power can be cut for more than 0 and at most {LONGEST_CUT_S:g} s, not {for_s:g}")
    return for_s


def _pod_uid(request: Request) -> str:
    uid = str(request.get("pod_uid", ""))
    if not uid or not all(letter.isalnum() or letter == "-" for letter in uid):
        raise LabError(f"{uid!r} is no pod's uid")
    return uid


def _env(request: Request) -> dict[str, str | None]:
    env = request.get("env") or {}
    if not isinstance(env, dict) or not all(value is None or isinstance(value, str) for value in env.values()):
        raise LabError("env is a mapping of names to texts, or to null")
    return env


def _fault(request: Request) -> network_rules.NetworkFault:
    fault = request.get("fault")
    if not isinstance(fault, dict):
        raise LabError("a network fault is a mapping")
    return network_rules.parse(fault)
