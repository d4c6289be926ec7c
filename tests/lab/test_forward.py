"""Which port leads where, and the relay itself on loopback."""

from __future__ import annotations

import asyncio
import socket

import pytest

from shiftproof.errors import LabError, UserError
from shiftproof.lab import forward
from shiftproof.lab.forward import Forward


@pytest.mark.parametrize(
    ("text", "host", "port", "local"),
    [
        ("entry", "198.18.0.10", 80, 8080),
        ("aws", "198.18.0.1", 4566, 4566),
        ("6443", "198.18.0.1", 6443, 6443),
        ("9000:4566", "198.18.0.1", 4566, 9000),
        ("198.18.0.31:8080", "198.18.0.31", 8080, 8080),
        ("9000:198.18.0.31:8080", "198.18.0.31", 8080, 9000),
    ],
)
def test_what_can_be_asked_for(text: str, host: str, port: int, local: int) -> None:
    found = forward.parse(text)
    assert (found.host, found.port, found.local) == (host, port, local)


@pytest.mark.parametrize("text", ["", "nonsense", "0", "65536", "1:2:3", "198.18.0.1", "80:nowhere:80"])
def test_what_cannot(text: str) -> None:
    with pytest.raises(UserError, match="neither a port nor one of entry"):
        forward.parse(text)


def test_a_port_that_is_taken_is_named_and_nothing_stays_open() -> None:
    with socket.socket() as taken, socket.socket() as free:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free.bind(("127.0.0.1", 0))
        numbers = [free.getsockname()[1], taken.getsockname()[1]]
        free.close()
        wanted = [Forward("x", "198.18.0.1", 80, number) for number in numbers]
        with pytest.raises(LabError, match=f"127.0.0.1:{numbers[1]} for x"):
            forward.listen(wanted)
        forward.listen(wanted[:1])[0].close()


def test_bytes_go_both_ways_and_an_end_is_passed_on() -> None:
    async def scenario() -> bytes:
        async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.read()).upper())
            writer.close()

        there = await asyncio.start_server(upper, "127.0.0.1", 0)
        to = Forward("x", "127.0.0.1", there.sockets[0].getsockname()[1], 0)

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await forward._relay(reader, writer, to)

        here = await asyncio.start_server(relay, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", here.sockets[0].getsockname()[1])
        writer.write(b"hello")
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        there.close()
        here.close()
        return answer

    assert asyncio.run(scenario()) == b"HELLO"
