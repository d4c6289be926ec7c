"""Whole rehearsals over a made-up world, with the real session, collector, journal and files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import QuickClock
from fakes.rehearsals import SHORT, EventWorld
from fakes.rehearsed import Rehearse

from shiftproof.gate.undo import HANDLERS
from shiftproof.rehearse import opening, settings
from shiftproof.rehearse.request import EventRequest
from shiftproof.rehearse.run import Done, run_rehearsal

ROOT = Path(__file__).parents[2]

# What is waited for in a real cluster, shortened: nothing in the made-up one takes longer.
WAITS = {
    "waiting.STILL_S": 0.5,
    "waiting.POLL_S": 0.1,
    "waiting.BACK_FOR_S": 0.5,
    "waiting.MACHINES_WITHIN_S": 1.5,
    "session.LEAD_S": 0.3,
    "session.ASK_AFTER_S": 0.3,
    "session.RETURN_SPARE_S": 0.5,
    "session.BASE_WITHIN_S": 2.0,
    "preflight.BASE_WITHIN_S": 2.0,
    "preflight.READS_WITHIN_S": 1.0,
    "preflight.POLL_S": 0.1,
    "collecting.TICK_S": 0.03,
}


@pytest.fixture
def world() -> EventWorld:
    return EventWorld()


# What the made-up world is made for, whatever the project's own files say by then.
PINNED = {
    r"return_within_s: \d+": "return_within_s: 3",
    r"    experiments: \[spot-interruption\]\n": "",
    r"least_pods: \d+\n      most_pods: \d+": "least_pods: 2\n      most_pods: 6",
    r"kind: requests-per-second\n        per_pod: \d+": "kind: requests-per-second\n        per_pod: 30",
    r"requests_per_pod: \d+": "requests_per_pod: 30",
    r"peak_per_s: \d+": "peak_per_s: 240",
    r"shortfall_pct: [\d.]+": "shortfall_pct: 1",
    r"cost_ratio: [\d.]+": "cost_ratio: 2",
}


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """The real platform, with the figures of the made-up world."""
    folder = tmp_path / "infra"
    folder.mkdir()
    for name in ("lab", "services"):
        (folder / name).symlink_to(ROOT / "infra" / name)
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    (tmp_path / "loadprofiles").mkdir()
    (tmp_path / "loadprofiles" / "short.py").write_text("# read by the fixture\n")
    (folder / "targets").mkdir()
    _pinned("platform.yaml", folder, PINNED)
    _pinned("targets/lab.yaml", folder, {r"demand_scale: [\d.]+": "demand_scale: 0.6"})
    return folder


def _pinned(name: str, folder: Path, changes: Mapping[str, str]) -> None:
    text = (ROOT / "infra" / name).read_text()
    for pattern, by in changes.items():
        text, count = re.subn(pattern, by, text)
        assert count == 1, f"{pattern} is {count} times in {name}"
    (folder / name).write_text(text)


@pytest.fixture
def rehearse(world: EventWorld, infra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearse:
    """Rehearse the short event over the world; returns what it came to, or raises. Its files: tmp_path/run."""
    monkeypatch.setenv("SHIFTPROOF_STATE", str(tmp_path / "state"))
    for handler in ("overlay", "object", "jobs", "synthetic"):
        monkeypatch.setitem(HANDLERS, handler, "fakes.rehearsals:undo")
    monkeypatch.setattr(opening, "RunClock", QuickClock)
    monkeypatch.setattr("shiftproof.gate.opening.scope_of", lambda target: "lab:1:1")
    monkeypatch.setattr("shiftproof.gate.undo.scope_of", lambda target: "lab:1:1")
    monkeypatch.setattr("shiftproof.gate.opening.require_whole", lambda target: None)
    monkeypatch.setattr(settings, "read_profile", lambda profile: SHORT)
    for place, seconds in WAITS.items():
        monkeypatch.setattr(f"shiftproof.rehearse.{place}", seconds)

    def connect(made: Any, journal: Any, clock: Any, anchor_ns: int) -> Any:
        world.use(clock, journal)
        return world.parts(made.demand)

    monkeypatch.setattr(opening, "connect", connect)

    def run(event: str = "short", **request: Any) -> Done:
        wanted = EventRequest(event, infra_dir=infra, run_dir=tmp_path / "run", seed=1, **request)
        return run_rehearsal(wanted, world.view)

    return run
