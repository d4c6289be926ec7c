"""Three routes for machines: /live and /ready for the kubelet, /metrics for Prometheus. Nobody else calls a batch
worker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from statements.leaving import Leaving
from statements.metrics import Metrics, Pulse

#: Longer than any wait in the loop: for the queue (20 s and its answer), for the database (5 s), twice each.
STUCK_AFTER_S = 90.0

Answer = tuple[int, str, bytes]


class Probes:
    """What the routes answer."""

    def __init__(self, leaving: Leaving, metrics: Metrics, pulse: Pulse) -> None:
        self._leaving = leaving
        self._metrics = metrics
        self._pulse = pulse
        self.routes: dict[str, Callable[[], Answer]] = {
            "/live": self.live,
            "/ready": self.ready,
            "/metrics": lambda: (200, self._metrics.content_type, self._metrics.text()),
        }

    def live(self) -> Answer:
        live = self._pulse.still_s() < STUCK_AFTER_S
        return _json(200 if live else 503, {"live": live})

    def ready(self) -> Answer:
        # Started only once database and queue had answered. Not asked again: a worker has no callers to keep away,
        # and a rollout that waits for a database helps nobody.
        ready = not self._leaving.told
        return _json(200 if ready else 503, {"ready": ready})


def serve(bind: str, port: int, probes: Probes) -> ThreadingHTTPServer:
    """Answer from a thread of its own that ends with the process. Raises OSError when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            route = probes.routes.get(self.path)
            status, kind, body = route() if route is not None else _json(404, {"detail": "no such route"})
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come each second: their lines would bury the others."""

    server = ThreadingHTTPServer((bind, port), Handler)
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server


def _json(status: int, content: dict[str, object]) -> Answer:
    return status, "application/json", json.dumps(content).encode()
