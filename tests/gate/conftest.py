"""Whole gates over a made-up world, with the real session, monitor, phases, judges and pytest run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import QuickClock
from fakes.world import CLEANED, SMALL, World

from shiftproof.gate import opening, preflight
from shiftproof.gate.hooks import GatePlugin
from shiftproof.gate.outcome import Outcome
from shiftproof.gate.request import Request
from shiftproof.gate.undo import HANDLERS

# What a gate waits for on a real network, shortened: nothing in the made-up world takes longer. The one that is longer
# instead: this machine may keep the monitor from its work for a while, and no phase is to be given up for that.
WAITS = {
    "phases.SETTLE_S": 0.1,
    "phases.AFTER_RECOVERY_S": 2.3,
    "phases.PAIRS_DEADLINE_FACTOR": 60,
    "drills.LEAD_S": 0.3,
    "monitor.TICK_S": 0.03,
}
ROOT = Path(__file__).parents[2]
Gate = Callable[..., Outcome]


@pytest.fixture
def world() -> World:
    CLEANED.clear()
    return World()


@pytest.fixture
def gate(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Run one gate to 25% over the world, with pytest's arguments; returns how it ended. Its files: tmp_path/run."""
    monkeypatch.setenv("SHIFTPROOF_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(opening, "connect", lambda settings, journal, clock, anchor_ns: _connected(world, clock))
    monkeypatch.setattr(opening, "RunClock", QuickClock)
    monkeypatch.setattr(opening, "scope_of", lambda target: "lab:1:1")
    monkeypatch.setattr("shiftproof.gate.undo.scope_of", lambda target: "lab:1:1")
    monkeypatch.setitem(HANDLERS, "synthetic", "fakes.world:clean")
    monkeypatch.setitem(HANDLERS, "weights", "fakes.world:put_back")
    monkeypatch.setattr(opening, "require_whole", lambda target: None)
    monkeypatch.setattr(opening, "FULL", SMALL)
    for place, seconds in WAITS.items():
        monkeypatch.setattr(f"shiftproof.gate.{place}", seconds)
    monkeypatch.setattr(preflight, "_probe", lambda settings, side: f"{side}-1")

    def run(*arguments: str, suites: str = "suites", plugins: Sequence[object] = (), **request: Any) -> Outcome:
        wanted = Request(
            "payments",
            25,
            infra_dir=_patient_platform(tmp_path, world.platform),
            run_dir=tmp_path / "run",
            seed=1,
            **request,
        )
        plugin = GatePlugin(wanted)
        options = ["-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:locust"]
        # Each looks for what is left at its end by collecting all garbage, over and over: half a second a gate.
        options += ["-p", "no:unraisableexception", "-p", "no:threadexception"]
        options += ["-o", "addopts=--import-mode=importlib"]
        given = ["--shiftproof-service", "payments", "--shiftproof-to", "25"]
        where = str(ROOT / suites) if suites == "suites" else suites
        pytest.main([where, *options, *given, *arguments], [plugin, *plugins])
        return plugin.outcome

    return run


def _patient_platform(tmp_path: Path, changes: Mapping[str, float]) -> Path:
    """The real platform, with a latency margin wide enough to be decided within seconds."""
    infra = tmp_path / "infra"
    if not infra.exists():
        infra.mkdir()
        for name in ("lab", "services", "targets"):
            (infra / name).symlink_to(ROOT / "infra" / name)
        (tmp_path / "experiments").symlink_to(ROOT / "experiments")
        platform = (ROOT / "infra" / "platform.yaml").read_text()
        (infra / "platform.yaml").write_text(_changed(platform, {**SHORTENED, **changes}))
    return infra


# Numbers of platform.yaml, for gates of seconds. Only the way back may take longer: this machine may stand still for a
# second or two in the midst of it.
SHORTENED = {"margin": 0.3, "quiet_s": 2, "rollback_within_s": 20}


def _changed(platform: str, changes: Mapping[str, float]) -> str:
    platform = re.sub(r"experiments: \[.*\]", "experiments: [pod-delete, node-loss]", platform)
    for name, value in changes.items():
        platform, count = re.subn(rf"\b{name}: [0-9.]+", f"{name}: {value}", platform)
        assert count == 1, name
    return platform


def _connected(world: World, clock: Any) -> Any:
    world.use(clock)
    return world.parts()
