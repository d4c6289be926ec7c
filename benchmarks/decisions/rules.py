"""Every rule as a function from a stream to what it says and how many pairs it took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.decisions.streams import GATE_PAIRS, GATE_SECONDS, PAIRS_PER_S, Stream
from shiftproof.judge.case import PLANNED_TESTS
from shiftproof.judge.others import RULES, Rule
from shiftproof.judge.sequential import (
    MIN_ERRORS,
    Decision,
    Sprt,
    Stopping,
    binomial_at_least,
    exact_sprt,
    fixed_sample,
    least_rate,
    mcnemar,
    rate_test,
    ruled_out_rate,
    split_alpha,
)
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Verdict

_VERDICTS = {
    Decision.ACCEPT: Verdict.PASS,
    Decision.REJECT: Verdict.FAIL,
    Decision.OPEN: Verdict.INCONCLUSIVE,
}
#: Of the gate (judge/case.py).
_ALPHA, _CONFIDENCE = 0.01, 0.99


@dataclass(frozen=True, slots=True)
class Said:
    """pairs: how many were used up to the decision (all of them, when there was none)."""

    verdict: Verdict
    pairs: int


Decider = Callable[[Stream], Said]


@dataclass(frozen=True, slots=True)
class Contender:
    """One rule, and the rates by which its answers are right or wrong: it accepts p0 and refuses p1.

    stated: the chance of erring that it claims for itself where failures are independent; None for others' rules.
    paired: it weighs the control, so failures of both sides are no fault of the migration to it.
    """

    name: str
    decide: Decider
    p0: float
    p1: float
    stated: float | None = None
    paired: bool = False


def contenders(p0: float, p1: float) -> tuple[Contender, ...]:
    """In the order of the tables; p0 and p1 at 1% each, but the gate by its own objective."""
    checking: dict[str, Decider] = {}
    for rule in RULES:
        checking[f"{rule.name}, documented"] = _checked(rule, rule.interval_s)
        checking[f"{rule.name}, compressed"] = _checked(rule, GATE_SECONDS / rule.most_checks)
    own = Objectives().availability
    return (
        *counting(p0, p1),
        Contender("gate", gate, own.acceptable, own.unacceptable, stated=_ALPHA, paired=True),
        *(Contender(name, decide, p0, p1) for name, decide in checking.items()),
    )


def counting(p0: float, p1: float) -> tuple[Contender, ...]:
    """Those that count attributed failures alone, at 1% and 1%."""
    return (
        Contender("rate test", _counted(rate_test(p0, p1).stopping), p0, p1, stated=0.01),
        Contender("exact SPRT", _counted(exact_sprt(p0, p1).stopping()), p0, p1, stated=0.01),
        # His thresholds promise a/(1-b) and b/(1-a), no more.
        Contender("Wald's SPRT", _counted(Sprt(p0, p1).stopping()), p0, p1, stated=0.01 / 0.99),
        Contender("fixed sample", _fixed(p0, p1), p0, p1, stated=0.01),
    )


def _counted(stopping: Stopping) -> Decider:
    def decide(stream: Stream) -> Said:
        stopped = stopping.decide(stream.attributed(stopping.cap))
        return Said(_VERDICTS[stopped.decision], stopped.used)

    return decide


def _fixed(p0: float, p1: float) -> Decider:
    n, c = fixed_sample(p0, p1)

    def decide(stream: Stream) -> Said:
        sample = stream.attributed(n)
        if len(sample) < n:
            return Said(Verdict.INCONCLUSIVE, len(sample))
        return Said(Verdict.FAIL if int(sample.sum()) > c else Verdict.PASS, n)

    return decide


def gate(stream: Stream) -> Said:
    """What the gate's availability claim says of pairs in which it did nothing (judge/claims/availability.py).

    FAIL by McNemar at its share of alpha, at once; else at the end of a gate's traffic: INCONCLUSIVE for more failures
    than the acceptable rate gives, for a control beyond its own objective, or when the unacceptable rate is not ruled
    out at 99%; else PASS. Its counting rule of graceful actions and its outage claim are stricter; see graceful.py.
    """
    rates = Objectives().availability
    treatment, control = stream.treatment[:GATE_PAIRS], stream.control[:GATE_PAIRS]
    attributed, control_only = treatment & ~control, control & ~treatment
    crossing = mcnemar(attributed, control_only, split_alpha(_ALPHA, PLANNED_TESTS))
    if crossing.reached:
        return Said(Verdict.FAIL, crossing.index + 1)
    t, c = int(attributed.sum()), int(control_only.sum())
    doubt = t >= MIN_ERRORS and t > 2 * c and binomial_at_least(t, GATE_PAIRS, rates.acceptable) < 0.05
    control_bad = least_rate(GATE_PAIRS, int(control.sum()), _CONFIDENCE) > rates.unacceptable
    ruled_out = ruled_out_rate(GATE_PAIRS, t, _CONFIDENCE) <= rates.unacceptable
    verdict = Verdict.PASS if ruled_out and not doubt and not control_bad else Verdict.INCONCLUSIVE
    return Said(verdict, GATE_PAIRS)


def _checked(rule: Rule, interval_s: float) -> Decider:
    """Argo's and Flagger's: success rates of whole intervals (latency is taken as good)."""
    each = round(interval_s * PAIRS_PER_S)

    def decide(stream: Stream) -> Said:
        checks = stream.treatment[: each * rule.most_checks].reshape(rule.most_checks, each)
        good = 1 - checks.mean(axis=1) >= rule.min_success
        verdict, used = rule.decide(np.asarray(good).tolist())
        return Said(verdict, used * each)

    return decide
