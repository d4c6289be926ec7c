"""ports.Watcher over the load balancer: what its targets and weights did, found by polling.

A poll sees a change only after it happened, so each happening says by how much it may be late (`within_ms`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from shiftproof.errors import ShiftproofError
from shiftproof.model.event import Side
from shiftproof.model.history import Happening, Source
from shiftproof.ports import Clock, TargetState, Weights

POLL_S = 0.25
GAP_S = 5.0
"""A longer time without a good poll is a gap: a target could have failed a whole interval of the load balancer's health
checks (5 s at the least on AWS) and be well again, unseen. A slow answer within it only makes a happening less sharp,
and each says by how much (`within_ms`)."""

Key = tuple[str, str]
_STATE_KINDS = {
    "healthy": "target.healthy",
    "unhealthy": "target.unhealthy",
    "draining": "target.draining",
    "unhealthy.draining": "target.draining",
    "unused": "target.unhealthy",
    "unavailable": "target.unhealthy",
}


class WatchedRouter(Protocol):
    """What the watcher needs of a router."""

    def targets(self, side: Side) -> Sequence[TargetState]: ...

    def all_weights(self) -> Mapping[str, Weights]: ...


class LoadBalancerWatcher:
    """Implements ports.Watcher. The clock must be one that nobody cuts short; the router must be the watcher's own."""

    def __init__(self, router: WatchedRouter, clock: Clock, poll_s: float = POLL_S) -> None:
        self._router = router
        self._clock = clock
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._happenings: list[Happening] = []
        self._targets: dict[Key, TargetState] | None = None
        self._weights: Mapping[str, Weights] = {}
        self._last_ns = clock.now_ns()
        self._ended_ns: int | None = None
        self._problem: str | None = None

    def start(self) -> None:
        """Look once (what is there already is recorded as such), then go on in a thread."""
        self._last_ns = self._clock.now_ns()
        self.poll()
        self._thread = threading.Thread(target=self._run, name="load-balancer-watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look a last time and end. Safe to call twice, and without start."""
        if self._thread is None or self._ended_ns is not None:
            return
        self._stop.set()
        self._thread.join(timeout=30)
        with self._lock:  # from here on silence is no gap; the silence up to here still is
            self._ended_ns = self._clock.now_ns()

    def happenings(self) -> Sequence[Happening]:
        with self._lock:
            return tuple(self._happenings)

    def problem(self) -> str | None:
        with self._lock:
            until_ns = self._clock.now_ns() if self._ended_ns is None else self._ended_ns
            silent_s = (until_ns - self._last_ns) / 1e9
            if self._problem is None and self._thread is not None and silent_s > GAP_S:
                when = "ago" if self._ended_ns is None else "before the watch ended"
                return f"the load balancer was last seen {silent_s:.1f} s {when}"
            return self._problem

    def poll(self) -> None:
        """One look. A failing one is no problem by itself: the gap that it leaves may become one."""
        before_ns = self._last_ns
        try:
            targets = {
                (side.name.lower(), target.address): target
                for side in (Side.LEGACY, Side.CLUSTER)
                for target in self._router.targets(side)
            }
            weights = self._router.all_weights()
        except ShiftproofError as error:
            self._gap(str(error), before_ns)
            return
        now_ns = self._clock.now_ns()
        seen = _Seen(now_ns, round((now_ns - before_ns) / 1e6, 1), first=self._targets is None)
        found = [*_target_changes(self._targets or {}, targets, seen), *_weight_changes(self._weights, weights, seen)]
        self._gap("no answer in time", before_ns)
        with self._lock:
            self._happenings += found
            self._last_ns = now_ns
        self._targets, self._weights = targets, weights

    def _run(self) -> None:
        """A thread's top: whatever ends it before its time is said, since a thread that dies says nothing by itself."""
        try:
            while not self._stop.wait(self._poll_s):
                self.poll()
            self.poll()
        except Exception as error:  # noqa: BLE001 (a fault of our own here must leave a gap in the record, not silence)
            with self._lock:
                self._problem = f"the watch of the load balancer ended: {type(error).__name__}: {error}"

    def _gap(self, why: str, before_ns: int) -> None:
        silent_s = (self._clock.now_ns() - before_ns) / 1e9
        if silent_s > GAP_S:
            with self._lock:
                self._problem = f"the load balancer was not seen for {silent_s:.1f} s: {why}"


class _Seen:
    """A poll's moment, from which happenings are made."""

    def __init__(self, t_ns: int, within_ms: float, *, first: bool) -> None:
        self._t_ns = t_ns
        self._data: dict[str, Any] = {"baseline": True} if first else {"within_ms": within_ms}
        self._first = first

    def __call__(self, kind: str, subject: str, detail: str, data: Mapping[str, Any]) -> Happening:
        words = f"{detail} (so when the watch began)" if self._first else detail
        return Happening(self._t_ns, Source.LOAD_BALANCER, kind, subject, words, {**data, **self._data})


Make = Callable[[str, str, str, Mapping[str, Any]], Happening]


def _target_changes(old: Mapping[Key, TargetState], new: Mapping[Key, TargetState], make: Make) -> list[Happening]:
    changes = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        side, address = key
        ip, _, port = address.rpartition(":")
        data = {"ip": ip, "port": int(port or 0), "side": side}
        for kind, detail in _kinds(before, after):
            changes.append(make(kind, f"target/{address}", detail, data))
    return changes


def _kinds(before: TargetState | None, after: TargetState | None) -> list[tuple[str, str]]:
    """A target that comes back while it drains, or that comes and is healthy within one poll, is two changes."""
    if after is None:
        return [("target.gone", "left the load balancer")]
    kinds = []
    if before is None or (before.state == "draining" and after.state != "draining"):
        kinds.append(("target.registered", after.reason or after.state))
    if (before is None or before.state != after.state) and after.state in _STATE_KINDS:
        kinds.append((_STATE_KINDS[after.state], after.reason))
    return kinds


def _weight_changes(old: Mapping[str, Weights], new: Mapping[str, Weights], make: Make) -> list[Happening]:
    return [
        make(
            "weights.set",
            f"rule/{rule}",
            f"legacy {weights.legacy_pct}%, cluster {weights.cluster_pct}%",
            {"legacy_pct": weights.legacy_pct, "cluster_pct": weights.cluster_pct},
        )
        for rule, weights in sorted(new.items())
        if old.get(rule) != weights
    ]
