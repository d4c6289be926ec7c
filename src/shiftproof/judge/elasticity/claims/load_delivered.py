"""Load delivered: was the event sent as it was planned, and watched, so that the other claims mean anything?

Never a FAIL: a load that was not sent says nothing of the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.claims.common import S
from shiftproof.judge.elasticity.need import due_each_s
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.elasticity.served import Ints, Served, of_control, of_event
from shiftproof.judge.watched import unwatched
from shiftproof.judge.words import count, percent
from shiftproof.model.event import Failure, Side
from shiftproof.model.history import LoadReport
from shiftproof.model.verdict import Finding, Verdict

_NAME = "load-delivered"
#: A request sent later than this after it was due is late; at most this share may be.
_LATE_NS = 20_000_000
_LATE_SHARE = 0.01
#: Of what was due in a second so much must be there, give or take as many as fall on its edge.
_DELIVERED = 0.95
_EDGE = 2
#: Seconds of the event that may be short all the same, as a share.
_SHORT_SECONDS = 0.01
#: Requests of the control without which nothing can be told apart, and the longest time without one.
MIN_CONTROL = 100
_HOLE_S = 5
_FROM_THEN_ON = "from then on"


@event_claim(_NAME)
def judge(case: EventCase) -> Iterable[Finding]:
    """What is missing, one finding each; a PASS where nothing is."""
    mine, control = of_event(case), of_control(case)
    sent = mine.each_s(_seconds(case))
    problems = [
        *_account(case, mine, sent),
        *_curve(case, sent),
        *_lateness("of the event's requests", mine),
        *_control(case, control),
        *_watchers(case),
    ]
    data = {"requests": len(mine), "planned": case.demand.count, "control": len(control)}
    if problems:
        yield from (Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{problem}.", data) for problem in problems)
        return
    reason = (
        f"{count(len(mine), 'request')} of the event sent as planned, second by second, and"
        f" {count(len(control), 'request')} of the control beside them; the watchers saw it all."
    )
    yield Finding(_NAME, "run", Verdict.PASS, reason, data)


def _seconds(case: EventCase) -> int:
    return max(1, round(case.demand.seconds))


def _account(case: EventCase, mine: Served, sent: Ints) -> Iterator[str]:
    """The load's own account, Locust's, and the record have to agree."""
    load = case.event_load
    if not len(mine):
        yield "no request of the event was recorded, so no load was there to scale for"
    if load is None:
        yield "the event's load left no account of itself"
        return
    if case.lost_share > 0:
        yield _lost(case, load, sent)
        return
    if load.problem is not None:
        yield f"the event's load: {load.problem}"
    elif not load.finished:
        yield "the event's load ended before it was over"
    yield from _totals(case, load, len(mine))


def _lost(case: EventCase, load: LoadReport, sent: Ints) -> str:
    """A worker's part of the event was sent by nobody, from the second on from which the rates lack it."""
    said = load.problem or f"a load worker was lost, and {case.lost_share:.0%} of the event's load {_FROM_THEN_ON}"
    from_s = _lost_from(case, sent)
    if from_s is None:
        return said
    since = f"from {from_s} s on"
    return said.replace(_FROM_THEN_ON, since) if _FROM_THEN_ON in said else f"{said}, {since}"


def _lost_from(case: EventCase, sent: Ints) -> int | None:
    """The second from which on, to the end, more than half of the lost share is missing; None: from none."""
    due = due_each_s(case.demand, len(sent))
    left = np.cumsum((sent - (1 - case.lost_share / 2) * due)[::-1])[::-1]
    if left.min() >= 0:
        return None
    return int(np.argmin(left))


def _totals(case: EventCase, load: LoadReport, recorded: int) -> Iterator[str]:
    events = case.history.events
    mine = events["side"] == Side.EXTRA_CLUSTER
    failed = int(np.count_nonzero(mine & (events["failure"] != Failure.NONE)))
    if load.recorded != load.scheduled:
        yield f"{load.scheduled:,} requests of the event were planned, {load.recorded:,} recorded"
    if int(np.count_nonzero(mine)) != load.recorded:
        yield f"the event's load recorded {load.recorded:,} requests, {int(np.count_nonzero(mine)):,} are in the record"
    elif recorded != load.recorded:
        yield f"{load.recorded - recorded:,} requests of the event were due before or after it"
    if load.locust_requests != load.recorded:
        yield f"Locust counted {load.locust_requests:,} requests of the event, {load.recorded:,} were recorded"
    if load.locust_failures != failed:
        yield f"Locust counted {load.locust_failures:,} failures of the event, {failed:,} were recorded"


def _curve(case: EventCase, sent: Ints) -> Iterator[str]:
    """What is missing of the rates by the second. A lost worker is told of once, and not by its curve as well."""
    if case.lost_share > 0 or not sent.sum():
        return
    due = due_each_s(case.demand, len(sent))
    short = np.flatnonzero(sent < _DELIVERED * due - _EDGE)
    over = np.flatnonzero(sent > due / _DELIVERED + _EDGE)
    for seconds, word in ((short, "fewer"), (over, "more")):
        if len(seconds) > _SHORT_SECONDS * len(sent):
            worst = int(seconds[np.argmax(np.abs(sent - due)[seconds])])
            yield (
                f"{word} requests than planned in {len(seconds)} of {len(sent)} s of the event, e.g."
                f" {int(sent[worst])} of {due[worst]:.0f} due at {worst} s"
            )


def _lateness(whose: str, requests: Served) -> Iterator[str]:
    """A load generator that lags measures itself."""
    late = int(np.count_nonzero(requests.late_ns > _LATE_NS))
    if late > _LATE_SHARE * len(requests):
        share = percent(late / len(requests))
        yield f"{share} {whose} left more than 20 ms late: this machine cannot hold the load (at most 1% may)"


def _control(case: EventCase, control: Served) -> Iterator[str]:
    """Enough of the side that needs no scaling, all the time, and from a load that is sound itself."""
    load = case.history.load
    if load is None:
        yield "the load of pairs, which is the control, left no account of itself"
    elif load.problem is not None or not load.finished:
        yield f"the load of pairs, which is the control: {load.problem or 'it ended before it was told to'}"
    if len(control) < MIN_CONTROL:
        yield f"{count(len(control), 'request')} of the control during the event, at least {MIN_CONTROL} are needed"
        return
    yield from _lateness("of the control's requests", control)
    edges = np.concatenate([[-1], np.unique(control.second), [_seconds(case)]])
    hole = int(np.diff(edges).max()) - 1
    if hole > _HOLE_S:
        yield f"no request of the control for {hole} s of the event"


def _watchers(case: EventCase) -> Iterator[str]:
    yield from unwatched(case.history.timeline, case.watchers)
    if case.looked_until_ns < case.end_ns or case.end_ns - case.start_ns < _DELIVERED * case.demand.seconds * S:
        seconds = (min(case.looked_until_ns, case.end_ns) - case.start_ns) / S
        yield f"the event was ended after {seconds:.0f} of {case.demand.seconds:.0f} s"
