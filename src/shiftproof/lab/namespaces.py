"""The lab's network: a bridge, and behind it one network namespace a machine.

There is no uplink: nothing that runs here can reach the machine's network, or be reached from it. Addresses are in
network.py. Link addresses are fixed by IP, so that a machine that comes back after a loss of power is not sought
under its old link address by everybody who remembers it.
"""

from __future__ import annotations

import ipaddress
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from shiftproof.errors import LabError
from shiftproof.lab.network import (
    BRIDGE,
    BRIDGE_CIDR,
    CONTROL_IP,
    FIXED_NODE_IPS,
    LEGACY_IPS,
    LOAD_BALANCER_IP,
    NODE_IPS,
    POD_CIDRS,
    POSTGRES_IP,
)

LOAD_BALANCER, POSTGRES = "lb", "postgres"

FIXED: Mapping[str, str] = {
    **FIXED_NODE_IPS,
    **LEGACY_IPS,
    LOAD_BALANCER: LOAD_BALANCER_IP,
    POSTGRES: POSTGRES_IP,
}
"""Namespace name -> address of every machine that is there from the start."""

MACHINES: Mapping[str, str] = {**NODE_IPS, **FIXED}
"""The same of all that there may be: nodes of autoscaling come and go."""

_PREFIX = BRIDGE_CIDR.partition("/")[2]
_FORWARD = "/proc/sys/net/ipv4/ip_forward"


def build() -> None:
    """Make the bridge and namespaces of the fixed machines, in the one that this process is in. Raises LabError."""
    _ip(bridge_commands())
    for name in FIXED:
        connect(name)


def connect(name: str) -> None:
    """Make (again) the namespace of one machine and plug it into the bridge. Raises LabError."""
    address = MACHINES[name]
    _ip([f"netns add {name}"])
    _ip(plug_commands(name, address))
    _ip(machine_commands(name, address), namespace=name)
    if name in NODE_IPS:
        _run([*inside(name), "sh", "-c", f"echo 1 > {_FORWARD}"], "ip_forward")


def cut(name: str) -> None:
    """Take the link down at once, as when its cable is pulled; connections are not closed, they go silent."""
    _ip([f"link set {link(name)} down"])


def exists(name: str) -> bool:
    """True while the machine is plugged into the bridge."""
    # Not by /sys/class/net: what is mounted there shows the machine's links.
    return link(name) in {known for _, known in socket.if_nameindex()}


def remove(name: str) -> None:
    """Take a machine's namespace away, with all that is configured in it. Does nothing when it is not there."""
    if exists(name):
        _ip([f"link del {link(name)}"])
    if Path(f"/run/netns/{name}").exists():
        _ip([f"netns del {name}"])


def inside(name: str) -> tuple[str, ...]:
    """Words to put before a command to run it in that machine's network.

    Not `ip netns exec`: it remounts /sys, and a kubelet then finds no cgroups.
    """
    return ("nsenter", f"--net=/run/netns/{name}", "--")


def link(name: str) -> str:
    return f"v-{name}"


def link_address(address: str) -> str:
    """A locally administered link address made from the IP."""
    return "02:00:" + ":".join(f"{part:02x}" for part in ipaddress.IPv4Address(address).packed)


def bridge_commands() -> list[str]:
    return [
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"addr add {CONTROL_IP}/{_PREFIX} dev {BRIDGE}",
        f"link set {BRIDGE} up",
        *_pod_routes(),
    ]


def plug_commands(name: str, address: str) -> list[str]:
    return [
        f"link add {link(name)} type veth peer name eth0 address {link_address(address)} netns {name}",
        f"link set {link(name)} master {BRIDGE}",
        f"link set {link(name)} up",
    ]


def machine_commands(name: str, address: str) -> list[str]:
    return [
        "link set lo up",
        f"addr add {address}/{_PREFIX} dev eth0",
        "link set eth0 up",
        *_pod_routes(skip=name),
    ]


def _pod_routes(skip: str | None = None) -> list[str]:
    """A node reaches its own pods over its own bridge, everybody else through the node."""
    return [f"route add {cidr} via {NODE_IPS[node]}" for node, cidr in POD_CIDRS.items() if node != skip]


def _ip(commands: Sequence[str], namespace: str | None = None) -> None:
    words = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
    _run(words, commands[0], "\n".join(commands))


def _run(words: Sequence[str], what: str, text: str | None = None) -> None:
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"network: {what}: {done.stderr.strip() or done.returncode}", hint="shiftproof doctor")
