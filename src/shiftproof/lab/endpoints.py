"""Who may be named as an end of a network fault: a group of the lab's machines, one of them, or an address.

Pods keep their own addresses all the way (nothing in the lab translates a source address), so that what is in front of
PostgreSQL or of the load balancer sees the pod itself, and the nodes' pod ranges stand for the cluster, whichever pods
there are.
"""

from __future__ import annotations

import ipaddress

from shiftproof.errors import UserError
from shiftproof.lab.network import (
    LAB_CIDR,
    LEGACY_IPS,
    LOAD_BALANCER_IP,
    NODE_IPS,
    POD_CIDRS,
    POSTGRES_IP,
    SERVICE_CIDR,
)

Cidrs = tuple[str, ...]

NAMED: dict[str, Cidrs] = {
    "legacy": tuple(LEGACY_IPS.values()),
    "cluster": tuple(POD_CIDRS.values()),
    "database": (POSTGRES_IP,),
    "load-balancer": (LOAD_BALANCER_IP,),
    # A node is what it is and what runs on it.
    **{node: (address, POD_CIDRS[node]) for node, address in NODE_IPS.items()},
    **{host: (address,) for host, address in LEGACY_IPS.items()},
}


def cidrs(name: str) -> Cidrs:
    """Addresses and ranges (IPv4, as text) that a name or an address of the lab stands for.

    Raises UserError that names the known ones, or says why an address cannot be an end of a fault.
    """
    if name in NAMED:
        return NAMED[name]
    try:
        given = ipaddress.IPv4Network(name)
    except ValueError:
        raise UserError(
            f"the lab has no {name!r}: there are {', '.join(NAMED)}, and its addresses (IPv4, or a range of them)"
        ) from None
    if not given.subnet_of(ipaddress.IPv4Network(LAB_CIDR)):
        raise UserError(f"{name} is no address of the lab, which has {LAB_CIDR}")
    if given.overlaps(ipaddress.IPv4Network(SERVICE_CIDR)):
        raise UserError(
            f"{name} is an address of Services, which no packet between machines carries",
            hint="name the cluster, or a pod's own address",
        )
    return (str(given),)


def check_pair(source: str, destination: str) -> tuple[Cidrs, Cidrs]:
    """Both ends, resolved. Raises UserError for an unknown one, or for two that share addresses.

    Traffic within a node or a machine never leaves it, so a fault between the two would be half a fault.
    """
    ends = cidrs(source), cidrs(destination)
    for one in map(ipaddress.IPv4Network, ends[0]):
        if any(one.overlaps(ipaddress.IPv4Network(other)) for other in ends[1]):
            raise UserError(
                f"{source} and {destination} share addresses: traffic within a machine does not pass where a fault acts"
            )
    return ends
