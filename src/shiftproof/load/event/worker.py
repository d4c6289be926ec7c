"""A worker: `python -m shiftproof.load.event.worker --master HOST:PORT`. Sends what the master deals it.

Its end is the master's: when that says so, when it was silent for a minute (Locust's own rule), and, with --tied, when
standard input closes, since then whoever started it is gone.
"""

from __future__ import annotations

# isort: off
from locust.env import Environment  # first of all: importing locust patches the standard library
# isort: on

import argparse
import os
import sys
import time
from dataclasses import asdict
from typing import Any

import gevent
from gevent.fileobject import FileObjectPosix
from locust.runners import WorkerRunner
from locust.stats import RequestStats

from shiftproof.load.child import counter, settle_memory
from shiftproof.load.event import messages
from shiftproof.load.event.messages import Account, Part
from shiftproof.load.event.part import PartLoop, PartUser
from shiftproof.load.lane import Lane
from shiftproof.load.priority import ask_for_priority
from shiftproof.load.recorder import Recorder
from shiftproof.load.schedule import Draws, EventSchedule
from shiftproof.model.demand import Demand
from shiftproof.model.event import Side
from shiftproof.ports import LoadPlan

FLUSH_S = 0.1


class _ToMaster:
    """Implements recorder.Sink: names wait for the records that use them, so that both come in one message."""

    def __init__(self, runner: WorkerRunner) -> None:
        self._runner = runner
        self._names: list[str] = []

    def write_name(self, name: str) -> None:
        self._names.append(name)

    def write_records(self, records: bytearray) -> int:
        self._runner.send_message(messages.RECORDS, {"names": self._names, "records": bytes(records)})
        self._names = []
        return len(records)

    def close(self) -> None:
        """The connection is Locust's."""


class _Worker:
    """Answers the master."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._taken: Part | None = None
        self._loop: PartLoop | None = None
        for name, listener in (
            (messages.CLOCK, self._clock),
            (messages.PART, self._part),
            (messages.BEGIN, self._begin),
            (messages.STOP, self._stop),
        ):
            runner.register_message(name, listener)

    def _clock(self, msg: Any, **_: Any) -> None:
        self._runner.send_message(messages.CLOCK, {**msg.data, "read_ns": time.monotonic_ns()})

    def _part(self, msg: Any, **_: Any) -> None:
        self._taken = Part(**msg.data)
        self._runner.send_message(messages.READY, {})

    def _begin(self, msg: Any, **_: Any) -> None:
        """Locust's own order to start its user comes after it, on the same connection."""
        assert self._taken is not None
        recorder = Recorder(_ToMaster(self._runner))
        loop = self._loop = _build(self._taken, int(msg.data["start_ns"]), recorder, self._environment)
        PartUser.loop, PartUser.drain_s = loop, float(self._taken.plan["timeout_s"])
        gevent.spawn(self._hand_over, recorder, loop)

    def _stop(self, **_: Any) -> None:
        if self._loop is not None:
            self._loop.stop()

    def _hand_over(self, recorder: Recorder, loop: PartLoop) -> None:
        """Records as they come, and the account once all are on their way."""
        while not loop.done.wait(FLUSH_S):
            recorder.flush()
        recorder.flush()
        # Locust's own count, which we hold ours against; by itself it tells that only every three seconds.
        self._runner._send_stats()  # noqa: SLF001 (it has no public way to tell it now)
        account = Account(loop.scheduled, recorder.recorded, recorder.late, loop.problem)
        self._runner.send_message(messages.ACCOUNT, asdict(account))


def _build(part: Part, start_ns: int, recorder: Recorder, environment: Environment) -> PartLoop:
    plan = LoadPlan(**part.plan)

    def now_ns() -> int:
        return plan.anchor_ns + time.monotonic_ns()

    def broke(problem: str) -> None:
        loop.broke(problem)

    shares = [float(operation.get("share", 1.0)) for operation in plan.operations]
    draws = Draws(shares=shares, accounts=plan.accounts, seed=plan.seed + part.part)
    demand = Demand.of(part.points)
    schedule = EventSchedule(draws, demand, start_ns=start_ns, part=part.part, parts=part.parts)
    lane = Lane(
        Side.EXTRA_CLUSTER,
        plan,
        recorder=recorder,
        report=counter(environment),
        broke=broke,
        now_ns=now_ns,
        key_prefix=f"event-{start_ns:x}",
    )
    loop = PartLoop(schedule, lane, now_ns)
    return loop


def _watch_standard_input(runner: WorkerRunner) -> None:
    for _ in FileObjectPosix(sys.stdin.fileno(), "rb", close=False):
        pass
    runner.quit()
    os._exit(1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shiftproof.load.event.worker", description=__doc__)
    parser.add_argument("--master", required=True, metavar="HOST:PORT")
    parser.add_argument("--tied", action="store_true", help="end when standard input closes")
    given = parser.parse_args()
    host, _, port = given.master.rpartition(":")
    environment = Environment(user_classes=[PartUser])
    environment.stats = RequestStats(use_response_times_cache=False)  # its percentiles are rounded: nobody reads them
    runner = environment.create_worker_runner(host, int(port))
    _Worker(environment, runner)
    settle_memory()
    ask_for_priority()
    if given.tied:
        gevent.spawn(_watch_standard_input, runner)
    runner.greenlet.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
