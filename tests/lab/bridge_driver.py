"""Runs in a network of its own (see test_network_faults): the lab's bridge and machines, real sockets, real nft.

    bridge_driver.py SCENARIO

Ends with 0 when all held, else with a traceback.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shiftproof.errors import LabError
from shiftproof.lab import namespaces
from shiftproof.lab.network import CONTROL_IP, LEGACY_IPS, POSTGRES_IP
from shiftproof.lab.network_faults import NetworkFaults
from shiftproof.lab.network_rules import NetworkFault

PORT = 5432
CLONE_NEWNET = 0x40000000
SILENT_S = 1.5
"""Without an answer for so long, a way is called silent. On one machine an answer takes microseconds…"""
PATIENT_S = 30.0
"""…or longer, when the machine has other things to do: where one is expected, it is waited for."""

libc = ctypes.CDLL(None, use_errno=True)
sockets: list[socket.socket] = []


def inside(machine: str, make: Callable[[], socket.socket]) -> socket.socket:
    """`make` in a machine's network; the socket stays there, the thread that made it is gone."""
    made: list[socket.socket | OSError] = []

    def run() -> None:
        with Path(f"/run/netns/{machine}").open() as namespace:
            assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            made.append(make())
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    sockets.append(made[0])
    return made[0]


def echo_server(machine: str, address: str, port: int = PORT) -> None:
    """Answers each connection with what it sends."""
    listening = inside(machine, lambda: socket.create_server((address, port)))

    def answer(connection: socket.socket) -> None:
        while data := connection.recv(100):
            connection.sendall(data)

    def accept() -> None:
        while True:
            threading.Thread(target=answer, args=[listening.accept()[0]], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def connected(machine: str, address: str = POSTGRES_IP, port: int = PORT, within_s: float = PATIENT_S) -> socket.socket:
    return inside(machine, lambda: socket.create_connection((address, port), timeout=within_s))


def talks(connection: socket.socket, within_s: float = PATIENT_S) -> bool:
    """One message and its answer. A reset would raise: a way that is closed says nothing."""
    connection.settimeout(within_s)
    try:
        connection.sendall(b"x")
        return connection.recv(100) != b""
    except TimeoutError:
        return False


def silent(connection: socket.socket) -> bool:
    return not talks(connection, SILENT_S)


def shut(machine: str, address: str = POSTGRES_IP, port: int = PORT) -> bool:
    """No connection can be made, and nobody says why."""
    try:
        connected(machine, address, port, SILENT_S)
    except TimeoutError:
        return True
    return False


def deny(faults: NetworkFaults) -> None:
    old, other = connected("legacy-1"), connected("node-1")
    assert talks(old)
    faults.add("a1", NetworkFault("deny", "legacy", "database", port=PORT), 60)
    assert silent(old), "a connection that was there before"
    assert shut("legacy-2"), "a new one"
    assert talks(connected("legacy-2", port=PORT + 1)), "another port"
    assert talks(other), "another source"
    (held,) = faults.status()
    assert held["dropped"] >= 2
    assert held["fault"] == "deny legacy -> database:5432"
    faults.remove("a1")
    faults.remove("a1")
    assert talks(old), "what was lost is sent again, nothing was reset"
    assert talks(connected("legacy-2"))
    assert faults.status() == []
    for source, destination in ((CONTROL_IP, "database"), ("database", CONTROL_IP)):
        # A connection for each: the answer that the first one missed comes late, and is no answer to the second.
        here = socket.create_connection((POSTGRES_IP, PORT), timeout=PATIENT_S)
        assert talks(here)
        faults.add("a2", NetworkFault("deny", source, destination), 60)
        assert silent(here), "the bridge's own address, where the load is sent from"
        faults.remove("a2")
        assert talks(here)


def drop_idle(faults: NetworkFaults) -> None:
    """After 4 s of silence, and never before; whatever was there before the fault, or came after it."""
    quiet, busy, asked = connected("legacy-1"), connected("legacy-1"), connected("legacy-2")
    assert talks(quiet)
    faults.add("a1", NetworkFault("drop_idle", "legacy", "database", after_s=4), 60)
    young = connected("legacy-2")
    keep_for(6, busy, young)
    assert silent(quiet), "silent since before the fault"
    assert talks(busy)
    assert talks(young)
    assert silent(asked), "it never spoke"
    assert talks(busy)
    assert talks(connected("legacy-1")), "a new connection is none that was idle"
    keep_for(6, busy)
    assert silent(young), "came after the fault, spoke, and was then silent"
    assert faults.status()[0]["dropped"] >= 3
    faults.remove("a1")
    assert talks(young)


def ends_by_itself(faults: NetworkFaults) -> None:
    """By the kernel's own hand, even when nobody is left to take it away."""
    old = connected("legacy-1")
    faults.add("a1", NetworkFault("deny", "legacy", "database"), 2)
    faults._in_force["a1"].timer.cancel()  # as if the init had died
    assert silent(old)
    assert talks(old)
    faults.remove("a1")
    faults.add("a2", NetworkFault("deny", "legacy", "database"), 1)
    give_up_s = time.monotonic() + 30
    while faults.status():
        assert time.monotonic() < give_up_s, "it is still in force"
        time.sleep(0.05)
    assert "shiftproof" not in ruleset()


def survives_a_cut_of_power(faults: NetworkFaults) -> None:
    """A node that comes back with a new link is still cut off."""
    faults.add("a1", NetworkFault("deny", "node-1", "database"), 60)
    namespaces.cut("node-1")
    namespaces.remove("node-1")
    namespaces.connect("node-1")
    assert shut("node-1")
    faults.remove("a1")
    assert talks(connected("node-1"))


def refusals(faults: NetworkFaults) -> None:
    """What cannot be leaves nothing behind."""
    fault = NetworkFault("deny", "legacy", "database")
    faults.add("a1", fault, 60)
    for fault_id, for_s in (("a1", 60), ("a2", 0), ("a2", float("nan")), ("a2", 1e9), ("a b", 60)):
        with pytest.raises(LabError):
            faults.add(fault_id, fault, for_s)
    faults.remove("a1")
    delay = NetworkFault("delay", "legacy", "database", delay_ms=200)
    if faults.can_delay():
        faults.add("a3", delay, 60)
        began_s = time.monotonic()
        assert talks(connected("legacy-1"))
        assert time.monotonic() - began_s >= 0.4, "a connection and a message"
        faults.remove("a3")
    else:
        with pytest.raises(LabError, match="built without netem"):
            faults.add("a3", delay, 60)
    assert faults.status() == []
    assert ruleset() == ""


def keep_for(seconds: float, *connections: socket.socket) -> None:
    """Talk on these, and only these, for so long."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        assert all(talks(connection) for connection in connections)
        time.sleep(0.2)


def ruleset() -> str:
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def main() -> None:
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    # A /run of our own: not even an empty folder of ours is left in the machine's.
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    Path("/run/netns").mkdir()
    namespaces.build()
    echo_server("postgres", POSTGRES_IP)
    echo_server("postgres", POSTGRES_IP, PORT + 1)
    assert talks(connected("legacy-1")), f"{LEGACY_IPS} cannot reach {POSTGRES_IP}"
    scenarios = (deny, drop_idle, ends_by_itself, survives_a_cut_of_power, refusals)
    {scenario.__name__: scenario for scenario in scenarios}[sys.argv[1]](NetworkFaults())


if __name__ == "__main__":
    main()
    os._exit(0)  # threads still wait for connections
