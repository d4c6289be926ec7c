"""Flash: everybody at the same moment, as after a push message or the end of an outage elsewhere. No autoscaler is as
fast, so what is seen is what the base carries until help comes."""

from shiftproof.load.shape import RateShape
from shiftproof.model.load_event import Hold, Ramp


class Flash(RateShape):
    title = "A push message: five times the load from one second to the next"
    begin = 0.2
    pieces = (
        Hold(30, really_s=3600),
        Ramp(1.0, 0),
        # For metrics-outage: 64 s until capacity was there, up to 60 s until the autoscaler is blind, and 30 s of that.
        Hold(170, really_s=900),
        Ramp(0.2, 0),
        Hold(120, really_s=3600),
    )
