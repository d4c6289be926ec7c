"""Which gates are run and in which order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from shiftproof.errors import UserError
from shiftproof.sensitivity.kind import rehearsals
from shiftproof.sensitivity.plan import CHECK_S, CLEAN, KnownDefect, make_turns, seconds_left


def defects(*names: str) -> list[KnownDefect]:
    return [KnownDefect(name, "t", "e", "outage", f"{name}.yaml", "0") for name in names]


def test_each_defect_comes_once_before_any_comes_twice() -> None:
    turns = make_turns(defects("a", "b"), 0, 2)
    assert [turn.key for turn in turns] == ["a 1", "b 1", "a 2", "b 2"]


@pytest.mark.parametrize(("clean", "planted"), [(1, 1), (3, 14), (20, 14), (5, 0), (0, 3), (14, 14)])
def test_clean_gates_are_spread_evenly(clean: int, planted: int) -> None:
    turns = make_turns(defects(*[f"d{number}" for number in range(planted)]), clean, 1)
    places = [place for place, turn in enumerate(turns) if turn.name == CLEAN]
    assert len(places) == clean
    assert len(turns) == clean + planted
    gaps = {after - before for before, after in pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_nothing_to_run_is_a_mistake() -> None:
    with pytest.raises(UserError, match="nothing to run"):
        make_turns(defects("a"), 0, 0)


def test_two_files_with_one_id_are_refused_by_name() -> None:
    twice = [*defects("a"), replace(defects("a")[0], file="other.yaml")]
    with pytest.raises(UserError, match=r"other\.yaml: the id 'a' is taken by a\.yaml"):
        make_turns(twice, 1, 1)
    with pytest.raises(UserError, match="nothing planted"):
        make_turns(defects(CLEAN), 1, 1)


def test_time_left_is_what_such_gates_took_before() -> None:
    turns = make_turns(defects("a", "b"), 0, 1)
    assert seconds_left(turns, {"a": [10.0, 20.0], "b": [40.0]}) == 15 + 40 + 2 * CHECK_S
    assert seconds_left(turns, {}) > 60


def test_a_rehearsal_takes_as_long_with_a_defect_and_longer_by_what_its_file_tells() -> None:
    late = replace(defects("late")[0], longer_s=220.0)
    turns = make_turns([*defects("a"), late], 1, 1, "payday")
    assert {turn.event for turn in turns} == {"payday"}
    payday = rehearsals("payday", 300)
    guessed_s = {turn.name: seconds_left([turn], {}, payday) - CHECK_S for turn in turns}
    assert guessed_s == {"a": payday.planted_s, CLEAN: payday.planted_s, "late": payday.planted_s + 220}
    assert seconds_left(turns, {"late": [800.0]}, payday) == 800 + 2 * payday.planted_s + 3 * CHECK_S
