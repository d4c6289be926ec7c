"""What a network fault looks like to nft and tc. Pure: values in, text out.

All traffic between machines of the lab crosses one bridge, so a table of nft's bridge family there sees each packet
once, between its true ends, and stays when a node loses its power. A table of its own a fault, so that it goes as a
whole. Each carries its own end: an element of a set that the kernel drops when its time is over, without which the
rules do nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shiftproof.errors import LabError
from shiftproof.lab.endpoints import Cidrs, check_pair

Kind = Literal["deny", "drop_idle", "delay"]
KINDS: tuple[Kind, ...] = ("deny", "drop_idle", "delay")

LONGEST_S = 7200.0
LONGEST_IDLE_S = 3600.0
LONGEST_DELAY_MS = 60_000.0
MOST_FLOWS = 65536
_ID = re.compile(r"[a-z0-9]{1,32}")
_HOOKS = ("input", "forward", "output")  # to the bridge's own address, between machines, and from it
_THERE = "ip saddr . tcp sport . ip daddr . tcp dport"
_BACK = "ip daddr . tcp dport . ip saddr . tcp sport"  # the same flow, seen in the other direction


@dataclass(frozen=True, slots=True)
class NetworkFault:
    """One fault between two ends.

    deny: no packet gets from `source` to `destination` (with `port`: none to that TCP or UDP port there).
    drop_idle: packets of a TCP flow between the two, in either direction, are dropped once nothing of it was seen for
    `after_s`; a new SYN starts anew. Nothing is answered, no reset is sent: both ends believe in the connection.
    delay: packets from `source` reach `destination` `delay_ms` later.
    """

    kind: Kind
    source: str
    destination: str
    port: int | None = None
    after_s: float = 0.0
    delay_ms: float = 0.0

    def ends(self) -> tuple[Cidrs, Cidrs]:
        """Raises UserError; see endpoints.check_pair."""
        return check_pair(self.source, self.destination)

    def __str__(self) -> str:
        way = f"{self.source} -> {self.destination}"
        match self.kind:
            case "deny":
                return f"deny {way}" + (f":{self.port}" if self.port is not None else "")
            case "drop_idle":
                return f"drop what is idle for {self.after_s:g} s, {way}"
            case "delay":
                return f"delay by {self.delay_ms:g} ms, {way}"


def parse(raw: Mapping[str, Any]) -> NetworkFault:
    """From JSON. Raises LabError for what cannot be, UserError for an end that is not there."""
    try:
        fault = NetworkFault(
            kind=raw["kind"],
            source=str(raw["source"]),
            destination=str(raw["destination"]),
            port=None if raw.get("port") is None else int(raw["port"]),
            after_s=float(raw.get("after_s", 0)),
            delay_ms=float(raw.get("delay_ms", 0)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"no network fault: {error!r}") from error
    problem = _problem(fault)
    if problem is not None:
        raise LabError(problem)
    fault.ends()
    return fault


def _problem(fault: NetworkFault) -> str | None:
    if fault.kind not in KINDS:
        return f"no network fault is called {fault.kind!r}: there are {', '.join(KINDS)}"
    if fault.port is not None and not 0 < fault.port < 65536:
        return f"{fault.port} is no port"
    if fault.kind == "drop_idle" and not 0.1 <= fault.after_s <= LONGEST_IDLE_S:
        return f"flows can be dropped after 0.1 to {LONGEST_IDLE_S:g} s of silence, not {fault.after_s:g}"
    if fault.kind == "delay" and not 1 <= fault.delay_ms <= LONGEST_DELAY_MS:
        return f"packets can be delayed by 1 to {LONGEST_DELAY_MS:g} ms, not {fault.delay_ms:g}"
    return None


def table(fault_id: str) -> str:
    """The name of its table. Raises LabError for an id that is none: it becomes a word of nft's language."""
    if not _ID.fullmatch(fault_id):
        raise LabError(f"{fault_id!r} is no id of a fault: small letters and digits, at most 32")
    return f"shiftproof_{fault_id}"


def script(fault_id: str, fault: NetworkFault, for_s: float) -> str:
    """The nft commands that make it, all at once. For deny and drop_idle."""
    body = _deny(fault) if fault.kind == "deny" else _drop_idle(fault)
    hooks = "".join(
        f"  chain {hook} {{ type filter hook {hook} priority 0; policy accept; jump rules; }}\n" for hook in _HOOKS
    )
    return f"""table bridge {table(fault_id)} {{
  set in_force {{ type ether_type; flags timeout; elements = {{ ip timeout {_ms(for_s)} }}; }}
{body}
{hooks}}}
"""


def _deny(fault: NetworkFault) -> str:
    source, destination = fault.ends()
    port = "" if fault.port is None else f" meta l4proto {{ tcp, udp }} th dport {fault.port}"
    return f"""  chain rules {{
    ether type != @in_force return
    ip saddr {_set(source)} ip daddr {_set(destination)}{port} counter drop
  }}"""


def _drop_idle(fault: NetworkFault) -> str:
    """For its first `after_s` it only learns: a flow that speaks then is alive, and one that stays silent has been so
    for long enough when the learning ends. So it acts on flows that were there before it, and never on a live one."""
    source, destination = fault.ends()
    idle = _ms(fault.after_s)

    def way(name: str, flow: str) -> str:
        return f"""  chain {name} {{
    ether type @learning update @live {{ {flow} }} return
    tcp flags & (syn | ack) == syn update @live {{ {flow} }} return
    {flow} @live update @live {{ {flow} }} return
    counter drop
  }}"""

    return f"""  set learning {{ type ether_type; flags timeout; elements = {{ ip timeout {idle} }}; }}
  set live {{
    type ipv4_addr . inet_service . ipv4_addr . inet_service; flags dynamic,timeout; timeout {idle}; size {MOST_FLOWS};
  }}
{way("there", _THERE)}
{way("back", _BACK)}
  chain rules {{
    ether type != @in_force return
    meta l4proto != tcp return
    ip saddr {_set(source)} ip daddr {_set(destination)} goto there
    ip saddr {_set(destination)} ip daddr {_set(source)} goto back
  }}"""


def dropped(listing: Mapping[str, Any]) -> int:
    """Packets dropped so far, from `nft -j list table`."""
    rules = (entry["rule"] for entry in listing.get("nftables", ()) if "rule" in entry)
    return sum(int(part["counter"]["packets"]) for rule in rules for part in rule["expr"] if "counter" in part)


def delay_commands(link: str, fault: NetworkFault) -> list[list[str]]:
    """tc: what goes out of `link` from the source to the destination waits; all else passes as before."""
    source, destination = fault.ends()
    commands = [
        ["qdisc", "add", "dev", link, "root", "handle", "1:", "htb"],
        ["class", "add", "dev", link, "parent", "1:", "classid", "1:1", "htb", "rate", "10gbit"],
        ["qdisc", "add", "dev", link, "parent", "1:1", "netem", "delay", f"{fault.delay_ms:g}ms", "limit", "100000"],
    ]
    match = "match ip src {} match ip dst {} flowid 1:1"
    commands += [
        ["filter", "add", "dev", link, "parent", "1:", "protocol", "ip", "u32", *match.format(one, other).split()]
        for one in source
        for other in destination
    ]
    return commands


def _set(ends: Cidrs) -> str:
    return "{ " + ", ".join(ends) + " }"


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
