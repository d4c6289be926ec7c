"""The load child seen from the gate: started, ordered about, read while it writes, and held to account at the end."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from shiftproof.adapters.locust.events import Tail, implausible, read_servers
from shiftproof.adapters.locust.probes import ProbeTail, count_probes
from shiftproof.errors import LoadError
from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side
from shiftproof.model.history import LoadReport
from shiftproof.model.probe import ProbeRecord
from shiftproof.ports import LoadPlan

FIRST_RECORD_S = 20.0
ORDER_S = 5.0
STOP_SPARE_S = 10.0  # beyond the time-out of what is in flight
POLL_S = 0.02

_FIGURES = ("scheduled", "recorded", "locust_requests", "locust_failures", "late", "probes")
_ENDED = {
    "limit": "the load ended by itself, after its longest time of {max_seconds:.0f} s, before it was told to",
    "signal": "the load was told to end by a signal that was not ours",
    "orphan": "the load lost its connection to the gate",
}


class RunningLocust:
    """Implements ports.RunningLoad. Made by LocustLoad.start."""

    def __init__(self, plan: LoadPlan, process: subprocess.Popen[bytes], run_dir: Path, name: str) -> None:
        self.events_path = run_dir / f"events-{name}.bin"
        self._plan = plan
        self._process = process
        self._servers_path = run_dir / f"servers-{name}.txt"
        self._probes_path = run_dir / f"probes-{name}.jsonl"
        self._report_path = run_dir / f"load-{name}.json"
        self._log_path = run_dir / f"load-{name}.log"
        self._tail = Tail(self.events_path)
        self._probes = ProbeTail(self._probes_path)
        self._triples = False
        self._answers = b""
        self._ordering = threading.Lock()  # the drill orders, and so does whoever watches over it
        self._report: LoadReport | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def new_events(self) -> Events:
        return self._tail.new()

    def new_probes(self) -> Sequence[ProbeRecord]:
        return self._probes.new()

    def servers(self) -> tuple[str, ...]:
        return read_servers(self._servers_path)

    def alive(self) -> bool:
        return self._process.poll() is None

    def triples(self, on: bool) -> None:
        """Returns once it holds for every pair that is due from now on.

        Raises LoadError when the child does not answer; switching off never raises, since that is done while something
        else may be going wrong.
        """
        if on == self._triples:
            return
        try:
            self._order(f"triples {'on' if on else 'off'}")
            self._triples = on
        except LoadError:
            if on:
                raise

    def pause(self) -> None:
        self._order("pause")

    def resume(self) -> None:
        self._order("resume")

    def boost(self, side: Side, rate_per_s: float) -> None:
        self._order(f"boost {side.name.lower()} {rate_per_s:.3f}" if rate_per_s > 0 else "boost off")

    def stop(self) -> LoadReport:
        if self._report is None:
            self._end()
            self._report = self._account()
        return self._report

    def wait_first(self) -> None:
        """Raises LoadError when no record was written within 20 s, and ends the child then."""
        deadline = time.monotonic() + FIRST_RECORD_S
        while not self._has_record():
            if not self.alive():
                problem = self._death()
                self._close_pipes()
                raise LoadError(f"the load did not start: {problem}", hint=f"see {self._log_path}")
            if time.monotonic() > deadline:
                self._kill()
                raise LoadError(f"no request was recorded within {FIRST_RECORD_S:.0f} s", hint=f"see {self._log_path}")
            time.sleep(POLL_S)

    def _has_record(self) -> bool:
        try:
            return self.events_path.stat().st_size >= EVENT_DTYPE.itemsize
        except FileNotFoundError:
            return False

    def _order(self, order: str) -> None:
        """Write one line and wait for the same line back. Raises LoadError when none comes."""
        with self._ordering:
            self._exchange(order)

    def _exchange(self, order: str) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        line = order.encode() + b"\n"
        deadline = time.monotonic() + ORDER_S
        try:
            os.write(stdin.fileno(), line)
            while line not in self._answers:
                ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
                data = os.read(stdout.fileno(), 4096) if ready else b""
                if not data:
                    raise LoadError(f"the load does not answer to {order!r}: {self._death()}")
                self._answers += data
        except (OSError, ValueError) as error:  # the pipe is closed: the child is gone, or was stopped already
            raise LoadError(f"the load takes no orders ({order!r}): {self._death()}") from error
        self._answers = self._answers.split(line, 1)[1]

    def _end(self) -> None:
        try:
            if self.alive():
                self._order("stop")
            self._process.wait(self._plan.timeout_s + STOP_SPARE_S)
        except (LoadError, subprocess.TimeoutExpired):
            self._kill()
        finally:
            self._close_pipes()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _account(self) -> LoadReport:
        """The child's own totals against the file. Events that are damaged or fewer than reported are a problem."""
        data = self.events_path.read_bytes() if self.events_path.exists() else b""
        whole = len(data) // EVENT_DTYPE.itemsize
        events = np.frombuffer(data, dtype=EVENT_DTYPE, count=whole)
        own = self._own_report()
        if own is None:
            return LoadReport(whole, whole, 0, 0, _late(events), finished=False, problem=self._death())
        problem = own["problem"] or _ENDED.get(own["reason"], "").format(max_seconds=self._plan.max_seconds) or None
        problem = problem or _mismatch(own, events, len(data) % EVENT_DTYPE.itemsize)
        probes, half = count_probes(self._probes_path)
        if problem is None and (half or probes != own["probes"]):
            problem = f"probes are missing from the record: {own['probes']} held, {probes} whole lines in the file"
        problem = problem or implausible(
            events, operations=len(self._plan.operations), servers=len(read_servers(self._servers_path))
        )
        return LoadReport(
            scheduled=own["scheduled"],
            recorded=whole,
            locust_requests=own["locust_requests"],
            locust_failures=own["locust_failures"],
            late=own["late"],
            finished=own["reason"] == "told" and own["problem"] is None,
            problem=problem,
            probes=probes,
        )

    def _own_report(self) -> dict[str, Any] | None:
        try:
            report = json.loads(self._report_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return report if isinstance(report, dict) and _is_account(report) else None

    def _death(self) -> str:
        """How the child ended, in words, with its last line."""
        code = self._process.poll()
        if code is None:
            return "it is still running but silent"
        if code == 0:
            return "the load ended, and its own account of that is missing or cannot be understood"
        if code < 0:
            return f"the load was killed by {signal.Signals(-code).name}"
        last = self._last_line()
        return f"the load ended with code {code}" + (f": {last}" if last else "")

    def _last_line(self) -> str:
        try:
            lines = self._log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


class LocustLoad:
    """Implements ports.Load: each load is a child process in a session of its own, so that Ctrl-C ends the gate in its
    own order, and not the load first."""

    def start(self, plan: LoadPlan, run_dir: Path, name: str) -> RunningLocust:
        plan_path = run_dir / f"plan-{name}.json"
        paths = {
            "--plan": plan_path,
            "--events": run_dir / f"events-{name}.bin",
            "--servers": run_dir / f"servers-{name}.txt",
            "--probes": run_dir / f"probes-{name}.jsonl",
            "--report": run_dir / f"load-{name}.json",
        }
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            for path in paths.values():
                path.unlink(missing_ok=True)
            plan_path.write_text(json.dumps(_jsonable(plan)), encoding="utf-8")
            process = _spawn([text for option, path in paths.items() for text in (option, str(path))], run_dir, name)
        except OSError as error:
            raise LoadError(f"the load could not be started: {error}") from error
        running = RunningLocust(plan, process, run_dir, name)
        try:
            running.wait_first()
        except BaseException:  # Ctrl-C while it starts must not leave it behind
            if running.alive():
                running.stop()
            raise
        return running


def _spawn(arguments: list[str], run_dir: Path, name: str) -> subprocess.Popen[bytes]:
    with (run_dir / f"load-{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "shiftproof.load", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )


def _jsonable(plan: LoadPlan) -> Mapping[str, Any]:
    return {**asdict(plan), "operations": [dict(operation) for operation in plan.operations]}


def _is_account(report: Mapping[str, Any]) -> bool:
    """Whether a child's report says all that it has to, so that nothing is taken for what it is not."""
    figures = [report.get(name) for name in _FIGURES]
    known = all(isinstance(figure, int) and not isinstance(figure, bool) for figure in figures)
    return known and isinstance(report.get("reason"), str) and isinstance(report.get("problem"), str | None)


def _late(events: Events) -> int:
    return int(np.count_nonzero(events["sent_ns"] - events["intended_ns"] > 20_000_000))


def _mismatch(own: Mapping[str, Any], events: Events, half: int) -> str | None:
    """Where the child's own counts, Locust's and the file's disagree; None when all tell the same story."""
    failed = int(np.count_nonzero(events["failure"] != Failure.NONE))
    if half:
        return f"the events file ends with {half} bytes of a record"
    if not own["scheduled"] == own["recorded"] == own["locust_requests"] == len(events):
        return (
            f"requests are missing from the record: {own['scheduled']} scheduled, {own['locust_requests']} counted by "
            f"Locust, {len(events)} in the file"
        )
    if own["locust_failures"] != failed:
        return f"Locust counted {own['locust_failures']} failures and the file holds {failed}"
    return None
