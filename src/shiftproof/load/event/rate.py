"""How fast one worker can be: `python -m shiftproof.load.event.rate --plan FILE` prints "rate: CPU seconds a request".

It sends the plan's own operations to an answerer on loopback for a second, in one process, as a worker sends them. What
the answerer itself costs is counted as well, so the figure is on the safe side.
"""

from __future__ import annotations

# isort: off
from locust.env import Environment  # first of all: importing locust patches the standard library
# isort: on

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from socket import socket

import gevent
from gevent.server import StreamServer

from shiftproof.load.child import counter, settle_memory
from shiftproof.load.event.master import read_plan
from shiftproof.load.lane import Lane
from shiftproof.load.recorder import Recorder
from shiftproof.load.schedule import Draws
from shiftproof.model.event import Side
from shiftproof.ports import LoadPlan

SENDS_S = 1.0
WARM_S = 0.3  # the first requests open their connections
AT_ONCE = 20
_BODY = b'{"id": "7b0e9c1a-4d52-4f7e-9a51-6a3f2b9f0c11", "account": "a", "amount": "1", "currency": "EUR"}'
_ANSWER = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Served-By: here\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class _Nowhere:
    """Implements recorder.Sink."""

    def write_name(self, name: str) -> None:
        """Nobody reads it."""

    def write_records(self, records: bytearray) -> int:
        return len(records)

    def close(self) -> None:
        """Nothing is open."""


def answer(connection: socket, _address: object) -> None:
    """Each request with the same answer, until the client closes. Requests here come whole and one at a time."""
    while connection.recv(65536):
        connection.sendall(_ANSWER)


def cpu_s_a_request(plan: LoadPlan) -> float:
    """Raises RuntimeError when nothing could be sent."""
    problems: list[str] = []
    recorder = Recorder(_Nowhere())
    lane = Lane(
        Side.EXTRA_CLUSTER,
        replace(plan, in_flight_per_side=AT_ONCE),
        recorder=recorder,
        report=counter(Environment()),
        broke=problems.append,
        now_ns=time.monotonic_ns,
        key_prefix="rate",
    )
    shares = [float(operation.get("share", 1.0)) for operation in plan.operations]
    draws = Draws(shares=shares, accounts=plan.accounts, seed=plan.seed)
    _send(lane, draws, WARM_S)
    before, cpu_s = recorder.recorded, time.process_time()
    _send(lane, draws, SENDS_S)
    spent_s, sent = time.process_time() - cpu_s, recorder.recorded - before
    if problems or not sent:
        raise RuntimeError(problems[0] if problems else "no request was sent")
    return spent_s / sent


def _send(lane: Lane, draws: Draws, seconds: float) -> None:
    """As many as will go, and until none is in flight."""
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        if lane.in_flight < AT_ONCE:
            slot = draws.slot(number, _now_ns)
            lane.launch(slot, lane.possible(slot.operation))
            number += 1
        else:
            gevent.sleep(0)
    while lane.in_flight:
        gevent.sleep(0.001)


def _now_ns(_draw: float) -> int:
    return time.monotonic_ns()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shiftproof.load.event.rate", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True)
    plan = read_plan(parser.parse_args().plan).load
    settle_memory()
    server = StreamServer(("127.0.0.1", 0), answer)
    server.start()
    print(f"rate: {cpu_s_a_request(replace(plan, base_url=f'http://127.0.0.1:{server.server_port}')):.9f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
