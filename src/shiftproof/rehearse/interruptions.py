"""From experiments that took machines away to what the Spot claims are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shiftproof.judge.elasticity.case import Interruption, Strike
from shiftproof.judge.elasticity.steps import Steps
from shiftproof.judge.elasticity.supply import Supply, read_supply
from shiftproof.judge.elasticity.toll import fault_began_ns
from shiftproof.model.history import Happening
from shiftproof.rehearse.settings import RehearsalSettings

NOTICED = "noticed"
"""Fact of an experiment: whether the machine's end was announced."""


@dataclass(frozen=True, slots=True)
class _Loss:
    """What a node that was taken meant for one worker. back_ns: None while too few of it are ready."""

    back_ns: int | None = None
    moot: str | None = None


def interruptions(
    struck: Sequence[Strike], timeline: Sequence[Happening], settings: RehearsalSettings
) -> tuple[Interruption, ...]:
    """One for each node that an experiment took, where it took effect and Spot claims have a say in it.

    They have where workers are to bear the experiment, or the node was on Spot or carried workers: a node of the
    service alone is none of theirs.
    """
    spot = read_supply(timeline, settings.service.deployment).spot_nodes
    of_workers = {name for worker in settings.platform.workers for name in worker.experiments}
    found = []
    for one in struck:
        for victim in one.victims if one.problem is None else ():
            sort, _, node = victim.partition("/")
            if sort != "node":
                continue
            t_ns = fault_began_ns(timeline, one, (victim,))
            carried = _carried(timeline, settings, node, t_ns)
            if carried or node in spot or one.experiment in of_workers:
                found.append(_interruption(one, node, t_ns, carried, timeline, settings))
    return tuple(found)


def _carried(timeline: Sequence[Happening], settings: RehearsalSettings, node: str, t_ns: int) -> list[str]:
    """Workers, by their Deployments, of which pods were on the node."""
    names = [worker.deployment for worker in settings.platform.workers]
    return [name for name in names if node in _homes(timeline, name, t_ns).values()]


def _interruption(
    struck: Strike,
    node: str,
    t_ns: int,
    carried: Sequence[str],
    timeline: Sequence[Happening],
    settings: RehearsalSettings,
) -> Interruption:
    critical = [
        pod
        for service in settings.platform.services
        for pod, home in _homes(timeline, service.deployment, t_ns).items()
        if home == node
    ]
    losses = [_loss(name, read_supply(timeline, name), t_ns) for name in carried]
    # One that had nothing to come back for says nothing of another that never came back.
    telling = [loss for loss in losses if loss.moot is None]
    moot = next((loss.moot for loss in losses), "no pod of a worker was on it: nothing was taken away")
    back = [loss.back_ns for loss in telling]
    return Interruption(
        t_ns=t_ns,
        node=node,
        noticed=bool(struck.facts.get(NOTICED, False)),
        experiment=struck.experiment,
        critical_pods=tuple(critical),
        back_ns=None if None in back else max((one for one in back if one is not None), default=None),
        moot=None if telling else moot,
    )


def _loss(name: str, supply: Supply, t_ns: int) -> _Loss:
    """When as many of one worker's pods were ready again as before, or as were wanted by then.

    Moot where none was ready before or none went, and where nobody had to come: its work was done by then, and a queue
    that happens to be empty must not pass for machines that come in time.
    """
    ready, wanted = supply.ready, supply.wanted
    before = ready.at(t_ns)
    fell_ns = next((t for t, pods in _after(ready, t_ns) if pods < before), None)
    if fell_ns is None:
        return _Loss(moot=f"{before} pods of {name} were ready before and ever since: nothing was taken away")
    known = bool(len(wanted.values))
    came = False
    for at_ns in sorted({t for t, _ in [*_after(ready, fell_ns - 1), *_after(wanted, fell_ns - 1)]}):
        came = came or ready.at(at_ns) > ready.at(at_ns - 1)
        enough = min(before, wanted.at(at_ns)) if known else before
        if ready.at(at_ns) < enough:
            continue
        if came:
            return _Loss(back_ns=at_ns)
        seconds = (at_ns - t_ns) / 1e9
        return _Loss(
            moot=f"{seconds:.0f} s later {name} had too little to do for as many pods as before, so nobody knows how"
            " soon they would have been back (ask for more jobs)"
        )
    return _Loss()


def _after(steps: Steps, t_ns: int) -> Iterator[tuple[int, int]]:
    """(t_ns, value) of each change later than that."""
    pairs = zip(steps.at_ns.tolist(), steps.values.tolist(), strict=True)
    return ((at_ns, value) for at_ns, value in pairs if at_ns > t_ns)


def _homes(timeline: Sequence[Happening], deployment: str, t_ns: int) -> Mapping[str, str]:
    """The node of each pod that was there at t_ns."""
    before = [one for one in timeline if one.t_ns <= t_ns]
    gone = {one.subject for one in before if one.kind == "pod.gone"}
    return {pod: node for pod, node in read_supply(before, deployment).homes.items() if pod not in gone}
