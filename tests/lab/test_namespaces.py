"""The lab's network, as commands; the network itself is tried by the tests that bring a lab up."""

from __future__ import annotations

import ipaddress

from shiftproof.lab import namespaces
from shiftproof.lab.network import BRIDGE_CIDR, POD_CIDRS, SERVICE_CIDR

LAB = ipaddress.IPv4Network("198.18.0.0/15")


def test_every_address_is_in_the_range_set_aside_for_benchmarks() -> None:
    networks = [ipaddress.IPv4Network(cidr) for cidr in (BRIDGE_CIDR, SERVICE_CIDR, *POD_CIDRS.values())]
    assert all(network.subnet_of(LAB) for network in networks)
    assert not any(a.overlaps(b) for a in networks for b in networks if a is not b)
    assert all(ipaddress.IPv4Address(address) in networks[0] for address in namespaces.MACHINES.values())


def test_no_two_machines_share_an_address_or_a_link() -> None:
    addresses = list(namespaces.MACHINES.values())
    assert len(set(addresses)) == len(addresses)
    links = [namespaces.link(name) for name in namespaces.MACHINES]
    assert all(len(link) <= 15 for link in links)  # the kernel's limit
    assert len(set(links)) == len(links)


def test_a_machine_keeps_its_link_address_over_a_loss_of_power() -> None:
    assert namespaces.link_address("198.18.0.21") == "02:00:c6:12:00:15"
    assert "address 02:00:c6:12:00:15" in namespaces.plug_commands("node-1", "198.18.0.21")[0]


def test_there_is_no_default_route_anywhere() -> None:
    commands = namespaces.bridge_commands()
    for name, address in namespaces.MACHINES.items():
        commands += namespaces.machine_commands(name, address)
    routes = [command for command in commands if command.startswith("route")]
    assert routes
    assert not any("default" in route or "0.0.0.0/0" in route for route in routes)


def test_pods_are_reached_through_their_node_and_by_the_node_itself_directly() -> None:
    routes = {name: namespaces.machine_commands(name, "198.18.0.9") for name in ("node-1", "lb")}
    assert f"route add {POD_CIDRS['node-1']} via 198.18.0.21" in routes["lb"]
    assert not any(POD_CIDRS["node-1"] in command for command in routes["node-1"])
    assert any(POD_CIDRS["node-2"] in command for command in routes["node-1"])
