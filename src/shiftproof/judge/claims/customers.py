"""Customers: the ground truth. While we rehearsed, did the customers' own traffic suffer?

Customers are where they were; a rehearsal that reaches them is harm that the gate did, and the reader must see it. FAIL
when customers failed during our actions beyond their unacceptable rate and beyond what they saw in our steady phases,
and the pinned legacy side did not fail in the same seconds: customers on legacy share the control's fate, and a legacy
side that is sick by itself is no harm of ours. INCONCLUSIVE for what it shared, when it may be chance, or when nobody
looked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.registry import claim
from shiftproof.judge.sequential import MIN_ERRORS, binomial_at_least, excess_p
from shiftproof.judge.words import count, percent
from shiftproof.model.history import CustomersReport, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "customers"
_DOUBT = 0.05
_SECOND_NS = 1_000_000_000


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """One finding for the run."""
    customers = case.history.customers
    if customers is None:
        yield _unknown("nobody watched the customers' own traffic")
    elif customers.problem is not None:
        yield _unknown(f"the customers' own traffic: {customers.problem}")
    elif not customers.requests:
        yield _unknown("no customer's request was seen, so nobody knows whether the gate did harm")
    elif not customers.failed:
        reason = f"{count(customers.requests, 'customer request')}, none failed while the gate ran."
        yield Finding(_NAME, "run", Verdict.PASS, reason, {"requests": customers.requests, "failed": 0})
    else:
        yield _failed(case, customers)


def _unknown(why: str) -> Finding:
    return Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{why}.")


def _failed(case: Case, customers: CustomersReport) -> Finding:
    ours, ours_n, others, others_n = _split(case, customers)
    shared = sum(_shared(case, *outage) for outage in customers.outages if _acting(case, outage))
    alone = ours - shared
    data = {
        "requests": customers.requests,
        "failed": customers.failed,
        "during_our_actions": ours,
        "shared_with_legacy": shared,
        "hint": "stop rehearsing here until it is clear how the rehearsal reached customers",
    }
    said = (
        f"{customers.failed:,} of {count(customers.requests, 'customer request')} failed while the gate ran,"
        f" {ours:,} of them during its actions"
    )
    if shared:
        said += f" ({shared:,} in seconds in which the pinned legacy side failed too: a shared cause)"
    rate = case.objectives.availability.unacceptable
    p = excess_p(alone, max(1, ours_n), others, others_n, rate)
    beyond = binomial_at_least(alone, max(1, ours_n), rate) if alone else 1.0
    if alone >= MIN_ERRORS and p <= case.alpha and beyond <= case.alpha_share:
        return Finding(_NAME, "run", Verdict.FAIL, f"{said}: the gate itself did harm.", data)
    acceptable = case.objectives.availability.acceptable
    doubt = binomial_at_least(customers.failed, customers.requests, acceptable) < _DOUBT
    if doubt or ours >= MIN_ERRORS:
        why = "" if shared and alone < MIN_ERRORS else ": it is not clear why"
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{said}{why}.", data)
    return Finding(_NAME, "run", Verdict.PASS, f"{said}, within {percent(acceptable)}.", data)


def _acting(case: Case, outage: tuple[int, int, int]) -> bool:
    start_ns, end_ns, _ = outage
    phases = (phase for phase in case.history.phases if phase.kind is not PhaseKind.STEADY)
    return any(phase.start_ns < end_ns and start_ns < phase.end_ns for phase in phases)


def _shared(case: Case, start_ns: int, end_ns: int, failed: int) -> int:
    """How many of an outage's failures lie in seconds in which the pinned legacy side failed too.

    The observer keeps an outage's length and number alone, so its failures are taken as spread over it evenly.
    """
    legacy = case.pairs.legacy
    bad = legacy.there & ~legacy.ok
    began, ended = case.pairs.intended_ns[bad], np.maximum(legacy.ended_ns, case.pairs.intended_ns)[bad]
    marks = range(start_ns, max(end_ns, start_ns + 1), _SECOND_NS)
    # One second on either side: the two loads are not sent at the same moments, nor do they wait equally long.
    hit = [bool(((began < mark + 2 * _SECOND_NS) & (ended >= mark - _SECOND_NS)).any()) for mark in marks]
    return math.ceil(failed * sum(hit) / len(hit))


def _split(case: Case, customers: CustomersReport) -> tuple[int, int, int, int]:
    """(failed, requests) during our actions, and outside; requests by time, as the observer keeps only totals."""
    phases = [phase for phase in case.history.phases if phase.kind is not PhaseKind.STEADY]
    steady = [phase for phase in case.history.phases if phase.kind is PhaseKind.STEADY]
    ours = sum(outage[2] for outage in customers.outages if _acting(case, outage))
    acting_ns = sum(phase.end_ns - phase.start_ns for phase in phases)
    total_ns = acting_ns + sum(phase.end_ns - phase.start_ns for phase in steady)
    share = acting_ns / total_ns if total_ns else 1.0
    ours_n = max(ours, round(customers.requests * share))
    others = max(0, customers.failed - ours)
    return ours, ours_n, others, max(others, customers.requests - ours_n)
