"""Load events: shapes of rates with plateaus that a rehearsal shortens."""

from __future__ import annotations

import pytest

from shiftproof.model.load_event import Hold, LoadEvent, Piece, Ramp

PIECES = (Hold(40, really_s=3600), Ramp(1.0, 45), Hold(60, really_s=1800), Ramp(0.5, 0), Hold(30))
EVENT = LoadEvent("payday", "Salaries land", 0.2, PIECES)


def test_its_rates_are_shares_of_the_peak() -> None:
    demand = EVENT.demand(200)
    assert [demand.rate_at(t_s) for t_s in (0, 40, 62.5, 85, 144, 145, 174)] == [40, 40, 120, 200, 200, 100, 100]
    assert demand.seconds == EVENT.seconds == 175


def test_what_the_rehearsal_shortens_is_known() -> None:
    assert EVENT.real_s == 3600 + 45 + 1800 + 0 + 30
    assert EVENT.shortened() == ((0, PIECES[0]), (85, PIECES[2]))


@pytest.mark.parametrize(
    ("pieces", "what"),
    [
        ((Hold(60, really_s=30),), "does not lengthen"),
        ((Ramp(1, -1), Hold(5)), "less than 0 s"),
        ((), "two points"),
        ((Ramp(-1, 5),), "not negative"),
    ],
)
def test_what_is_no_event_is_refused(pieces: tuple[Piece, ...], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        LoadEvent("odd", "Odd", 0.1, pieces)
