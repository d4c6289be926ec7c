"""The load balancer as a process: however it ends, nothing of it stays; what is broken is said in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.backends import Backend
from fakes.balancer import Balancer, eventually, running_balancer

from shiftproof.lab.lb.runtime import Runtime

pytestmark = pytest.mark.component


def haproxy_pid(balancer: Balancer) -> int:
    return Runtime(balancer.folder / "haproxy.sock").pid()


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]


def test_killed_it_takes_haproxy_with_it(tmp_path: Path) -> None:
    legacy = Backend("127.0.4.2")
    with running_balancer(tmp_path, [legacy], exit_code=-signal.SIGKILL) as balancer:
        pid = haproxy_pid(balancer)
        balancer.process.kill()
        eventually(lambda: not is_running(pid), "HAProxy gone")
    legacy.close()


def test_without_haproxy_it_says_so_and_ends(tmp_path: Path) -> None:
    """It must not go on to answer the API as if traffic followed."""
    legacy = Backend("127.0.4.3")
    with running_balancer(tmp_path, [legacy], exit_code=3) as balancer:
        os.kill(haproxy_pid(balancer), signal.SIGKILL)
        balancer.process.wait(timeout=60)
    last = (tmp_path / "output.txt").read_text().splitlines()[-1]
    assert last.startswith("load balancer: HAProxy ")
    legacy.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--platform", "/nowhere/platform.yaml"], "/nowhere/platform.yaml"),
        (["--bind", "nonsense"], "address:port is wanted"),
    ],
)
def test_bad_arguments_are_one_clear_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "shiftproof.lab.lb", "--dir", str(tmp_path), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode in (2, 3)
    assert words in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
