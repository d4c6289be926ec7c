"""Whole rehearsals over a made-up world: what passes, what the base is, fixed capacity, and what the view is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from fakes.rehearsals import UNDONE, EventWorld, FakeView
from fakes.rehearsed import Rehearse, is_put_back, reasons

from shiftproof.model.event import Side
from shiftproof.model.load_event import Hold, LoadEvent
from shiftproof.model.verdict import Verdict
from shiftproof.rehearse.judging import judge_scaling
from shiftproof.report.verdict_file import schema


def test_a_service_that_follows_the_load_passes(rehearse: Rehearse, world: EventWorld, tmp_path: Path) -> None:
    done = rehearse()
    assert done.result.verdict is Verdict.PASS, reasons(done)
    assert world.view.stages == ["preflight", "base", "event", "return", "judge"]
    is_put_back(world)
    assert UNDONE == ["overlay", "payments"]  # what our traffic wrote goes last, in the ordinary size
    written = json.loads((tmp_path / "run" / "verdict.json").read_text())
    jsonschema.validate(written, schema())
    assert written["event"]["sent"] == written["event"]["planned"]
    assert written["requests"]["pairs"] > 20
    assert world.view.ends == [done.result, None]
    for name in ("events.parquet", "timeline.jsonl"):
        assert (tmp_path / "run" / name).stat().st_size > 0
    case = done.case
    assert case is not None
    assert case.looked_until_ns >= case.end_ns == case.start_ns + 12_000_000_000
    mine = case.history.events[case.history.events["side"] == Side.EXTRA_CLUSTER]
    assert {case.history.servers[index] for index in set(mine["served_by"])} == {"payments-x9"}
    assert [phase.name for phase in case.history.phases] == ["base", "event", "return"]


def test_the_scaling_claims_pass_a_service_that_follows(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    done = rehearse()
    assert done.result.verdict is Verdict.PASS, reasons(done)
    assert {finding.claim for finding in done.result.findings} >= {
        "load-delivered",
        "time-to-capacity",
        "shortfall",
        "pre-provisioning",
        "stability",
        "return-to-base",
        "cost",
        "spot",
    }


def test_the_scaling_claims_fail_pods_that_never_come(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge, world.elastic.stuck = judge_scaling, 2
    done = rehearse()
    assert done.result.verdict is Verdict.FAIL
    failed = {finding.claim for finding in done.result.findings if finding.verdict is Verdict.FAIL}
    assert failed >= {"time-to-capacity", "shortfall"}, reasons(done)


def test_pods_that_never_come_fail(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.stuck = 2
    done = rehearse()
    assert (done.result.verdict, done.result.verdict.exit_code) == (Verdict.FAIL, 1)
    assert "shortfall event FAIL" in reasons(done)
    is_put_back(world)


def test_an_ordinary_hour_passes(rehearse: Rehearse, world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    steady = LoadEvent("short", "Nothing rises", 0.2, (Hold(30),))
    monkeypatch.setattr("shiftproof.rehearse.settings.read_profile", lambda profile: steady)
    world.judge = judge_scaling
    done = rehearse()
    assert done.result.verdict is Verdict.PASS, reasons(done)
    assert not {"time-to-capacity", "return-to-base"} & {finding.claim for finding in done.result.findings}


def test_too_few_pods_before_the_event_fail(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.stuck = 1
    done = rehearse()
    assert done.result.verdict is Verdict.FAIL
    assert "1 of 2 pods are ready before the event" in reasons(done)
    assert not world.judged
    is_put_back(world)


def test_more_pods_than_the_base_are_said_and_left_to_the_claims(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.stuck = 6
    done = rehearse()
    assert any("the base was not reached: 6 pods wanted" in note for note in world.view.notes)
    assert any("not back at the base" in note for note in world.view.notes)
    assert done.case is not None
    limit_s = done.case.scaling.limits.return_within_s
    assert done.case.looked_until_ns - done.case.end_ns >= limit_s * 1e9


def test_a_machine_that_stays_is_none_of_the_base(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    world.elastic.leftover = world.scaling.leftover = ("node-3",)
    done = rehearse()
    assert any("node-3 of autoscaling still there" in note for note in world.view.notes)
    assert world.judged[0].facts["base_nodes"] == 2
    (found,) = [finding for finding in done.result.findings if finding.claim == "pre-provisioning"]
    assert (found.verdict, "1 node beyond the base's 2" in found.reason) == (Verdict.FAIL, True)


def test_fixed_capacity_may_need_machines_for_its_base(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.leftover = ("node-3",)
    rehearse(fixed_pods=5)
    assert [note for note in world.view.notes if "base was not reached" in note] == [
        "when autoscaling was taken away, the base was not reached: node-3 of autoscaling still there after 2 s"
    ]
    assert world.judged[0].facts["base_nodes"] == 3


def test_fixed_capacity_is_a_figure_and_no_verdict(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    done = rehearse(fixed_pods=2)
    assert world.elastic.fixed == 2
    assert done.result.verdict is Verdict.INCONCLUSIVE
    shortfall = [finding for finding in done.result.findings if finding.claim == "shortfall"]
    assert [(finding.verdict, finding.data["judged"]) for finding in shortfall] == [(Verdict.INCONCLUSIVE, "FAIL")]
    assert {finding.claim for finding in done.result.findings} == {
        "preflight",
        "load-delivered",
        "shortfall",
        "cost",
        "sufficiency",
    }
    assert UNDONE == ["object", "overlay", "payments"]


def test_somebody_elses_deploy_is_inconclusive(rehearse: Rehearse, world: EventWorld) -> None:
    def deploy(name: str) -> None:
        if name == "event":
            world.cluster.state = replace(world.cluster.state, image_ids=("sha256:22",))

    world.view.on_stage = deploy
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "somebody else deployed" in reasons(done)


def test_a_view_that_breaks_changes_no_verdict(rehearse: Rehearse, world: EventWorld) -> None:
    class Broken(FakeView):
        def progress(self, numbers: object) -> None:
            raise ValueError("no terminal")

    world.view = Broken()
    assert rehearse().result.verdict is Verdict.PASS


def test_the_view_is_told_how_it_goes(rehearse: Rehearse, world: EventWorld) -> None:
    rehearse()
    header, numbers = world.view.header, world.view.numbers
    assert header is not None
    assert (header.event, header.pods, header.scale) == ("short", (2, 6), 0.6)
    assert header.demand.peak_per_s == pytest.approx(144)
    inside = [one for one in numbers if one.at_s is not None and 6 < one.at_s < 8]
    assert inside
    assert max(one.sent_per_s for one in inside) == pytest.approx(144, rel=0.3)
    assert {one.pods_needed for one in inside} == {5}
    assert any(one.pods_ready == 6 for one in inside)
    assert numbers[-1].sent > 900
    assert numbers[-1].cost is not None
    assert numbers[-1].cost > 0
