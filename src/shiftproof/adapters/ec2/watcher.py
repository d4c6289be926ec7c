"""ports.Watcher over EC2: when machines for nodes were launched, and when they ended; found by polling.

A launch is told at AWS's own LaunchTime, which is cut off to the second: up to `resolution_s` early, whatever the poll.
An end is told when a poll sees it, up to `within_ms` late. Both are on the run's clock: AWS's clock and this machine's
are taken to agree, as their time servers make them (in the lab they are one).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from shiftproof.adapters.ec2.machines import Ec2Machine
from shiftproof.errors import ShiftproofError
from shiftproof.model.history import WATCH_GAP, Happening, Source
from shiftproof.ports import Clock

POLL_S = 2.0
GAP_S = 15.0
"""A longer time without a good poll is a gap. A launch keeps its own time meanwhile; an end would be told too late to
be a cost, and one within it is only less sharp."""
RESOLUTION_S = 1.0


class WatchedMachines(Protocol):
    """What the watcher needs of EC2."""

    def nodes(self, known: Collection[str] = (), cluster: str = "") -> Sequence[Ec2Machine]: ...


def _none() -> Collection[str]:
    return ()


class MachineWatcher:
    """Implements ports.Watcher. The clock must be one that nobody cuts short.

    known: ids of machines that nodes name as theirs, asked at each poll: those count without a tag. cluster: see
    Machines.nodes. wall_ns: the clock that AWS's times are of.
    """

    def __init__(
        self,
        machines: WatchedMachines,
        clock: Clock,
        *,
        known: Callable[[], Collection[str]] = _none,
        cluster: str = "",
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._machines = machines
        self._clock = clock
        self._known = known
        self._cluster = cluster
        self._wall_ns = wall_ns
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen: list[Happening] = []
        self._running: dict[str, Ec2Machine] | None = None
        self._ended: set[str] = set()
        self._silent = False
        self._last_ns = clock.now_ns()
        self._problems: list[str] = []

    def start(self) -> None:
        """Look once (what runs already is told as such), then go on in a thread. Raises SetupError when AWS refuses."""
        self._last_ns = self._clock.now_ns()
        self._look()
        self._thread = threading.Thread(target=self._run, name="watch-machines", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look a last time and end. Safe to call twice, and without start."""
        if self._thread is None or self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(timeout=60)

    def happenings(self) -> Sequence[Happening]:
        with self._lock:
            return sorted(self._seen, key=lambda happening: happening.t_ns)

    def problem(self) -> str | None:
        with self._lock:
            return "; ".join(self._problems) or None

    def poll(self) -> None:
        """One look. A failing one is no problem by itself: the gap that it leaves may become one."""
        before_ns, why = self._last_ns, "no answer in time"
        try:
            self._look()
        except ShiftproofError as error:
            why = str(error)
        silent_s = (self._clock.now_ns() - before_ns) / 1e9
        if silent_s > GAP_S and not self._silent:
            self._silent = why != "no answer in time"  # it goes on: one gap is told once
            self._note(f"EC2 was not seen for {silent_s:.0f} s: {why}")

    def _run(self) -> None:
        """A thread's top: whatever ends it before its time is said, since a thread that dies says nothing by itself."""
        try:
            while not self._stop.wait(POLL_S):
                self.poll()
            self.poll()
        except Exception as error:  # noqa: BLE001 (a fault of our own here must leave a gap in the record, not silence)
            self._note(f"the watch of EC2 ended: {type(error).__name__}: {error}")

    def _look(self) -> None:
        found = {machine.id: machine for machine in self._machines.nodes(self._known(), self._cluster)}
        now_ns = self._clock.now_ns()
        running = {name: machine for name, machine in found.items() if not machine.going}
        if self._running is None:
            new, ends = list(running.values()), []
            self._ended = found.keys() - running.keys()
        else:
            new = [one for name, one in found.items() if name not in self._running and name not in self._ended]
            # One that was launched and ended between two polls is told as both: its boot was paid for.
            ends = [one for one in [*self._running.values(), *new] if one.id not in running]
            self._ended |= {one.id for one in ends}
        offset_ns, within_ms = now_ns - self._wall_ns(), round((now_ns - self._last_ns) / 1e6, 1)
        told = [_launched(one, offset_ns, baseline=self._running is None) for one in new]
        told += [_ended(now_ns, one, within_ms) for one in ends]
        with self._lock:
            self._seen += told
            self._last_ns = now_ns
        self._running, self._silent = running, False

    def _note(self, problem: str) -> None:
        gap = Happening(self._clock.now_ns(), Source.EC2, WATCH_GAP, "watcher/ec2", problem, {"problem": problem})
        with self._lock:
            if problem not in self._problems:
                self._problems.append(problem)
                self._seen.append(gap)


def _launched(machine: Ec2Machine, offset_ns: int, *, baseline: bool) -> Happening:
    t_ns = round(machine.launched_s * 1e9) + offset_ns
    data = {**_data(machine), "resolution_s": RESOLUTION_S, **({"baseline": True} if baseline else {})}
    detail = f"{machine.capacity_type} in {machine.zone}" + (" (it ran when the watch began)" if baseline else "")
    return Happening(t_ns, Source.EC2, "machine.launched", f"machine/{machine.id}", detail, data)


def _ended(t_ns: int, machine: Ec2Machine, within_ms: float) -> Happening:
    data = {**_data(machine), "within_ms": within_ms}
    return Happening(t_ns, Source.EC2, "machine.ended", f"machine/{machine.id}", machine.capacity_type, data)


def _data(machine: Ec2Machine) -> Mapping[str, str]:
    return {"capacity_type": machine.capacity_type, "zone": machine.zone}
