"""The observer of customers' traffic: in the lab a low load of its own, on the customers' rule, in its own child.

It is the ground truth that the gate did no harm, so it shares nothing with the load of pairs: not its process, not its
connections, not its accounts, not its file.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np

from shiftproof.model.event import Events, Failure, no_events
from shiftproof.model.history import CustomersReport, LoadReport
from shiftproof.ports import Load, LoadPlan, RunningLoad

JOIN_NS = 1_000_000_000  # failures closer than this are one outage
LATE_SHARE = 0.05  # of its requests may leave late: while the observer stood still, nobody looked


class CustomersLoad:
    """Implements ports.Customers. `report` may be asked at any time, before and after `stop`."""

    def __init__(self, load: Load, plan: LoadPlan, run_dir: Path, name: str = "customers") -> None:
        if not plan.customers:
            raise ValueError("customers' traffic needs a plan for customers")
        self._load = load
        self._plan = plan
        self._run_dir = run_dir
        self._name = name
        self._running: RunningLoad | None = None
        self._events: Events = no_events()
        self._problem: str | None = None
        self._stopped = False
        self._lock = Lock()  # a drill and the monitor both ask, each in its own thread

    def start(self) -> None:
        """Returns once the first request was recorded; raises LoadError when there is none."""
        self._running = self._load.start(self._plan, self._run_dir, self._name)

    def stop(self) -> None:
        """End the load. Safe to call twice, after a crash, and when it never started."""
        if self._running is not None and not self._stopped:
            self._stopped = True
            account = self._running.stop()
            self._problem = account.problem or _late(account)

    def report(self) -> CustomersReport:
        """What customers saw so far."""
        if self._running is None:
            return CustomersReport(0, 0, problem="the customers' traffic was not observed")
        with self._lock:
            self._events = np.concatenate([self._events, self._running.new_events()])
        problem = self._problem
        if problem is None and not self._stopped and not self._running.alive():
            problem = "the customers' load died"
        failed = int(np.count_nonzero(self._events["failure"] != Failure.NONE))
        return CustomersReport(len(self._events), failed, outages_of(self._events), problem)


def _late(account: LoadReport) -> str | None:
    if account.late <= LATE_SHARE * account.recorded:
        return None
    return f"{account.late:,} of its {account.recorded:,} requests left more than 20 ms late: it stood still meanwhile"


def outages_of(events: Events) -> tuple[tuple[int, int, int], ...]:
    """Failures of one stream of requests, joined: (first intended, last ended, how many failed), by time.

    Two failures belong to one outage when the later was intended less than 1 s after the earlier ones had ended.
    """
    failed = events[events["failure"] != Failure.NONE]
    if len(failed) == 0:
        return ()
    failed = failed[np.argsort(failed["intended_ns"], kind="stable")]
    ended = np.maximum.accumulate(failed["ended_ns"])
    starts = np.concatenate([[0], 1 + np.flatnonzero(failed["intended_ns"][1:] - ended[:-1] >= JOIN_NS)])
    ends = np.concatenate([starts[1:], [len(failed)]])
    return tuple(
        (int(failed["intended_ns"][start]), int(ended[end - 1]), int(end - start))
        for start, end in zip(starts, ends, strict=True)
    )
