"""Our own load as a drill changes it: paused, or raised to what a side must carry at the declared peak."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from shiftproof.gate.monitor import Monitor
from shiftproof.gate.phases import Phases
from shiftproof.gate.settings import GateSettings
from shiftproof.judge.sequential import binomial_at_least
from shiftproof.model.event import EXTRA, Events, Failure, Side
from shiftproof.model.history import CustomersReport, PhaseKind
from shiftproof.ports import Clock, Customers, Experiment, RunningLoad

CUSTOMERS_FAILED = 2  # of their requests since the load was raised: then it is lowered at once
SIDE_FAILED = 10  # at least, and more than its unacceptable rate by far: more load would teach nothing
SERVED_S = 1.0  # without a failure: what a crash broke serves again
SURE = 1e-6
LOOK_S = 0.1


@dataclass(slots=True)
class Raised:
    """Extra load on one side, and who watches over it. stopped: why it was ended before its time.

    waits_s: of a crash, the time in which it must recover. What it breaks must not look like a side that cannot carry
    its load, so the load rises once the side was broken and serves again, or after that time if nothing was.
    """

    load: RunningLoad
    monitor: Monitor
    customers: Customers
    clock: Clock
    side: Side
    extra_per_s: float
    unacceptable: float
    waits_s: float = 0.0
    stopped: str | None = None
    since_ns: int = field(init=False)
    before: CustomersReport = field(init=False)
    _waiting: bool = field(init=False, default=True)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)  # the monitor looks, the drill lowers

    def __post_init__(self) -> None:
        self._begin()

    def start(self) -> None:
        """Raise it now, unless something is to be waited for. Raises LoadError when the load takes no orders."""
        if not self.waits_s:
            self._rise()

    def customers_per_s(self, until_ns: int) -> float:
        """What customers sent since the load rose, on both sides together, by their observer."""
        sent = self.customers.report().requests - self.before.requests
        return sent / max(1e-9, (until_ns - self.since_ns) / 1e9)

    def look(self) -> None:
        """Called by the monitor, at every tick. Raises LoadError when the load takes no orders."""
        with self._lock:
            if self._waiting:
                if self._is_served():
                    self._begin()
                    self._rise()
            elif self.stopped is None:
                self.stopped = self._reason()
                if self.stopped is not None:
                    self.load.boost(self.side, 0)

    def lower(self) -> None:
        """Once the drill is over: a load that was to rise and never did has no time in which it was up."""
        with self._lock:
            if self._waiting:
                self._waiting = False
                self.since_ns = self.clock.now_ns()
            self.load.boost(self.side, 0)

    def _begin(self) -> None:
        self.since_ns = self.clock.now_ns()
        self.before = self.customers.report()

    def _rise(self) -> None:
        self._waiting = False
        self.load.boost(self.side, self.extra_per_s)

    def _is_served(self) -> bool:
        now_ns = self.clock.now_ns()
        mine = self._mine()
        failed = mine[mine["failure"] != Failure.NONE]
        if len(failed) < SIDE_FAILED:
            return now_ns - self.since_ns >= self.waits_s * 1e9
        return bool(now_ns - failed["ended_ns"].max() >= SERVED_S * 1e9)

    def _reason(self) -> str | None:
        failed = self.customers.report().failed - self.before.failed
        if failed >= CUSTOMERS_FAILED:
            return f"{failed} requests of customers failed"
        mine = self._mine()
        k, n = int((mine["failure"] != Failure.NONE).sum()), len(mine)
        if k >= SIDE_FAILED and binomial_at_least(k, n, self.unacceptable) < SURE:
            return f"{k:,} of {n:,} requests of the {self.side.name.lower()} side had failed"
        return None

    def _mine(self) -> Events:
        events = self.monitor.events_since(self.since_ns)
        return events[np.isin(events["side"], (self.side, EXTRA[self.side]))]


class LoadDrills:
    """Changes of our own load. Customers' traffic is never touched, and pairs go on while load is raised."""

    def __init__(
        self,
        load: RunningLoad,
        customers: Customers,
        monitor: Monitor,
        phases: Phases,
        settings: GateSettings,
        clock: Clock,
        from_pct: int,
    ) -> None:
        self._load = load
        self._customers = customers
        self._monitor = monitor
        self._phases = phases
        self._settings = settings
        self._clock = clock
        self._from_pct = from_pct

    def pause(self) -> None:
        """Send nothing for `load.quiet_s`, then go on: connections that were kept must still work."""
        quiet_s = self._settings.service.load.quiet_s
        with self._phases.action("pause", seconds=quiet_s) as phase:
            if phase is not None:
                phase.facts["quiet_s"] = quiet_s
            self._load.pause()
            try:
                self._clock.sleep(quiet_s)
            finally:
                self._load.resume()

    def everything_back(self) -> None:
        """All of the declared peak on the legacy side, for `peak_s`, or until customers suffer or the side fails."""
        until_ns = self._clock.now_ns() + int(self._settings.depth.peak_s * 1e9)
        with self._phases.action("peak"), self._raised(Side.LEGACY, 100) as raised:
            while self._clock.now_ns() < until_ns and (raised is None or raised.stopped is None):
                self._clock.sleep(LOOK_S)

    @contextmanager
    def share_of_step(self, experiment: Experiment) -> Iterator[None]:
        """During a crash: the step's share of the declared peak on the cluster side, where pairs are less than that."""
        if experiment.kind is not PhaseKind.CRASH:
            yield
            return
        waits_s = experiment.budget.recover_s if experiment.budget is not None else 0.0
        with self._raised(Side.CLUSTER, self._settings.to_pct, waits_s):
            yield

    @contextmanager
    def _raised(self, side: Side, share_pct: int, waits_s: float = 0.0) -> Iterator[Raised | None]:
        """Extra load on `side` up to share_pct percent of the peak; none where the peak is not declared."""
        load, phase = self._settings.service.load, self._phases.current
        if load.peak_per_s is None or phase is None:
            yield None
            return
        on_side = (self._from_pct if side is Side.CLUSTER else 100 - self._from_pct) / 100
        required_per_s = load.peak_per_s * share_pct / 100
        extra_per_s = max(0.0, required_per_s - load.pairs_per_s - load.customers_per_s * on_side)
        asked = {"side": side.name.lower(), "required_per_s": required_per_s, "extra_per_s": extra_per_s}
        self._phases.note("load.raised", "load/pairs", **asked)
        raised = Raised(
            self._load,
            self._monitor,
            self._customers,
            self._clock,
            side,
            extra_per_s,
            self._settings.service.objectives.availability.unacceptable,
            waits_s if extra_per_s else 0.0,
        )
        try:
            raised.start()
            self._monitor.look_on(raised.look if extra_per_s else None)
            yield raised
        finally:
            self._monitor.look_on(None)
            raised.lower()
            self._phases.note("load.lowered", "load/pairs", stopped=raised.stopped)
            now_ns = self._clock.now_ns()
            span = {"from_ns": raised.since_ns, "to_ns": now_ns, "stopped": raised.stopped}
            # Customers who were expected and did not come carried nothing; more than expected is not relied on.
            seen_per_s = min(load.customers_per_s, raised.customers_per_s(now_ns)) * on_side
            phase.facts["peak"] = {**asked, "share_pct": share_pct, "customers_per_s": seen_per_s, **span}
