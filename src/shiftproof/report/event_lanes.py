"""What happened around a load event, in lanes: what was asked, machines from launch to ready, pods, what was hurt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftproof.model.history import Happening, Source
from shiftproof.report.lanes import Lane, Mark, mark, thinned_out
from shiftproof.report.words import clock_time, duration

LABELS = {
    "actions": "our actions",
    "scale": "autoscaler",
    "machines": "machines",
    "nodes": "nodes",
    "pods": "pods",
    "balancer": "load balancer",
}
_SILENT = ("phase.start", "phase.end", "action.start", "action.end", "scale.observed")
_SPOT = "spot"
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Boot:
    """One machine from its launch until its node was ready; ready_ns: None while that was not seen."""

    machine: str
    node: str
    spot: bool
    launched_ns: int
    ready_ns: int | None

    @property
    def text(self) -> str:
        kind = "Spot" if self.spot else "on demand"
        if self.ready_ns is None:
            return f"{clock_time(self.launched_ns)}  {self.machine} ({kind}) launched; its node was not seen ready"
        took = duration((self.ready_ns - self.launched_ns) / _NS)
        return f"{clock_time(self.launched_ns)}  {self.machine} ({kind}) launched, {self.node} ready after {took}"


@dataclass(frozen=True, slots=True)
class Moment:
    """What is drawn through all rows: a fault or interruption that began, a machine that was launched."""

    t_ns: int
    text: str
    tone: str
    dash: str


def event_lanes(timeline: Sequence[Happening], from_ns: int, to_ns: int) -> list[Lane]:
    """A lane for each sort of which something happened in [from_ns, to_ns]; machines also where none was."""
    sorted_in: dict[str, list[Happening]] = {key: [] for key in LABELS}
    for happening in timeline:
        key = _lane_of(happening)
        if key is not None and from_ns <= happening.t_ns <= to_ns:
            sorted_in[key].append(happening)
    return [
        Lane(key, LABELS[key], None, tuple(_mark(one) for one in thinned_out(found)), len(found))
        for key, found in sorted_in.items()
        if found or key == "machines"
    ]


def _lane_of(happening: Happening) -> str | None:
    sort = happening.subject.partition("/")[0]
    if happening.kind in _SILENT or happening.kind.endswith(".present"):
        return None
    if happening.source in (Source.SHIFTPROOF, Source.CHAOS) or happening.kind == "weights.set":
        return "actions"
    if happening.kind.startswith("scale."):
        return "scale"
    if happening.source is Source.LOAD_BALANCER:
        return "balancer"
    if happening.source is Source.LEGACY:
        return None
    return {"machine": "machines", "node": "nodes"}.get(sort, "pods")


def _mark(happening: Happening) -> Mark:
    if happening.kind == "scale.wanted":
        replicas = happening.data.get("replicas")
        return Mark(
            happening.t_ns, f"{happening.subject}: {replicas} pods wanted", happening.detail, "diamond", "weighted"
        )
    if happening.kind == "machine.launched":
        return Mark(happening.t_ns, f"{happening.subject}: launched", _kind(happening), "triangle-up", "coming")
    if happening.kind == "machine.ended":
        return Mark(happening.t_ns, f"{happening.subject}: ended", _kind(happening), "triangle-down", "leaving")
    if happening.kind == "node.joined":
        return Mark(happening.t_ns, f"{happening.subject}: joined", _kind(happening), "circle-open", "coming")
    return mark(happening)


def _kind(happening: Happening) -> str:
    known = (happening.data.get("capacity_type"), happening.data.get("zone"), happening.data.get("machine"))
    return ", ".join(str(one) for one in known if one)


def boots(timeline: Sequence[Happening]) -> list[Boot]:
    """Machines that were launched while we looked, in order, each with the node that it became."""
    node_of: dict[str, str] = {}
    ready_ns: dict[str, int] = {}
    for happening in timeline:
        name = happening.subject.partition("/")[2]
        if happening.kind in ("node.joined", "node.present") and happening.data.get("machine"):
            node_of[str(happening.data["machine"])] = name
        if happening.kind == "node.ready":
            ready_ns.setdefault(name, happening.t_ns)
    found = []
    for happening in timeline:
        if happening.kind == "machine.launched":
            machine = happening.subject.partition("/")[2]
            node = node_of.get(machine, "")
            spot = happening.data.get("capacity_type") == _SPOT
            found.append(Boot(machine, node, spot, happening.t_ns, ready_ns.get(node)))
    return found


def moments(timeline: Sequence[Happening], from_ns: int, to_ns: int) -> list[Moment]:
    """Faults and interruptions, and launches, within the drawn time."""
    found = []
    for happening in timeline:
        if not from_ns <= happening.t_ns <= to_ns:
            continue
        if happening.kind == "fault.begin":
            what = happening.data.get("experiment") or "fault"
            found.append(Moment(happening.t_ns, f"{what}: {happening.subject}", "bad", "solid"))
        elif happening.kind == "machine.launched":
            found.append(Moment(happening.t_ns, f"launch: {happening.subject}", "coming", "dot"))
    return found
