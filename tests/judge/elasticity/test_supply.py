"""Supply, read from what happened."""

from __future__ import annotations

from typing import Any

from shiftproof.judge.elasticity.supply import Supply, read_supply
from shiftproof.judge.elasticity.timing import PodStart
from shiftproof.model.history import Happening, Source

S = 1_000_000_000


def at(t_s: float, kind: str, subject: str, **data: Any) -> Happening:
    return Happening(round(t_s * S), Source.KUBERNETES, kind, subject, data=data)


def read(*happenings: Happening) -> Supply:
    return read_supply(happenings, "payments")


def rise() -> list[Happening]:
    """Two pods are there; a third is wanted, finds no node until one is launched, joins and is ready."""
    return [
        at(0, "node.present", "node/base-1", ready=True),
        at(0, "scale.wanted", "deployment/payments", replicas=2),
        at(0, "pod.present", "pod/payments-7d4f9c6b5-xxxxb", node="base-1", ready=True),
        at(0, "pod.present", "pod/payments-7d4f9c6b5-xxxxc", node="base-1", ready=True),
        at(0, "pod.present", "pod/statements-5c9d8b7f6-xxxxb", node="base-1", ready=True),
        at(4, "scale.observed", "autoscaler/payments", metric="in-flight", ratio=0.9),
        at(6, "scale.observed", "autoscaler/payments", metric="in-flight", ratio=1.6),
        at(7, "scale.wanted", "deployment/payments", replicas=3),
        at(8, "pod.created", "pod/payments-7d4f9c6b5-xxxxd"),
        at(9, "pod.failing", "pod/payments-7d4f9c6b5-xxxxd", reason="Unschedulable"),
        at(10, "machine.launched", "machine/i-1"),
        at(50, "node.joined", "node/new-1", machine="i-1", capacity_type="spot"),
        at(51, "node.ready", "node/new-1"),
        at(52, "pod.scheduled", "pod/payments-7d4f9c6b5-xxxxd", node="new-1"),
        at(55, "pod.ready", "pod/payments-7d4f9c6b5-xxxxd", node="new-1"),
    ]


def values(supply: Supply, of: str, *times_s: float) -> list[int]:
    return [getattr(supply, of).at(round(t_s * S)) for t_s in times_s]


def test_each_curve_follows_what_happened() -> None:
    supply = read(*rise())
    assert values(supply, "ready", 0, 54, 55) == [2, 2, 3]
    assert values(supply, "wanted", 0, 7) == [2, 3]
    assert values(supply, "pending", 7, 8, 51, 52) == [0, 1, 1, 0]
    assert values(supply, "nodes", 0, 50, 51) == [1, 1, 2]


def test_machines_on_demand_are_rented_from_launch_to_end() -> None:
    supply = read(
        at(0, "node.present", "node/base-1", ready=True),
        at(0, "node.present", "node/left-1", ready=True, machine="i-0", capacity_type="on-demand"),
        at(5, "machine.launched", "machine/i-1", capacity_type="on-demand"),
        at(45, "node.joined", "node/new-1", machine="i-1", capacity_type="on-demand"),
        at(50, "node.gone", "node/left-1"),
        at(90, "node.gone", "node/new-1"),
        at(92, "machine.ended", "machine/i-1"),
    )
    assert values(supply, "rented", 0, 5, 49, 50, 91, 92) == [1, 2, 2, 1, 1, 0]
    assert values(read(*rise()), "rented", 60) == [0]  # its node says that it is Spot


def test_how_a_pod_came_to_be_ready() -> None:
    supply = read(*rise())
    (start,) = supply.starts
    assert start == PodStart(
        "pod/payments-7d4f9c6b5-xxxxd", 55 * S, scheduled_ns=52 * S, refused_ns=9 * S, launched_ns=10 * S
    )
    assert supply.homes["pod/payments-7d4f9c6b5-xxxxd"] == "new-1"
    assert supply.spot_nodes == {"new-1"}


def test_when_the_autoscaler_saw_too_much() -> None:
    supply = read(*rise(), at(60, "scale.observed", "autoscaler/payments", metric="in-flight", ratio=None))
    assert supply.first_above_target(0) == 6 * S
    assert supply.first_above_target(7 * S) == 7 * S, "what it said last still holds"
    assert supply.first_above_target(61 * S) is None


def test_the_order_of_receipt_does_not_matter() -> None:
    assert values(read(*reversed(rise())), "ready", 54, 55) == [2, 3]


def test_a_pod_that_goes_is_no_supply_from_when_it_is_told_to() -> None:
    supply = read(
        *rise(),
        at(60, "pod.terminating", "pod/payments-7d4f9c6b5-xxxxd", node="new-1"),
        at(65, "pod.not-ready", "pod/payments-7d4f9c6b5-xxxxd", node="new-1"),
        at(66, "pod.gone", "pod/payments-7d4f9c6b5-xxxxd", node="new-1"),
    )
    assert values(supply, "ready", 59, 60, 70) == [3, 2, 2]


def test_a_pod_that_is_taken_back_before_it_has_a_node_waits_no_longer() -> None:
    supply = read(*rise()[:10], at(20, "pod.gone", "pod/payments-7d4f9c6b5-xxxxd"))
    assert values(supply, "pending", 19, 20) == [1, 0]
    assert supply.starts == ()


def test_a_node_that_is_lost_is_counted_once() -> None:
    supply = read(*rise(), at(70, "node.not-ready", "node/new-1"), at(90, "node.gone", "node/new-1"))
    assert values(supply, "nodes", 69, 70, 90) == [2, 1, 1]


def test_a_pod_that_has_its_node_when_it_is_first_seen_waits_for_none() -> None:
    supply = read(
        at(1, "pod.created", "pod/payments-7d4f9c6b5-xxxxb", node="base-1"),
        at(1, "pod.scheduled", "pod/payments-7d4f9c6b5-xxxxb", node="base-1"),
    )
    assert values(supply, "pending", 0, 1, 2) == [0, 0, 0]


def test_a_pod_that_waits_since_before_we_looked_is_pending() -> None:
    supply = read(
        at(0, "pod.present", "pod/payments-7d4f9c6b5-xxxxb", ready=False),
        at(9, "pod.scheduled", "pod/payments-7d4f9c6b5-xxxxb", node="base-1"),
    )
    assert values(supply, "pending", 0, 8, 9) == [1, 1, 0]


def test_whose_a_pod_is() -> None:
    supply = read(
        at(0, "pod.present", "pod/payments-worker-7d4f9c6b5-xxxxb", node="base-1", ready=True),
        at(0, "pod.present", "pod/payments-0", node="base-1", ready=True),
        at(0, "pod.present", "pod/payments-7d4f9c6b5-xxxxb", node="base-1", ready=True, workload="payments-7d4f9c6b5"),
        at(0, "pod.present", "pod/payments-canary-1", node="base-1", ready=True, workload="payments"),
    )
    assert list(supply.homes) == ["pod/payments-canary-1"]


def test_a_namesake_in_another_namespace_is_none_of_ours() -> None:
    there = at(0, "pod.present", "pod/payments-7d4f9c6b5-xxxxb", node="n", ready=True, namespace="other")
    assert read_supply([there], "payments", "payments").ready.at(0) == 0
    assert read_supply([there], "payments").ready.at(0) == 1


def test_another_services_autoscaler_says_nothing_of_ours() -> None:
    supply = read(
        at(0, "scale.observed", "autoscaler/keda-hpa-payments", metric="rps", ratio=0.5),
        at(1, "scale.observed", "autoscaler/keda-hpa-statements", metric="depth", ratio=9.0),
        at(2, "scale.observed", "autoscaler/x", metric="rps", ratio=1.5, workload="payments"),
    )
    assert [one.ratio for one in supply.observed] == [0.5, 1.5]


def test_what_is_told_of_another_namespace_says_nothing_of_ours() -> None:
    there = [
        at(0, "scale.wanted", "deployment/payments", replicas=2, namespace="payments"),
        at(1, "scale.wanted", "deployment/payments", replicas=9, namespace="other"),
        at(1, "scale.observed", "autoscaler/payments", metric="rps", ratio=2.0, namespace="other"),
    ]
    supply = read_supply(there, "payments", "payments")
    assert (supply.wanted.at(2 * S), supply.observed) == (2, ())


def test_each_metric_holds_until_it_is_told_anew() -> None:
    supply = read(
        at(0, "scale.observed", "autoscaler/payments", metric="rps", ratio=1.5),
        at(1, "scale.observed", "autoscaler/payments", metric="cpu", ratio=None),
    )
    assert [(one.metric, one.ratio) for one in supply.holding(2 * S)] == [("rps", 1.5), ("cpu", None)]
    assert supply.first_above_target(2 * S) == 2 * S


def test_a_node_that_is_described_after_it_joined() -> None:
    supply = read(
        at(0, "node.joined", "node/new-9", machine="", capacity_type="", ready=True),
        at(1, "node.described", "node/new-9", machine="i-9", capacity_type="spot"),
    )
    assert supply.spot_nodes == {"new-9"}


def test_a_pod_is_paid_from_the_launch_of_the_machine_that_it_waited_for() -> None:
    supply = read(*rise(), at(60, "pod.gone", "pod/payments-7d4f9c6b5-xxxxd"))
    assert values(supply, "paid", 9, 10, 59, 60) == [2, 3, 3, 2]


def test_a_pod_that_never_had_a_place_costs_nothing() -> None:
    supply = read(*rise()[:10])
    assert values(supply, "paid", 9, 50) == [2, 2]


def test_a_machine_and_what_became_of_it() -> None:
    (machine,) = read(*rise(), at(90, "machine.ended", "machine/i-1")).machines
    assert (machine.node, machine.joined_ns, machine.ready_ns, machine.ended_ns) == ("new-1", 50 * S, 51 * S, 90 * S)


def test_a_node_is_spot_by_its_machine_too() -> None:
    supply = read(
        at(0, "machine.launched", "machine/i-9", capacity_type="spot"),
        at(40, "node.joined", "node/new-9", machine="i-9", ready=True),
    )
    assert supply.spot_nodes == {"new-9"}
    assert values(supply, "spot", 39, 40) == [0, 1]
