"""What `shiftproof lab` shows, with and without a terminal."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from shiftproof.cli import lab_views
from shiftproof.lab.launch import Removed
from shiftproof.lab.supervisor import PartFailed

STEPS: list[dict[str, object]] = [
    {"parts": ["etcd", "apiserver", "node-1"]},
    {"part": "etcd", "state": "starting", "seconds": 0.0},
    {"part": "etcd", "state": "ready", "seconds": 0.4},
    {"beat": True},
    {"part": "apiserver", "state": "starting", "seconds": 0.0},
]


def test_without_a_terminal_a_plain_line_for_each_part_that_is_ready() -> None:
    out = io.StringIO()
    with lab_views.progress(Console(file=out)) as view:
        for step in STEPS:
            view.watch(step)
    lines = out.getvalue().splitlines()
    assert lines[0] == "lab: coming up"
    assert lines[1].split()[:4] == ["ok", "etcd", "0.4", "s"]
    assert len(lines) == 2
    assert view.parts_s == {"etcd": 0.4}
    assert "\x1b" not in out.getvalue()


def test_in_a_terminal_every_part_with_its_state() -> None:
    view = lab_views.Progress(Console(file=io.StringIO(), force_terminal=True))
    for step in STEPS:
        view.watch(step)
    shown = Console(file=io.StringIO(), width=80)
    shown.print(view)
    assert isinstance(shown.file, io.StringIO)
    lines = shown.file.getvalue().splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["✓", "etcd"], ["…", "apiserver"], ["·", "node-1"]]
    assert lines[3].startswith("lab coming up")


def test_the_last_words_of_a_part_are_shown_as_they_are() -> None:
    out = io.StringIO()
    lab_views.last_words(Console(file=out, width=200), PartFailed("etcd", "why", ["[bold]no markup[/bold]"]))
    assert out.getvalue() == "  etcd | [bold]no markup[/bold]\n"


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        (Removed(4711, 20, ()), "lab down: nothing is left of it\n"),
        (Removed(None, 20, ()), "no lab was up; what a dead one had left was removed\n"),
        (Removed(None, 0, ()), "no lab was up\n"),
    ],
)
def test_down(capsys: pytest.CaptureFixture[str], removed: Removed, said: str) -> None:
    lab_views.went_down(removed, as_json=False)
    assert capsys.readouterr().out == said


def test_status_as_a_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    part = {"name": "node-2", "where": "node-2", "pid": None, "state": "off", "restarts": 0, "problem": "back in 3 s"}
    memory = {"total": 2**31, "pss": 2**30, "guests_pss": 0, "tmpfs": 2**30}
    found = {"up": True, "pid": 5, "ready": False, "up_s": 61.5, "parts": [part], "memory": memory}
    out = io.StringIO()
    lab_views.show_status(Console(file=out, width=120), found, as_json=False)
    assert out.getvalue().splitlines()[1].split() == ["node-2", "node-2", "off", "back", "in", "3", "s"]
    assert "memory 2,048 MiB" in out.getvalue()
    lab_views.show_status(Console(), found, as_json=True)
    assert json.loads(capsys.readouterr().out) == found


def test_status_tells_what_somebody_has_changed() -> None:
    fault = {"id": "a1", "fault": "deny legacy -> database", "ends_in_s": 59.6, "dropped": 3}
    found = {
        "pid": 5,
        "up_s": 61.5,
        "parts": [],
        "memory": {"total": 0, "pss": 0, "guests_pss": 0, "tmpfs": 0},
        "network": [fault],
        "legacy": {"legacy-1": {"running": True, "env": {"POOL_SIZE": "1"}}, "legacy-2": {"running": True, "env": {}}},
    }
    out = io.StringIO()
    lab_views.show_status(Console(file=out, width=120), found, as_json=False)
    assert "network fault: deny legacy -> database; 3 packets dropped, ends in 60 s\n" in out.getvalue()
    assert "legacy-1 has other settings: POOL_SIZE\n" in out.getvalue()
    assert "legacy-2" not in out.getvalue()
