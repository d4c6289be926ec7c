"""ports.Faults on Chaos Toolkit; also a ports.Watcher, of its own faults."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shiftproof.adapters.chaostoolkit.audit import Audit, Plan, audit
from shiftproof.adapters.chaostoolkit.child import Child
from shiftproof.adapters.chaostoolkit.files import ExperimentFile, described, read_file
from shiftproof.model.history import Happening, Source
from shiftproof.model.platform import Service
from shiftproof.model.target import Target
from shiftproof.ports import Clock, Experiment, ExperimentResult

_MARKS = "shiftproof"  # as shiftproof.chaos.worker writes them


class ChaosToolkitFaults:
    """Runs experiments in one child process and audits what their journals prove.

    seed: decides which pods and nodes are hit. infra_dir: where the child finds targets and the platform. The child is
    started by `warm` or the first run, from the thread that must outlive it (it dies with that thread). As a watcher
    (start and stop do nothing) it tells when its faults began and ended.
    SHIFTPROOF_ALLOW_FAULTS=1 in the environment allows faults outside the lab, where the target's file does too.
    """

    def __init__(
        self,
        target: Target,
        service: Service,
        clock: Clock,
        experiments_dir: Path,
        *,
        infra_dir: Path,
        seed: int,
    ) -> None:
        self._clock = clock
        self._experiments_dir = experiments_dir
        self._env = {
            "SHIFTPROOF_TARGET": target.name,
            "SHIFTPROOF_SERVICE": service.name,
            "SHIFTPROOF_INFRA": str(infra_dir.resolve()),
            "SHIFTPROOF_SEED": str(seed),
        }
        self._child: Child | None = None
        self._seen: list[Happening] = []

    def experiment(self, name: str) -> Experiment:
        """Raises UserError for a name without a file, ConfigError with file and line for a bad one."""
        return described(name, read_file(self._experiments_dir, name))

    def warm(self, run_dir: Path) -> None:
        """Start the child now, so that its imports (1 s of CPU) are over when the first experiment comes."""
        self._ready_child(run_dir)

    def close(self) -> None:
        """End the child, with the rollbacks of what it still runs. Safe to call twice."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def start(self) -> None:
        """As a watcher: nothing to open."""

    def stop(self) -> None:
        """As a watcher: nothing to close."""

    def happenings(self) -> Sequence[Happening]:
        """fault.begin and fault.end of each victim, by time."""
        return sorted(self._seen, key=lambda happening: happening.t_ns)

    def problem(self) -> str | None:
        """Never a gap: a run that leaves no journal says so in its result."""
        return None

    def run(self, experiment: str, run_dir: Path, repeat: int) -> ExperimentResult:
        """One run, audited; its journal and log stay in `run_dir`. Raises FaultError when the child dies."""
        file = read_file(self._experiments_dir, experiment)
        journal_path = run_dir / f"chaos-{experiment}-{repeat}.json"
        journal_path.unlink(missing_ok=True)
        child = self._ready_child(run_dir)
        began_ns = self._clock.now_ns()
        order = {
            "experiment": str((self._experiments_dir / f"{experiment}.yaml").resolve()),
            "journal": str(journal_path.resolve()),
            # Taken anew for each run: the gate may have set its run and scope since the child was started.
            "env": {
                **{key: value for key, value in os.environ.items() if key.startswith("SHIFTPROOF_")},
                **self._env,
                "SHIFTPROOF_EXPERIMENT": experiment,
                "SHIFTPROOF_REPEAT": str(repeat),
            },
        }
        error = child.run(order, self._clock.sleep)
        journal = _read(journal_path) if error is None else None
        if journal is None:
            return _nothing(began_ns, self._clock.now_ns(), error or "the experiment left no journal")
        # The child's marks are of CLOCK_MONOTONIC, which all processes share; the run clock runs beside it.
        offset_ns = self._clock.now_ns() - time.monotonic_ns()
        found = audit(journal, _plan(file))
        self._note(found, experiment, offset_ns)
        return self._result(journal, found, began_ns, offset_ns)

    def _ready_child(self, run_dir: Path) -> Child:
        if self._child is None or not self._child.alive:
            self._child = Child({**os.environ, **self._env}, run_dir / "chaos-worker.log")
        return self._child

    def _note(self, found: Audit, experiment: str, offset_ns: int) -> None:
        for kind, times in (("fault.begin", found.begun), ("fault.end", found.ended)):
            self._seen += [
                Happening(t_ns + offset_ns, Source.CHAOS, kind, subject, data={"experiment": experiment})
                for subject, t_ns in times.items()
            ]

    def _result(self, journal: Mapping[str, Any], found: Audit, began_ns: int, offset_ns: int) -> ExperimentResult:
        marks = journal.get(_MARKS) or {}
        start, end = marks.get("method_start"), marks.get("method_end")
        return ExperimentResult(
            ok=found.problem is None and found.service_problem is None,
            problem=found.problem,
            service_problem=found.service_problem,
            action_start_ns=began_ns if start is None else start + offset_ns,
            action_end_ns=self._clock.now_ns() if end is None else end + offset_ns,
            victims=found.victims,
            facts=found.facts,
        )


def _plan(file: ExperimentFile) -> Plan:
    return Plan(probes=len(file.hypothesis.probes), method=len(file.method), rollbacks=len(file.rollbacks))


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, Mapping) else None


def _nothing(start_ns: int, end_ns: int, problem: str) -> ExperimentResult:
    return ExperimentResult(
        ok=False, problem=problem, action_start_ns=start_ns, action_end_ns=end_ns, victims=(), facts={}
    )
