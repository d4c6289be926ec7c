"""Makes HAProxy follow what the API holds, and knows what HAProxy knows.

`tick` runs on the main thread some ten times a second: read the API, reload when rules or groups changed, apply weights
and registrations once their lag has passed, follow health, end drains. `health` answers DescribeTargetHealth from the
API's threads. One lock guards the tables of targets.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import RLock

from shiftproof.lab.lb import config, slots
from shiftproof.lab.lb.desired import Address, Desired, Group, Rule
from shiftproof.lab.lb.lag import Delayed, SharedLag
from shiftproof.lab.lb.process import HaproxyProcess
from shiftproof.lab.lb.runtime import Runtime, ServerStatus
from shiftproof.lab.lb.slots import Slot, Stage, TargetTable


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """What AWS's DescribeTargetHealth says of one target. reason and description are empty where AWS gives none."""

    address: Address
    state: str
    reason: str = ""
    description: str = ""


log = logging.getLogger(__name__)

NOT_REGISTERED = ("unused", "Target.NotRegistered", "Target is not registered to the target group")
NOT_IN_USE = ("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
REGISTERING = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")


class Reconciler:
    """See the module. `read` gives the API's state; `files`, `process` and `runtime` are HAProxy's."""

    def __init__(
        self,
        read: Callable[[], Desired],
        files: config.Files,
        process: HaproxyProcess,
        runtime: Runtime,
        lag: SharedLag,
        bind: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._files = files
        self._process = process
        self._runtime = runtime
        self._lag = lag
        self._bind = bind
        self._monotonic = monotonic
        self._lock = RLock()
        self._structure = ""
        self._rules: dict[str, Rule] = {}
        self._groups: dict[str, Group] = {}
        self._tables: dict[str, TargetTable] = {}
        self._weights: Delayed[str, Rule] = Delayed()
        self._registrations: Delayed[tuple[str, Address], bool] = Delayed()

    def tick(self) -> None:
        """One round. Raises LabError when HAProxy is gone or refuses."""
        now = self._monotonic()
        wanted = self._read()
        with self._lock:
            self._follow_structure(wanted, now)
            self._follow_weights(wanted, now)
            self._follow_registrations(now)
            self._follow_health(now)
            self._end_drains(now)

    def health(self, name: str, asked: Sequence[Address] = ()) -> Sequence[TargetHealth]:
        """The targets of a group, those draining included, or just those asked for; HAProxy is asked at this moment."""
        with self._lock:
            group = self._read().groups[name]
            if not group.in_use:
                listed = {address: TargetHealth(address, *NOT_IN_USE) for address in group.targets}
            else:
                listed = self._listed(group)
        if asked:
            return [listed.get(address) or TargetHealth(address, *NOT_REGISTERED) for address in asked]
        return [listed[address] for address in sorted(listed)]

    # What the API wants

    def _follow_structure(self, wanted: Desired, now: float) -> None:
        structure = config.render(wanted, self._files, self._bind, taken={})
        used = {name: group for name, group in wanted.groups.items() if group.in_use}
        if structure != self._structure:
            self._reload(wanted, used)
            self._structure = structure
        for name in [name for name in self._tables if name not in used]:
            self._drop(name)
        self._groups = used
        for name, group in used.items():
            table = self._tables.setdefault(name, TargetTable(config.PLACES))
            known = {slot.address for slot in table if slot.stage is not Stage.DRAINING}
            for address in group.targets:
                self._registrations.offer((name, address), True, now)
            for address in known - group.targets:
                self._registrations.offer((name, address), False, now)
            for key in self._registrations.known():
                if key[0] == name and key[1] not in group.targets and key[1] not in known:
                    self._registrations.forget(key)

    def _reload(self, wanted: Desired, used: Mapping[str, Group]) -> None:
        """Maps of new rules must be on disk first; they hold from the start, since no traffic knew the rule before."""
        for rule in wanted.rules:
            if rule.weights and rule.key not in self._rules:
                self._write_map(rule)
                self._rules[rule.key] = rule
                self._weights.forget(rule.key)
        taken = {name: {slot.name: slot.address for slot in table} for name, table in self._tables.items()}
        text = config.render(wanted, self._files, self._bind, taken)
        self._files.config.write_text(text, encoding="utf-8")
        self._process.apply()
        for name in used:
            for slot in self._tables.get(name, ()):
                self._reassert(name, slot)

    def _reassert(self, name: str, slot: Slot) -> None:
        """The state file has brought address and health over; what the new process does not hold is said again."""
        if "MAINT" in self._runtime.servers(name)[slot.name].status:
            slot.stage = Stage.INITIAL
            slot.since = self._monotonic()
            self._runtime.fill(f"{name}/{slot.name}", slot.address)

    def _drop(self, name: str) -> None:
        for slot in self._tables.pop(name):
            self._registrations.forget((name, slot.address))

    def _follow_weights(self, wanted: Desired, now: float) -> None:
        weighted = {rule.key: rule for rule in wanted.rules if rule.weights}
        for key in [key for key in self._rules if key not in weighted]:
            del self._rules[key]
            self._weights.forget(key)
        for key, rule in weighted.items():
            self._weights.offer(key, rule, now)
        for key, rule in self._weights.due(now, lambda _: self._lag.get().weights_s):
            if rule != self._rules[key]:
                self._runtime.replace_map(self._files.map(rule), slots.entries(rule.weights, rule.stickiness_s))
                self._rules[key] = rule
                self._write_map(rule)

    def _write_map(self, rule: Rule) -> None:
        """So that a new process starts with it."""
        path = self._files.map(rule)
        path.parent.mkdir(exist_ok=True)
        lines = [f"{key} {value}\n" for key, value in slots.entries(rule.weights, rule.stickiness_s)]
        path.write_text("".join(lines), encoding="utf-8")

    def _follow_registrations(self, now: float) -> None:
        for (name, address), registered in self._registrations.due(now, self._lag.get().of_registration):
            table, slot = self._tables[name], self._tables[name].get(address)
            if registered:
                self._register(name, table, address, slot, now)
            elif slot is not None:
                self._deregister(name, slot, now)

    def _register(self, name: str, table: TargetTable, address: Address, slot: Slot | None, now: float) -> None:
        if slot is None:
            slot = table.place(address, now)
            if slot is None:
                self._registrations.forget((name, address))  # and so it comes again until a place is free
                log.warning("target group %s has no place for %s: all %d are taken", name, address, len(config.PLACES))
                return
            self._runtime.fill(f"{name}/{slot.name}", address)
        elif slot.stage is Stage.DRAINING:
            slot.stage, slot.since = Stage.INITIAL, now
            self._runtime.restart(f"{name}/{slot.name}")

    def _deregister(self, name: str, slot: Slot, now: float) -> None:
        if slot.stage is Stage.DRAINING:
            return
        self._runtime.drain(f"{name}/{slot.name}")
        if slot.stage is Stage.SERVING:
            self._runtime.drain(f"{name}{config.OPEN}/{slot.name}")
        slot.stage, slot.until = Stage.DRAINING, now + self._groups[name].delay_s

    # What HAProxy knows

    def _follow_health(self, now: float) -> None:
        """A new target is decided by one passed check, or by as many failed ones as make any target unhealthy."""
        for name, table in self._tables.items():
            fresh = [slot for slot in table if slot.stage is Stage.INITIAL]
            servers = self._runtime.servers(name) if fresh else {}
            for slot in fresh:
                self._decide(name, slot, servers[slot.name], now)

    def _decide(self, name: str, slot: Slot, seen: ServerStatus, now: float) -> None:
        passed = seen.up or seen.passed > 0
        if not passed and now - slot.since < _time_to_fail_s(self._groups[name]):
            return
        if passed and not seen.up:
            self._runtime.declare_up(f"{name}/{slot.name}")
        self._runtime.open(f"{name}{config.OPEN}/{slot.name}", slot.address)
        slot.stage = Stage.SERVING

    def _end_drains(self, now: float) -> None:
        for name, table in self._tables.items():
            for slot in table:
                if slot.stage is Stage.DRAINING and now >= slot.until:
                    self._runtime.close(f"{name}/{slot.name}")
                    self._runtime.close(f"{name}{config.OPEN}/{slot.name}")
                    table.release(slot)

    def _listed(self, group: Group) -> dict[Address, TargetHealth]:
        servers = self._runtime.servers(group.name) if group.name in self._tables else {}
        listed = {address: TargetHealth(address, *REGISTERING) for address in group.targets}
        for slot in self._tables.get(group.name, ()):
            state = _state(slot, servers[slot.name])
            listed[slot.address] = TargetHealth(slot.address, *state)
        return listed


def _time_to_fail_s(group: Group) -> float:
    """The longest that `fall` checks can take, and one more for the moment at which they began."""
    return ((group.fall + 1) * group.interval_ms + group.fall * group.timeout_ms) / 1000


def _state(slot: Slot, seen: ServerStatus) -> tuple[str, str, str]:
    if slot.stage is Stage.DRAINING:
        return DRAINING
    if slot.stage is Stage.INITIAL:
        return CHECKING
    if seen.up:
        return ("healthy", "", "")
    if seen.check.startswith(("L4TOUT", "L6TOUT", "L7TOUT")):
        return ("unhealthy", "Target.Timeout", "Request timed out")
    if seen.check == "L7STS":
        words = f"Health checks failed with these codes: [{seen.check_code}]"
        return ("unhealthy", "Target.ResponseCodeMismatch", words)
    return ("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
