"""What a rehearsal's result says of its event comes from the event's own description."""

from __future__ import annotations

import pytest

from shiftproof.model.load_event import Hold, LoadEvent, Ramp
from shiftproof.model.rehearsed import Rehearsed, Shortened

EVENT = LoadEvent(
    "payday", "Salaries land", 0.2, (Hold(40, really_s=3600), Ramp(1.0, 45), Hold(75, really_s=2700), Ramp(0.2, 40))
)


def test_rates_are_as_sent_and_plateaus_know_theirs() -> None:
    made = Rehearsed.of(EVENT, 300.0, 0.5)
    assert (made.base_per_s, made.peak_per_s, made.scale) == (30.0, 150.0, 0.5)
    assert (made.seconds, made.real_s) == (200, 6385)
    assert made.shortened == (Shortened(0, 40, 3600, 30.0), Shortened(85, 75, 2700, 150.0))
    assert made.planned == pytest.approx(40 * 30 + 85 * 90 + 75 * 150)
    assert (made.sent, made.bad, made.failed) == (0, 0, 0)
