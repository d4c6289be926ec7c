"""The load child seen from the gate: started, ordered about, read while it writes, and held to account at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shiftproof.adapters.locust.account import LoadFiles, account
from shiftproof.adapters.locust.events import Tail, read_servers
from shiftproof.adapters.locust.probes import ProbeTail
from shiftproof.adapters.locust.process import OrderedChild
from shiftproof.errors import LoadError
from shiftproof.model.event import EVENT_DTYPE, Events, Side
from shiftproof.model.history import LoadReport
from shiftproof.model.probe import ProbeRecord
from shiftproof.ports import LoadPlan

FIRST_RECORD_S = 20.0
STOP_SPARE_S = 10.0  # beyond the time-out of what is in flight
POLL_S = 0.02
MODULE = "shiftproof.load"


class RunningLocust:
    """Implements ports.RunningLoad. Made by LocustLoad.start."""

    def __init__(self, plan: LoadPlan, child: OrderedChild, files: LoadFiles) -> None:
        self.events_path = files.events
        self._plan = plan
        self._child = child
        self._files = files
        self._tail = Tail(files.events)
        self._probes = ProbeTail(files.probes)
        self._triples = False
        self._report: LoadReport | None = None

    @property
    def pid(self) -> int:
        return self._child.pid

    def new_events(self) -> Events:
        return self._tail.new()

    def new_probes(self) -> Sequence[ProbeRecord]:
        return self._probes.new()

    def servers(self) -> tuple[str, ...]:
        return read_servers(self._files.servers)

    def alive(self) -> bool:
        return self._child.alive()

    def triples(self, on: bool) -> None:
        """Returns once it holds for every pair that is due from now on.

        Raises LoadError when the child does not answer; switching off never raises, since that is done while something
        else may be going wrong.
        """
        if on == self._triples:
            return
        try:
            self._child.order(f"triples {'on' if on else 'off'}")
            self._triples = on
        except LoadError:
            if on:
                raise

    def pause(self) -> None:
        self._child.order("pause")

    def resume(self) -> None:
        self._child.order("resume")

    def boost(self, side: Side, rate_per_s: float) -> None:
        self._child.order(f"boost {side.name.lower()} {rate_per_s:.3f}" if rate_per_s > 0 else "boost off")

    def stop(self) -> LoadReport:
        if self._report is None:
            self._child.end(self._plan.timeout_s + STOP_SPARE_S)
            self._report = account(
                self._files,
                operations=len(self._plan.operations),
                max_seconds=self._plan.max_seconds,
                death=self._child.death(),
            )
        return self._report

    def wait_first(self) -> None:
        """Raises LoadError when no record was written within 20 s, and ends the child then."""
        deadline = time.monotonic() + FIRST_RECORD_S
        while not self._has_record():
            if not self.alive():
                problem = self._child.death()
                self._child.release()
                raise LoadError(f"the load did not start: {problem}", hint=f"see {self._files.log}")
            if time.monotonic() > deadline:
                self._child.kill()
                raise LoadError(f"no request was recorded within {FIRST_RECORD_S:.0f} s", hint=f"see {self._files.log}")
            time.sleep(POLL_S)

    def _has_record(self) -> bool:
        try:
            return self.events_path.stat().st_size >= EVENT_DTYPE.itemsize
        except FileNotFoundError:
            return False


class LocustLoad:
    """Implements ports.Load: each load is a child process."""

    def start(self, plan: LoadPlan, run_dir: Path, name: str) -> RunningLocust:
        files = LoadFiles(run_dir, name)
        written = {
            "--plan": files.plan,
            "--events": files.events,
            "--servers": files.servers,
            "--probes": files.probes,
            "--report": files.report,
        }
        prepare(files, jsonable(plan))
        arguments = [text for option, path in written.items() for text in (option, str(path))]
        running = RunningLocust(plan, OrderedChild(MODULE, arguments, files.log), files)
        try:
            running.wait_first()
        except BaseException:  # Ctrl-C while it starts must not leave it behind
            if running.alive():
                running.stop()
            raise
        return running


def prepare(files: LoadFiles, plan: Mapping[str, Any]) -> None:
    """A folder without what an earlier load of that name left, and the plan in it. Raises LoadError."""
    try:
        files.run_dir.mkdir(parents=True, exist_ok=True)
        for path in (files.events, files.servers, files.probes, files.report):
            path.unlink(missing_ok=True)
        files.plan.write_text(json.dumps(plan), encoding="utf-8")
    except OSError as error:
        raise LoadError(f"the load could not be started: {error}") from error


def jsonable(plan: LoadPlan) -> dict[str, Any]:
    return {**asdict(plan), "operations": [dict(operation) for operation in plan.operations]}
