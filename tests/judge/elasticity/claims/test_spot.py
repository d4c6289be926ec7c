"""Spot: where critical pods were, what became of jobs, and how soon machines were replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.event_cases import the
from fakes.event_history import START_NS, EventBuilder, S, good_payday

from shiftproof.judge import judge_event
from shiftproof.judge.elasticity import Interruption, JobsReport
from shiftproof.model.verdict import Verdict

_DONE = JobsReport("statements", planned=120, asked=120, produced=120)


def with_worker() -> EventBuilder:
    """A worker's pod on a Spot node, of another namespace."""
    event = good_payday().node("spot-1", launched_s=-50, ready_s=-10, spot=True)
    name = "pod/statements-5c9d8b7f6-xxxxb"
    return event.at(-5, "pod.scheduled", name, node="spot-1", namespace="statements", workload="statements")


def test_work_on_spot_and_nothing_critical() -> None:
    found = judge_event(with_worker().build(jobs=(_DONE,)), ["spot"])
    assert [one.verdict for one in found] == [Verdict.PASS, Verdict.PASS]
    assert found[0].reason == "0 of 6 pods of payments ran on Spot."
    assert found[1].reason == "statements: 0 lost and 0 done twice of 120 jobs."


def test_a_critical_pod_on_spot() -> None:
    event = with_worker()
    name = event.starts(100, ready_s=105, node="spot-1")
    found = the(event.build(), "spot")
    assert (found.verdict, found.reason) == (Verdict.FAIL, f"1 pod of payments ran on Spot: {name} on spot-1.")


def test_by_the_machine_below_the_node() -> None:
    event = good_payday()
    event.at(0, "machine.launched", "machine/i-9", capacity_type="spot")
    event.at(40, "node.joined", "node/plain", machine="i-9", ready=True)
    event.starts(50, ready_s=60, node="plain")
    assert the(event.build(), "spot").verdict is Verdict.FAIL


def test_one_that_was_on_a_machine_that_was_taken_away() -> None:
    taken = Interruption(START_NS + 50 * S, "node/spot-1", True, "spot-notice", ("pod/payments-x",), START_NS + 60 * S)
    found = the(with_worker().build(interruptions=(taken,), jobs=(_DONE,)), "spot")
    assert (found.verdict, found.data["on_spot"]) == (Verdict.FAIL, {"payments-x": "spot-1"})


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (EventBuilder(base_pods=0), "no pod of payments was seen on any node"),
        (good_payday().at(1, "pod.scheduled", "pod/other-1", node="base-1"), "of 1 pod nobody told the namespace"),
        (
            good_payday().at(-60, "node.present", "node/base-1", ready=True, machine="i-base"),
            "nobody told whether base-1 may be taken away",
        ),
    ],
)
def test_where_nobody_knows(event: EventBuilder, words: str) -> None:
    found = the(event.build(), "spot")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert words in found.reason


@pytest.mark.parametrize(
    ("jobs", "verdict", "words"),
    [
        (JobsReport("statements", 120, 120, 119, 0, 1), Verdict.FAIL, "1 lost and 0 done twice of 120 jobs"),
        (JobsReport("statements", 120, 120, 121, 1, 0), Verdict.FAIL, "0 lost and 1 done twice of 120 jobs"),
        (JobsReport("statements", 120, 120, 118), Verdict.INCONCLUSIVE, "2 jobs had not been done when we looked"),
        (JobsReport("statements", 130, 120, 120), Verdict.INCONCLUSIVE, "of 120 jobs, but 130 were to be asked for"),
        (JobsReport("statements", 110, 120, 120), Verdict.INCONCLUSIVE, "only 110 were to be asked for"),
        (JobsReport("statements", 110, 120, 119, 0, 1), Verdict.INCONCLUSIVE, "of an earlier run"),
        (JobsReport("statements", 120), Verdict.INCONCLUSIVE, "was asked for no job"),
        (JobsReport("statements", problem="its check broke"), Verdict.INCONCLUSIVE, "its check broke"),
    ],
)
def test_jobs(jobs: JobsReport, verdict: Verdict, words: str) -> None:
    found = the(with_worker().build(jobs=(jobs,)), "spot")
    assert found.verdict is verdict
    assert words in found.reason


def interruption(back_s: float | None, *, noticed: bool = True) -> Interruption:
    """At 100 s; back_s: after that."""
    back_ns = None if back_s is None else START_NS + round((100 + back_s) * S)
    return Interruption(START_NS + 100 * S, "spot-1", noticed, "spot-notice", (), back_ns)


@pytest.mark.parametrize(
    ("back_s", "looked_s", "verdict"),
    [
        (90, 120, Verdict.PASS),
        (200, 120, Verdict.FAIL),
        (None, 120, Verdict.FAIL),
        (None, -100, Verdict.INCONCLUSIVE),
    ],
)
def test_how_soon_it_was_replaced(back_s: float | None, looked_s: float, verdict: Verdict) -> None:
    event = with_worker()
    event.looked_s = looked_s
    found = judge_event(event.build(interruptions=(interruption(back_s),), jobs=(_DONE,)), ["spot"])
    assert found[-1].verdict is verdict
    assert found[-1].reason.startswith("spot-notice: spot-1 was taken away with a notice")


def test_killed_without_a_drain() -> None:
    """Defect 25: no interruption queue, so the node is gone at once, and with it a job that was acknowledged early."""
    jobs = JobsReport("statements", planned=120, asked=120, produced=119, lost=1)
    found = the(with_worker().build(interruptions=(interruption(60, noticed=False),), jobs=(jobs,)), "spot")
    assert found.verdict is Verdict.FAIL
    assert found.reason == "statements: 1 lost and 0 done twice of 120 jobs."
    assert "spot-1 was taken away without a notice or a drain (spot-notice)" in found.data["culprit"]


def test_an_interruption_that_says_nothing_is_no_pass() -> None:
    taken = replace(interruption(5), moot="nothing was taken away")
    found = judge_event(with_worker().build(interruptions=(taken,), jobs=(_DONE,)), ["spot"])[-1]
    assert (found.verdict, found.reason.endswith("; nothing was taken away.")) == (Verdict.INCONCLUSIVE, True)


def test_an_interruption_whose_jobs_nobody_counted() -> None:
    verdicts = [one.verdict for one in judge_event(with_worker().build(interruptions=(interruption(60),)), ["spot"])]
    assert verdicts == [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.PASS]


def test_without_anything_critical_or_on_spot_it_is_not_judged() -> None:
    assert "spot" not in {found.claim for found in judge_event(good_payday().build(critical=()))}
