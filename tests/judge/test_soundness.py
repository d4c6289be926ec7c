"""Faults of the harness that leave whole and plausible records behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shiftproof.judge import Case, judge_all, make_case
from shiftproof.model.event import Side
from shiftproof.model.history import History, PhaseKind, Source
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Verdict
from shiftproof.testing import clean_run


def said(case: Case) -> str:
    findings = judge_all(case, ["sufficiency"])
    return "\n".join(finding.reason for finding in findings if finding.verdict is Verdict.INCONCLUSIVE)


def judged(history: History) -> str:
    return said(make_case(history, Objectives()))


def stalled(history: History, name: str, seconds: float) -> History:
    """The load stood still from the start of a phase on, and then sent at once what was due."""
    start_ns = next(phase.start_ns for phase in history.phases if phase.name == name)
    again_ns = start_ns + round(seconds * 1e9)
    late = (history.events["intended_ns"] >= start_ns) & (history.events["intended_ns"] < again_ns)
    history.events["sent_ns"][late] = again_ns
    history.events["ended_ns"][late] = np.maximum(history.events["ended_ns"][late], again_ns)
    return history


def test_a_clean_run_has_none() -> None:
    assert judged(clean_run().build()) == ""


@pytest.mark.parametrize(("seconds", "found"), [(1.2, True), (0.5, True), (0.2, False)])
def test_a_load_that_stood_still_in_a_phase_saw_nothing_meanwhile(seconds: float, found: bool) -> None:
    """Half a second is less than 1% of the run, and is all that a rollout needs to lose its requests in."""
    assert ("the load stood still" in judged(stalled(clean_run().build(), "deploy", seconds))) is found


def test_pairs_that_are_missing_whole_leave_a_gap_in_the_numbers() -> None:
    history = clean_run().build()
    kept = replace(history, events=history.events[history.events["pair"] != 4321])
    assert "1 pair of the plan missing from the record" in judged(kept)


@pytest.mark.parametrize(("planned", "found"), [(150.0, False), (160.0, False), (300.0, True)])
def test_half_the_load_proves_half(planned: float, found: bool) -> None:
    case = replace(make_case(clean_run().build(), Objectives()), pairs_per_s=planned)
    assert (f"and {planned:g} pairs/s were planned" in said(case)) is found


def test_a_side_that_is_compared_with_itself() -> None:
    history = clean_run().build()
    legacy = history.events["served_by"][history.events["side"] == Side.LEGACY][0]
    history.events["served_by"][np.flatnonzero(history.events["side"] == Side.CLUSTER)[:5]] = legacy
    assert "answered by the same server" in judged(history)


def test_a_rollout_of_which_kubernetes_told_nothing() -> None:
    history = clean_run().build()
    deaf = tuple(one for one in history.timeline if one.kind != "pod.scheduled")
    found = judged(replace(history, timeline=deaf))
    assert "no pod was seen to come or go" in found
    assert "nothing was seen to happen to pod/payments-a1" in found


def test_what_others_saw_is_no_sight_of_kubernetes() -> None:
    history = clean_run().build()
    others = tuple(
        replace(one, source=Source.CHAOS) if one.kind == "pod.scheduled" else one for one in history.timeline
    )
    assert "nothing was seen to happen" in judged(replace(history, timeline=others))


def test_of_a_lost_node_kubernetes_tells_too_late_to_be_asked() -> None:
    """Its pods look alive for most of a minute; the load balancer and the losses show it instead."""
    run = clean_run()
    assert run.find("node-loss").kind is PhaseKind.CRASH
    assert "node/node-2" in run.find("node-loss").facts["victims"]
    assert "nothing was seen" not in judged(run.build())
