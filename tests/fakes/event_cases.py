"""Load events as good clusters and defects leave them, and short ways to what the scaling claims say of them."""

from __future__ import annotations

from typing import Any

from fakes.event_history import EventBuilder
from shiftproof.judge import EventCase, judge_event
from shiftproof.model.event import Side
from shiftproof.model.verdict import Finding, Verdict


def the(case: EventCase, claim: str) -> Finding:
    """The worst that one claim says."""
    return max(judge_event(case, [claim]), key=lambda finding: finding.verdict.rank)


def failing(case: EventCase) -> set[str]:
    """Claims that FAIL."""
    return {found.claim for found in judge_event(case) if found.verdict is Verdict.FAIL}


def unscaled(**more: Any) -> EventBuilder:
    """The two pods of the base meet the peak alone: from 60 s to 185 s most requests fail."""
    return EventBuilder(**more).spell(Side.EXTRA_CLUSTER, 60, 185, share=0.6)


def unknown_metric() -> EventBuilder:
    """Defect 21: a container without a request, so the HPA reads <unknown> from the beginning."""
    event = unscaled().sees(-59, None)
    message = "failed to get cpu utilization: missing request for cpu in container sidecar of Pod payments"
    for t_s in (-30, 100, 200):
        event.at(
            t_s,
            "event.warning",
            "horizontalpodautoscaler/payments",
            reason="FailedGetResourceMetric",
            message=message,
            count=3,
        )
    return event


def flat_metric() -> EventBuilder:
    """Defect 22: an idle sidecar dilutes the metric, which stays below its target while the load rises."""
    return unscaled().sees(60, 0.78).sees(90, 0.93).sees(190, 0.5)


def flapping() -> EventBuilder:
    """Defect 23: start-up CPU looks like load: more are wanted, all are idle, most are taken away, and so on."""
    event = EventBuilder().sees(50, 2.0)
    wanted = 2
    for t_s, replicas in ((50, 4), (65, 6), (95, 3), (110, 6), (140, 3), (155, 6), (220, 2)):
        event.wants(t_s, replicas)
        for _ in range(replicas - wanted):
            event.starts(t_s, ready_s=t_s + 9)
        if replicas < wanted:
            event.goes(t_s, wanted - replicas)
        wanted = replicas
    return event.spell(Side.EXTRA_CLUSTER, 97, 119, share=0.4)


def late_nodes(boot_s: float = 200) -> EventBuilder:
    """Defect 24: the metric and the autoscaler are quick, and nodes join minutes after they were started."""
    event = unscaled(limits={"time_to_capacity_s": 120}).sees(50, 1.6).wants(52, 4).wants(80, 6)
    for number, t_s in enumerate((52.1, 52.1, 80.1, 80.1)):
        event.waits(t_s, node="new-1", placed_s=55 + boot_s + number, ready_s=58 + boot_s + number)
    event.node("new-1", launched_s=54, ready_s=54 + boot_s)
    return event.wants(310, 2).goes(310, 4).no_node(340, "new-1")


def no_nodes() -> EventBuilder:
    """Nodes that never come: pods wait for them until the event is over."""
    event = unscaled().sees(50, 1.6).wants(52, 4).wants(80, 6)
    for t_s in (52.1, 52.1, 80.1, 80.1):
        event.waits(t_s, node="none")
    return event
