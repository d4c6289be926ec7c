"""Runs of Chaos Toolkit in its real child process, with faults that only write files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.clock import RealClock, wait_until

from shiftproof.adapters.chaostoolkit import ChaosToolkitFaults
from shiftproof.errors import ClearFail, FaultError
from shiftproof.model.platform import Service
from shiftproof.model.target import Target

ACTIONS = """\
import os, pathlib, time
here = pathlib.Path(__file__).parent

def steady():
    return "steady" if not (here / "sick").exists() else "2 of 3 pods are ready"

def hit(hold_s=0.0, sick=False):
    (here / "broken").touch()
    if sick:
        (here / "sick").touch()
    time.sleep(hold_s)
    words = ("SHIFTPROOF_TARGET", "SHIFTPROOF_SERVICE", "SHIFTPROOF_SEED", "SHIFTPROOF_EXPERIMENT", "SHIFTPROOF_REPEAT")
    begun = {"pod/x": time.monotonic_ns()}
    facts = {"env": [os.environ[word] for word in words]}
    return {"victims": ["pod/x"], "effect": "confirmed", "begun": begun, "facts": facts}

def die():
    os._exit(7)

def mend():
    (here / "mending").touch()
    time.sleep(1 if (here / "told-twice").exists() else 0)
    (here / "broken").unlink(missing_ok=True)
    (here / "mended").touch()
    return {"ended": {"pod/x": time.monotonic_ns()}}
"""

EXPERIMENT = """\
title: A title
description: What it shows
extensions:
  - {name: shiftproof, kind: graceful}
steady-state-hypothesis:
  title: Steady
  probes:
    - type: probe
      name: steady
      tolerance: steady
      provider: {type: python, module: some_faults, func: steady}
method:
  - type: action
    name: hit
    provider: {type: python, module: some_faults, func: FUNC}
rollbacks:
  - type: action
    name: mend
    provider: {type: python, module: some_faults, func: mend}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "some_faults.py").write_text(ACTIONS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, func in {
        "good": "hit",
        "long": "hit, arguments: {hold_s: 300}",
        "sick": "hit, arguments: {sick: true}",
        "dead": "die",
        "wrong": "no_such_function",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(EXPERIMENT.replace("FUNC", func))
    return tmp_path


class CutShort(RealClock):
    """Raises once the fault is there, as the gate's clock does when a sequential test has decided."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if (self.folder / "broken").exists():
            raise ClearFail("decided")


@pytest.fixture
def faults(folder: Path) -> Iterator[ChaosToolkitFaults]:
    found = make(folder, RealClock())
    yield found
    found.close()


def make(folder: Path, clock: RealClock) -> ChaosToolkitFaults:
    target = Target.model_validate(
        {"name": "lab", "kind": "lab", "entry": "http://x", "aws_endpoint": "http://x", "kubeconfig": "x"}
    )
    service = Service.model_validate(
        {
            "name": "payments",
            "namespace": "payments",
            "deployment": "payments",
            "manifests": "x",
            "load_balancer": {"name": "l", "legacy_target_group": "a", "cluster_target_group": "b"},
            "load": {"operations": [{"name": "list", "method": "GET", "path": "/"}]},
        }
    )
    return ChaosToolkitFaults(target, service, clock, folder, infra_dir=folder, seed=7)


def test_a_run_is_audited_and_timed_by_its_method(folder: Path, faults: ChaosToolkitFaults) -> None:
    before_ns = time.time_ns()
    result = faults.run("good", folder, 1)
    assert result.ok
    assert result.problem is None
    assert result.victims == ("pod/x",)
    assert result.facts["env"] == ["lab", "payments", "7", "good", "1"]
    assert before_ns < result.action_start_ns <= result.action_end_ns < time.time_ns()
    assert (folder / "mended").exists()
    assert (folder / "chaos-good-1.json").exists()
    begin, end = faults.happenings()
    assert (begin.kind, begin.subject, begin.data) == ("fault.begin", "pod/x", {"experiment": "good"})
    assert (end.kind, end.subject) == ("fault.end", "pod/x")
    assert result.action_start_ns < begin.t_ns < result.action_end_ns < end.t_ns < time.time_ns()


def test_one_child_serves_many_runs(folder: Path, faults: ChaosToolkitFaults) -> None:
    faults.run("good", folder, 1)
    started = time.monotonic()
    again = faults.run("good", folder, 2)
    assert again.ok
    assert again.facts["env"][-1] == "2"
    assert time.monotonic() - started < 0.5, "nothing is imported a second time"


def test_a_service_that_is_not_well_afterwards_is_its_own_fault(folder: Path, faults: ChaosToolkitFaults) -> None:
    result = faults.run("sick", folder, 1)
    assert not result.ok
    assert result.problem is None
    assert result.service_problem is not None
    assert "2 of 3 pods are ready" in result.service_problem
    assert (folder / "mended").exists(), "rollbacks are played though the steady state deviated"


def test_an_experiment_that_chaos_toolkit_refuses_proves_nothing(folder: Path, faults: ChaosToolkitFaults) -> None:
    result = faults.run("wrong", folder, 1)
    assert result.problem is not None
    assert "no_such_function" in result.problem
    assert faults.run("good", folder, 1).ok, "and the next one runs"


def test_an_old_journal_is_never_taken_for_a_new_one(folder: Path, faults: ChaosToolkitFaults) -> None:
    assert faults.run("good", folder, 1).ok
    (folder / "chaos-wrong-1.json").write_text((folder / "chaos-good-1.json").read_text())
    assert not faults.run("wrong", folder, 1).ok


def test_a_child_that_dies_is_an_error(folder: Path, faults: ChaosToolkitFaults) -> None:
    with pytest.raises(FaultError, match="ended by itself \\(code 7\\)"):
        faults.run("dead", folder, 1)
    assert faults.run("good", folder, 1).ok, "and a new child serves the next run"


def test_cut_short_the_fault_is_undone_before_the_reason_is_passed_on(folder: Path) -> None:
    faults = make(folder, CutShort(folder))
    started = time.monotonic()
    with pytest.raises(ClearFail):
        faults.run("long", folder, 1)
    assert time.monotonic() - started < 150, "the fault itself lasts twice as long"
    assert (folder / "mended").exists()
    assert not (folder / "broken").exists()


GATE = """\
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {here!r}]
from fakes.clock import RealClock
from test_faults import make
make(Path({folder!r}), RealClock()).run("long", Path({folder!r}), 1)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_gate_that_is_killed_takes_its_faults_with_it(folder: Path, how: signal.Signals) -> None:
    here = Path(__file__).parent
    script = GATE.format(tests=str(here.parents[1]), here=str(here), folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", script], env=dict(os.environ), stderr=subprocess.DEVNULL) as gate:
        wait_until((folder / "broken").exists, within_s=90)
        gate.send_signal(how)
        gate.wait(90)
    wait_until((folder / "mended").exists, within_s=90)
    assert not (folder / "broken").exists()


def test_being_told_twice_to_end_breaks_off_no_rollback(folder: Path) -> None:
    """As the kernel does for a gate that is killed: once for each of its threads."""
    (folder / "told-twice").touch()
    order = {"experiment": str(folder / "long.yaml"), "journal": str(folder / "chaos-long-1.json"), "env": {}}
    words = [sys.executable, "-m", "shiftproof.chaos.worker", str(os.getpid())]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as worker:
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(order) + "\n")
        worker.stdin.flush()
        wait_until((folder / "broken").exists, within_s=90)
        worker.send_signal(signal.SIGUSR1)
        wait_until((folder / "mending").exists, within_s=90)
        worker.send_signal(signal.SIGUSR1)
        worker.wait(90)
    assert (folder / "mended").exists()
    assert json.loads((folder / "chaos-long-1.json").read_text())["rollbacks"][0]["status"] == "succeeded"
