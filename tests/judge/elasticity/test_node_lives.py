"""Names of nodes that come again with another machine."""

from __future__ import annotations

from shiftproof.judge.elasticity.node_lives import apart
from shiftproof.judge.elasticity.placement import placement
from shiftproof.judge.elasticity.supply import read_supply
from shiftproof.model.history import Happening, Source


def told(t_s: float, kind: str, subject: str, **data: object) -> Happening:
    return Happening(int(t_s * 1e9), Source.KUBERNETES, kind, subject, data=data)


def pod(t_s: float, kind: str, name: str, node: str = "") -> Happening:
    ours = {"workload": "payments", "namespace": "payments"}
    return told(t_s, f"pod.{kind}", f"pod/{name}", node=node, **ours)


TIMELINE = (
    told(0, "node.present", "node/base-1", ready=True, machine="", capacity_type=""),
    told(10, "node.joined", "node/n", machine="i-1", capacity_type=""),
    told(10.1, "node.described", "node/n", machine="i-1", capacity_type="spot"),
    told(10.2, "node.ready", "node/n"),
    told(60, "node.gone", "node/n"),
    told(80, "node.joined", "node/n", machine="i-2", capacity_type=""),
    told(80.1, "node.described", "node/n", machine="i-2", capacity_type="on-demand"),
    told(80.2, "node.ready", "node/n"),
    pod(90, "created", "payments-5d4f-aaaaa"),
    pod(90.1, "scheduled", "payments-5d4f-aaaaa", "n"),
    pod(95, "ready", "payments-5d4f-aaaaa", "n"),
)


def test_a_later_life_has_a_name_of_its_own() -> None:
    names = [one.subject for one in apart(TIMELINE) if one.kind == "node.joined"]
    assert names == ["node/n", "node/n (2)"]
    assert {one.data["node"] for one in apart(TIMELINE) if one.subject.startswith("pod/") and one.data["node"]} == {
        "n (2)"
    }


def test_it_goes_by_time_and_not_by_the_order_told() -> None:
    assert list(apart(reversed(TIMELINE))) == list(apart(TIMELINE))


def test_a_pod_on_the_second_machine_was_not_on_the_first_ones_spot() -> None:
    found = placement(TIMELINE, ["payments"], "payments", "payments")
    assert (len(found.critical), found.on_spot) == (1, {})
    early = (*TIMELINE, pod(20, "scheduled", "payments-5d4f-bbbbb", "n"))
    assert placement(early, ["payments"], "payments", "payments").on_spot == {"payments-5d4f-bbbbb": "n"}


def test_supply_counts_each_machine_as_the_sort_that_it_was() -> None:
    supply = read_supply(TIMELINE, "payments", "payments")
    at = {t_s: (supply.nodes.at(int(t_s * 1e9)), supply.spot.at(int(t_s * 1e9))) for t_s in (5, 30, 70, 85)}
    assert at == {5: (1, 0), 30: (2, 1), 70: (1, 0), 85: (2, 0)}
