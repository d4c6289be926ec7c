"""The master: `python -m shiftproof.load.event.master --plan FILE --events FILE --servers FILE --report FILE`.

On standard output: "port N" once it listens, "ready" once every worker has come and taken its part. Then it takes
orders on standard input, a line each, and answers each with the same line, once it holds: "begin START_NS" (the run
clock), "stop". It ends when the event is over, when told to, or when standard input closes; what broke it is its last
line on standard error. The plan is an EventPlan as a dict.

What a worker that is lost had to send is sent by nobody; the report names it, its share, and since when.
"""

from __future__ import annotations

# isort: off
from locust.env import Environment  # first of all: importing locust patches the standard library
# isort: on

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust.runners import MasterRunner
from locust.stats import RequestStats

from shiftproof.load.child import settle_memory
from shiftproof.load.event import messages
from shiftproof.load.event.clocks import Reading, offset_of
from shiftproof.load.event.gathering import Gathering, Worker
from shiftproof.load.event.messages import Account, Part
from shiftproof.load.event.orders import Orders
from shiftproof.load.event.part import PartUser
from shiftproof.load.recorder import FileSink
from shiftproof.load.shape import read_shape
from shiftproof.ports import EventPlan, LoadPlan

WORKERS_WITHIN_S = 60.0
TAKEN_WITHIN_S = 10.0
CLOCK_READINGS = 10
ASK_EVERY_S = 0.05
LOST_AFTER_S = 5.0
"""Locust calls a worker missing after three heartbeats of a second; without records, too, it is lost."""
ENDS_WITHIN_S = 20.0


class Master:
    """Finds the workers, sets their clocks, deals the event out, and gathers."""

    def __init__(self, plan: EventPlan, runner: MasterRunner, gathering: Gathering) -> None:
        self._plan = plan
        self._runner = runner
        self._gathering = gathering
        self.workers: dict[str, Worker] = {}
        self.problem: str | None = None
        self.begun = Event()
        self.under_way = False
        self.stopped = Event()
        for name, listener in (
            (messages.CLOCK, self._clock),
            (messages.READY, self._ready),
            (messages.RECORDS, self._records),
            (messages.ACCOUNT, self._account),
        ):
            runner.register_message(name, listener)

    def broke(self, problem: str) -> None:
        self.problem = self.problem or problem
        self.stop()

    def stop(self) -> None:
        """No worker sends what is due from now on."""
        if not self.stopped.is_set():
            self.stopped.set()
            for worker in self.workers.values():
                self._runner.send_message(messages.STOP, {}, worker.id)

    def find_workers(self) -> bool:
        """All that the plan wants, each asked for its clock; False, with a problem, when they do not come in time."""
        deadline_s = time.monotonic() + WORKERS_WITHIN_S
        while time.monotonic() < deadline_s and not self.stopped.is_set():
            for client in self._runner.clients.ready:
                self.workers.setdefault(client.id, Worker(client.id))
            known = [w for w in self.workers.values() if len(w.readings) >= CLOCK_READINGS]
            if len(known) >= self._plan.workers:
                return True
            for worker in self.workers.values():
                self._runner.send_message(messages.CLOCK, {"sent_ns": time.monotonic_ns()}, worker.id)
            gevent.sleep(ASK_EVERY_S)
        self.broke(f"{len(self.workers)} of {self._plan.workers} load workers came within {WORKERS_WITHIN_S:.0f} s")
        return False

    def deal(self) -> bool:
        """Give each its part, and wait until all have taken theirs; False, with a problem, when one does not.

        More workers than were wanted get none.
        """
        chosen = sorted(self.workers.values(), key=lambda worker: worker.id)[: self._plan.workers]
        for number, worker in enumerate(chosen):
            worker.part, worker.offset = number, offset_of(worker.readings)
            anchor_ns = self._plan.load.anchor_ns + worker.offset.offset_ns
            plan = {**asdict(self._plan.load), "anchor_ns": anchor_ns}
            part = Part(plan, self._plan.points, number, len(chosen))
            self._runner.send_message(messages.PART, asdict(part), worker.id)
        deadline_s = time.monotonic() + TAKEN_WITHIN_S
        while not all(worker.ready for worker in chosen):
            if time.monotonic() > deadline_s or self.stopped.is_set():
                missing = [worker for worker in chosen if not worker.ready]
                self.broke(f"{self._named(missing)} took no part of the event within {TAKEN_WITHIN_S:g} s")
                return False
            gevent.sleep(ASK_EVERY_S)
        return True

    def begin(self, start_ns: int) -> bool:
        """All parts begin then, on the run clock; False, with a problem, when one has nobody any more to send it."""
        gone = [worker for worker in self.dealt if self._gone(worker)]
        if gone:
            self.broke(f"{self._named(gone)} was lost before the event began")
        else:
            for worker in self.dealt:
                worker.heard_s = time.monotonic()
                self._runner.send_message(messages.BEGIN, {"start_ns": start_ns}, worker.id)
            self.under_way = True
        self.begun.set()
        return not gone

    @property
    def dealt(self) -> list[Worker]:
        return [worker for worker in self.workers.values() if worker.part is not None]

    def over(self) -> bool:
        """Every part was accounted for, or its worker is lost; or none has begun."""
        self._look_for_lost()
        return not self.under_way or all(worker.account is not None or worker.lost for worker in self.dealt)

    def _look_for_lost(self) -> None:
        for worker in self.dealt:
            silent_s = time.monotonic() - worker.heard_s
            if self.under_way and worker.account is None and self._gone(worker) and silent_s > LOST_AFTER_S:
                worker.lost = True

    def _gone(self, worker: Worker) -> bool:
        client = self._runner.clients.get(worker.id)
        return client is None or client.state == "missing"

    def _named(self, workers: Sequence[Worker]) -> str:
        """By part and by Locust's own name of each, which begins with its host's."""
        names = [f"load worker {(worker.part or 0) + 1} of {len(self.dealt)} ({worker.id})" for worker in workers]
        return " and ".join(names)

    def _clock(self, msg: Any, **_: Any) -> None:
        worker = self.workers.get(msg.node_id)
        if worker is not None:
            reading = Reading(int(msg.data["sent_ns"]), int(msg.data["read_ns"]), time.monotonic_ns())
            worker.readings.append(reading)

    def _ready(self, msg: Any, **_: Any) -> None:
        self.workers[msg.node_id].ready = True

    def _records(self, msg: Any, **_: Any) -> None:
        worker = self.workers[msg.node_id]
        worker.heard_s = time.monotonic()
        try:
            self._gathering.add(worker, list(msg.data["names"]), msg.data["records"])
        except OSError as error:
            self.broke(f"the events could not be written: {error.strerror}")

    def _account(self, msg: Any, **_: Any) -> None:
        self.workers[msg.node_id].account = Account(**msg.data)


def main() -> int:
    given = _arguments()
    plan = read_plan(given.plan)
    shape, _ = read_shape(Path(plan.profile))
    rates = shape()
    rates.workers = plan.workers
    environment = Environment(user_classes=[PartUser], shape_class=rates, host=plan.load.base_url)
    environment.stats = RequestStats(use_response_times_cache=False)
    runner = environment.create_master_runner(given.bind, given.port)
    gathering = Gathering(FileSink(given.events, given.servers))
    master = Master(plan, runner, gathering)
    settle_memory()
    print(f"port {runner.server.port}", flush=True)
    reason = _run(master, runner)
    runner.quit()
    if master.problem is not None:
        print(master.problem, file=sys.stderr, flush=True)
    _report(given.report, master, reason, environment)
    return 0 if master.problem is None else 1


def _run(master: Master, runner: MasterRunner) -> str:
    """Until the event is over; how it ended, as load-*.json has it."""
    orders = Orders(master)
    gevent.spawn(orders.take)
    if not (master.find_workers() and master.deal()):
        return "broken"
    print("ready", flush=True)
    master.begun.wait()
    if not master.stopped.is_set():
        runner.start_shape()
    end_s = None
    while not master.over():
        if master.stopped.is_set():
            end_s = end_s or time.monotonic() + ENDS_WITHIN_S
            if time.monotonic() > end_s:
                master.broke("load workers gave no account of themselves after they were told to end")
                break
        gevent.sleep(ASK_EVERY_S)
    return orders.reason or "over"


def read_plan(path: Path) -> EventPlan:
    """What `asdict` made of an EventPlan."""
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    points = tuple((float(t_s), float(rate)) for t_s, rate in raw.pop("points"))
    return EventPlan(load=LoadPlan(**raw.pop("load")), points=points, **raw)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m shiftproof.load.event.master", description=__doc__)
    for name in ("plan", "events", "servers", "report"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    return parser.parse_args()


def _report(path: Path, master: Master, reason: str, environment: Environment) -> None:
    """Whole or not at all: a report that is there means that the master came to its end."""
    accounts = [worker.account for worker in master.dealt if worker.account is not None]
    problems = [account.problem for account in accounts if account.problem]
    report = {
        "reason": reason,
        "problem": master.problem or next(iter(problems), None),
        "scheduled": sum(account.scheduled for account in accounts),
        "recorded": sum(account.recorded for account in accounts),
        "locust_requests": environment.stats.total.num_requests,
        "locust_failures": environment.stats.total.num_failures,
        "late": sum(account.late for account in accounts),
        "probes": 0,
        "workers": [_row(worker, len(master.dealt)) for worker in master.dealt],
    }
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(report), encoding="utf-8")
    partial.replace(path)


def _row(worker: Worker, parts: int) -> Mapping[str, Any]:
    return {
        "id": worker.id,
        "part": worker.part,
        "share": 1 / parts,
        "clock_error_ms": worker.offset.error_ns / 1e6 if worker.offset else None,
        "received": worker.received,
        "lost": worker.lost,
    }


if __name__ == "__main__":
    sys.exit(main())
