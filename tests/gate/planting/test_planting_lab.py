"""Defects in the lab: planted in running pods, gone when undone, and gone after whoever planted them was killed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from servers.lab import SHIFTPROOF, lab_up, python_in_lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

CHILD = """
import json, sys
from pathlib import Path
from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.kubernetes.objects import Objects, cleaned
from shiftproof.adapters.targets import load_service, load_target
from shiftproof.gate.planting import planted, read_defect
from shiftproof.gate.world import scope_of
from shiftproof.safety.journal import Journal, journal_dir

target, service = load_target("lab"), load_service("payments")
api = Api(connect(target))
objects = Objects(api)

def tell(what):
    refs = [objects.locate(kind, "payments", service.namespace) for kind in ("Deployment", "Secret", "ConfigMap")]
    pods = api.items("/api/v1/namespaces/payments/pods")
    state = {
        "what": what,
        "objects": [cleaned(objects.read(ref)) for ref in refs],
        "unsettled": str(objects.unsettled(refs[0]) or ""),
        "commands": sorted({str(pod["spec"]["containers"][0].get("command")) for pod in pods}),
        "secret_keys": sorted(objects.read(refs[1])["data"]),
        "pending": [entry.subject for entry in Journal(journal_dir()).pending()],
    }
    print(json.dumps(state), flush=True)

tell("before")
if len(sys.argv) > 1:
    journal = Journal(journal_dir(), run_id="test", scope=scope_of(target))
    with planted(read_defect(Path(sys.argv[1])), target, journal, service):
        tell("planted")
        sys.stdin.read()
    tell("after")
"""


def states(child: subprocess.Popen[str], count: int) -> list[dict[str, Any]]:
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(count)]
    if not all(line.startswith("{") for line in lines):
        pytest.fail("".join(lines) + child.stdout.read())
    return [json.loads(line) for line in lines]


@pytest.fixture
def state_dir(tmp_path: Path) -> dict[str, str]:
    lab_up()
    return {"SHIFTPROOF_STATE": str(tmp_path / "state")}


def state_now(env: dict[str, str]) -> dict[str, Any]:
    with python_in_lab(CHILD, env=env) as child:
        return states(child, 1)[0]


def test_a_defect_is_in_the_pods_and_then_is_not(state_dir: dict[str, str]) -> None:
    with python_in_lab(CHILD, "experiments/defects/no-graceful-shutdown.yaml", env=state_dir) as child:
        before, planted, after = states(child, 3)
        assert child.wait(30) == 0
    assert (before["commands"], before["unsettled"], before["pending"]) == (["None"], "", [])
    assert len(planted["commands"]) == 1
    assert "trap" in planted["commands"][0], "every pod is of the patched template by now"
    assert (planted["unsettled"], planted["pending"]) == ("", ["deployment/payments"])
    assert after == {**before, "what": "after"}


def test_after_a_kill_recover_takes_the_defect_out(state_dir: dict[str, str]) -> None:
    held, hold = os.pipe()
    try:
        child = python_in_lab(CHILD, "experiments/defects/missing-secret-key.yaml", env=state_dir, stdin=held)
        with child:
            before, planted = states(child, 2)
            child.kill()
    finally:
        os.close(held)
        os.close(hold)
    assert planted["secret_keys"] == ["database-password"]
    assert state_now(state_dir)["pending"] == ["secret/payments"]
    subprocess.run([str(SHIFTPROOF), "recover"], check=True, timeout=60, env={**os.environ, **state_dir})
    after = state_now(state_dir)
    assert (after["objects"], after["pending"]) == (before["objects"], [])
