"""A small Kubernetes API server over real HTTP: objects, merge patches, deletion, eviction, lists and watches.

Real HTTP rather than a mocked client, so that what is tested is what runs: the official client's connections, its
retries, and streams that break in the middle.
"""

from __future__ import annotations

import copy
import json
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shiftproof.model.target import Target

Json = dict[str, Any]

PLURALS = frozenset(
    {
        "pods",
        "nodes",
        "events",
        "endpointslices",
        "services",
        "deployments",
        "poddisruptionbudgets",
        "horizontalpodautoscalers",
    }
)
CUT = object()
"""Put into a watch's queue: the connection breaks in the middle of a chunk."""


class FakeKubernetes:
    """State behind the fake API; tests change it and look at it. `hooks` run before a call is answered."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.objects: dict[str, Json] = {}
        self.calls: list[tuple[str, str]] = []
        self.evictions: list[int] = []  # statuses to answer, first to last; then 201
        self.on_call: Callable[[str, str, Json | None], None] = lambda verb, path, body: None
        self.lists_fail_with: int | None = None
        self._version = 100
        self._watches: dict[str, list[queue.Queue[Any]]] = {}

    def put(self, path: str, thing: Json) -> Json:
        """Create or replace; watchers are told."""
        with self.lock:
            verb = "MODIFIED" if path in self.objects else "ADDED"
            kept = copy.deepcopy(thing)
            metadata = kept.setdefault("metadata", {})
            metadata.setdefault("name", path.rsplit("/", 1)[1])
            metadata.setdefault("uid", f"uid-{metadata['name']}")
            metadata["resourceVersion"] = self.next_version()
            self.objects[path] = kept
            self._tell(path, verb, kept)
            return kept

    def remove(self, path: str) -> None:
        with self.lock:
            gone = self.objects.pop(path)
            gone["metadata"]["resourceVersion"] = self.next_version()
            self._tell(path, "DELETED", gone)

    def next_version(self) -> str:
        self._version += 1
        return str(self._version)

    def cut_watches(self, plural: str) -> None:
        """Break every open stream of `plural`, as a dying API server does."""
        self.send(plural, CUT)

    def send(self, plural: str, line: Any) -> None:
        """Put a line of its own into every open stream of `plural`."""
        with self.lock:
            for path, streams in self._watches.items():
                if path.endswith(f"/{plural}"):
                    for stream in streams:
                        stream.put(line)

    def watching(self, plural: str) -> int:
        """How many streams of `plural` are open."""
        with self.lock:
            return sum(len(streams) for path, streams in self._watches.items() if path.endswith(f"/{plural}"))

    def items(self, path: str, query: Mapping[str, list[str]] | None = None) -> list[Json]:
        """Those of one list, or all pods of all namespaces. Selectors: labels a=b, spec.nodeName."""
        asked = query or {}
        with self.lock:
            keys = [key for key in sorted(self.objects) if self._is_in(key.rsplit("/", 1)[0], path)]
            found = [copy.deepcopy(self.objects[key]) for key in keys]
        for word in asked.get("labelSelector", []):
            label, _, value = word.partition("=")
            found = [thing for thing in found if thing["metadata"].get("labels", {}).get(label) == value]
        for word in asked.get("fieldSelector", []):
            if word.startswith("spec.nodeName="):
                found = [thing for thing in found if thing["spec"].get("nodeName") == word.partition("=")[2]]
        return found

    @staticmethod
    def _is_in(collection: str, path: str) -> bool:
        return collection == path or (path == "/api/v1/pods" and collection.endswith("/pods"))

    def open_watch(self, path: str) -> queue.Queue[Any]:
        with self.lock:
            stream: queue.Queue[Any] = queue.Queue()
            self._watches.setdefault(path, []).append(stream)
            return stream

    def close_watch(self, path: str, stream: queue.Queue[Any]) -> None:
        with self.lock:
            self._watches[path].remove(stream)

    def _tell(self, path: str, verb: str, thing: Json) -> None:
        for stream in self._watches.get(path.rsplit("/", 1)[0], []):
            stream.put({"type": verb, "object": copy.deepcopy(thing)})


def merge(into: Json, patch: Json) -> Json:
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            into[key] = merge(into.get(key) or {}, value)
        else:
            into[key] = value
    return into


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # one packet an answer: two would wait for a delayed acknowledgement, 40 ms each
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
        """Quiet."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        fake = self.server.fake
        self._note("GET", url.path, None)
        if "watch" in parse_qs(url.query):
            self._watch(url.path)
        elif url.path in fake.objects:
            self._answer(200, fake.objects[url.path])
        elif url.path.rsplit("/", 1)[1] in PLURALS:
            if fake.lists_fail_with is not None:
                self._answer(fake.lists_fail_with, {"message": "told to fail"})
                return
            with fake.lock:
                version = fake.next_version()
                self._answer(
                    200, {"items": fake.items(url.path, parse_qs(url.query)), "metadata": {"resourceVersion": version}}
                )
        else:
            self._answer(404, {"message": f"{url.path} not found"})

    def do_PATCH(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path
        self._note("PATCH", path, body)
        fake = self.server.fake
        with fake.lock:
            if path not in fake.objects:
                self._answer(404, {"message": f"{path} not found"})
                return
            changed = merge(copy.deepcopy(fake.objects[path]), body)
            if changed.get("spec") != fake.objects[path].get("spec"):
                changed["metadata"]["generation"] = int(changed["metadata"].get("generation", 1)) + 1
            self._answer(200, fake.put(path, changed))

    def do_POST(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path
        self._note("POST", path, body)
        fake = self.server.fake
        if not path.endswith("/eviction"):
            self._answer(405, {"message": "not known here"})
            return
        status = fake.evictions.pop(0) if fake.evictions else 201
        if status != 201:
            self._answer(status, {"message": "Cannot evict pod as it would violate the pod's disruption budget."})
            return
        self._terminate(path.removesuffix("/eviction"))

    def do_DELETE(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path
        self._note("DELETE", path, body)
        self._terminate(path)

    def _terminate(self, path: str) -> None:
        fake = self.server.fake
        with fake.lock:
            if path not in fake.objects:
                self._answer(404, {"message": f"{path} not found"})
                return
            pod = copy.deepcopy(fake.objects[path])
            pod["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
            pod["metadata"]["deletionGracePeriodSeconds"] = 30
            self._answer(201, fake.put(path, pod))

    def _watch(self, path: str) -> None:
        fake = self.server.fake
        stream = fake.open_watch(path)
        try:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            while (line := self._next(stream)) is not None:
                if line is CUT:
                    self.wfile.write(b"40\r\nhalf")
                    self.close_connection = True
                    return
                data = json.dumps(line).encode() + b"\n"
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
        finally:
            fake.close_watch(path, stream)

    def _next(self, stream: queue.Queue[Any]) -> Any:
        while not self.server.ended.is_set():
            try:
                return stream.get(timeout=0.05)
            except queue.Empty:
                continue
        return None

    def _note(self, verb: str, path: str, body: Json | None) -> None:
        fake = self.server.fake
        with fake.lock:
            fake.calls.append((verb, path))
        fake.on_call(verb, path, body)

    def _body(self) -> Json:
        length = int(self.headers.get("Content-Length") or 0)
        found: Json = json.loads(self.rfile.read(length)) if length else {}
        return found

    def _answer(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, fake: FakeKubernetes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake
        self.ended = threading.Event()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[FakeKubernetes, Path]]:
    """The fake, and a kubeconfig in `folder` that leads to it."""
    fake = FakeKubernetes()
    server = _Server(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(kubeconfig_text(f"http://127.0.0.1:{server.server_address[1]}"))
    try:
        yield fake, kubeconfig
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=60)


def lab_target(kubeconfig: Path) -> Target:
    """A target of kind lab whose API server is the fake."""
    return Target(
        name="lab",
        kind="lab",
        entry="http://198.18.0.10",
        aws_endpoint="http://127.0.0.1:1",
        kubeconfig=str(kubeconfig),
        faults_allowed=True,
    )


def kubeconfig_text(url: str, cluster_extra: Json | None = None) -> str:
    """A kubeconfig (JSON is YAML) for `url`, without credentials."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": url, **(cluster_extra or {})}}],
            "users": [{"name": "fake", "user": {}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        }
    )


def pod(
    name: str,
    *,
    node: str = "node-1",
    ip: str = "198.18.1.5",
    ready: bool = True,
    waiting: tuple[str, str] | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    restarts: int = 0,
) -> Json:
    """A pod as the API shows it, with one container."""
    state: Json = {"running": {"startedAt": "2025-01-01T00:00:00Z"}}
    if waiting is not None:
        state = {"waiting": {"reason": waiting[0], "message": waiting[1]}}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "labels": labels or {"app": "payments"},
            "annotations": annotations or {},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "payments-7d4", "controller": True}],
        },
        "spec": {"nodeName": node, "containers": [{"name": "payments", "ports": [{"containerPort": 8080}]}]},
        "status": {
            "phase": "Running" if waiting is None else "Pending",
            "podIP": ip,
            "conditions": [{"type": "Ready", "status": "True" if ready and waiting is None else "False"}],
            "containerStatuses": [
                {"name": "payments", "containerID": f"c://{name}/{restarts}", "restartCount": restarts, "state": state}
            ],
        },
    }


def deployment(name: str = "payments", replicas: int = 2) -> Json:
    """A Deployment that has settled."""
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [
                        {
                            "name": name,
                            "image": f"{name}:1",
                            "env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "t"}}}],
                        }
                    ]
                },
            },
        },
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
        },
    }


def node(
    name: str,
    *,
    ready: bool = True,
    cordoned: bool = False,
    labels: dict[str, str] | None = None,
    provider_id: str = "",
) -> Json:
    thing: Json = {
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels or {}},
        "spec": {"providerID": provider_id} if provider_id else {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
            "addresses": [{"type": "InternalIP", "address": "198.18.0.21"}],
        },
    }
    if cordoned:
        thing["spec"]["unschedulable"] = True
    return thing
