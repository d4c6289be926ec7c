"""Faults planted in the harness itself, one a gate. Whatever breaks in it, the gate does not open.

Each gate is whole: the real session, monitor, phases, judges and suites, over a world in which the service is without
fault (tests/fakes/world.py). Without the planted fault it passes; see test_gate_run.py.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from fakes.gates import Gate, shut
from fakes.made_up_load import PLAN
from fakes.world import World

from shiftproof.errors import FaultError, LoadError, MeasureError
from shiftproof.model.event import Events, Failure, Side
from shiftproof.model.history import CustomersReport, LoadReport
from shiftproof.model.probe import ProbeKind, ProbeRecord
from shiftproof.ports import Rollout, Weights

S = 1_000_000_000


class Fault(NamedTuple):
    """plant: breaks one thing of the world. said: words of the reason."""

    plant: Callable[[World], None]
    said: str


# --- the load --------------------------------------------------------------------------------------------------------


def records(change: Callable[[World, Events], Events]) -> Callable[[World], None]:
    """A load whose records are not what they should be."""

    def plant(world: World) -> None:
        world.running.changed = lambda events: change(world, events)

    return plant


def report(**changes: Any) -> Callable[[World], None]:
    """A load whose account of itself differs from its records: `changes` are added to the true figures."""

    def lie(told: LoadReport) -> LoadReport:
        return replace(told, **{name: getattr(told, name) + more for name, more in changes.items()})

    def plant(world: World) -> None:
        world.running.reported = lie

    return plant


def since_start_s(world: World, events: Events) -> Any:
    return (events["intended_ns"] - world.running.started_ns) / S


def half_the_rate(world: World) -> None:
    world.running.rate_per_s /= 2


def silent_after_4_s(world: World, events: Events) -> Events:
    kept: Events = events[since_start_s(world, events) < 4]
    return kept


def frozen_for_a_moment(world: World) -> None:
    """Stopped from second 0.5 to 2; then it sends at once all that was due."""
    held: list[Events] = []

    def change(events: Events) -> Events:
        at_s = since_start_s(world, events)
        held.append(events[(at_s > 0.5) & (at_s < 2)])
        free: Events = events[(at_s <= 0.5) | (at_s >= 2)]
        if world.clock.now_ns() < world.running.started_ns + 2 * S:
            return free
        sent = np.concatenate(held)
        held.clear()
        sent["sent_ns"] = sent["ended_ns"] = world.running.started_ns + 2 * S
        return np.concatenate([sent, free])

    world.running.changed = change


def some_pairs_lost(world: World, events: Events) -> Events:
    kept: Events = events[events["pair"] % 50 != 7]
    return kept


def one_side_lost(world: World, events: Events) -> Events:
    kept: Events = events[(events["pair"] % 50 != 7) | (events["side"] != Side.CLUSTER)]
    return kept


def some_twice(world: World, events: Events) -> Events:
    return np.concatenate([events, events[events["pair"] % 50 == 7]])


def not_sent(world: World, events: Events) -> Events:
    events["failure"][events["pair"] % 20 == 7] = Failure.NOT_SENT
    return events


def same_servers(world: World, events: Events) -> Events:
    """As when the rule for one side sends some to the other: a side compared with itself loses nothing."""
    strays = (events["side"] == Side.CLUSTER) & (events["pair"] % 3 == 0)
    events["served_by"][strays] = 1
    return events


def unnamed_servers(world: World, events: Events) -> Events:
    events["served_by"] = 0
    return events


def another_clock(shift_s: float) -> Callable[[World, Events], Events]:
    def change(world: World, events: Events) -> Events:
        for name in ("intended_ns", "sent_ns", "ended_ns"):
            events[name] += int(shift_s * S)
        return events

    return change


def unreadable_after_2_s(world: World) -> None:
    def change(events: Events) -> Events:
        if len(events) and since_start_s(world, events).max() > 2:
            raise OSError(errno.EIO, "Input/output error")
        return events

    world.running.changed = change


def takes_no_orders(world: World) -> None:
    def refuse(on: bool) -> None:
        if on:
            raise LoadError("the load does not answer to 'triples on'")

    world.running.triples = refuse  # type: ignore[method-assign]


def dies_at_the_very_end(world: World) -> None:
    stop = world.running.stop

    def die() -> LoadReport:
        world.running.dead = True
        return stop()

    world.running.stop = die  # type: ignore[method-assign]


def no_account(world: World) -> None:
    def lost() -> LoadReport:
        raise KeyError("scheduled")

    world.running.stop = lost  # type: ignore[method-assign]


LOAD = {
    "half-the-rate": Fault(half_the_rate, "pairs/s were planned"),
    "silent-after-4-s": Fault(records(silent_after_4_s), "no complete pair was recorded"),
    "frozen-for-a-moment": Fault(frozen_for_a_moment, "left more than 20 ms late"),
    "some-pairs-lost": Fault(records(some_pairs_lost), "missing"),
    "one-side-lost": Fault(records(one_side_lost), "without one of its sides"),
    "some-twice": Fault(records(some_twice), "recorded twice"),
    "not-sent": Fault(records(not_sent), "could be sent to neither side"),
    "same-servers": Fault(records(same_servers), "the same server"),
    "unnamed-servers": Fault(records(unnamed_servers), "0 of 0 weighted requests"),
    "clock-ahead": Fault(records(another_clock(3)), "its clock is not the run's"),
    "clock-behind": Fault(records(another_clock(-3)), "its clock is not the run's"),
    "unreadable": Fault(unreadable_after_2_s, "Input/output error"),
    "takes-no-orders": Fault(takes_no_orders, "does not answer"),
    "dies-at-the-very-end": Fault(dies_at_the_very_end, "the load child was killed"),
    "no-account": Fault(no_account, "scheduled"),
    "more-recorded-than-planned": Fault(report(recorded=9), "were planned"),
    "fewer-recorded-than-planned": Fault(report(scheduled=9), "were planned"),
    "fewer-in-the-file": Fault(report(scheduled=9, recorded=9, locust_requests=9), "are in its file"),
    "locust-counted-more": Fault(report(locust_requests=9), "Locust counted"),
    "locust-counted-failures": Fault(report(locust_failures=2), "failures"),
    "says-it-was-late": Fault(report(late=10**6), "more than 20 ms late"),
}


# --- the probes ------------------------------------------------------------------------------------------------------


def probes(change: Callable[[ProbeRecord], ProbeRecord]) -> Callable[[World], None]:
    """Conversations that are not what they should be."""
    return lambda world: setattr(world.running, "probe", change)


def void(why: str, every: int = 1) -> Callable[[ProbeRecord], ProbeRecord]:
    """Each so many-th conversation of a kind says nothing."""

    def change(record: ProbeRecord) -> ProbeRecord:
        number, kind = record.number, record.kind
        meant = number // 2 % every == 0
        return ProbeRecord(number, kind, record.start_ns, record.end_ns, void=why) if meant else record

    return change


def never_by_the_weights(record: ProbeRecord) -> ProbeRecord:
    return replace(record, way=record.way and "to legacy, then to cluster")


def nobody_can_tell(record: ProbeRecord) -> ProbeRecord:
    return replace(record, applied=None, control_applied=None)


def of_one_kind(kind: ProbeKind) -> Callable[[ProbeRecord], ProbeRecord]:
    """The others all say nothing."""
    return lambda record: record if record.kind is kind else void("timeout")(record)


def from_another_clock(record: ProbeRecord) -> ProbeRecord:
    return replace(record, start_ns=record.start_ns + 9 * S, end_ns=record.end_ns + 9 * S)


def a_key_never_sent_twice(world: World) -> None:
    """An operation with a key that no conversation was about."""
    parts = world.parts
    operations = ({"name": "read"}, {"name": "refund", "headers": {"Idempotency-Key": "{key}"}})
    plan = replace(PLAN, operations=operations)
    world.parts = lambda: replace(parts(), load_plan=plan)  # type: ignore[method-assign]


PROBES = {
    "a-key-never-sent-twice": Fault(a_key_never_sent_twice, "refund was sent twice 0 times only"),
    "all-void": Fault(probes(void("timeout")), "were void: timeout"),
    "one-kind-void": Fault(probes(of_one_kind(ProbeKind.PARITY)), "were void: timeout"),
    "other-kind-void": Fault(probes(of_one_kind(ProbeKind.DUPLICATE)), "were void: timeout"),
    "our-own-fault": Fault(probes(void("our own fault: KeyError", every=50)), "a fault of our own"),
    "none-by-the-weights": Fault(probes(never_by_the_weights), "none of them by the weights that moved"),
    "nobody-can-tell": Fault(probes(nobody_can_tell), "nobody could tell"),
    "another-clock": Fault(probes(from_another_clock), "its clock is not the run's"),
    "operation-left-out": Fault(
        probes(lambda record: replace(record, operations=())), "nothing is known of its answers"
    ),
}


# --- what the gate does, and whether it was done ---------------------------------------------------------------------


def a_fault_that_cannot_be_made(world: World) -> None:
    def refuse(*_: Any) -> Any:
        raise FaultError("the chaos process ended by itself (code 1)")

    world.faults.run = refuse  # type: ignore[assignment, method-assign]


def a_fault_that_names_no_victim(world: World) -> None:
    world.faults.victims = ()


def a_fault_that_nobody_saw(world: World) -> None:
    """Its own account says that a pod went; Kubernetes tells of no such thing."""
    world.faults.watcher = replace_watcher(world)


def replace_watcher(world: World) -> Any:
    return type("Deaf", (), {"tell": lambda self, kind, subject: None})()


def a_rollout_that_nobody_saw(world: World) -> None:
    world.cluster._watcher = replace_watcher(world)


def a_rollout_without_a_time(world: World) -> None:
    roll = world.cluster.roll

    def timeless(deadline_s: float) -> Rollout:
        return replace(roll(deadline_s), seconds=math.nan)

    world.cluster.roll = timeless  # type: ignore[method-assign]


def customers_moved_meanwhile(world: World) -> None:
    """Somebody else shifts customers while we rehearse: what was measured is no more where customers are."""
    during_the_rollout(world, lambda: world.router.rules.update(customers=Weights(50, 50)))


def unpinned_meanwhile(world: World) -> None:
    during_the_rollout(world, lambda: world.router.rules.update(cluster=Weights(100, 0)))


def another_writer_meanwhile(world: World) -> None:
    during_the_rollout(world, lambda: setattr(world.router, "others", ("argo-rollouts",)))


def during_the_rollout(world: World, act: Callable[[], None]) -> None:
    roll = world.cluster.roll

    def meanwhile(deadline_s: float) -> Rollout:
        act()
        return roll(deadline_s)

    world.cluster.roll = meanwhile  # type: ignore[method-assign]


def weights_not_put_back(world: World) -> None:
    write = world.router.set_weights

    def stuck(rule: str, weights: Weights) -> None:
        if world.running.ended:
            raise FaultError("the load balancer does not hold what was written")
        write(rule, weights)

    world.router.set_weights = stuck  # type: ignore[method-assign]


ACTIONS = {
    "fault-not-made": Fault(a_fault_that_cannot_be_made, "ended by itself"),
    "fault-without-victim": Fault(a_fault_that_names_no_victim, "victim"),
    "fault-unseen": Fault(a_fault_that_nobody_saw, "payments-a1"),
    "rollout-unseen": Fault(a_rollout_that_nobody_saw, "no pod"),
    "rollout-without-a-time": Fault(a_rollout_without_a_time, "no record"),
    "customers-moved": Fault(customers_moved_meanwhile, "customers"),
    "unpinned": Fault(unpinned_meanwhile, "rehearsal rule"),
    "another-writer": Fault(another_writer_meanwhile, "argo-rollouts"),
    "weights-not-put-back": Fault(weights_not_put_back, "does not hold"),
}


# --- those who look on -----------------------------------------------------------------------------------------------


def a_watcher_that_does_not_start(world: World) -> None:
    def refuse() -> None:
        raise MeasureError("watching pods did not start: no answer")

    world.kubernetes.start = refuse  # type: ignore[method-assign]


def a_watcher_that_breaks(world: World) -> None:
    def broken() -> Any:
        raise RuntimeError("deque mutated during iteration")

    world.load_balancer.happenings = broken  # type: ignore[method-assign]


def a_log_of_others(world: World) -> None:
    """Requests that we recorded as answered, and that the load balancer never saw."""
    world.access_log.lost = lambda pair, side: True


def a_log_without_one_side(world: World) -> None:
    world.access_log.lost = lambda pair, side: side is Side.CLUSTER


def customers(found: CustomersReport) -> Callable[[World], None]:
    """Just this is what their observer says, from the first look to the last."""

    def say(world: World) -> None:
        world.customers.answer, world.customers.rate_per_s = found, 0

    return say


def customers_unreadable(world: World) -> None:
    def broken() -> Any:
        raise OSError(errno.ENOENT, "No such file or directory")

    world.customers.report = broken  # type: ignore[method-assign]


def customers_not_started(world: World) -> None:
    def refuse() -> None:
        raise LoadError("no request was recorded within 20 s")

    world.customers.start = refuse  # type: ignore[method-assign]


WATCHERS = {
    "gap": Fault(lambda world: setattr(world.load_balancer, "gap", "the watch ended: KeyError"), "KeyError"),
    "kubernetes-silent": Fault(lambda world: setattr(world.kubernetes, "silent", True), "kubernetes"),
    "load-balancer-silent": Fault(lambda world: setattr(world.load_balancer, "silent", True), "load-balancer"),
    "watcher-not-started": Fault(a_watcher_that_does_not_start, "did not start"),
    "watcher-breaks": Fault(a_watcher_that_breaks, "deque mutated"),
    "log-unreadable": Fault(lambda world: setattr(world.access_log, "problem", "no such file"), "no such file"),
    "log-of-others": Fault(a_log_of_others, "log"),
    "log-without-one-side": Fault(a_log_without_one_side, "log"),
    "customers-died": Fault(customers(CustomersReport(900, 0, problem="the customers' load died")), "load died"),
    "customers-unseen": Fault(customers(CustomersReport(0, 0)), "no customer's request"),
    "customers-unreadable": Fault(customers_unreadable, "No such file"),
    "customers-not-started": Fault(customers_not_started, "no request was recorded"),
}

FAULTS = {**LOAD, **PROBES, **ACTIONS, **WATCHERS}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_harness_keeps_the_gate_shut(gate: Gate, world: World, fault: Fault) -> None:
    fault.plant(world)
    shut(gate(), fault.said)
