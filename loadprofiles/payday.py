"""Payday: salaries land, and within a minute everybody looks."""

from shiftproof.load.shape import RateShape
from shiftproof.model.load_event import Hold, Ramp


class Payday(RateShape):
    title = "Salaries land: five times the load in under a minute"
    begin = 0.2
    pieces = (
        Hold(40, really_s=3600),
        Ramp(1.0, 45),
        Hold(75, really_s=2700),
        Ramp(0.2, 40),
        Hold(100, really_s=3600),
    )
