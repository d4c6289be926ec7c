"""What is missing is found before anything starts, and said in one line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from shiftproof.errors import ConfigError, SetupError
from shiftproof.lab import planning
from shiftproof.lab.plan import LabPlan, ServicePlan

SERVICE = ServicePlan(
    name="payments",
    namespace="payments",
    deployment="payments",
    manifests="/m",
    image_tar="/i.tar",
    app_folder="/app",
    command=("/usr/bin/python3", "-m", "payments", "serve"),
    migrate=("/usr/bin/python3", "-m", "payments", "migrate"),
    legacy_env={"PGUSER": "payments"},
    health_path="/ready",
    legacy_target_group="payments-legacy",
    cluster_target_group="payments-cluster",
)


def test_a_plan_survives_its_way_to_the_init() -> None:
    plan = LabPlan("/python", "/clone", {"etcd": "/bin/etcd"}, "/pause.tar", "pause:lab", "/logs", (SERVICE,))
    assert LabPlan.from_json(plan.to_json()) == plan


def test_an_environment_file(tmp_path: Path) -> None:
    file = tmp_path / "legacy.env"
    file.write_text("# a comment\n\nA=1\nB=x=y z\n")
    assert planning.read_env(file) == {"A": "1", "B": "x=y z"}


@pytest.mark.parametrize("line", ["no equals", "=value", "A B=1"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "legacy.env"
    file.write_text(f"A=1\n{line}\n")
    with pytest.raises(ConfigError, match=r"legacy\.env:2: NAME=value is wanted"):
        planning.read_env(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\nservices: [\n", r"platform\.yaml:3: no YAML"),
        ("version: 1\nname: x\nservices: []\n", r"platform\.yaml: services: "),
        ("version: 1\nnmae: x\n", r"platform\.yaml: "),
        (None, "cannot be read"),
    ],
)
def test_a_broken_platform_file(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "platform.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        planning.load_platform(file)


def test_a_missing_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "runc" else f"/bin/{name}")
    with pytest.raises(SetupError, match="not on this machine: runc"):
        planning.check_machine()


def test_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError, match="needs root"):
        planning.check_machine()


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  4096000 kB\nMemAvailable:  1024000 kB\n")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    with pytest.raises(SetupError, match="1000 MiB of memory are free, the lab needs 3072 MiB"):
        planning.check_machine(meminfo)
