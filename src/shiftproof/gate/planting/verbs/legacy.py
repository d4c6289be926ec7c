"""legacy: the service's process on legacy machines, with other settings or stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shiftproof.errors import FaultError, UserError
from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs.verb import Verb
from shiftproof.lab.network import LEGACY_IPS
from shiftproof.model.defect import LegacyChange, Step

State = Mapping[str, Any]
"""As LabControl.legacy_state tells it of one host: {"running", "env"}."""


class LegacyVerb(Verb):
    """SIGTERM and a new start with other settings, as a deploy to a VM does; or SIGTERM alone.

    Under load one host after another, each in rotation again before the next is touched, unless it cannot start: then
    that is the defect.
    """

    def wrong(self, step: Step) -> str | None:
        unknown = [host for host in _hosts(_change(step)) if host not in LEGACY_IPS]
        if unknown:
            return f"there is no legacy machine {unknown[0]!r}: there are {', '.join(LEGACY_IPS)}"
        return None

    def check(self, step: Step, site: Site) -> None:
        change, before = _change(step), site.control.legacy_state()
        if all(_after(change, before[host]) == before[host] for host in _hosts(change)) and not _foreseen(site):
            raise UserError("the legacy machines are so already, so no defect would be planted")
        site.foreseen["legacy"] = True

    def plant(self, step: Step, site: Site) -> None:
        change, known = _change(step), site.control.legacy_state()
        before = {host: known[host] for host in _hosts(change)}
        site.record("legacy", f"legacy/{','.join(before)}", {"hosts": before})

        def make(host: str) -> None:
            wanted = _after(change, before[host])
            found = site.control.change_legacy(host, wanted["env"], running=wanted["running"])
            if found["problem"] is not None:
                site.notes.append(f"{host} does not answer: {found['problem']}")

        _each(make, list(before), at_once=not site.under_load)
        now = site.control.legacy_state()
        wrong = [host for host in before if now[host] != _after(change, before[host])]
        if wrong:
            raise FaultError(f"{', '.join(wrong)} did not take the change, so no defect was planted")


def _change(step: Step) -> LegacyChange:
    assert step.legacy is not None
    return step.legacy


def _hosts(change: LegacyChange) -> tuple[str, ...]:
    return tuple(LEGACY_IPS) if change.hosts == "all" else change.hosts


def _after(change: LegacyChange, before: State) -> State:
    return {"running": bool(before["running"]) and not change.stop, "env": {**before["env"], **change.env}}


def _foreseen(site: Site) -> bool:
    return "legacy" in site.foreseen


def _each(make: Callable[[str], None], hosts: list[str], *, at_once: bool) -> None:
    if not at_once:
        for host in hosts:
            make(host)
        return
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(make, hosts))  # to raise what one of them raised
