"""Why capacity did not come: the first thing on the way from the load to a ready pod that did not happen.

The way is metric, decision, pod, node, readiness. Each is looked for on the timeline; the first that is missing is
where it got stuck, and what Kubernetes complained of meanwhile is the culprit. It names what was seen, and no product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.pods import belongs, scales
from shiftproof.judge.elasticity.supply import TOLERATED, Machine, Observation, Supply
from shiftproof.judge.elasticity.timing import Stage
from shiftproof.judge.words import clock, count
from shiftproof.model.history import Happening

_S = 1_000_000_000
_UNSCHEDULABLE = "Unschedulable"
_METRIC_REASONS = (
    "FailedGetResourceMetric",
    "FailedGetPodsMetric",
    "FailedGetObjectMetric",
    "FailedGetExternalMetric",
    "FailedGetContainerResourceMetric",
    "FailedComputeMetricsReplicas",
    "FailedGetScale",
    "KEDAScalerFailed",
)
_HINTS = {
    "unknown": "give every container of the pod a request for what it scales on, and see `kubectl describe hpa`",
    "silent": "see whether the autoscaler is there and runs at all",
    "flat": "scale on what follows the load, e.g. requests a second of the service's own container",
    "undecided": "see the autoscaler's behavior and its conditions (AbleToScale, ScalingLimited)",
    "capped": "raise the most pods that the autoscaler may want, or what one pod carries",
    "no-pod": "see the ReplicaSet's events: a quota or an admission rule may refuse its pods",
    "no-node": "see whether nodes may be added at all: the node pool's limits and requirements, quotas, capacity",
    "not-joined": "see the machine's own start-up log: its image, bootstrap, network and permissions",
    "node-late": "make nodes boot quicker (image, start-up scripts), or keep room for a first few pods",
    "not-ready": "see the pods' own logs and readiness",
}


@dataclass(frozen=True, slots=True)
class Stuck:
    """Where it got stuck. kind: a key of the hints. sentence: for a person; culprit: a line of the timeline."""

    stage: Stage
    kind: str
    sentence: str
    culprit: str | None = None

    @property
    def hint(self) -> str:
        return _HINTS[self.kind]


@dataclass(frozen=True, slots=True)
class _Scene:
    """One rise that was not met: from when, how many pods, and until when it mattered."""

    case: EventCase
    supply: Supply
    from_ns: int
    needed: int
    until_ns: int

    def seconds(self, t_ns: int) -> float:
        return (self.until_ns - t_ns) / _S

    def is_ours(self, about: Happening) -> bool:
        """Of complaints of pods: whether it is one of the service's."""
        return belongs(about, about.subject.partition("/")[2], self.case.deployment, self.case.namespace)

    def warning(self, about: Callable[[Happening], bool]) -> str | None:
        """The last complaint of that sort, as a line of the timeline."""
        found = [
            one
            for one in self.case.history.timeline
            if one.kind == "event.warning" and one.t_ns <= self.until_ns and about(one)
        ]
        if not found:
            return None
        last = max(found, key=lambda one: one.t_ns)
        said = last.data.get("message") or last.detail
        return f"{clock(last.t_ns)}  {last.subject}: {last.data.get('reason')}{f': {said}' if said else ''}"


def why_stuck(case: EventCase, supply: Supply, from_ns: int, needed: int, until_ns: int) -> Stuck:
    """What kept `needed` pods from being ready in [from_ns, until_ns]."""
    scene = _Scene(case, supply, from_ns, needed, until_ns)
    most = _most(supply, from_ns, until_ns)
    if most < needed:
        return _undecided(scene, most)
    return _not_supplied(scene)


def _most(supply: Supply, from_ns: int, until_ns: int) -> int:
    values = supply.wanted.between(from_ns, until_ns + 1).values
    return int(values.max()) if len(values) else 0


def _undecided(scene: _Scene, most: int) -> Stuck:
    """Not enough pods were ever wanted: the metric was not read, did not follow, or nothing came of it."""
    seen = [one.ratio for one in [*scene.supply.holding(scene.from_ns), *_since(scene)]]
    had = scene.supply.wanted.at(scene.from_ns)
    case, last = scene.case, scene.supply.holding(scene.until_ns)
    culprit = scene.warning(
        lambda one: one.data.get("reason") in _METRIC_REASONS and scales(one, case.deployment, case.namespace)
    )
    if not seen:
        sentence = f"the autoscaler said nothing of any metric, and {count(had, 'pod')} stayed wanted"
        return Stuck(Stage.METRIC, "silent", sentence, culprit)
    ratios = [ratio for ratio in seen if ratio is not None]
    if not ratios or all(one.ratio is None for one in last):
        sentence = "the autoscaler cannot read its metric (<unknown>)"
        return Stuck(Stage.METRIC, "unknown", sentence, culprit or _blind(last))
    now = max(one.ratio for one in last if one.ratio is not None)
    if most > had and now > TOLERATED:
        sentence = f"the autoscaler wanted {count(most, 'pod')} at most while it saw {now:.2g} times its target"
        return Stuck(Stage.DECISION, "capped", sentence)
    if not _since(scene) and now <= TOLERATED:
        sentence = f"the autoscaler said nothing since ({now:.2g} times its target was the last): it may be stopped"
        return Stuck(Stage.METRIC, "silent", sentence, culprit)
    above_ns = scene.supply.first_above_target(scene.from_ns)
    if above_ns is None or above_ns > scene.until_ns:
        sentence = (
            f"the metric did not follow the load: at most {max(ratios):.2g} times its target, while"
            f" {scene.needed / max(1, had):.2g} times as many pods were needed"
        )
        return Stuck(Stage.METRIC, "flat", sentence, culprit)
    sentence = f"the autoscaler saw {max(ratios):.2g} times its target and wanted {count(most, 'pod')} at most"
    return Stuck(Stage.DECISION, "undecided", sentence, culprit)


def _blind(last: Sequence[Observation]) -> str | None:
    """Why, in the autoscaler's own words."""
    return next((f"{clock(one.t_ns)}  {one.metric}: {one.reason}" for one in last if one.reason), None)


def _since(scene: _Scene) -> list[Observation]:
    """What the autoscaler said after the crossing."""
    return [one for one in scene.supply.observed if scene.from_ns < one.t_ns <= scene.until_ns]


def _not_supplied(scene: _Scene) -> Stuck:
    """Enough were wanted, and they did not come to be ready."""
    supply, until_ns = scene.supply, scene.until_ns
    wanted_ns = supply.wanted.first_at_least(scene.needed, scene.from_ns) or scene.from_ns
    waiting = supply.pending.at(until_ns)
    if waiting:
        return _no_node(scene, waiting)
    failing = _failing(scene)
    if failing is not None:
        return failing
    there = supply.ready.at(scene.from_ns) + supply.created.at(until_ns) - supply.created.at(scene.from_ns)
    if there < scene.needed:
        culprit = scene.warning(
            lambda one: one.data.get("reason") == "FailedCreate" and scene.case.deployment in one.subject
        )
        sentence = f"{scene.needed} were wanted for {scene.seconds(wanted_ns):.0f} s, and their pods were never created"
        return Stuck(Stage.SCHEDULING, "no-pod", sentence, culprit)
    ready = supply.ready.at(until_ns)
    culprit = scene.warning(lambda one: one.data.get("reason") == "Unhealthy" and scene.is_ours(one))
    sentence = f"pods were placed and did not become ready: {ready} of {scene.needed} were at the end"
    return Stuck(Stage.READY, "not-ready", sentence, culprit)


def _no_node(scene: _Scene, waiting: int) -> Stuck:
    """Pods wait for a node: nobody asked for one, it was started and never joined, or it is there and takes none."""
    supply = scene.supply
    since_ns = _waiting_since(supply, scene.until_ns)
    said = f"{count(waiting, 'pod')} waited {scene.seconds(since_ns):.0f} s for a node"
    refusal = scene.warning(lambda one: one.data.get("reason") == "FailedScheduling" and scene.is_ours(one))
    machines = _machines(scene)
    late = [one for one in machines if one.ready_ns is None or one.ready_ns > scene.until_ns]
    if not machines:
        return Stuck(Stage.NODE, "no-node", f"{said}, and no machine was started: no node came", refusal)
    if not late:
        sentence = f"{said}, although {count(len(machines), 'node')} had come: none of them takes the pods"
        return Stuck(Stage.BOOT, "no-node", sentence, refusal)
    first = min(late, key=lambda one: one.launched_ns)
    lives = f"{scene.seconds(first.launched_ns):.0f} s"
    what = f"machine {first.name} was started {lives} before"
    if first.ready_ns is not None:
        after_s = (first.ready_ns - first.launched_ns) / _S
        return Stuck(
            Stage.BOOT, "node-late", f"{said}: {what}, and its node was ready {after_s:.0f} s after that", refusal
        )
    return Stuck(Stage.BOOT, "not-joined", f"{said}: {what}{_not_ready(first, scene.until_ns)}", refusal)


def _not_ready(machine: Machine, until_ns: int) -> str:
    """How far it came, and nothing of what it did later as if it had been in time."""
    if machine.joined_ns is None:
        return " and never joined"
    if machine.joined_ns <= until_ns:
        return ", its node joined and never became ready"
    later_s = (machine.joined_ns - until_ns) / _S
    return f" and had not joined by then (it did {later_s:.0f} s later, and never became ready)"


def _machines(scene: _Scene) -> Sequence[Machine]:
    """Started for these pods, as far as can be told: since the load rose, and none on Spot where they may not be."""
    found = [one for one in scene.supply.machines if scene.from_ns <= one.launched_ns <= scene.until_ns]
    if scene.case.namespace in scene.case.critical:
        return [one for one in found if one.capacity_type != "spot"]
    return found


def _waiting_since(supply: Supply, until_ns: int) -> int:
    """Since when, without a break, some pod had no node."""
    since_ns = until_ns
    for t_ns, value in zip(supply.pending.at_ns[::-1].tolist(), supply.pending.values[::-1].tolist(), strict=True):
        if t_ns > until_ns:
            continue
        if not value:
            break
        since_ns = t_ns
    return since_ns


def _failing(scene: _Scene) -> Stuck | None:
    """A pod of the service that could not start, by its last word."""
    found = [
        one
        for one in scene.case.history.timeline
        if one.kind == "pod.failing"
        and scene.from_ns <= one.t_ns <= scene.until_ns
        and one.data.get("reason") != _UNSCHEDULABLE
        and one.subject in scene.supply.homes
    ]
    if not found:
        return None
    last = max(found, key=lambda one: one.t_ns)
    reason, message = last.data.get("reason"), last.data.get("message") or last.detail
    culprit = f"{clock(last.t_ns)}  {last.subject}: {reason}{f': {message}' if message else ''}"
    return Stuck(Stage.READY, "not-ready", f"pods were placed and could not start ({reason})", culprit)
