"""The load child: `python -m shiftproof.load --plan FILE --events FILE --servers FILE --probes FILE --report FILE`.

Takes orders on stdin, a line each: "triples on", "triples off", "pause", "resume", "boost SIDE RATE_PER_S", "boost
off", "stop"; answers each on stdout with the same line, once it holds. Ends when told to, after the plan's max_seconds,
or when stdin closes: then whoever started it is gone.
"""

from __future__ import annotations

# isort: off
from locust.env import Environment  # first of all: importing locust patches the standard library
# isort: on

import argparse
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gevent
from gevent.fileobject import FileObjectPosix
from locust.stats import RequestStats

from shiftproof.load.boost import Boost
from shiftproof.load.child import counter, settle_memory
from shiftproof.load.lane import Lane
from shiftproof.load.openloop import OpenLoop, PairUser
from shiftproof.load.priority import ask_for_priority
from shiftproof.load.probelog import ProbeLog
from shiftproof.load.probes import Hooks, Probes
from shiftproof.load.recorder import FileSink, Recorder
from shiftproof.load.schedule import Draws, Schedule
from shiftproof.model.event import EXTRA, Side
from shiftproof.ports import LoadPlan

FLUSH_S = 0.1
LEAD_NS = (
    300_000_000  # the first request is due this long after the clock was read: Locust takes a while to start a user
)


@dataclass(frozen=True, slots=True)
class Files:
    plan: Path
    events: Path
    servers: Path
    probes: Path
    report: Path


def main() -> int:
    files = _arguments()
    plan = LoadPlan(**json.loads(files.plan.read_text(encoding="utf-8")))
    environment = Environment(user_classes=[PairUser], host=plan.base_url)
    environment.stats = RequestStats(use_response_times_cache=False)  # its percentiles are rounded: nobody reads them
    runner = environment.create_local_runner()
    recorder, log = Recorder(FileSink(files.events, files.servers)), ProbeLog(files.probes)
    settle_memory()
    ask_for_priority()
    before_s = time.process_time()
    loop = _build(plan, recorder, environment)
    PairUser.loop, PairUser.drain_s = loop, plan.timeout_s
    gevent.signal_handler(signal.SIGTERM, loop.stop, "signal")
    gevent.spawn(_take_orders, loop)
    flushing = gevent.spawn(_keep_flushing, (recorder, log), loop)
    probing = gevent.spawn(_probe, plan, log, loop)
    runner.start(1, spawn_rate=1)
    loop.done.wait()
    gevent.joinall([flushing, probing])
    for written in (recorder, log):
        _written(_attempt(written.flush), loop)
    runner.quit()
    _report(files.report, loop, (recorder, log), environment, time.process_time() - before_s)
    return 0 if loop.problem is None else 1


def _arguments() -> Files:
    parser = argparse.ArgumentParser(prog="python -m shiftproof.load", description=__doc__)
    for name in ("plan", "events", "servers", "probes", "report"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    return Files(given.plan, given.events, given.servers, given.probes, given.report)


def _build(plan: LoadPlan, recorder: Recorder, environment: Environment) -> OpenLoop:
    def now_ns() -> int:
        return plan.anchor_ns + time.monotonic_ns()

    def broke(problem: str) -> None:
        loop.broke(problem)

    start_ns = now_ns() + LEAD_NS
    count = counter(environment)

    def lane(side: Side) -> Lane:
        return Lane(
            side,
            plan,
            recorder=recorder,
            report=count,
            broke=broke,
            now_ns=now_ns,
            key_prefix=f"shiftproof-{start_ns:x}",
        )

    def schedule(rate_per_s: float, start_ns: int, first: int = 0, seed: int = plan.seed) -> Schedule:
        shares = [float(operation.get("share", 1.0)) for operation in plan.operations]
        draws = Draws(shares=shares, accounts=plan.accounts, seed=seed)
        return Schedule(draws, start_ns=start_ns, rate_per_s=rate_per_s, jitter_share=plan.jitter_share, first=first)

    def boost(side: Side) -> Boost:
        return Boost(lane(side), lambda rate, at_ns, first: schedule(rate, at_ns, first, plan.seed + side), now_ns)

    sides = (Side.CUSTOMER,) if plan.customers else (Side.LEGACY, Side.CLUSTER)
    loop = OpenLoop(
        schedule(plan.rate_per_s, start_ns),
        [lane(side) for side in sides],
        None if plan.customers else lane(Side.WEIGHTED),
        now_ns,
        start_ns + int(plan.max_seconds * 1e9),
        {} if plan.customers else {side.name.lower(): boost(extra) for side, extra in EXTRA.items()},
    )
    return loop


def _take_orders(loop: OpenLoop) -> None:
    try:
        for line in FileObjectPosix(sys.stdin.fileno(), "rb", close=False):
            _obey(loop, line.decode("ascii", "replace").strip())
            os.write(sys.stdout.fileno(), line)
    finally:  # stdin has closed, or nobody reads the answers any more
        loop.stop("orphan")


def _obey(loop: OpenLoop, order: str) -> None:
    try:
        match order.split():
            case ["triples", "on" | "off" as state]:
                loop.triples = state == "on"
            case ["pause"]:
                loop.pause()
            case ["resume"]:
                loop.resume()
            case ["boost", "off"]:
                loop.boost(None)
            case ["boost", side, rate]:
                loop.boost(side, float(rate))
            case ["stop"]:
                loop.stop("told")
            case _:
                loop.broke(f"unknown order {order!r}")
    except (KeyError, ValueError):
        loop.broke(f"an order that cannot be followed: {order!r}")


def _probe(plan: LoadPlan, log: ProbeLog, loop: OpenLoop) -> None:
    """Conversations beside the pairs, until the load ends; customers hold none."""
    if plan.customers or plan.probes_per_s <= 0:
        return

    def now_ns() -> int:
        return plan.anchor_ns + time.monotonic_ns()

    hooks = Hooks(
        now_ns=now_ns,
        ending=lambda: bool(loop.reason),
        paused=lambda: loop.paused,
        weighted=lambda: loop.triples,
        broke=loop.broke,
    )
    start_ns = now_ns() + LEAD_NS
    Probes(plan, log, hooks, start_ns=start_ns, key_prefix=f"probe-{start_ns:x}").run()


def _keep_flushing(written: tuple[Recorder, ProbeLog], loop: OpenLoop) -> None:
    """A write may wait for a busy disk, so it waits on a thread of its own, and the sending goes on."""
    threads = gevent.get_hub().threadpool
    while not loop.done.wait(FLUSH_S):
        for one in written:
            one.gather()
            _written(threads.apply(_attempt, (one.write,)), loop)


def _attempt(write: Callable[[], None]) -> OSError | None:
    """What kept it from writing. Returned, since gevent writes to stderr what is raised on its threads, waits for ever
    when that cannot be written either, and our stderr is on the same disk."""
    try:
        write()
    except OSError as error:
        return error
    return None


def _written(error: OSError | None, loop: OpenLoop) -> None:
    if error is not None:
        loop.broke(f"the events could not be written: {error.strerror}")


def _report(
    path: Path, loop: OpenLoop, written: tuple[Recorder, ProbeLog], environment: Environment, loop_cpu_s: float
) -> None:
    """Whole or not at all: a report that is there means that the child came to its end."""
    recorder, log = written
    report = {
        "reason": loop.reason,
        "problem": loop.problem,
        "scheduled": loop.scheduled,
        "recorded": recorder.recorded,
        "locust_requests": environment.stats.total.num_requests,
        "locust_failures": environment.stats.total.num_failures,
        "late": recorder.late,
        "probes": log.recorded,
        "loop_cpu_s": loop_cpu_s,
        "max_rss_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(report), encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
