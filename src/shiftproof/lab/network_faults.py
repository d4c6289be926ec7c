"""Network faults in force: made and taken away on the lab's bridge, which is in the namespace of the lab's init."""

from __future__ import annotations

import ipaddress
import json
import logging
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shiftproof.errors import LabError
from shiftproof.lab import namespaces, network_rules
from shiftproof.lab.network import POD_CIDRS
from shiftproof.lab.network_rules import LONGEST_S, NetworkFault

log = logging.getLogger(__name__)
_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class _InForce:
    fault: NetworkFault
    ends_at_s: float
    timer: threading.Timer
    links: tuple[str, ...] = ()


class NetworkFaults:
    """Methods may be called from any thread. Raises LabError when the kernel's tools refuse."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._in_force: dict[str, _InForce] = {}
        self._delays: bool | None = None

    def add(self, fault_id: str, fault: NetworkFault, for_s: float) -> None:
        """Put it in force, for `for_s` at most. Raises LabError: the id is taken, or the kernel cannot do it."""
        if not 0 < for_s <= LONGEST_S:
            raise LabError(f"a network fault can last more than 0 and at most {LONGEST_S:g} s, not {for_s:g}")
        network_rules.table(fault_id)
        with self._lock:
            if fault_id in self._in_force:
                raise LabError(f"a network fault {fault_id} is in force already")
            links = self._links_to_delay(fault) if fault.kind == "delay" else ()
            # The end is set before the beginning. The kernel's own end (a set element's timeout) holds even if we die.
            timer = threading.Timer(for_s, self._end, [fault_id])
            timer.daemon = True
            self._in_force[fault_id] = _InForce(fault, time.monotonic() + for_s, timer, links)
            timer.start()
            try:
                self._make(fault_id, fault, for_s, links)
            except LabError:
                self.remove(fault_id)
                raise

    def remove(self, fault_id: str) -> None:
        """Take it away; does nothing when it is not there."""
        name = network_rules.table(fault_id)
        with self._lock:
            held = self._in_force.get(fault_id)
            if held is None:
                return
            held.timer.cancel()
            if held.links:
                self._clear(held.links)
            elif name in _tables():
                _run(["nft", "delete", "table", "bridge", name])
            del self._in_force[fault_id]

    def can_delay(self) -> bool:
        """Whether this kernel has netem, tried out in a namespace that nobody uses."""
        if self._delays is None:
            words = ["unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
            self._delays = subprocess.run(words, capture_output=True, check=False, timeout=_WITHIN_S).returncode == 0
        return self._delays

    def check(self, fault: NetworkFault) -> None:
        """Raises LabError when this machine cannot make it."""
        if fault.kind == "delay" and not self.can_delay():
            raise LabError(
                "this machine's kernel cannot delay packets: it was built without netem",
                hint="use a kernel with CONFIG_NET_SCH_NETEM, or deny and drop_idle",
            )

    def status(self) -> list[dict[str, Any]]:
        """[{"id", "fault": in words, "ends_in_s", "dropped": packets}] of those in force."""
        with self._lock:
            known = _tables() if self._in_force else set()
            return [
                {
                    "id": fault_id,
                    "fault": str(held.fault),
                    "ends_in_s": round(max(0.0, held.ends_at_s - time.monotonic()), 1),
                    "dropped": _dropped(name) if (name := network_rules.table(fault_id)) in known else 0,
                }
                for fault_id, held in self._in_force.items()
            ]

    def _make(self, fault_id: str, fault: NetworkFault, for_s: float, links: Sequence[str]) -> None:
        if fault.kind != "delay":
            _run(["nft", "-f", "-"], network_rules.script(fault_id, fault, for_s))
            return
        for link in links:
            for words in network_rules.delay_commands(link, fault):
                _run(["tc", *words])

    def _links_to_delay(self, fault: NetworkFault) -> tuple[str, ...]:
        """The bridge's ports towards the destination's machines."""
        self.check(fault)
        wanted = [ipaddress.IPv4Network(one) for one in fault.ends()[1]]
        links = []
        for name, address in namespaces.MACHINES.items():
            own = [ipaddress.IPv4Network(one) for one in (address, POD_CIDRS.get(name)) if one]
            if any(one.overlaps(other) for one in own for other in wanted):
                links.append(namespaces.link(name))
        taken = {link for held in self._in_force.values() for link in held.links} & set(links)
        if taken:
            raise LabError(f"packets through {', '.join(sorted(taken))} are delayed already, one delay at a time")
        return tuple(links)

    def _clear(self, links: Sequence[str]) -> None:
        for link in links:
            # It may be gone already: a node that loses its power takes its link along.
            subprocess.run(["tc", "qdisc", "del", "dev", link, "root"], capture_output=True, check=False)

    def _end(self, fault_id: str) -> None:
        try:
            self.remove(fault_id)
        except (LabError, OSError):
            log.exception("network fault %s ended by itself, and its table is still there", fault_id)


def _tables() -> set[str]:
    listing = json.loads(_run(["nft", "-j", "list", "tables", "bridge"]))
    return {entry["table"]["name"] for entry in listing["nftables"] if "table" in entry}


def _dropped(name: str) -> int:
    return network_rules.dropped(json.loads(_run(["nft", "-j", "list", "table", "bridge", name])))


def _run(words: Sequence[str], text: str | None = None) -> str:
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False, timeout=_WITHIN_S)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [str(done.returncode)])[0]
        raise LabError(f"network: {' '.join(words[:4])}: {said}", hint="shiftproof doctor")
    return done.stdout
