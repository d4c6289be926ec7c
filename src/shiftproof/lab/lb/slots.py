"""Two kinds of slots, both pure: the shares of a weighted rule, and the places that targets take in HAProxy.

HAProxy 2.6 cannot delete a server that has idle connections, so a fixed number of servers stands ready and targets come
and go in them. And its server weights fail over when a side is down, which an ALB's target-group weights do not: so a
rule is a table of SHARES slots, each naming one group, and a request draws a slot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from shiftproof.lab.lb.desired import Address

SHARES = 1000


def shares(weights: Sequence[tuple[str, int]], total: int = SHARES) -> tuple[str, ...]:
    """`total` names in proportion to the weights, by largest remainder; () when every weight is 0.

    A group with a weight above 0 always has a slot: AWS's smallest weight still gets traffic.
    Where rounding has to favour one, the earlier wins.
    """
    whole = sum(weight for _, weight in weights)
    if whole == 0:
        return ()
    counts = [weight * total // whole for _, weight in weights]
    remainders = [weight * total % whole for _, weight in weights]
    for index in sorted(range(len(weights)), key=lambda i: -remainders[i])[: total - sum(counts)]:
        counts[index] += 1
    for index, (_, weight) in enumerate(weights):
        if weight and not counts[index]:
            counts[index] = 1
            counts[counts.index(max(counts))] -= 1
    return tuple(name for (name, _), count in zip(weights, counts, strict=True) for _ in range(count))


STICKY = "sticky"
GROUP = "@"


def entries(weights: Sequence[tuple[str, int]], stickiness_s: int) -> list[tuple[str, str]]:
    """All that HAProxy looks up for a rule: its shares by number, how long clients stick, and whether a group that a
    client names is one of the rule's. A group stays one at weight 0: clients that stick to it still go there."""
    by_number = [(str(number), name) for number, name in enumerate(shares(weights))]
    return [*by_number, (STICKY, str(stickiness_s)), *((f"{GROUP}{name}", name) for name, _ in weights)]


class Stage(Enum):
    """Where a target is in its life. Healthy or not is HAProxy's to say, once it is past INITIAL."""

    INITIAL = "initial"  # registered, and no health check has decided yet
    SERVING = "serving"
    DRAINING = "draining"  # requests in flight may end, no new one comes


@dataclass(slots=True)
class Slot:
    """One place: HAProxy's server `name`. `since` and `until` (end of draining) in seconds of a monotonic clock."""

    name: str
    address: Address
    stage: Stage
    since: float
    until: float = 0.0


class TargetTable:
    """The places of one target group."""

    def __init__(self, places: Iterable[str]) -> None:
        self._free = deque(places)
        self._taken: dict[Address, Slot] = {}

    def __iter__(self) -> Iterator[Slot]:
        return iter(tuple(self._taken.values()))

    def get(self, address: Address) -> Slot | None:
        return self._taken.get(address)

    def place(self, address: Address, now: float) -> Slot | None:
        """A new target's place, or None when all are taken. The place that was free longest is taken first, so that
        nothing of its last target can still be under way."""
        if not self._free:
            return None
        slot = Slot(self._free.popleft(), address, Stage.INITIAL, now)
        self._taken[address] = slot
        return slot

    def release(self, slot: Slot) -> None:
        del self._taken[slot.address]
        self._free.append(slot.name)
