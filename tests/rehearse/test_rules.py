"""The load balancer's rules, before a rehearsal and after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fakes.rehearsals import SHORT, EventWorld
from fakes.world import FakeRouter

from shiftproof.errors import ServiceFault, SetupError
from shiftproof.gate.sufficiency import moved_rules, what_ran
from shiftproof.model.demand import Demand
from shiftproof.model.verdict import Verdict
from shiftproof.ports import Weights
from shiftproof.rehearse.parts import EventParts
from shiftproof.rehearse.preflight import rules_lead


@pytest.fixture
def parts(world: EventWorld) -> EventParts:
    return world.parts(Demand.of([(0, 1), (SHORT.seconds, 1)]))


def test_rules_that_lead_where_they_should(world: EventWorld, parts: EventParts) -> None:
    found = rules_lead(parts)
    assert (found.verdict, found.claim) == (Verdict.PASS, "preflight")
    assert moved_rules(parts.router, parts.cluster_pct) == []
    assert world.router.written == []


def test_another_writer_fails_before_any_load(world: EventWorld, parts: EventParts) -> None:
    world.router.others = ("argo-rollouts",)
    with pytest.raises(ServiceFault, match="also written by argo-rollouts"):
        rules_lead(parts)


def test_a_rehearsal_rule_that_leads_elsewhere_is_a_set_up_to_mend(world: EventWorld, parts: EventParts) -> None:
    world.router.rules["cluster"] = Weights(50, 50)
    with pytest.raises(SetupError, match="'cluster' sends 50% to the cluster, not 100%"):
        rules_lead(parts)


def _customers(router: FakeRouter) -> None:
    router.rules["customers"] = Weights(75, 25)


def _pinned(router: FakeRouter) -> None:
    router.rules["legacy"] = Weights(90, 10)


def _writer(router: FakeRouter) -> None:
    router.others = ("argo-rollouts",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_customers, "moved customers from 0% to 25%"),
        (_pinned, "a rehearsal rule was changed meanwhile: legacy sends 10%"),
        (_writer, "also written by argo-rollouts"),
    ],
)
def test_what_somebody_did_to_them_meanwhile_is_inconclusive(
    world: EventWorld, parts: EventParts, change: Callable[[FakeRouter], None], said: str
) -> None:
    change(world.router)
    (found,) = moved_rules(parts.router, parts.cluster_pct)
    assert (found.claim, found.phase, found.verdict) == ("sufficiency", "run", Verdict.INCONCLUSIVE)
    assert said in found.reason


def test_rules_that_cannot_be_read_are_no_rules_that_stayed(
    world: EventWorld, parts: EventParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: str) -> Weights:
        raise SetupError("the API does not answer")

    monkeypatch.setattr(world.router, "weights", silent)
    (found,) = moved_rules(parts.router, parts.cluster_pct)
    assert "not known: the API does not answer" in found.reason


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (("a",), ("a",), None),
        (("a", "b"), ("b",), "somebody else deployed while the rehearsal ran"),
        (("a",), (), "no pod was ready at the end of the rehearsal"),
        ((), ("a",), "no pod was ready at the beginning of the rehearsal"),
        ((), (), None),
    ],
)
def test_what_ran_is_what_it_began_with(
    parts: EventParts,
    monkeypatch: pytest.MonkeyPatch,
    before: tuple[str, ...],
    now: tuple[str, ...],
    said: str | None,
) -> None:
    ran = replace(parts.cluster.workload(), image_ids=now)
    monkeypatch.setattr(parts.cluster, "workload", lambda: ran)
    found = what_ran(parts.cluster, replace(ran, image_ids=before), "rehearsal")
    assert found[0] == ran
    assert [one.verdict for one in found[1]] == ([] if said is None else [Verdict.INCONCLUSIVE])
    assert all(one.reason.startswith(said or "?") for one in found[1])
