"""Short: payday in three minutes, for tests and for a first look. It rises as payday does and needs new nodes as payday
does, and holds its peak just long enough for them to come."""

from shiftproof.load.shape import RateShape
from shiftproof.model.load_event import Hold, Ramp


class Short(RateShape):
    title = "Payday in brief: five times the load in 45 s, for as long as new nodes need"
    begin = 0.2
    pieces = (
        Hold(10, really_s=3600),
        Ramp(1.0, 45),
        Hold(85, really_s=2700),
        Ramp(0.2, 40),
        Hold(10, really_s=3600),
    )
