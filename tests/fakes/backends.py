"""Small real HTTP servers on loopback addresses: targets whose behaviour a test decides."""

from __future__ import annotations

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOLD_S = 30.0  # no test may hang on a request that it forgot to let go


class Backend(ThreadingHTTPServer):
    """One target. `/ready` answers by `healthy`; `/held…` waits until `release`; `broken` resets all else."""

    daemon_threads = True

    def __init__(self, ip: str, port: int = 0, name: str | None = None) -> None:
        super().__init__((ip, port), _Handler)
        self.name = name or ip
        self.healthy = True
        self.broken = False
        self.release = threading.Event()
        self.arrivals: list[str] = []  # the x-shiftproof-id of each request but health checks
        self.checks = 0
        self.connections = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """HAProxy closes idle connections by a reset: nothing to tell."""

    @property
    def ip(self) -> str:
        return str(self.server_address[0])

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def target(self) -> dict[str, Any]:
        return {"Id": self.ip, "Port": self.port}

    def close(self) -> None:
        """Refuse connections from now on."""
        self.release.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Backend

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_GET(self) -> None:
        if self.path == "/ready":
            self.server.checks += 1
            self._answer(200 if self.server.healthy else 503)
            return
        self.server.arrivals.append(self.headers.get("x-shiftproof-id", ""))
        if self.server.broken:
            self._reset()
            return
        if self.path.startswith("/held"):
            self.server.release.wait(HOLD_S)
        self._answer(200)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""

    def _answer(self, status: int) -> None:
        body = self.server.name.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
