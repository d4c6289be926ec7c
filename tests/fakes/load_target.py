"""A service to load: real sockets on loopback, and every way to misbehave that the load must tell apart."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shiftproof.adapters.locust import RunningLocust

Start = Callable[..., RunningLocust]

OPERATIONS: tuple[dict[str, Any], ...] = (
    {
        "name": "create",
        "method": "POST",
        "path": "/payments",
        "share": 0.5,
        "headers": {"Idempotency-Key": "{key}"},
        "body": {"account": "{account}", "amount": "{amount}", "currency": "EUR"},
        "expect_status": [201],
        "expect_fields": ["id", "account"],
        "remember": "id",
    },
    {
        "name": "read",
        "method": "GET",
        "path": "/payments/{id}",
        "share": 0.3,
        "expect_status": [200],
        "expect_fields": ["id", "account"],
    },
    {"name": "list", "method": "GET", "path": "/accounts/{account}/payments?limit=10", "share": 0.2},
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def side(self) -> str:
        return self.headers.get("x-shiftproof-rehearsal", "customer")


@dataclass
class LoadTarget:
    """Answers as payments does. `mode` of a side: ok, status, wrong-body, reset, half, trickle, stall, close-idle."""

    arrivals: list[Arrival] = field(default_factory=list)
    payments: dict[str, dict[str, str]] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    next_modes: dict[str, str] = field(default_factory=dict)
    set_cookie: str = ""
    port: int = 0
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, side: str) -> list[Arrival]:
        return [arrival for arrival in list(self.arrivals) if arrival.side == side]

    def server_of(self, arrival: Arrival) -> str:
        """Who answers."""
        return f"{arrival.side}-1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while (arrival := await _read(reader, number)) is not None:
                self.arrivals.append(arrival)
                mode = self.next_modes.pop(arrival.side, None) or self.modes.get(arrival.side, "ok")
                if not await self._answer(arrival, mode, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, arrival: Arrival, mode: str, writer: asyncio.StreamWriter) -> bool:
        """False when the connection ends here."""
        if mode == "stall":
            await asyncio.sleep(60)
        if mode == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        status, body = self._business(arrival)
        if mode == "status":
            status, body = 503, b"{}"
        if mode == "wrong-body":
            body = b'{"nothing": "of use"}'
        cookie = f"Set-Cookie: {self.set_cookie}\r\n" if self.set_cookie else ""
        length = f"Content-Length: {len(body)}\r\n"
        head = f"HTTP/1.1 {status} X\r\n{length}{cookie}X-Served-By: {self.server_of(arrival)}\r\n\r\n".encode()
        if mode == "trickle":
            for byte in head + body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
            return True
        if mode == "half":
            writer.write(head + body[:3])
            await writer.drain()
            return False
        writer.write(head + body)
        await writer.drain()
        return mode != "close-idle"  # closed without a word, as a balancer does with idle connections

    def _business(self, arrival: Arrival) -> tuple[int, bytes]:
        if arrival.method == "POST":
            wanted = json.loads(arrival.body)
            payment = {"id": f"p{len(self.payments)}", **wanted}
            self.payments[payment["id"]] = payment
            return 201, json.dumps(payment).encode()
        name = arrival.path.rsplit("/", 1)[1]
        if arrival.path.startswith("/payments/"):
            found = self.payments.get(name)
            return (200, json.dumps(found).encode()) if found else (404, b"{}")
        return 200, b'{"payments": []}'


@contextmanager
def serving(target: LoadTarget) -> Iterator[LoadTarget]:
    """The service, on a port of its own and on a thread of its own."""
    started: Future[None] = Future()
    stop = threading.Event()

    async def run() -> None:
        server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
        target.port = server.sockets[0].getsockname()[1]
        started.set_result(None)
        while not stop.is_set():
            await asyncio.sleep(0.02)
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    started.result(60)
    yield target
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


async def _read(reader: asyncio.StreamReader, connection: int) -> Arrival | None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Arrival(method, path, headers, body, connection)


def until(condition: Callable[[], bool], what: str, deadline_s: float = 90) -> None:
    """Wait for a condition; a test that needs it fails when it does not come."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"waited {deadline_s} s for {what}"
        time.sleep(0.02)
