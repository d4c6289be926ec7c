"""Diurnal: a day with its morning, its noon and its evening. Its ramps are minutes here and hours on the day, so the
rehearsal asks for more than the day does; its plateaus are shortened, too."""

from shiftproof.load.shape import RateShape
from shiftproof.model.load_event import Hold, Ramp


class Diurnal(RateShape):
    title = "A day: morning, noon, the evening's peak, and the night again"
    begin = 0.2
    pieces = (
        Hold(20, really_s=6 * 3600),
        Ramp(0.6, 60),
        Hold(50, really_s=3 * 3600),
        Ramp(0.45, 20),
        Hold(30, really_s=2 * 3600),
        Ramp(0.8, 60),
        Hold(50, really_s=3 * 3600),
        Ramp(0.2, 60),
        Hold(90, really_s=6 * 3600),
    )
