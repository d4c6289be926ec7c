"""What Argo Rollouts' and Flagger's rules, as in their documented examples, would have said of a run's traffic.

A measure of comparison, no claim: nothing here decides a gate. Pure, from the events of the treatment alone, as a
canary's metrics are; the control, budgets, the phases' meaning and the timeline are what these rules do not have. So a
node that we took away on purpose counts against the canary too; the reason names the phases of a failed check.

Argo Rollouts (argoproj/argo-rollouts, docs/features/analysis.md, "Inline Analysis" with `count` and `interval`):
    interval: 60s   count: 5   successCondition: result[0] >= 0.95   failureLimit: 0 (its default)
    so one measurement below 95% fails the analysis, and five that are not pass it. "Handling Metric Results" there: a
    NaN (no request in the window) does not meet the condition, so it counts as failed. An analysis that is ended before
    its last measurement counts as Successful (note at the end of "ConsecutiveSuccessLimit and FailureLimit"; issue
    1329); without any metric it errs and aborts after five errors in a row (issue 1466).
Flagger (fluxcd/flagger, docs/gitbook/usage/how-it-works.md, the first example):
    interval: 1m   threshold: 10   maxWeight: 50   stepWeight: 5
    request-success-rate: min 99 (percent)   request-duration: max 500 (P99, ms)
    so ten good checks (maxWeight / stepWeight) promote and ten failed ones, in any order, roll back; a failed check
    only halts. A check without a value fails (issue 1035).

When a rule first measures, read in its favour: one interval after the start, so that each measurement sees a whole
interval. Flagger's ticker does so by itself. Argo Rollouts does when the metric has `initialDelay` ("Delay Analysis
Runs" in the same document), which its example does not set: it then measures at once, when no request has ended yet
(NaN, which failureLimit 0 does not forgive), and what has `count: 5, interval: 60s` ends after 240 s instead of 300.

What these metrics see of a request, read in their favour wherever the documents leave a choice:
- the treatment's requests: `cluster`, and where a triple was sent (shift, rollback) its `weighted` one instead, in the
  interval in which they ended, as a Prometheus counter is written with the answer;
- failed: an answer of 500 or above (`response_code!~"5.*"` is their query), or none at all (refused, reset, timed out),
  which a proxy in front counts as 502 to 504. A wrong body or an unwanted 4xx is a success to them; a request that
  could not leave does not exist;
- success rate: over the whole interval since the check before. (Argo's example asks for irate, the last two scrapes
  alone, which would see less.)
- P99 of the duration from sending on. Flagger interpolates in buckets, of which 500 ms is a bound, so "above 500 ms"
  means the same there as here: more than 1% of the requests took longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.model.event import Events, Failure, Side
from shiftproof.model.history import History, Phase
from shiftproof.model.verdict import Verdict

DOCUMENTED = "documented"
COMPRESSED = "compressed"

_S = 1e9
#: Without a whole answer, which a proxy in front counts as 502 to 504.
_NO_ANSWER = (Failure.REFUSED, Failure.RESET, Failure.TIMEOUT, Failure.OTHER)
#: Flagger's request-duration is the 99th percentile.
_SLOW_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class OtherVerdict:
    """What a rule said. variant: "documented", with its own interval, or "compressed" (see `other_rules`).

    verdict: a Verdict's value, INCONCLUSIVE where the traffic ended before the rule had decided. decided_after_s:
    seconds since the treatment's first request, None where it did not decide.
    """

    rule: str
    variant: str
    verdict: str
    decided_after_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Checks at a fixed interval: `good_needed` good ones pass, `bad_needed` bad ones fail, whichever comes first.

    min_success: least success rate of a good check. max_p99_ms: most P99 of a good check, None for any.
    when_ended: what its own behaviour makes of an analysis that had not decided yet.
    """

    name: str
    interval_s: float
    good_needed: int
    bad_needed: int
    min_success: float
    max_p99_ms: float | None
    when_ended: str

    @property
    def most_checks(self) -> int:
        """After this many it has decided, whatever they said."""
        return self.good_needed + self.bad_needed - 1

    def decide(self, good: Sequence[bool]) -> tuple[Verdict, int]:
        """(verdict, checks used) of checks in their order; INCONCLUSIVE when they were too few."""
        bad = 0
        for number, one in enumerate(good, start=1):
            bad += not one
            if bad >= self.bad_needed:
                return Verdict.FAIL, number
            if number - bad >= self.good_needed:
                return Verdict.PASS, number
        return Verdict.INCONCLUSIVE, len(good)


ARGO_ROLLOUTS = Rule(
    name="argo-rollouts",
    interval_s=60.0,
    good_needed=5,
    bad_needed=1,
    min_success=0.95,
    max_p99_ms=None,
    when_ended="ended before the rest, Argo counts it as Successful",
)
FLAGGER = Rule(
    name="flagger",
    interval_s=60.0,
    good_needed=10,
    bad_needed=10,
    min_success=0.99,
    max_p99_ms=500.0,
    when_ended="without traffic every further check fails, so it would roll back whatever is wrong",
)
RULES = (ARGO_ROLLOUTS, FLAGGER)


@dataclass(frozen=True, slots=True)
class _Metrics:
    """What a canary's metrics hold: one entry a request, by the time it ended (ns since the first was due)."""

    ended_ns: npt.NDArray[np.int64]
    failed: npt.NDArray[np.bool_]
    took_ms: npt.NDArray[np.float64]

    @property
    def seconds(self) -> float:
        return float(self.ended_ns[-1]) / _S if len(self.ended_ns) else 0.0


@dataclass(frozen=True, slots=True)
class _Check:
    """One interval's values. success is NaN without a request."""

    success: float
    slow_share: float
    end_s: float


def other_rules(history: History) -> tuple[OtherVerdict, ...]:
    """What each rule says of the treatment's traffic, in both variants.

    "documented": its own interval and counts. "compressed": the same with the interval shortened until all the checks
    that it can need fit into the traffic there was, which favours it, as nobody scrapes that often.
    """
    begin_ns, metrics = _metrics(history)
    phases = tuple(sorted(history.phases, key=lambda phase: phase.start_ns))
    verdicts = []
    for rule in RULES:
        shortened = metrics.seconds / rule.most_checks
        for variant, interval_s in ((DOCUMENTED, rule.interval_s), (COMPRESSED, min(rule.interval_s, shortened))):
            verdicts.append(_verdict(rule, variant, interval_s, metrics, phases, begin_ns))
    return tuple(verdicts)


def _verdict(
    rule: Rule, variant: str, interval_s: float, metrics: _Metrics, phases: Sequence[Phase], begin_ns: int
) -> OtherVerdict:
    checks = _checks(rule, metrics, interval_s)
    good = [_is_good(rule, check) for check in checks]
    verdict, used = rule.decide(good)
    bad = [check for check, fine in zip(checks[:used], good, strict=False) if not fine]
    said = f"{used - len(bad)} good and {len(bad)} failed checks, one every {interval_s:.3g} s"
    if verdict is Verdict.INCONCLUSIVE:
        needed = f"{rule.good_needed} good or {rule.bad_needed} failed"
        reason = f"no verdict: {said}, of {needed}, in {metrics.seconds:.0f} s of traffic; {rule.when_ended}."
        return OtherVerdict(rule.name, variant, verdict.value, None, reason)
    if bad:
        said += f"; the first that failed: {_why(rule, bad[0], interval_s, phases, begin_ns)}"
    return OtherVerdict(rule.name, variant, verdict.value, used * interval_s, f"{said}.")


def _is_good(rule: Rule, check: _Check) -> bool:
    fast = rule.max_p99_ms is None or check.slow_share <= _SLOW_SHARE
    return check.success >= rule.min_success and fast  # NaN >= x is false: no value, no good check


def _why(rule: Rule, check: _Check, interval_s: float, phases: Sequence[Phase], begin_ns: int) -> str:
    from_s = check.end_s - interval_s
    start_ns, end_ns = (begin_ns + int(at_s * _S) for at_s in (from_s, check.end_s))
    within = dict.fromkeys(phase.name for phase in phases if phase.start_ns < end_ns and start_ns < phase.end_ns)
    digits = 0 if interval_s >= 10 else 1
    where = f"{from_s:.{digits}f} s to {check.end_s:.{digits}f} s ({', '.join(within) or 'between phases'})"
    if np.isnan(check.success):
        return f"no request in {where}"
    if check.success < rule.min_success:
        return f"{check.success:.2%} success in {where}, {rule.min_success:.0%} wanted"
    return f"{check.slow_share:.1%} over {rule.max_p99_ms:.0f} ms in {where}, 1% allowed"


def _checks(rule: Rule, metrics: _Metrics, interval_s: float) -> list[_Check]:
    """One for each whole interval, as many as the rule can need at most."""
    if interval_s <= 0:
        return []
    # Seconds of traffic over the interval may come out just below a whole number where the interval was made from them.
    count = min(rule.most_checks, int(metrics.seconds / interval_s + 1e-9))
    ends = np.arange(count + 1) * interval_s
    cuts = np.searchsorted(metrics.ended_ns, np.ceil(ends * _S).astype(np.int64))
    if count and ends[-1] >= metrics.seconds:
        cuts[-1] = len(metrics.ended_ns)
    slow = metrics.took_ms > (np.inf if rule.max_p99_ms is None else rule.max_p99_ms)
    checks = []
    for end_s, first, last in zip(ends[1:].tolist(), cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        n = last - first
        failed, late = int(metrics.failed[first:last].sum()), int(slow[first:last].sum())
        checks.append(_Check(1 - failed / n if n else float("nan"), late / n if n else 0.0, end_s))
    return checks


def _metrics(history: History) -> tuple[int, _Metrics]:
    """(time of the first request, what the metrics hold); (0, nothing) without any request of the treatment."""
    mine = _treatment(history.events)
    if not len(mine):
        nothing = np.empty(0, dtype=np.int64)
        return 0, _Metrics(nothing, nothing.astype(np.bool_), nothing.astype(np.float64))
    begin_ns = int(mine["intended_ns"].min())
    mine = mine[np.argsort(mine["ended_ns"], kind="stable")]
    failed = (mine["status"] >= 500) | np.isin(mine["failure"], _NO_ANSWER)
    took_ms = (mine["ended_ns"] - mine["sent_ns"]) / 1e6
    return begin_ns, _Metrics(mine["ended_ns"] - begin_ns, failed, took_ms)


def _treatment(events: Events) -> Events:
    """Requests that left, of the side that is the treatment of their pair: `weighted` where a triple was sent."""
    triples = np.unique(events["pair"][events["side"] == Side.WEIGHTED])
    wanted = np.where(np.isin(events["pair"], triples), int(Side.WEIGHTED), int(Side.CLUSTER))
    mine: Events = events[(events["side"] == wanted) & (events["failure"] != Failure.NOT_SENT)]
    return mine
