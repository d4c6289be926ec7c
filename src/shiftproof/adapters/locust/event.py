"""A load event seen from the gate: a Locust master and its workers, begun at a moment that the gate names.

In the lab the workers are processes beside the master. Elsewhere they are pods (infra/load) that find it by themselves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from shiftproof.adapters.locust.account import LoadFiles, account, own_report
from shiftproof.adapters.locust.child import STOP_SPARE_S, jsonable, prepare
from shiftproof.adapters.locust.events import Tail, read_servers
from shiftproof.adapters.locust.process import OrderedChild
from shiftproof.errors import LoadError, UserError
from shiftproof.model.event import Events
from shiftproof.model.history import LoadReport
from shiftproof.model.load_event import Hold, LoadEvent, Ramp
from shiftproof.ports import EventPlan

MASTER, WORKER, RATE = (f"shiftproof.load.event.{name}" for name in ("master", "worker", "rate"))
DESCRIBE = "shiftproof.load.describe"
LISTENS_WITHIN_S = 20.0
READY_WITHIN_S = 90.0
DESCRIBED_WITHIN_S = RATED_WITHIN_S = 30.0
FULL_SHARE = 0.5
"""Of a core that a worker may use: the service, its nodes and all else of the lab run on the same ones."""
ANSWER = "event: "
"""Begins each line of the answer: a profile may print something, too."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker that was lost: what it had to send of the whole event, by number, and as a share."""

    part: int
    parts: int
    share: float


class RunningEvent:
    """Made by `start_event`. Nothing is sent before `begin`."""

    def __init__(
        self, plan: EventPlan, master: OrderedChild, workers: Sequence[subprocess.Popen[bytes]], files: LoadFiles
    ) -> None:
        self._plan = plan
        self._master = master
        self._workers = workers
        self._files = files
        self._tail = Tail(files.events)
        self._report: LoadReport | None = None

    @property
    def worker_pids(self) -> tuple[int, ...]:
        return tuple(worker.pid for worker in self._workers)

    def begin(self, start_ns: int) -> None:
        """The event begins then, on the run clock. Raises LoadError when the master does not answer."""
        self._master.order(f"begin {start_ns}")

    def new_events(self) -> Events:
        """Records since the last call, in the order in which they came; those of one worker are in its own order."""
        return self._tail.new()

    def servers(self) -> tuple[str, ...]:
        return read_servers(self._files.servers)

    def alive(self) -> bool:
        """Until the event is over, or its load broke."""
        return self._master.alive()

    def stop(self) -> LoadReport:
        """Nothing more is sent; what is in flight ends, and all its processes. Safe to call twice and after a crash."""
        if self._report is None:
            self._master.end(self._plan.load.timeout_s + STOP_SPARE_S)
            _end(self._workers)
            self._report = self._account()
        return self._report

    def lost(self) -> tuple[Lost, ...]:
        """Workers that were lost on the way, once it was stopped."""
        own = own_report(self._files.report) or {}
        rows = own.get("workers", [])
        return tuple(Lost(row["part"], len(rows), row["share"]) for row in rows if row["lost"])

    def _account(self) -> LoadReport:
        found = account(
            self._files,
            operations=len(self._plan.load.operations),
            max_seconds=self._plan.load.max_seconds,
            death=self._master.death(),
        )
        missing = "; ".join(
            f"load worker {one.part + 1} of {one.parts} was lost, and {one.share:.0%} of the event's load from then on"
            for one in self.lost()
        )
        return replace(found, problem=missing, finished=False) if missing else found


def start_event(plan: EventPlan, run_dir: Path, name: str = "event") -> RunningEvent:
    """Returns once every worker has answered; raises LoadError when they do not."""
    files = LoadFiles(run_dir, name)
    prepare(files, {**asdict(plan), "load": jsonable(plan.load)})
    written = {"--plan": files.plan, "--events": files.events, "--servers": files.servers, "--report": files.report}
    arguments = [text for option, path in written.items() for text in (option, str(path))]
    master = OrderedChild(MASTER, arguments, files.log)
    workers: list[subprocess.Popen[bytes]] = []
    try:
        port = master.told("port", LISTENS_WITHIN_S)
        workers += [_worker(port, run_dir / f"load-{name}-{number + 1}.log") for number in range(plan.workers)]
        master.told("ready", READY_WITHIN_S)
    except BaseException:  # Ctrl-C while it starts must not leave it behind
        master.kill()
        _end(workers)
        raise
    return RunningEvent(plan, master, workers, files)


class LocustEventLoad:
    """Implements ports.EventLoad."""

    def start(self, plan: EventPlan, run_dir: Path) -> RunningEvent:
        return start_event(plan, run_dir)

    def sends_per_s(self, plan: EventPlan) -> float:
        """By what a request costs a worker here; each worker has at most a core, and is late when it is full."""
        with tempfile.TemporaryDirectory(prefix="shiftproof-rate-") as folder:
            files = LoadFiles(Path(folder), "rate")
            prepare(files, {**asdict(plan), "load": jsonable(plan.load)})
            cores = min(plan.workers, os.cpu_count() or 1)
            return cores * FULL_SHARE / _cpu_s_a_request(files.plan)


def _cpu_s_a_request(plan: Path) -> float:
    asked = [sys.executable, "-m", RATE, "--plan", str(plan)]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=RATED_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LoadError(f"how much this machine can send could not be tried: {error}") from error
    said = [line.removeprefix("rate: ") for line in done.stdout.splitlines() if line.startswith("rate: ")]
    if not said:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LoadError(f"how much this machine can send could not be tried: {last}")
    return float(said[-1])


@dataclass(frozen=True, slots=True)
class Described:
    """What one load profile says, or what is wrong with it, and where."""

    event: LoadEvent | None
    problem: str | None = None


def describe(profile: Path) -> LoadEvent:
    """What a load profile says. Raises UserError with what is wrong with it, and where."""
    (found,) = describe_all([profile])
    if found.event is None:
        raise UserError(found.problem or "", hint="loadprofiles/README.md says how a profile is written")
    return found.event


def describe_all(profiles: Sequence[Path]) -> tuple[Described, ...]:
    """Several at once, in the same order: importing Locust takes longer than reading them."""
    asked = [sys.executable, "-m", DESCRIBE, *map(str, profiles)]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=DESCRIBED_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        return tuple(Described(None, f"{profile}: the profile does not end to be read") for profile in profiles)
    said = [line.removeprefix(ANSWER) for line in done.stdout.splitlines() if line.startswith(ANSWER)]
    if len(said) != len(profiles):
        last = done.stderr.strip().splitlines()[-1:]
        return tuple(Described(None, f"{profile}: cannot be read: {last}") for profile in profiles)
    return tuple(_described(json.loads(line)) for line in said)


def _described(raw: dict[str, Any]) -> Described:
    if "problem" in raw:
        return Described(None, str(raw["problem"]))
    kinds = {"ramp": Ramp, "hold": Hold}
    pieces = tuple(kinds[piece.pop("kind")](**piece) for piece in raw.pop("pieces"))
    return Described(LoadEvent(pieces=pieces, **raw))


def _worker(port: str, log_path: Path) -> subprocess.Popen[bytes]:
    with log_path.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", WORKER, "--master", f"127.0.0.1:{port}", "--tied"],
            stdin=subprocess.PIPE,  # closed by the kernel when we are gone, whatever ends us
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """They end with the master; whatever does not is killed."""
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
        try:
            worker.wait(STOP_SPARE_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
