"""The other end of control.py: answers requests on the lab's unix socket, one thread a request."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shiftproof.errors import LabError, ShiftproofError
from shiftproof.lab.control import LONGEST_CUT_S, SOCKET
from shiftproof.lab.legacy import LegacyHost, host_named
from shiftproof.lab.node import Node

log = logging.getLogger(__name__)
Request = Mapping[str, Any]
Verb = Callable[[Request], dict[str, Any]]
_LONGEST_REQUEST_BYTES = 2**20


def verbs(
    nodes: Mapping[str, Node], legacy: Mapping[str, LegacyHost], status: Callable[[], dict[str, Any]]
) -> dict[str, Verb]:
    """What can be asked, by name."""

    def power_off(request: Request) -> dict[str, Any]:
        _node(nodes, request).power_off(_cut_s(request))
        return {}

    def power_on(request: Request) -> dict[str, Any]:
        _node(nodes, request).power_on()
        return {}

    def kill_pod(request: Request) -> dict[str, Any]:
        return {"pids": _node(nodes, request).kill_pod(_pod_uid(request))}

    def restart_legacy(request: Request) -> dict[str, Any]:
        host_named(legacy, str(request.get("host"))).restart()
        return {}

    def stop_legacy(request: Request) -> dict[str, Any]:
        host_named(legacy, str(request.get("host"))).stop()
        return {}

    def start_legacy(request: Request) -> dict[str, Any]:
        host_named(legacy, str(request.get("host"))).start(request.get("env") or None)
        return {}

    known = (power_off, power_on, kill_pod, restart_legacy, stop_legacy, start_legacy)
    return {verb.__name__: verb for verb in known} | {"status": lambda _: status()}


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
