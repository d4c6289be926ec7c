"""Steady: an ordinary hour, in which nothing has to scale. What moves all the same is restless."""

from shiftproof.load.shape import RateShape
from shiftproof.model.load_event import Hold


class Steady(RateShape):
    title = "An ordinary hour: the load of the base, and nothing rises"
    begin = 0.2
    pieces = (Hold(120, really_s=3600),)
