"""The real thing: a lab that is up, looked at and hurt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import shiftproof

from shiftproof.errors import LabError
from shiftproof.lab import procfs
from shiftproof.lab.enter import RunningLab, require_lab
from shiftproof.lab.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

MEMORY_LIMIT_BYTES = 6 * 2**30


def kubectl(*words: str) -> Any:
    done = shiftproof("lab", "exec", "--", "kubectl", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def payments_pods() -> list[dict[str, Any]]:
    pods: list[dict[str, Any]] = kubectl("get", "pods", "-n", "payments")["items"]
    return pods


def is_ready(thing: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in thing["status"].get("conditions", ()))


@pytest.fixture
def settled(lab: RunningLab) -> Iterator[RunningLab]:
    """Three payments pods ready before the test and after it, so that tests do not hurt each other."""
    until(pods_problem, 120, poll_s=1)
    yield lab
    until(pods_problem, 180, poll_s=1)


def pods_problem() -> str | None:
    pods = payments_pods()
    return None if len(pods) >= 3 and all(is_ready(pod) for pod in pods) else f"{len(pods)} pods, not all ready"


def test_every_part_is_ready_and_the_memory_is_in_bounds(lab: RunningLab) -> None:
    done = shiftproof("lab", "status", "--json")
    status = json.loads(done.stdout)
    assert done.returncode == 0, status
    names = {part["name"] for part in status["parts"]}
    assert {"etcd", "apiserver", "node-1/kubelet", "node-2/kube-proxy", "legacy-2/payments", "postgres", "dns"} <= names
    assert all(Path(f"/proc/{part['pid']}").exists() for part in status["parts"])
    assert 500 * 2**20 < status["memory"]["total"] < MEMORY_LIMIT_BYTES


def test_up_when_it_is_up_says_so_and_changes_nothing(lab: RunningLab) -> None:
    done = shiftproof("lab", "up", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"up": True, "already": True, "pid": lab.pid}


def test_the_lab_has_no_way_out(lab: RunningLab) -> None:
    for place in ([], ["--in", "node-1"], ["--in", "legacy-1"], ["--in", "postgres"], ["--in", "lb"]):
        routes = shiftproof("lab", "exec", *place, "--", "ip", "route", "show", "default")
        assert routes.returncode == 0
        assert routes.stdout == ""


def test_exec_keeps_folder_exit_code_and_the_machines_proc(lab: RunningLab, tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.environ['AWS_ENDPOINT_URL'])\n"
    code += "os.stat(f'/proc/{os.getpid()}')\nraise SystemExit(9)"
    program = f"import os; os.chdir({str(tmp_path)!r}); from shiftproof.cli import main; main()"
    words = [sys.executable, "-c", program, "lab", "exec", "--", sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (9, f"{tmp_path} http://198.18.0.1:4566\n"), done.stderr


def test_in_lab_is_true_inside_and_is_not_fooled_by_the_mark_alone(lab: RunningLab) -> None:
    code = "from shiftproof.lab.enter import in_lab, require_lab; print(in_lab(), require_lab().pid)"
    inside = shiftproof("lab", "exec", "--", sys.executable, "-c", code)
    assert inside.stdout == f"True {lab.pid}\n", inside.stderr
    environment = {**os.environ, "SHIFTPROOF_IN_LAB": str(lab.pid)}
    outside = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert outside.stdout == f"False {lab.pid}\n", outside.stderr


def test_pods_resolve_names_and_reach_services(settled: RunningLab) -> None:
    code = "import urllib.request; print(urllib.request.urlopen('http://payments/ready', timeout=5).status)"
    pod = payments_pods()[0]["metadata"]["name"]
    done = shiftproof("lab", "exec", "--", "kubectl", "exec", "-n", "payments", pod, "--", "python3", "-c", code)
    assert done.stdout == "200\n", done.stderr


def test_the_autoscaler_sees_real_cpu(lab: RunningLab) -> None:
    def unknown() -> str | None:
        metrics = kubectl("get", "hpa", "payments", "-n", "payments")["status"].get("currentMetrics") or [{}]
        value = (metrics[0].get("resource") or {}).get("current", {}).get("averageUtilization")
        return None if value is not None else f"no figure yet: {metrics}"

    until(unknown, 90, poll_s=2)


def test_a_killed_pod_is_started_again_by_its_node(settled: RunningLab) -> None:
    pod = payments_pods()[0]
    before = pod["status"]["containerStatuses"][0]["restartCount"]
    killed = settled.control().kill_pod(pod["spec"]["nodeName"], pod["metadata"]["uid"])
    assert killed

    def not_dead() -> str | None:
        """A process that was killed keeps its command line until the kernel has come round to taking its memory."""
        alive = [pid for pid in killed if (process := procfs.read_process(pid)) and process.argv]
        return f"{alive} of {killed} still have a program" if alive else None

    until(not_dead, 60)

    def not_back() -> str | None:
        status = kubectl("get", "pod", pod["metadata"]["name"], "-n", "payments")["status"]["containerStatuses"][0]
        return None if status["restartCount"] == before + 1 and status["ready"] else f"{status}"

    until(not_back, 60, poll_s=0.5)


def test_a_cut_of_power_is_real_and_ends_by_itself(settled: RunningLab) -> None:
    """Whoever asked for it is dead by then."""
    before = kubectl("get", "node", "node-2")["status"]["nodeInfo"]["bootID"]
    here = [pod for pod in payments_pods() if pod["spec"]["nodeName"] == "node-2"]
    pids = [part["pid"] for part in settled.control().status()["parts"] if part["where"] == "node-2"]
    code = "from shiftproof.lab.enter import require_lab; require_lab().control().power_off('node-2', 8)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert asked.returncode == 0, asked.stderr
    cut_s = time.monotonic()
    assert not any(procfs.read_process(pid) for pid in pids)
    ping = ("ping", "-c", "1", "-W", "1")
    addresses = ["198.18.0.22", *(pod["status"]["podIP"] for pod in here)]
    assert all(shiftproof("lab", "exec", "--", *ping, address).returncode != 0 for address in addresses)
    state = next(part for part in settled.control().status()["parts"] if part["name"] == "node-2")
    assert state["state"] == "off"
    with pytest.raises(LabError, match="off already"):
        settled.control().power_off("node-2", 8)

    def still_off() -> str | None:
        parts = [part for part in settled.control().status()["parts"] if part["where"] == "node-2"]
        return None if all(part["state"] == "ready" for part in parts) else f"{parts}"

    until(still_off, 60, poll_s=0.2)
    assert time.monotonic() - cut_s > 6
    until(
        lambda: None if kubectl("get", "node", "node-2")["status"]["nodeInfo"]["bootID"] != before else "same boot", 30
    )
    require_lab(whole=True)


def test_power_on_ends_a_cut_early_and_may_be_said_twice(settled: RunningLab) -> None:
    control = settled.control()
    control.power_off("node-1", 300)
    control.power_on("node-1")
    control.power_on("node-1")
    parts = {part["name"]: part["state"] for part in control.status()["parts"]}
    assert parts["node-1/kubelet"] == "ready"


def test_a_legacy_machine_stops_starts_and_takes_other_settings(lab: RunningLab) -> None:
    control = lab.control()

    def process() -> dict[str, Any]:
        return next(part for part in control.status()["parts"] if part["name"] == "legacy-2/payments")

    control.stop_legacy("legacy-2")
    assert process()["state"] == "stopped"
    control.start_legacy("legacy-2", {"SERVED_BY": "somebody-else"})
    assert "SERVED_BY=somebody-else" in Path(f"/proc/{process()['pid']}/environ").read_text().split("\0")
    control.stop_legacy("legacy-2")
    control.start_legacy("legacy-2")
    assert "SERVED_BY=legacy-2" in Path(f"/proc/{process()['pid']}/environ").read_text().split("\0")


def test_a_daemon_that_is_killed_is_started_again(lab: RunningLab) -> None:
    def process() -> dict[str, Any]:
        return next(part for part in lab.control().status()["parts"] if part["name"] == "scheduler")

    before = process()
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: None if process()["state"] == "ready" and process()["pid"] != before["pid"] else "not back", 90)
    assert process()["restarts"] == before["restarts"] + 1


def test_down_is_refused_while_somebody_works_inside(lab: RunningLab) -> None:
    words = [sys.executable, "-c", "from shiftproof.cli import main; main()", "lab", "exec", "--", "sleep", "60"]
    with subprocess.Popen(words) as guest:
        try:
            until(lambda: None if any(g.pid == guest.pid for g in procfs.guests(lab.init)) else "not in yet", 90)
            done = shiftproof("lab", "down")
        finally:
            guest.kill()
    assert done.returncode == 3
    assert f"programs still work in the lab: {guest.pid} (sleep 60)" in done.stderr
