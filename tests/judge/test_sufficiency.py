"""Nothing measured, or not what was meant: INCONCLUSIVE with the reason, never PASS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes.judge_cases import findings_of, the

from shiftproof.judge import judge_all, make_case
from shiftproof.model.event import Side, no_events
from shiftproof.model.history import CustomersReport, History, PhaseKind, Source
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Verdict, merge
from shiftproof.testing import RunBuilder, clean_run


def judged(history: History) -> Verdict:
    findings = judge_all(make_case(history, Objectives()))
    assert not any(finding.verdict is Verdict.FAIL for finding in findings)
    return merge(finding.verdict for finding in findings)


def said(history: History) -> str:
    findings = judge_all(make_case(history, Objectives()), ["sufficiency"])
    return " ".join(finding.reason for finding in findings if finding.verdict is Verdict.INCONCLUSIVE)


def load(history: History, **changes: Any) -> History:
    assert history.load is not None
    return replace(history, load=replace(history.load, **changes))


def test_no_data_at_all_is_inconclusive() -> None:
    empty = History(started_ns=0, phases=(), events=no_events(), operations=())
    findings = judge_all(make_case(empty, Objectives()))
    assert merge(finding.verdict for finding in findings) is Verdict.INCONCLUSIVE
    assert not any(f.verdict is Verdict.PASS for f in findings if f.claim in ("availability", "latency", "sufficiency"))


def test_phases_without_requests_pass_nothing() -> None:
    history = replace(clean_run().build(), events=no_events(), probes=())
    passed = [f for f in judge_all(make_case(history, Objectives())) if f.verdict is Verdict.PASS]
    assert {finding.claim for finding in passed} <= {"customers", "deploy"}  # which do not speak of our requests


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"finished": False}, "ended before it was told to"),
        ({"problem": "killed"}, "the load: killed"),
        ({"scheduled": 10**6}, "were planned"),
        ({"recorded": 10, "scheduled": 10, "locust_requests": 10}, "are in its file"),
        ({"locust_requests": 7}, "Locust counted 7 requests"),
        ({"locust_failures": 7}, "Locust counted 7 failures"),
        ({"late": 5_000}, "more than 20 ms late"),
    ],
)
def test_a_load_whose_account_does_not_add_up(change: dict[str, Any], reason: str) -> None:
    history = load(clean_run().build(), **change)
    assert reason in said(history)
    assert judged(history) is Verdict.INCONCLUSIVE


def test_no_account_of_the_load() -> None:
    assert "left no account" in said(replace(clean_run().build(), load=None))


def test_late_sends_are_counted_from_the_records_too() -> None:
    history = clean_run().build()
    history.events["sent_ns"][::50] += 30_000_000
    assert "2% of the requests left more than 20 ms late" in said(history)


def test_records_cut_off_in_the_middle() -> None:
    history = clean_run().build()
    keep = np.ones(len(history.events), dtype=np.bool_)
    keep[20_000:20_003] = False
    short = load(
        replace(history, events=history.events[keep]), recorded=int(keep.sum()), locust_requests=int(keep.sum())
    )
    assert "without one of its sides: a failure may hide there" in said(short)


def test_a_stretch_without_load() -> None:
    history = clean_run().build()
    start = history.phases[0].start_ns + 5 * 10**9
    quiet = (history.events["intended_ns"] >= start) & (history.events["intended_ns"] < start + 2 * 10**9)
    assert "no pair was sent for 2.0 s" in said(replace(history, events=history.events[~quiet]))


def test_watchers_that_saw_nothing_or_missed_something() -> None:
    deaf = replace(clean_run().build(), timeline=())
    assert "nothing was heard from kubernetes" in said(deaf)
    run = clean_run().happen(
        "deploy", "watch.gap", "watcher/pods", after_s=1, source=Source.KUBERNETES, problem="expired resource version"
    )
    assert "expired resource version" in said(run.build())


def test_a_required_phase_that_was_not_run() -> None:
    run = RunBuilder().phase("steady", PhaseKind.STEADY, 70)
    reasons = [finding.reason for finding in findings_of(run, "sufficiency", "run")]
    assert "the phase deploy was not run." in reasons
    assert the(run, "deploy", "run").verdict is Verdict.INCONCLUSIVE
    assert the(run, "rollback", "run").verdict is Verdict.INCONCLUSIVE


def test_a_short_run_is_no_soak() -> None:
    run = RunBuilder().phase("steady", PhaseKind.STEADY, 30)
    assert any("at least 60 s are needed" in f.reason for f in findings_of(run, "sufficiency", "run"))


def test_a_load_that_neither_side_could_be_sent() -> None:
    history = clean_run().build()
    first = history.events["pair"] < 100
    history.events["failure"][first] = 5
    assert "could be sent to neither side" in said(load(history, locust_failures=int(first.sum())))


def test_a_shift_that_nobody_saw() -> None:
    nameless = clean_run().build()
    nameless.events["served_by"][:] = 0
    assert "nobody saw the traffic move" in said(nameless)


def test_incomplete_triples_are_tolerated_only_at_the_ends_of_a_phase() -> None:
    history = clean_run().build()
    shift = next(phase for phase in history.phases if phase.name == "shift")

    def without(offset_ns: int) -> str:
        at = shift.start_ns + offset_ns
        hit = (history.events["side"] == Side.WEIGHTED) & (history.events["intended_ns"] >= at)
        hit &= history.events["intended_ns"] < at + 10_000_000
        kept = history.events[~hit]
        report = {"recorded": len(kept), "scheduled": len(kept), "locust_requests": len(kept)}
        return said(load(replace(history, events=kept), **report))

    assert without(0) == ""
    assert "without one of its sides" in without(3 * 10**9)


def test_customers_unseen_or_harmed() -> None:
    history = clean_run().build()

    def verdict(report: CustomersReport | None) -> Verdict:
        case = make_case(replace(history, customers=report), Objectives())
        return merge(f.verdict for f in judge_all(case, ["customers"]))

    deploy = history.phases[1]
    harmed = ((deploy.start_ns, deploy.end_ns, 40),)
    assert verdict(None) is Verdict.INCONCLUSIVE
    assert verdict(CustomersReport(0, 0)) is Verdict.INCONCLUSIVE
    assert verdict(CustomersReport(2000, 0, problem="it died")) is Verdict.INCONCLUSIVE
    assert verdict(CustomersReport(2000, 0)) is Verdict.PASS
    assert verdict(CustomersReport(2000, 40, harmed)) is Verdict.FAIL
    assert verdict(CustomersReport(2000, 2, ((deploy.start_ns, deploy.end_ns, 2),))) is Verdict.INCONCLUSIVE
    steady = history.phases[0]
    assert verdict(CustomersReport(2000, 40, ((steady.start_ns, steady.end_ns, 40),))) is Verdict.INCONCLUSIVE


def test_the_reason_is_told_in_one_sentence() -> None:
    history = load(clean_run().build(), finished=False)
    case = make_case(history, Objectives())
    told = [(f.verdict, f.reason) for f in judge_all(case) if f.verdict is not Verdict.PASS]
    assert told == [(Verdict.INCONCLUSIVE, "the load ended before it was told to.")]


def test_nothing_judged_is_inconclusive() -> None:
    assert merge(()) is Verdict.INCONCLUSIVE
