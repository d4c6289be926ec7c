from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from shiftproof.cli import run as shiftproof
from shiftproof.errors import SetupError
from shiftproof.lab.setup import doctor, images, packages, steps
from shiftproof.lab.setup.progress import Ticker
from shiftproof.lab.setup.steps import Step

GOOD = Step("good", lambda: None, "nothing")


def test_each_missing_thing_is_named_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIFTPROOF_CACHE", str(tmp_path))
    monkeypatch.setattr(packages, "ask_dpkg", lambda names: "")
    monkeypatch.setattr(packages.missing, "__defaults__", (None, lambda names: "runc ii \n"))
    findings = {finding.name: finding for finding in doctor.examine()}
    assert findings["tool-kubernetes"].problem is not None
    assert "kubelet" in findings["tool-kubernetes"].problem
    assert findings["tool-kubernetes"].mend == "shiftproof lab build"
    assert findings["image-payments"].problem == "not made"
    lacking = findings["debian-packages"]
    assert lacking.problem is not None
    assert "haproxy" in lacking.problem
    assert "runc" not in lacking.problem
    assert lacking.mend == "make setup"


def test_what_cannot_even_be_looked_at_is_a_finding() -> None:
    def broken() -> str | None:
        raise SetupError("the recipe is gone", hint="git checkout infra")

    (finding,) = doctor.examine([Step("odd", broken, "make setup")])
    assert finding == doctor.Finding("odd", "the recipe is gone", "git checkout infra")


def test_json_is_one_object_and_says_whether_all_is_ready() -> None:
    found = doctor.examine([GOOD, Step("bad", lambda: "not there", "make it")])
    assert json.loads(doctor.as_json(found)) == {
        "ready": False,
        "steps": [
            {"name": "good", "problem": None, "mend": None},
            {"name": "bad", "problem": "not there", "mend": "make it"},
        ],
    }


@pytest.mark.parametrize(("extra", "code"), [([], 0), ([Step("bad", lambda: "not there", "make it")], 3)])
def test_the_command_ends_with_0_or_3(
    extra: list[Step], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "all_steps", lambda: [GOOD, *extra])
    assert shiftproof(["doctor"]) == code
    shown = capsys.readouterr().out
    assert ("-> make it" in shown) == bool(extra)
    assert shiftproof(["doctor", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["ready"] is (code == 0)


def test_build_makes_what_is_missing_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    made: list[str] = []

    def make(ticker: Ticker) -> None:
        ticker.update(done=1, total=1, note="working")
        made.append("b")

    step = Step("b", lambda: None if made else "not made", "build", make)
    console = Console(file=None, force_terminal=False)
    steps.build(console, [GOOD, step])
    assert made == ["b"]
    assert "ok  b" in capsys.readouterr().out
    steps.build(console, [GOOD, step])
    assert made == ["b"]
    assert capsys.readouterr().out == ""


def test_build_says_when_only_a_person_can_mend_it() -> None:
    with pytest.raises(SetupError, match="root: not root") as caught:
        steps.build(Console(), [Step("root", lambda: "not root", "sudo make setup")])
    assert caught.value.hint == "sudo make setup"


def test_a_step_that_mends_nothing_is_an_error() -> None:
    with pytest.raises(SetupError, match="x: made, and still broken"):
        steps.build(Console(quiet=True), [Step("x", lambda: "broken", "make setup", lambda _: None)])


def test_a_gates_set_up_makes_nothing_that_only_load_events_need() -> None:
    """Each image of 150 MB more is a minute more before somebody's first gate."""
    for_gate = {step.name for step in steps.all_steps() if step.make is not None}
    for_events = {step.name: step for step in steps.event_steps() if step.make is not None}
    assert {"image-base", "image-pause", "image-payments"} <= for_gate
    assert "image-statements" in for_events
    assert not for_gate & for_events.keys()
    assert for_events["image-statements"].mend == "shiftproof lab build --events"


def test_unknown_images_and_unmade_images_are_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIFTPROOF_CACHE", str(tmp_path))
    with pytest.raises(SetupError, match="no image of the lab is called nginx"):
        images.entry("nginx")
    with pytest.raises(SetupError, match="the image payments is not made"):
        images.image_tar("payments")
    with pytest.raises(SetupError, match="the image statements is not made") as caught:
        images.image_tar("statements")
    assert caught.value.hint == "shiftproof lab build --events"
