"""Open ports of the lab on 127.0.0.1 of the machine, for a browser or a client, until interrupted.

One process: it listens in the machine's network and then enters the lab's, where all that it connects to is. A socket
stays in the network that it was made in.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shiftproof.errors import LabError, UserError
from shiftproof.lab.enter import RunningLab
from shiftproof.lab.network import (
    APISERVER_PORT,
    AWS_PORT,
    CONTROL_IP,
    LOAD_BALANCER_IP,
    LOAD_BALANCER_PORT,
    POSTGRES_IP,
    POSTGRES_PORT,
)

_CHUNK_BYTES = 65536
_CLONE_NEWNET = 0x40000000
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Forward:
    """`name` for people; 127.0.0.1:`local` leads to `host`:`port` in the lab."""

    name: str
    host: str
    port: int
    local: int


KNOWN = {
    forward.name: forward
    for forward in (
        Forward("entry", LOAD_BALANCER_IP, LOAD_BALANCER_PORT, 8080),
        Forward("aws", CONTROL_IP, AWS_PORT, AWS_PORT),
        Forward("apiserver", CONTROL_IP, APISERVER_PORT, APISERVER_PORT),
        Forward("postgres", POSTGRES_IP, POSTGRES_PORT, POSTGRES_PORT),
    )
}


def parse(text: str) -> Forward:
    """A known name, or [LOCAL:][HOST:]PORT; host is an address of the lab, else the control plane. Raises UserError."""
    if text in KNOWN:
        return KNOWN[text]
    words = text.split(":")
    host, ports = CONTROL_IP, words
    if any("." in word for word in words):
        found = [index for index, word in enumerate(words) if "." in word]
        host, ports = words[found[0]], [word for index, word in enumerate(words) if index != found[0]]
    numbers = [int(word) for word in ports if word.isdigit() and 0 < int(word) < 65536]
    if len(numbers) != len(ports) or not 1 <= len(numbers) <= 2:
        raise UserError(
            f"{text!r} is neither a port nor one of {', '.join(KNOWN)}", hint="e.g. entry, or 9000:198.18.0.10:80"
        )
    return Forward(text, host, numbers[-1], numbers[0])


def listen(forwards: Sequence[Forward]) -> list[socket.socket]:
    """Raises LabError naming the port that is taken."""
    made: list[socket.socket] = []
    for forward in forwards:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", forward.local))
        except OSError as error:
            for other in made:
                other.close()
            raise LabError(
                f"127.0.0.1:{forward.local} for {forward.name}: {error.strerror}",
                hint=f"choose another: shiftproof lab forward 18080:{forward.host}:{forward.port}",
            ) from error
        listener.listen()
        made.append(listener)
    return made


def run(lab: RunningLab, forwards: Sequence[Forward], ready: Callable[[], None]) -> None:
    """Relay until KeyboardInterrupt. Raises LabError when the lab's network cannot be entered."""
    listeners = listen(forwards)
    _enter_network(lab.pid)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(list(zip(forwards, listeners, strict=True)), ready))


async def _serve(pairs: list[tuple[Forward, socket.socket]], ready: Callable[[], None]) -> None:
    servers = []
    for forward, listener in pairs:

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Forward = forward) -> None:
            await _relay(reader, writer, to)

        servers.append(await asyncio.start_server(relay, sock=listener))
    ready()
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Forward) -> None:
    try:
        there, back = await asyncio.wait_for(asyncio.open_connection(to.host, to.port), _CONNECT_S)
    except (OSError, TimeoutError):
        writer.close()
        return
    try:
        await asyncio.gather(_pump(reader, back), _pump(there, writer))
    finally:
        back.close()
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until `reader` ends; then only this direction is closed: the other may still have an answer to bring."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


def _enter_network(pid: int) -> None:
    """setns(2) by hand: Python 3.11 has none. Must be called before any thread is started."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise LabError(
                f"the lab's network cannot be entered: {os.strerror(ctypes.get_errno())}", hint="run it as root"
            )
    finally:
        os.close(descriptor)
