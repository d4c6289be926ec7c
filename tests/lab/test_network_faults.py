"""Network faults on the lab's own bridge and machines, in namespaces that end with the test; no lab is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("bridge_driver.py")

pytestmark = [
    pytest.mark.component,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces, which only root may"),
]


@pytest.mark.parametrize("scenario", ["deny", "drop_idle", "ends_by_itself", "survives_a_cut_of_power", "refusals"])
def test_on_a_bridge(scenario: str) -> None:
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--", sys.executable, str(DRIVER), scenario],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
