"""A load event as loadprofiles/ describes it: a shape of rates, and which of its plateaus a rehearsal shortens."""

from __future__ import annotations

from dataclasses import dataclass

from shiftproof.model.demand import Demand


@dataclass(frozen=True, slots=True)
class Ramp:
    """The rate goes straight to `to`, a share of the service's declared peak. 0 s: at once."""

    to: float
    seconds: float

    @property
    def real_s(self) -> float:
        """Ramps are never shortened: what follows them is what is tested."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Hold:
    """The rate stays where it is. really_s: how long it stays there on the day; None: as long as in the rehearsal."""

    seconds: float
    really_s: float | None = None

    @property
    def real_s(self) -> float:
        return self.seconds if self.really_s is None else self.really_s


Piece = Ramp | Hold


@dataclass(frozen=True, slots=True)
class LoadEvent:
    """begin: the rate at its beginning, the base, as a share of the service's declared peak, as all others.

    Raises ValueError for pieces that are no load, or a plateau that the rehearsal would make longer than it is.
    """

    name: str
    title: str
    begin: float
    pieces: tuple[Piece, ...]

    def __post_init__(self) -> None:
        if any(piece.seconds < 0 for piece in self.pieces):
            raise ValueError(f"{self.name}: no piece lasts less than 0 s")
        if any(piece.real_s < piece.seconds for piece in self.pieces):
            raise ValueError(f"{self.name}: a rehearsal shortens plateaus, it does not lengthen them (really_s)")
        self.demand(1.0)

    @property
    def seconds(self) -> float:
        """How long the rehearsal lasts."""
        return sum(piece.seconds for piece in self.pieces)

    @property
    def real_s(self) -> float:
        """How long it lasts on the day."""
        return sum(piece.real_s for piece in self.pieces)

    def demand(self, peak_per_s: float) -> Demand:
        """The rates of a service whose declared peak that is. Raises ValueError as `Demand` does."""
        at_s, share = 0.0, self.begin
        points = [(at_s, share)]
        for piece in self.pieces:
            at_s += piece.seconds
            share = piece.to if isinstance(piece, Ramp) else share
            points.append((at_s, share))
        return Demand.of(points).scaled(peak_per_s)

    def shortened(self) -> tuple[tuple[float, Hold], ...]:
        """Plateaus that last longer on the day, each with the second of the rehearsal at which it begins."""
        begins = [sum(piece.seconds for piece in self.pieces[:index]) for index in range(len(self.pieces))]
        return tuple(
            (at_s, piece)
            for at_s, piece in zip(begins, self.pieces, strict=True)
            if isinstance(piece, Hold) and piece.real_s > piece.seconds
        )
