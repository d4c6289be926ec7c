"""The gate on the real lab: clean it passes, with a defect it fails by its claim, and killed it leaves nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import shiftproof
from fakes.clock import wait_until
from fakes.defects import day, defects_of

from shiftproof.gate.planting import read_defect
from shiftproof.lab.enter import RunningLab
from shiftproof.report.verdict_file import schema
from shiftproof.safety.journal import Journal, journal_dir

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

GATE_WITHIN_S = 600.0
GATE = ("gate", "payments", "--to", "25", "--json", "-")

LOOK = """
import json
from shiftproof.adapters import elbv2, kubernetes
from shiftproof.adapters.targets import load_service, load_target
target, service = load_target("lab"), load_service("payments")
nodes = kubernetes.Api(kubernetes.connect(target)).items("/api/v1/nodes")
print(json.dumps({
    "weighted": elbv2.connect(target, service).weights("weighted").cluster_pct,
    "customers": elbv2.connect(target, service).weights("customers").cluster_pct,
    "cordoned": [n["metadata"]["name"] for n in nodes if n["spec"].get("unschedulable")],
    "ready": sorted(n["metadata"]["name"] for n in nodes for c in n["status"]["conditions"]
                    if c["type"] == "Ready" and c["status"] == "True"),
}))
"""
WHOLE = {"weighted": 0, "customers": 0, "cordoned": [], "ready": ["node-1", "node-2"]}


def _look() -> Mapping[str, Any]:
    seen = shiftproof("lab", "exec", "--", sys.executable, "-c", LOOK)
    assert seen.returncode == 0, seen.stderr
    found: Mapping[str, Any] = json.loads(seen.stdout)
    return found


def _gate(*more: str) -> tuple[int, Mapping[str, Any], str]:
    done = shiftproof(*GATE, *more, within_s=GATE_WITHIN_S)
    assert done.stdout, done.stderr
    verdict = json.loads(done.stdout)
    jsonschema.validate(verdict, schema())
    return done.returncode, verdict, done.stderr


def test_a_clean_service_passes(lab: RunningLab) -> None:
    code, verdict, words = _gate("--quick")
    assert (code, verdict["verdict"]) == (0, "PASS"), words
    assert verdict["requests"]["pairs"] > 3000
    assert verdict["customers"]["requests"] > 300
    assert verdict["customers"]["failed"] == 0
    assert _look() == WHOLE
    assert not Journal(journal_dir()).pending()


@pytest.mark.parametrize("defect", defects_of(day()), ids=lambda path: path.stem)
def test_a_planted_defect_fails_by_the_claim_that_its_file_expects(lab: RunningLab, defect: Path) -> None:
    """Two defects, chosen by the day; `make qualify` plants them all."""
    expected = read_defect(defect).expect.claim
    code, verdict, words = _gate("--defect", str(defect))
    failed = {claim["name"] for claim in verdict["claims"] if claim["verdict"] == "FAIL"}
    assert (code, verdict["verdict"]) == (1, "FAIL"), words
    assert expected in failed, words
    assert not verdict["run"]["not_planted"], words
    assert _look() == WHOLE
    assert not Journal(journal_dir()).pending()


def test_a_gate_that_is_killed_leaves_what_recover_puts_back(lab: RunningLab) -> None:
    seed = random.SystemRandom().randrange(10_000)
    for after_s in sorted(random.Random(seed).uniform(4, 75) for _ in range(3)):
        _kill_after(after_s)
        recovered = shiftproof("recover")
        assert recovered.returncode == 0, f"seed {seed}, {after_s:.1f} s: {recovered.stderr}"
        assert not Journal(journal_dir()).pending(), f"seed {seed}, {after_s:.1f} s"
        wait_until(lambda: _look() == WHOLE, within_s=120)


def _kill_after(seconds: float) -> None:
    program = (sys.executable, "-c", "from shiftproof.cli import main; main()")
    gate = subprocess.Popen([*program, *GATE, "--quick"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    children = _descendants(gate.pid)
    gate.send_signal(signal.SIGKILL)
    gate.wait()
    # Load and chaos end with the gate, by themselves.
    wait_until(lambda: not [pid for pid in children if _alive(pid)], within_s=90)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
