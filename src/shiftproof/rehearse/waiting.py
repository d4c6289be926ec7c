"""Waiting for the base: as many pods as are there while nothing is asked, and no node that autoscaling brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shiftproof.errors import SetupError
from shiftproof.ports import Clock, Elastic, SupplyState

POLL_S = 1.0
BASE_WITHIN_S = 240.0
STILL_S = 8.0  # as long without a change of nodes: what is on its way shows within that
MACHINES_WITHIN_S = 180.0  # once all else is there; what stays for longer is for a claim to judge
BACK_FOR_S = 20.0  # all is back once it stays so: what goes can come again
ASKED_AGAIN_S = 20.0  # an API server that does not answer for so long is not waited for


@dataclass(frozen=True, slots=True)
class Base:
    """What there is while nothing is asked. workers: pods of each, by name."""

    pods: int
    nodes: int
    workers: Mapping[str, int]

    def missing(self, state: SupplyState) -> str | None:
        """How `state` differs from the base, in words; None when it does not."""
        said = []
        if (state.wanted, state.ready, state.pods) != (self.pods,) * 3:
            said.append(f"{state.wanted} pods wanted, {state.ready} ready, {state.pods} there, not {self.pods}")
        if len(state.nodes) > self.nodes or state.unready:  # fewer cost less, and the claim says so
            said.append(f"{len(state.nodes)} nodes ready and {len(state.unready)} not, of {self.nodes}")
        for name, pods in self.workers.items():
            if state.workers.get(name, 0) > pods:
                said.append(f"{state.workers[name]} pods of {name}, not {pods}")
        return "; ".join(said) or None


@dataclass(frozen=True, slots=True)
class Waited:
    """When it was reached; None: not in time, and `missing` says what was left."""

    at_ns: int | None
    last: SupplyState | None
    missing: str | None = None


def wait_for_base(
    elastic: Elastic,
    clock: Clock,
    pods: int,
    workers: Mapping[str, int],
    within_s: float,
    *,
    may_have_machines: bool = False,
) -> Waited:
    """Until there are `pods` of the service, ready, and nodes have stood still, with no machine of autoscaling left.

    may_have_machines: the base itself needs them. Those that stay are waited for MACHINES_WITHIN_S beyond that, and are
    what is `missing` then. Raises SetupError without an answer.
    """
    give_up_ns = clock.now_ns() + int(within_s * 1e9)
    eyes = _Eyes(elastic, clock)
    nodes: frozenset[str] | None = None
    since_ns = clock.now_ns()
    whole_ns: int | None = None
    while True:
        state = eyes.state()
        if state is not None:
            now_ns = clock.now_ns()
            if state.nodes != nodes or state.unready:
                nodes, since_ns = state.nodes, now_ns
            machines = frozenset() if may_have_machines else state.machines
            missing = Base(pods, len(state.nodes), workers).missing(state)
            whole_ns = None if missing is not None else now_ns if whole_ns is None else whole_ns
            if missing is None and not machines and now_ns - since_ns >= STILL_S * 1e9:
                return Waited(now_ns, state)
            if whole_ns is not None and machines and now_ns - whole_ns >= MACHINES_WITHIN_S * 1e9:
                return Waited(None, state, _stay(machines))
            if now_ns >= give_up_ns and (missing is not None or not machines):
                return Waited(None, state, missing or "nodes come and go")
        clock.sleep(POLL_S)


def wait_until_back(elastic: Elastic, clock: Clock, base: Base, until_ns: int) -> Waited:
    """Until all has been as the base was for BACK_FOR_S, or until_ns. Raises SetupError without an answer.

    What is back by until_ns is looked at for BACK_FOR_S all the same. at_ns: since when it has been back.
    """
    eyes = _Eyes(elastic, clock)
    nodes: frozenset[str] = frozenset()
    since_ns: int | None = None
    while True:
        state = eyes.state()
        if state is not None:
            now_ns, missing = clock.now_ns(), base.missing(state)
            if missing is not None:
                since_ns = None
            elif since_ns is None or state.nodes != nodes:
                nodes, since_ns = state.nodes, now_ns
            if since_ns is not None and now_ns - since_ns >= BACK_FOR_S * 1e9:
                return Waited(since_ns, state)
            if now_ns >= until_ns and (since_ns is None or since_ns > until_ns):
                return Waited(None, state, missing or "nodes come and go")
        clock.sleep(POLL_S)


def _stay(machines: frozenset[str]) -> str:
    return f"{', '.join(sorted(machines))} of autoscaling still there after {MACHINES_WITHIN_S:.0f} s"


class _Eyes:
    """Asks for the state; an answer that does not come is asked for again, but not for ever."""

    def __init__(self, elastic: Elastic, clock: Clock) -> None:
        self._elastic = elastic
        self._clock = clock
        self._heard_ns = clock.now_ns()

    def state(self) -> SupplyState | None:
        try:
            found = self._elastic.state()
        except SetupError:
            if self._clock.now_ns() - self._heard_ns > ASKED_AGAIN_S * 1e9:
                raise
            return None
        self._heard_ns = self._clock.now_ns()
        return found
