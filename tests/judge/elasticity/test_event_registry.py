"""The claims of a load event: open to a team's own, and none goes missing; what each defect is caught by."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from fakes.event_cases import failing, flapping, flat_metric, late_nodes, no_nodes, unknown_metric, unscaled
from fakes.event_history import EventBuilder, good_payday

from shiftproof.errors import LoadError, UserError
from shiftproof.judge import EventCase, event_claim, event_claim_names, forget_event_claim, judge_event
from shiftproof.judge.elasticity.figures import figures
from shiftproof.judge.elasticity.registry import EVENT_CLAIMS
from shiftproof.model.load_event import Hold, LoadEvent, Ramp
from shiftproof.model.verdict import Finding, Verdict, merge

#: An event that breaks nothing and is struck by nothing has no use for these.
OF_OTHER_EVENTS = {"headroom", "experiment"}


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    yield
    forget_event_claim("mine")


def test_a_good_event_passes_by_every_claim_that_is_about_it() -> None:
    found = judge_event(good_payday().build())
    assert merge(one.verdict for one in found) is Verdict.PASS
    assert {one.claim for one in found} == set(event_claim_names()) - OF_OTHER_EVENTS


@pytest.mark.parametrize(
    ("event", "claims"),
    [
        (unknown_metric(), {"time-to-capacity", "shortfall"}),
        (flat_metric(), {"time-to-capacity", "shortfall"}),
        (flapping(), {"stability", "shortfall"}),
        (late_nodes(), {"time-to-capacity", "shortfall"}),
        (no_nodes(), {"time-to-capacity", "shortfall"}),
        (unscaled(), {"time-to-capacity", "shortfall"}),
    ],
    ids=["21-unknown", "22-flat", "23-flapping", "24-late-nodes", "no-nodes", "autoscaler-stopped"],
)
def test_what_defects_are_caught_by(event: EventBuilder, claims: set[str]) -> None:
    assert failing(event.build()) == claims


@pytest.mark.parametrize("event", [good_payday(), no_nodes(), late_nodes(), flapping(), unknown_metric()])
def test_what_is_found_can_be_written_down(event: EventBuilder) -> None:
    for found in judge_event(event.build()):
        assert json.loads(json.dumps(found.data, allow_nan=False)) is not None
        assert found.reason.endswith(".")


def test_nothing_at_all_passes_nothing() -> None:
    case = EventBuilder(base_pods=0).build()
    empty = replace(case.history, events=case.history.events[:0], timeline=(), load=None)
    found = judge_event(replace(case, history=empty, event_load=None))
    passed = {one.claim for one in found if one.verdict is Verdict.PASS}
    assert passed == set()


def test_a_teams_own_claim_is_judged_with_the_others() -> None:
    @event_claim("mine", wanted_for=lambda case: case.event.name == "payday")
    def judge(case: EventCase) -> Iterable[Finding]:
        yield Finding("mine", "run", Verdict.FAIL, f"{len(case.history.events)} are not enough for us")

    assert "mine" in {one.claim for one in judge_event(good_payday().build())}
    other = replace(good_payday().build(), event=LoadEvent("sale", "A sale", 0.2, (Hold(1), Ramp(1.0, 1))))
    assert "mine" not in {one.claim for one in judge_event(other)}
    assert [one.claim for one in judge_event(other, ["mine"])] == ["mine"], "asked for by name it is judged"


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), SystemExit(0), LoadError("cut short")], ids=repr)
@pytest.mark.parametrize("where", ["judge", "wanted_for"])
def test_whatever_is_raised_is_unknown(error: BaseException, where: str) -> None:
    def fault(case: EventCase) -> bool:
        raise error

    @event_claim("mine", wanted_for=fault if where == "wanted_for" else None)
    def judge(case: EventCase) -> Iterable[Finding]:
        yield Finding("mine", "run", Verdict.PASS, "so far")
        raise error

    found = [one for one in judge_event(good_payday().build()) if one.claim == "mine"]
    assert [one.verdict for one in found] == [Verdict.INCONCLUSIVE]


def test_one_that_finds_nothing_is_unknown_and_one_that_is_not_there_an_error() -> None:
    @event_claim("mine")
    def judge(case: EventCase) -> Iterable[Finding]:
        return ()

    (found,) = judge_event(good_payday().build(), ["mine"])
    assert found.verdict is Verdict.INCONCLUSIVE
    with pytest.raises(UserError, match="unknown claim 'nonsense'"):
        judge_event(good_payday().build(), ["nonsense"])
    with pytest.raises(UserError, match="registered already"):
        event_claim("cost")(judge)


@pytest.mark.parametrize("name", sorted(set(event_claim_names()) - OF_OTHER_EVENTS))
def test_a_built_in_claim_that_was_taken_out_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(EVENT_CLAIMS.judges, name)
    (found,) = [one for one in judge_event(good_payday().build()) if one.claim == name]
    assert (found.verdict, f"nobody judged {name}" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_an_hour_of_half_a_million_requests_takes_seconds() -> None:
    hour = LoadEvent("hour", "An hour", 0.5, (Hold(600), Ramp(1.0, 600), Hold(1200), Ramp(0.5, 600), Hold(600)))
    case = EventBuilder(event=hour, peak_per_s=180).build()
    assert len(case.history.events) > 500_000
    begin_s = time.process_time()
    judge_event(case)
    figures(case)
    assert time.process_time() - begin_s < 30
    assert np.all(np.diff(case.history.events["intended_ns"]) >= 0)
