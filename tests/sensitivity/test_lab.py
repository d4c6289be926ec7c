"""On the lab: what a look sees, and that what was put back is normal again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import shiftproof

from shiftproof.lab.enter import RunningLab
from shiftproof.sensitivity.normal import differences
from shiftproof.sensitivity.platform import LabPlatform

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def kubectl(*words: str) -> subprocess.CompletedProcess[str]:
    done = shiftproof("lab", "exec", "--", "kubectl", "-n", "payments", *words)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def platform(lab: RunningLab) -> LabPlatform:
    return LabPlatform("payments", Path("infra"))


def test_a_whole_platform_is_normal_and_a_change_of_anything_shows(platform: LabPlatform) -> None:
    platform.recover(lambda _: None)
    before = platform.look()
    assert before.problems == ()
    assert {"Secret payments", "Deployment payments", "weights of rule customers"} <= before.facts.keys()
    try:
        kubectl("create", "configmap", "left-behind", "--from-literal=a=b")
        kubectl("label", "pdb", "payments", "left=behind")
        kubectl("annotate", "secret", "payments", "left=behind")
        found = differences(before.facts, platform.look())
    finally:
        kubectl("delete", "configmap", "left-behind", "--ignore-not-found")
        kubectl("label", "pdb", "payments", "left-")
        kubectl("annotate", "secret", "payments", "left-")
    assert len(found) == 3
    assert "ConfigMap left-behind is there and was not" in found
    # Its resource version is another one by now; what is in it is not.
    assert differences(before.facts, platform.look()) == []


def test_no_value_of_a_secret_leaves_in_a_hash_that_could_be_searched(
    platform: LabPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = platform.look().facts["Secret payments"]
    (tmp_path / "sensitivity-salt").write_text("another")
    monkeypatch.setenv("SHIFTPROOF_STATE", str(tmp_path))
    assert platform.look().facts["Secret payments"] != mine
