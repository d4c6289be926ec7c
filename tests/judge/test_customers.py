"""Customers: harm of ours, and a sickness of the legacy side that they share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shiftproof.judge import judge_all, make_case
from shiftproof.model.event import Failure, Side
from shiftproof.model.history import CustomersReport
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.testing import RunBuilder, clean_run

S = 1_000_000_000


def said(run: RunBuilder, *, after_s: float, seconds: float, failed: int) -> Finding:
    """Customers lost `failed` requests in the second deploy, from after_s on."""
    start_ns = run.find("deploy", 2).start_ns + round(after_s * S)
    report = CustomersReport(2000, failed, ((start_ns, start_ns + round(seconds * S), failed),))
    (finding,) = judge_all(make_case(replace(run.build(), customers=report), Objectives()), ["customers"])
    return finding


def sick_legacy(after_s: float, seconds: float) -> RunBuilder:
    return clean_run().fail(
        Side.LEGACY, "deploy", repeat=2, after_s=after_s, seconds=seconds, failure=Failure.STATUS, status=503
    )


def test_failures_that_legacy_did_not_share_are_harm_of_ours() -> None:
    finding = said(clean_run(), after_s=1, seconds=3, failed=40)
    assert finding.verdict is Verdict.FAIL
    assert "the gate itself did harm" in finding.reason


def test_failures_in_the_seconds_in_which_legacy_failed_are_a_shared_cause() -> None:
    finding = said(sick_legacy(1, 3), after_s=1, seconds=3, failed=40)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.data["shared_with_legacy"] == 40
    assert "40 in seconds in which the pinned legacy side failed too: a shared cause" in finding.reason


@pytest.mark.parametrize("sick_after_s", [-10.0, 6.0])
def test_a_legacy_side_that_was_sick_at_another_time_excuses_nothing(sick_after_s: float) -> None:
    assert said(sick_legacy(sick_after_s, 0.5), after_s=0.5, seconds=3, failed=40).verdict is Verdict.FAIL


def test_a_moment_of_legacy_does_not_excuse_a_long_outage() -> None:
    finding = said(sick_legacy(1, 0.1), after_s=0, seconds=6.9, failed=70)
    assert finding.verdict is Verdict.FAIL
    assert 0 < finding.data["shared_with_legacy"] < 35
