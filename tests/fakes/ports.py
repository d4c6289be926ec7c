"""Ports for servers that tests start."""

from __future__ import annotations

import os
import random
import socket

FIRST = 20_000
EACH = 1_000
"""Ports of one worker. All lie below those that the kernel gives to outgoing connections (32768 and up, by default), of
which a test under load opens thousands: one of them could else be given away between our look and the server's bind."""


def free_port() -> int:
    """A loopback port that nothing listens on just now, and that no other worker of this run will choose."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12
    candidates = list(range(FIRST + worker * EACH, FIRST + (worker + 1) * EACH))
    random.SystemRandom().shuffle(candidates)
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")
