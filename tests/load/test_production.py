"""The load's manifests for a cluster: they build, and their commands are those of the programs. They are not run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shiftproof.adapters.kubernetes.kubectl import built
from shiftproof.errors import SetupError
from shiftproof.ports import EventPlan

pytestmark = pytest.mark.component

FOLDER = Path(__file__).parents[2] / "infra" / "load"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def things() -> dict[str, Json]:
    return {thing["kind"]: thing for thing in built(FOLDER)}


def _container(workload: Json) -> Json:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    found: Json = container
    return found


def test_it_is_a_master_its_name_and_its_workers(things: dict[str, Json]) -> None:
    assert set(things) == {"Namespace", "ConfigMap", "Job", "Service", "Deployment"}
    everything = [thing for kind, thing in things.items() if kind != "Namespace"]
    assert {thing["metadata"]["namespace"] for thing in everything} == {"shiftproof-load"}
    labels = things["Job"]["spec"]["template"]["metadata"]["labels"]
    assert things["Service"]["spec"]["selector"].items() <= labels.items()
    (port,) = things["Service"]["spec"]["ports"]
    assert _container(things["Deployment"])["command"][-1] == f"{things['Service']['metadata']['name']}:{port['port']}"
    assert f"--port={port['port']}" in _container(things["Job"])["command"]
    (plan,) = [one for one in things["Job"]["spec"]["template"]["spec"]["volumes"] if one["name"] == "plan"]
    assert plan["configMap"]["name"] == things["ConfigMap"]["metadata"]["name"]


def test_pods_meet_the_strictest_profile_and_are_not_throttled(things: dict[str, Json]) -> None:
    for kind in ("Job", "Deployment"):
        spec, container = things[kind]["spec"]["template"]["spec"], _container(things[kind])
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert "cpu" not in container["resources"]["limits"]


def test_its_plan_is_one_that_the_master_reads_and_the_workers_are_as_many(
    things: dict[str, Json], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(things["ConfigMap"]["data"]["plan.json"])
    code = f"from shiftproof.load.event.master import Path, read_plan; print(read_plan(Path({str(plan)!r})))"
    asked = [sys.executable, "-c", code]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.startswith(EventPlan.__name__), done.stderr
    assert f"workers={things['Deployment']['spec']['replicas']}" in done.stdout


@pytest.mark.parametrize("kind", ["Job", "Deployment"])
def test_each_command_is_understood_by_its_program(things: dict[str, Json], kind: str) -> None:
    """Not run: --help ends each program before it does anything, and names every option that it knows."""
    _, _, module, *options = _container(things[kind])["command"]
    asked = [sys.executable, "-m", module, *options, "--help"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    for option in options:
        name = option.partition("=")[0]
        assert not name.startswith("--") or name in done.stdout


def test_a_folder_that_does_not_build_is_said_in_kustomizes_words(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [nowhere.yaml]\n")
    with pytest.raises(SetupError, match=r"nowhere\.yaml"):
        built(tmp_path)
