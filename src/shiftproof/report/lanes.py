"""Happenings sorted into lanes, so that a failure can be read against what happened right above and below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftproof.model.event import Side
from shiftproof.model.history import Happening, History, Source
from shiftproof.report.words import clock_time

MARKS_MAX = 800  # a lane; what warns is kept before what does not

_SIDE_LABELS = {
    Side.CLUSTER: "cluster failed",
    Side.WEIGHTED: "weighted failed",
    Side.LEGACY: "legacy failed",
    Side.CUSTOMER: "customers failed",
}
_LANES = {
    "actions": "our actions",
    "balancer": "load balancer",
    "pods": "pods",
    "nodes": "nodes",
    "legacy": "legacy VMs",
}
_BAD = ("gone", "failing", "not-ready", "unhealthy", "warning", "not-serving", "failed")
_LEAVING = ("terminating", "draining", "removed", "cordoned", "begin", "start")
_COMING = ("ready", "healthy", "added", "registered", "uncordoned", "end")


@dataclass(frozen=True, slots=True)
class Mark:
    """One happening as it is drawn. tone: a colour's name on the page."""

    t_ns: int
    label: str
    detail: str
    symbol: str
    tone: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of the drawing, top to bottom. side: whose failed requests it holds, else None."""

    key: str
    label: str
    side: Side | None = None
    marks: tuple[Mark, ...] = ()
    total: int = 0


def lanes(history: History, sides: Sequence[Side]) -> list[Lane]:
    """Failed requests first, then what was done, then what was seen; a watcher that saw nothing has no lane."""
    wanted = [side for side in _SIDE_LABELS if side in sides]
    out = [
        Lane(f"failed-{side.name.lower()}", _SIDE_LABELS[side], side) for side in wanted if side is not Side.CUSTOMER
    ]
    customers = _customer_marks(history)
    if customers or Side.CUSTOMER in wanted:
        side = Side.CUSTOMER if Side.CUSTOMER in wanted else None
        out.append(Lane("failed-customer", _SIDE_LABELS[Side.CUSTOMER], side, customers, len(customers)))
    sorted_in: dict[str, list[Happening]] = {key: [] for key in _LANES}
    for happening in history.timeline:
        key = _lane_of(happening)
        if key is not None:
            sorted_in[key].append(happening)
    for key, label in _LANES.items():
        if sorted_in[key] or key == "actions":
            marks = tuple(mark(happening) for happening in thinned_out(sorted_in[key]))
            out.append(Lane(key, label, None, marks, len(sorted_in[key])))
    return out


def _lane_of(happening: Happening) -> str | None:
    if happening.kind in ("phase.start", "phase.end", "action.start", "action.end"):
        return None  # drawn as bands and bars
    if happening.source in (Source.SHIFTPROOF, Source.CHAOS) or happening.kind == "weights.set":
        return "actions"  # the load balancer reports weights, but only we write them
    if happening.source is Source.LOAD_BALANCER:
        return "balancer"
    if happening.source is Source.LEGACY:
        return "legacy"
    return "nodes" if happening.subject.startswith("node/") else "pods"


def mark(happening: Happening) -> Mark:
    end = happening.kind.rpartition(".")[2]
    data = happening.data
    facts = ", ".join(f"{key} {data[key]}" for key in ("reason", "ip", "node") if data.get(key) is not None)
    detail = happening.detail + (f" ({facts})" if happening.detail and facts else facts)
    words = happening.kind.replace(".", " ").replace("-", " ")
    symbol, tone = _look(happening, end)
    return Mark(happening.t_ns, f"{happening.subject}: {words}", detail, symbol, tone)


def _look(happening: Happening, end: str) -> tuple[str, str]:
    """(symbol, tone), the first that fits."""
    ours = happening.source in (Source.SHIFTPROOF, Source.CHAOS)
    looks = (
        (happening.kind == "weights.set", "diamond", "action"),
        # Where a graceful leave ends; what was wrong before has said so itself.
        (happening.kind in ("pod.gone", "target.gone"), "circle-open", "muted"),
        (end in _BAD, "x-thin-open", "bad"),
        (ours, "square", "action"),
        (end in _LEAVING, "triangle-down", "leaving"),
        (end in _COMING, "triangle-up", "coming"),
    )
    return next(((symbol, tone) for fits, symbol, tone in looks if fits), ("circle", "muted"))


def thinned_out(happenings: Sequence[Happening]) -> Sequence[Happening]:
    if len(happenings) <= MARKS_MAX:
        return happenings
    said_first = sorted(happenings, key=lambda h: h.kind == "event.warning")  # warnings repeat themselves
    return sorted(said_first[:MARKS_MAX], key=lambda h: h.t_ns)


def _customer_marks(history: History) -> tuple[Mark, ...]:
    if history.customers is None:
        return ()
    return tuple(
        Mark(start, f"{failed} of the customers' requests failed until {clock_time(end)}", "", "x", "customers")
        for start, end, failed in history.customers.outages
    )
