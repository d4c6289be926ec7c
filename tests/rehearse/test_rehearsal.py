"""Whole rehearsals over a made-up world: what each kind of trouble does to the verdict, and that all is put back."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from fakes.rehearsals import UNDONE, EventWorld, FakeJobs, FakeLost, FakeView
from rehearse.conftest import Rehearse

from shiftproof.errors import FaultError, LoadError, LockHeldError, MeasureError, SetupError, UserError
from shiftproof.gate.config import find_target
from shiftproof.gate.run import run_recover
from shiftproof.model.event import Side
from shiftproof.model.load_event import Hold, LoadEvent
from shiftproof.model.verdict import Verdict
from shiftproof.ports import AutoscalerState
from shiftproof.rehearse.judging import judge_scaling
from shiftproof.rehearse.run import Done
from shiftproof.report.verdict_file import schema
from shiftproof.safety.journal import Journal, journal_dir
from shiftproof.safety.lock import exclusive


def _reasons(done: Done) -> str:
    bad = [finding for finding in done.result.findings if finding.verdict is not Verdict.PASS]
    return "\n".join(f"{finding.claim} {finding.phase} {finding.verdict}: {finding.reason}" for finding in bad)


def _is_put_back(world: EventWorld) -> None:
    assert not Journal(journal_dir()).pending()
    assert world.pairs.ended
    assert world.event_load.event is None or world.event_load.event.stopped


def test_a_service_that_follows_the_load_passes(rehearse: Rehearse, world: EventWorld, tmp_path: Path) -> None:
    done = rehearse()
    assert done.result.verdict is Verdict.PASS, _reasons(done)
    assert world.view.stages == ["preflight", "base", "event", "return", "judge"]
    _is_put_back(world)
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
    assert done.result.verdict is Verdict.PASS, _reasons(done)
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
    assert failed >= {"time-to-capacity", "shortfall"}, _reasons(done)


def test_pods_that_never_come_fail(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.stuck = 2
    done = rehearse()
    assert (done.result.verdict, done.result.verdict.exit_code) == (Verdict.FAIL, 1)
    assert "shortfall event FAIL" in _reasons(done)
    _is_put_back(world)


def test_no_load_is_inconclusive_though_no_pod_came(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    world.event_load.change = lambda event: replace(event, silent=True)
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE, _reasons(done)
    assert "no request of the event was recorded" in _reasons(done)
    (capacity,) = [finding for finding in done.result.findings if finding.claim == "time-to-capacity"]
    assert (capacity.verdict, capacity.data["judged"]) == (Verdict.INCONCLUSIVE, "FAIL")
    assert "The load was not as planned, so this is laid to nobody: no request" in capacity.reason


def test_a_load_that_does_not_start_is_inconclusive(rehearse: Rehearse, world: EventWorld) -> None:
    world.event_load.refusal = "1 of 2 load workers came within 60 s"
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "1 of 2 load workers came" in _reasons(done)
    _is_put_back(world)


def test_a_lost_worker_is_inconclusive_and_its_share_is_named(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    world.event_load.change = lambda event: replace(event, parts_lost=(FakeLost(0.5),))
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE, _reasons(done)
    assert world.judged[0].lost_share == 0.5
    assert "50% of the event's load" in _reasons(done)
    judged = [finding for finding in done.result.findings if finding.data.get("judged") == "FAIL"]
    assert "time-to-capacity" in {finding.claim for finding in judged}  # pods for half of the plan never came
    assert all("50% of the event's load" in finding.reason for finding in judged)


def test_a_load_that_dies_on_the_way_is_not_judged(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.stuck = 2  # which would FAIL
    world.event_load.change = lambda event: replace(event, dies_after_s=3.0)
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "the event's load ended before the event did" in _reasons(done)
    assert not world.judged
    _is_put_back(world)


@pytest.mark.parametrize("stage", ["preflight", "base", "event", "return", "judge"])
def test_ctrl_c_at_any_stage_puts_everything_back(
    rehearse: Rehearse, world: EventWorld, stage: str, tmp_path: Path
) -> None:
    world.jobs = [FakeJobs()]

    def interrupt(name: str) -> None:
        if name == stage:
            raise KeyboardInterrupt

    world.view.on_stage = interrupt
    with pytest.raises(SetupError, match="interrupted"):
        rehearse()
    assert not Journal(journal_dir()).pending()
    assert stage == "preflight" or UNDONE == ["statements", "overlay", "payments"]
    assert stage in ("preflight", "base") or world.pairs.ended
    assert not (tmp_path / "run" / "verdict.json").exists()
    assert world.view.ends == [None]


def test_killed_at_once_it_leaves_a_journal_from_which_recover_puts_all_back(
    rehearse: Rehearse, world: EventWorld, infra: Path
) -> None:
    """A real SIGKILL, of a process of its own: nothing of its own runs after that."""
    world.jobs = [FakeJobs()]

    def kill(name: str) -> None:
        if name == "return":
            os.kill(os.getpid(), signal.SIGKILL)

    world.view.on_stage = kill
    child = os.fork()
    if child == 0:
        try:
            rehearse()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert [entry.kind for entry in Journal(journal_dir()).pending()] == ["overlay", "synthetic", "jobs"]
    assert UNDONE == []
    assert run_recover(find_target(infra, "lab")) == 0
    assert UNDONE == ["statements", "overlay", "payments"]
    assert not Journal(journal_dir()).pending()


def test_what_a_killed_run_left_is_undone_by_the_next(rehearse: Rehearse, world: EventWorld, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state" / "journal", run_id="dead", scope="lab:1:1")
    journal.record(kind="synthetic", subject="service/payments", undo={"service": "payments"}, lease_s=0)
    journal.record(kind="overlay", subject="overlay/payments", undo={"what": "overlay"}, lease_s=0)
    journal.record(kind="jobs", subject="worker/statements", undo={"worker": "statements"}, lease_s=0)
    rehearse()
    assert UNDONE[:3] == ["statements", "overlay", "payments"]
    assert any("put back what an earlier run left" in note for note in world.view.notes)


def test_a_rate_that_cannot_be_sent_is_refused_before_anything_is_changed(
    rehearse: Rehearse, world: EventWorld
) -> None:
    world.event_load.able_per_s = 77
    with pytest.raises(UserError, match="about 77/s; short needs 144/s") as raised:
        rehearse()
    assert "demand_scale of infra/targets/lab.yaml to 0.3 or less (it is 0.6)" in raised.value.one_line()
    assert not world.elastic.resized


def test_no_size_of_an_event_is_said_where_none_can_be_sent(rehearse: Rehearse, world: EventWorld) -> None:
    world.event_load.able_per_s = 5
    with pytest.raises(UserError, match="about 5/s; short needs 144/s") as raised:
        rehearse()
    assert raised.value.hint == "let nothing else run on this machine, or send from more machines (infra/load)"


def test_a_rate_that_could_not_be_tried_is_inconclusive(
    rehearse: Rehearse, world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(plan: object) -> float:
        raise LoadError("how much this machine can send could not be tried: no reason given")

    monkeypatch.setattr(world.event_load, "sends_per_s", fails)
    done = rehearse()
    assert (done.result.verdict, done.case) == (Verdict.INCONCLUSIVE, None)
    assert "could not be tried: no reason given" in _reasons(done)
    assert done.result.phases[0].verdict is Verdict.INCONCLUSIVE
    assert not world.elastic.resized


def test_without_an_autoscaler_there_is_nothing_to_rehearse(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.scaler = None
    with pytest.raises(UserError, match="no HorizontalPodAutoscaler"):
        rehearse()
    assert not Journal(journal_dir()).pending()
    assert "overlay" in UNDONE


def test_an_autoscaler_that_is_blind_fails_before_any_load(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.scaler = AutoscalerState("payments", 2, 6, "FailedGetResourceMetric: missing request for cpu")
    done = rehearse()
    assert done.result.verdict is Verdict.FAIL
    assert "missing request for cpu" in _reasons(done)
    assert done.case is None
    assert world.event_load.event is None


def test_an_autoscaler_with_other_bounds_is_refused(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.scaler = AutoscalerState("payments", 2, 9)
    with pytest.raises(UserError, match=r"goes from 2 to 9 pods, and .* says 2 to 6"):
        rehearse()


@pytest.mark.parametrize(
    ("per_pod", "said"), [((60.0,), "goes by 60"), ((0.2, 60.0), "goes by 0.2 and 60"), ((), "goes by nothing")]
)
def test_an_autoscaler_that_aims_at_another_figure_fails(
    rehearse: Rehearse, world: EventWorld, per_pod: tuple[float, ...], said: str
) -> None:
    world.elastic.scaler = AutoscalerState("payments", 2, 6, per_pod=per_pod)
    done = rehearse()
    assert done.result.verdict is Verdict.FAIL
    assert f"platform.yaml says 30 a pod (requests-per-second), the autoscaler payments {said}" in _reasons(done)
    assert world.event_load.event is None


def test_events_requests_that_the_load_balancer_never_saw_are_noticed(rehearse: Rehearse, world: EventWorld) -> None:
    world.access_log.lost = lambda pair, side: side is Side.EXTRA_CLUSTER
    rehearse()
    (case,) = world.judged
    assert not case.history.logged
    gap = next(one for one in case.history.timeline if one.subject == "watcher/access-log")
    assert "the load balancer's log knows 0 of" in gap.detail


def test_pairs_that_the_load_balancer_never_saw_do_not_hide_behind_the_event(
    rehearse: Rehearse, world: EventWorld
) -> None:
    world.access_log.lost = lambda pair, side: side is not Side.EXTRA_CLUSTER
    rehearse()
    assert not world.judged[0].history.logged


def test_too_few_pods_before_the_event_fail(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.stuck = 1
    done = rehearse()
    assert done.result.verdict is Verdict.FAIL
    assert "1 of 2 pods are ready before the event" in _reasons(done)
    assert not world.judged
    _is_put_back(world)


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
    assert not any("the base was not reached" in note for note in world.view.notes)
    assert world.judged[0].facts["base_nodes"] == 3


def test_an_api_server_that_is_silent_ends_it_with_everything_put_back(
    rehearse: Rehearse, world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shiftproof.rehearse.waiting.ASKED_AGAIN_S", 0.5)
    world.elastic.silent = True
    with pytest.raises(SetupError, match="does not answer"):
        rehearse()
    _is_put_back(world)


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


def test_jobs_are_asked_in_the_event_and_counted_after_it(rehearse: Rehearse, world: EventWorld) -> None:
    world.jobs = [FakeJobs(), FakeJobs("letters", refusal="no queue"), FakeJobs("cards", blind="no answer")]
    rehearse()
    assert [jobs.asked for jobs in world.jobs] == [1, 0, 1]
    (case,) = world.judged
    statements, letters, cards = case.jobs
    assert (statements.asked, statements.produced, statements.problem) == (9, 9, None)
    assert (letters.problem, cards.problem) == ("no queue", "no answer")
    asked = [one for one in case.history.timeline if one.kind == "jobs.asked"]
    assert [one.subject for one in asked] == ["worker/statements", "worker/cards"]
    assert all(case.start_ns < one.t_ns < case.end_ns for one in asked)


def test_a_load_that_dies_while_jobs_are_asked_for_is_no_matter_of_jobs(
    rehearse: Rehearse, world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = FakeJobs()

    def ask() -> None:
        """As WorkerJobs does: whatever ends its sleep is told as its own."""
        try:
            world.clock.sleep(5)
        except MeasureError as error:
            raise FaultError(f"no jobs were asked of statements: {error}") from error

    monkeypatch.setattr(jobs, "ask", ask)
    world.jobs = [jobs]
    world.event_load.change = lambda event: replace(event, dies_after_s=1.0)
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "sufficiency event INCONCLUSIVE: the event's load ended before the event did" in _reasons(done)
    assert not any("could not be asked" in note for note in world.view.notes)
    assert not world.judged


def test_a_bug_of_ours_while_asking_is_not_taken_for_a_worker_that_cannot_be_asked(
    rehearse: Rehearse, world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = FakeJobs()

    def ask() -> None:
        raise SetupError("the journal cannot be written")

    monkeypatch.setattr(jobs, "ask", ask)
    world.jobs = [jobs]
    with pytest.raises(SetupError, match="journal cannot be written"):
        rehearse()
    _is_put_back(world)


def test_an_ordinary_hour_passes(rehearse: Rehearse, world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    steady = LoadEvent("short", "Nothing rises", 0.2, (Hold(30),))
    monkeypatch.setattr("shiftproof.rehearse.settings.read_profile", lambda profile: steady)
    world.judge = judge_scaling
    done = rehearse()
    assert done.result.verdict is Verdict.PASS, _reasons(done)
    assert not {"time-to-capacity", "return-to-base"} & {finding.claim for finding in done.result.findings}


def test_an_experiment_strikes_on_the_plateau(rehearse: Rehearse, world: EventWorld) -> None:
    rehearse(experiments=("node-loss",))
    (case,) = world.judged
    assert case.interruptions == ()  # no machine of workers
    struck = next(one for one in case.history.timeline if one.kind == "node.not-ready")
    assert struck.subject == "node/node-2"
    assert (struck.t_ns - case.start_ns) / 1e9 >= 5.2  # the plateau is from 4 to 8; a slow machine may be later
    event = next(phase for phase in case.history.phases if phase.name == "event")
    assert event.facts["experiments"][0]["victims"] == ["node/node-2"]


def test_what_workers_have_to_bear_comes_once_their_machines_are_there(
    rehearse: Rehearse, world: EventWorld, infra: Path
) -> None:
    file = infra / "platform.yaml"
    file.write_text(file.read_text().replace("    ask: [", "    experiments: [node-loss]\n    ask: ["))
    world.elastic.spot_after_s, world.elastic.worker_after_s = 5.5, 6.5  # a pod that has a place is not at work yet
    rehearse()
    (struck,) = world.judged[0].interruptions
    assert struck.moot == "no pod of a worker was on it: nothing was taken away"
    assert (struck.t_ns - world.judged[0].start_ns) / 1e9 >= 6.4


def test_an_experiment_without_effect_is_inconclusive(rehearse: Rehearse, world: EventWorld) -> None:
    world.faults.problem = "no node was hit"
    done = rehearse(experiments=("node-loss",))
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "node-loss: no node was hit" in _reasons(done)
    assert not world.judged[0].interruptions


def test_a_service_that_never_bore_an_experiment_fails(rehearse: Rehearse, world: EventWorld) -> None:
    world.faults.service_problem = "never whole again"
    done = rehearse(experiments=("node-loss",))
    assert "node-loss: never whole again" in _reasons(done)
    assert done.result.verdict is Verdict.FAIL


def test_somebody_elses_deploy_is_inconclusive(rehearse: Rehearse, world: EventWorld) -> None:
    def deploy(name: str) -> None:
        if name == "event":
            world.cluster.state = replace(world.cluster.state, image_ids=("sha256:22",))

    world.view.on_stage = deploy
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "somebody else deployed" in _reasons(done)


def test_a_load_with_another_clock_is_inconclusive(rehearse: Rehearse, world: EventWorld) -> None:
    world.event_load.change = lambda event: replace(event, early_ns=3_000_000_000)
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "its clock is not the run's" in _reasons(done)


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


def test_a_second_rehearsal_is_told_who_holds_the_lock(rehearse: Rehearse, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with exclusive("gate payments --to 50", tmp_path / "state"), pytest.raises(LockHeldError, match="--to 50"):
        rehearse()
    assert not (tmp_path / "run").exists()
