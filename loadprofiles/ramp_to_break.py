"""Ramp to break: slowly up until the service no longer carries it, for what is left above its declared peak (the
claim `headroom`). It ends where it is highest: a load that rises until it ends is how that claim knows it."""

from shiftproof.load.shape import RateShape
from shiftproof.model.load_event import Hold, Ramp


class RampToBreak(RateShape):
    title = "Slowly up to two and a half times the declared peak: where does it break?"
    begin = 0.2
    pieces = (
        Hold(20, really_s=3600),
        Ramp(2.5, 280),
    )
