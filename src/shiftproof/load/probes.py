"""Probes: short conversations beside the pairs, at a low rate, each on accounts that nobody else uses.

An open loop as the pairs are: a conversation starts when it is due, whatever became of those before it; one that cannot
start because too many are under way is void, and said to be. Nothing of them is in the counts of the pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import gevent

from shiftproof.load.compare import Names
from shiftproof.load.conversation import Asker, Leg, VoidError, Way
from shiftproof.load.duplicate import Duplicate, pick_way
from shiftproof.load.exchange import Connections, OwnFaultError
from shiftproof.load.lane import compile_operations
from shiftproof.load.parity import Parity
from shiftproof.load.probelog import ProbeLog
from shiftproof.model.event import Side
from shiftproof.model.probe import ProbeKind, ProbeRecord
from shiftproof.ports import LoadPlan

MOST_UNDER_WAY = 16  # of each kind: eight seconds of conversations at the usual rate, all of them stuck
LATE_S = 1.0  # what is due longer ago than this is left out: after a pause nothing is made up for
DRAIN_SPARE_S = 1.0

EDGES = (1, 10, 99, 100, 1000, 1050, 3333, 9999)
"""Minor units at which rounding and formatting go wrong first: every third amount is one of these."""

BROKE = "our own fault: "
"""Begins the reason of a conversation that a bug of ours ended; the judges let no run pass that has one."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the probes see of the load around them. ending: it is to end; weighted: weights are moving."""

    now_ns: Callable[[], int]
    ending: Callable[[], bool]
    paused: Callable[[], bool]
    weighted: Callable[[], bool]
    broke: Callable[[str], None]


class Probes:
    """Starts conversations of both kinds, each `plan.probes_per_s` times a second, until the load ends.

    key_prefix: makes accounts and keys unique over all runs. Run `run` in a greenlet of its own.
    """

    def __init__(self, plan: LoadPlan, log: ProbeLog, hooks: Hooks, *, start_ns: int, key_prefix: str) -> None:
        self._plan = plan
        self._log = log
        self._hooks = hooks
        self._start_ns = start_ns
        self._prefix = key_prefix
        self._ways = {side: _way(plan, side) for side in (Side.LEGACY, Side.CLUSTER, Side.WEIGHTED)}
        self._names = tuple(str(operation["name"]) for operation in plan.operations)
        operations = self._ways[Side.LEGACY].operations
        self._keyed = tuple(one.number for one in operations if "key" in one.template.names)
        self._under_way = dict.fromkeys(ProbeKind, 0)
        self._started = 0

    def run(self) -> None:
        """Until the load ends; then wait, as long as one request may take, for what is under way."""
        try:
            self._start_all()
            self._drain()
        except Exception as error:  # noqa: BLE001 - reported as our own problem; the service has nothing to do with it
            self._hooks.broke(f"the probes broke: {type(error).__name__}: {error}")

    # --- when -------------------------------------------------------------------------------------------------------

    def _start_all(self) -> None:
        kinds = [ProbeKind.PARITY, *([ProbeKind.DUPLICATE] if self._keyed else [])]
        interval_ns = 1e9 / (self._plan.probes_per_s * len(kinds))
        number = 0
        while self._wait_until(self._start_ns + int(number * interval_ns)):
            late_s = (self._hooks.now_ns() - self._start_ns - number * interval_ns) / 1e9
            if late_s < LATE_S and not self._hooks.paused():
                self._launch(kinds[number % len(kinds)], number // len(kinds))
            number += 1

    def _wait_until(self, due_ns: int) -> bool:
        """False when the load ends before."""
        while not self._hooks.ending():
            left_ns = due_ns - self._hooks.now_ns()
            if left_ns <= 0:
                return True
            gevent.sleep(min(left_ns / 1e9, 0.05))
        return False

    def _launch(self, kind: ProbeKind, turn: int) -> None:
        number = self._started
        self._started += 1
        now_ns = self._hooks.now_ns()
        if self._under_way[kind] >= MOST_UNDER_WAY:
            self._log.add(ProbeRecord(number, kind, now_ns, now_ns, void="too many are under way"))
            return
        self._under_way[kind] += 1
        gevent.spawn(self._hold, kind, number, turn)

    def _drain(self) -> None:
        deadline_ns = self._hooks.now_ns() + int((self._plan.timeout_s + DRAIN_SPARE_S) * 1e9)
        while any(self._under_way.values()):
            if self._hooks.now_ns() > deadline_ns:
                self._hooks.broke(f"{sum(self._under_way.values())} probes did not end")
                return
            gevent.sleep(0.01)

    # --- what -------------------------------------------------------------------------------------------------------

    def _hold(self, kind: ProbeKind, number: int, turn: int) -> None:
        start_ns = self._hooks.now_ns()
        try:
            record = self._parity(number, start_ns) if kind is ProbeKind.PARITY else self._twice(number, turn, start_ns)
        except VoidError as void:
            record = ProbeRecord(number, kind, start_ns, self._hooks.now_ns(), void=str(void))
        except OwnFaultError as error:
            record = ProbeRecord(number, kind, start_ns, self._hooks.now_ns(), void=f"{BROKE}{error}")
        except Exception as error:  # noqa: BLE001 - a bug of ours must end as "unknown", never as a finding or a PASS
            record = ProbeRecord(number, kind, start_ns, self._hooks.now_ns(), void=f"{BROKE}{type(error).__name__}")
        finally:
            self._under_way[kind] -= 1
        self._log.add(record)

    def _parity(self, number: int, start_ns: int) -> ProbeRecord:
        random = Random(f"{self._plan.seed}-{number}")
        amounts = _amount(random, number), _amount(random, number + 1)
        a, b, c = (self._leg(number, letter, amounts) for letter in "abc")
        asker = self._asker(number)
        heard = Parity(asker, self._ways[Side.LEGACY], self._ways[Side.CLUSTER], (a, b, c), self._names).hold(random)
        return ProbeRecord(
            number,
            ProbeKind.PARITY,
            start_ns,
            self._hooks.now_ns(),
            operations=heard.operations,
            compared=heard.compared,
            treatment=heard.treatment,
            control=heard.control,
        )

    def _twice(self, number: int, turn: int, start_ns: int) -> ProbeRecord:
        random = Random(f"{self._plan.seed}-{number}")
        way = pick_way(random, turn, weighted=self._hooks.weighted())
        amounts = _amount(random, number), _amount(random, number + 1)
        operation = random.choice(self._keyed)
        a, b, c = (self._leg(number, letter, amounts) for letter in "abc")
        heard = Duplicate(self._asker(number), self._ways, operation, (a, b, c), self._names).hold(way)
        return ProbeRecord(
            number,
            ProbeKind.DUPLICATE,
            start_ns,
            self._hooks.now_ns(),
            way=way.words,
            operations=(self._names[operation],),
            compared=heard.compared,
            treatment=heard.treatment,
            control=heard.control,
            applied=heard.applied,
            control_applied=heard.control_applied,
        )

    def _asker(self, number: int) -> Asker:
        return Asker(number, self._hooks.ending, gevent.sleep)

    def _leg(self, number: int, letter: str, amounts: tuple[str, str]) -> Leg:
        """Names of one length for all legs of a conversation, so that no field differs by what we called them."""
        account = f"{self._plan.accounts_prefix}{self._prefix}-{number}{letter}"
        return Leg(Names(account, f"{self._prefix}-key-{number}{letter}"), amounts)


def _way(plan: LoadPlan, side: Side) -> Way:
    operations = compile_operations(plan.operations, plan.base_url, side)
    return Way(side, Connections(plan.base_url, plan.timeout_s), operations)


def _amount(random: Random, number: int) -> str:
    minor = EDGES[number // 3 % len(EDGES)] if number % 3 == 0 else random.randint(1, 9_999)
    return f"{minor // 100}.{minor % 100:02d}"
