"""The real thing: rollouts and faults on the lab's own Kubernetes, each seen by the watcher too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import wait_until

from shiftproof.lab.enter import RunningLab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

DRIVER = Path(__file__).with_name("lab_driver.py")
ROOT = DRIVER.parents[2]


def start(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """The driver, in the lab's network and mounts; the same process all along, so that it can be killed."""
    command = [sys.executable, "-c", "from shiftproof.cli import main; main()", "lab", "exec", "--"]
    return subprocess.Popen(
        [*command, sys.executable, str(DRIVER), str(tmp_path), *words],
        cwd=ROOT,
        env={**os.environ, "SHIFTPROOF_STATE": str(tmp_path / "state")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def drive(tmp_path: Path, *words: str) -> dict[str, Any]:
    with start(tmp_path, *words) as driver:
        out, err = driver.communicate(timeout=280)
    assert driver.returncode == 0, err
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert found["steady"], "the service is whole again"
    assert found["pending"] == []
    assert found["problem"] is None
    return found


def when(found: dict[str, Any], kind: str, subject: str) -> int:
    """The first time of it, in ns; fails when it was not seen."""
    times = [t_ns for t_ns, *what in found["happenings"] if what == [kind, subject]]
    assert times, f"{kind} of {subject} was not seen"
    return int(times[0])


def victims(found: dict[str, Any], sort: str) -> list[str]:
    result = found["result"]
    assert result["ok"], (result["problem"], result["service_problem"])
    named = [victim for victim in result["victims"] if victim.startswith(f"{sort}/")]
    assert named
    return named


def near(one_ns: int, other_ns: int, within_s: float) -> bool:
    return abs(one_ns - other_ns) < within_s * 1e9


def test_a_rolling_update_replaces_every_pod_and_changes_no_manifest(lab: RunningLab, tmp_path: Path) -> None:
    found = drive(tmp_path, "roll")
    assert found["rollout"]["complete"], found["rollout"]["problem"]
    assert found["digests"][0] == found["digests"][1]
    kinds = [kind for _, kind, _ in found["happenings"]]
    assert kinds.count("pod.terminating") == kinds.count("pod.present") == found["rollout"]["replicas"]
    assert kinds.index("pod.ready") < kinds.index("pod.terminating"), "a new one serves before an old one goes"


def test_a_deleted_pod_is_seen_to_go_by_the_watcher_too(lab: RunningLab, tmp_path: Path) -> None:
    found = drive(tmp_path, "pod-delete")
    (victim,) = victims(found, "pod")
    assert near(when(found, "fault.begin", victim), when(found, "pod.terminating", victim), 0.5)
    assert near(when(found, "fault.end", victim), when(found, "pod.gone", victim), 1.0)


def test_a_killed_pod_is_seen_to_die(lab: RunningLab, tmp_path: Path) -> None:
    found = drive(tmp_path, "pod-kill")
    (victim,) = victims(found, "pod")
    assert when(found, "fault.begin", victim) < when(found, "pod.stopped", victim)
    assert near(when(found, "fault.begin", victim), when(found, "pod.stopped", victim), 5.0)


def test_a_drained_node_is_cordoned_emptied_and_let_go(lab: RunningLab, tmp_path: Path) -> None:
    found = drive(tmp_path, "node-drain")
    (node,) = victims(found, "node")
    assert near(when(found, "fault.begin", node), when(found, "node.cordoned", node), 0.5)
    assert near(when(found, "fault.end", node), when(found, "node.uncordoned", node), 0.5)
    for pod in victims(found, "pod"):
        assert near(when(found, "fault.begin", pod), when(found, "pod.terminating", pod), 0.5)
        assert when(found, "node.cordoned", node) < when(found, "pod.gone", pod) < when(found, "node.uncordoned", node)


def test_a_lost_node_comes_back(lab: RunningLab, tmp_path: Path) -> None:
    found = drive(tmp_path, "node-loss")
    (node,) = victims(found, "node")
    away_s = (when(found, "fault.end", node) - when(found, "fault.begin", node)) / 1e9
    assert 10 < away_s < 25
    for pod in victims(found, "pod"):
        assert when(found, "pod.stopped", pod) > when(found, "fault.end", node), "nobody could say so before"
    assert all(part["state"] == "ready" for part in lab.control().status()["parts"])


def test_a_drain_cut_short_leaves_no_cordon(lab: RunningLab, tmp_path: Path) -> None:
    found = drive(tmp_path, "node-drain", "--cut")
    assert found["cut"]
    kinds = [kind for _, kind, _ in found["happenings"]]
    assert kinds.count("node.cordoned") == kinds.count("node.uncordoned") == 1


def test_a_gate_killed_while_a_node_is_away_brings_it_back(lab: RunningLab, tmp_path: Path) -> None:
    journal = tmp_path / "state" / "journal"
    with start(tmp_path, "node-loss") as driver:
        wait_until(lambda: any(journal.glob("*.json")), within_s=120)
        wait_until(lambda: bool(_away(lab)), within_s=60)
        driver.send_signal(signal.SIGKILL)
        driver.wait(60)
    # The node's own lease is 40 s; a busy machine then starts a container runtime and a kubelet as slowly as it likes.
    wait_until(lambda: not _away(lab), within_s=150)
    wait_until(lambda: not any(journal.glob("*.json")), within_s=60)
    drive(tmp_path, "pod-delete")  # and all is well enough for the next


def _away(lab: RunningLab) -> list[str]:
    return [part["name"] for part in lab.control().status()["parts"] if part["state"] != "ready"]
