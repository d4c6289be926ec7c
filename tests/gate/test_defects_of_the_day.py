"""Which defects a day brings: the same ones whenever it is tried again, and in time each of them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from fakes.defects import DAY, DEFECTS, day, defects_of, for_gates, said

from shiftproof.gate.planting import read_defect


def test_a_day_has_two_and_always_the_same() -> None:
    assert defects_of("2026-11-23") == defects_of("2026-11-23")
    assert len(set(defects_of("2026-11-23"))) == 2


def test_within_a_season_each_has_its_turn() -> None:
    days = [(date(2026, 1, 1) + timedelta(days=number)).isoformat() for number in range(120)]
    seen = {path for one in days for path in defects_of(one)}
    assert seen == set(for_gates())
    assert {read_defect(path).event for path in seen} == {None}


def test_few_files_are_all_tried(tmp_path: Path) -> None:
    (tmp_path / "only.yaml").touch()
    assert defects_of("2026-11-23", tmp_path) == (tmp_path / "only.yaml",)


def test_another_day_may_be_asked_for_and_is_said() -> None:
    assert day({DAY: "2026-11-23"}) == "2026-11-23"
    assert len(day({})) == len("2026-11-23")
    assert f"(again: {DAY}={day()})" in said()


@pytest.mark.parametrize("path", sorted(DEFECTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_file_says_what_must_catch_it(path: Path) -> None:
    assert read_defect(path).id == path.stem
    assert read_defect(path).expect.claim
