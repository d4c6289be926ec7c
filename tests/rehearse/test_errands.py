"""What is done while an event's load is highest: jobs are asked for, experiments strike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes.rehearsals import EventWorld, FakeJobs
from fakes.rehearsed import Rehearse, is_put_back, reasons

from shiftproof.errors import FaultError, MeasureError, SetupError
from shiftproof.model.verdict import Verdict
from shiftproof.rehearse.judging import judge_scaling


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
    assert "sufficiency event INCONCLUSIVE: the event's load ended before the event did" in reasons(done)
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
    is_put_back(world)


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


def test_one_for_the_rise_strikes_as_the_event_begins(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    done = rehearse(experiments=("pod-delete", "node-slow-join"))
    first, second = world.judged[0].strikes
    assert (first.experiment, second.experiment) == ("node-slow-join", "pod-delete")
    assert (first.began_ns - world.judged[0].start_ns) / 1e9 < 4  # the rise begins at 2 s and ends at 4
    assert first.ended_ns <= second.began_ns
    judged = {finding.data["experiment"] for finding in done.result.findings if finding.claim == "experiment"}
    assert judged == {"node-slow-join", "pod-delete"}


def test_one_whose_turn_comes_too_late_is_not_tried(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    world.faults.long["node-slow-join"] = 8.5  # the plateau ends at 8 s
    done = rehearse(experiments=("pod-delete", "node-slow-join"))
    (late,) = [strike for strike in world.judged[0].strikes if strike.problem is not None]
    assert late.experiment == "pod-delete"
    assert "no longer at its highest when its turn came" in reasons(done)


def test_what_was_not_borne_is_said_though_the_event_broke_off(rehearse: Rehearse, world: EventWorld) -> None:
    world.faults.service_problem = "never whole again"
    world.event_load.change = lambda event: replace(event, dies_after_s=11.5)
    done = rehearse(experiments=("pod-delete",))
    assert not world.judged
    assert "node" not in reasons(done)
    assert done.result.verdict is Verdict.FAIL
    assert "pod-delete: never whole again" in reasons(done)


def test_an_experiment_without_effect_is_inconclusive(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    world.faults.problem = "no node was hit"
    done = rehearse(experiments=("node-loss",))
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "node-loss: no node was hit" in reasons(done)
    assert not world.judged[0].interruptions


def test_a_service_that_never_bore_an_experiment_fails(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    world.faults.service_problem = "never whole again"
    done = rehearse(experiments=("node-loss",))
    assert "node-loss: never whole again" in reasons(done)
    assert done.result.verdict is Verdict.FAIL
