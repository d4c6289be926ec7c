"""Which load event a run rehearsed, and what became of its requests."""

from __future__ import annotations

from dataclasses import dataclass

from shiftproof.model.load_event import LoadEvent


@dataclass(frozen=True, slots=True)
class Shortened:
    """A plateau that lasts longer on the day. at_s: of the rehearsal, where it begins. rate_per_s: None: not told."""

    at_s: float
    seconds: float
    really_s: float
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What was sent. Rates are a second, as sent: after scale, which the target needed to be able to bear them.

    name: as it was typed; title: in words. seconds, real_s: of the event in the rehearsal, and on the day. sent: the
    event's own requests, planned of them were asked for; bad: failed or over the latency threshold; failed: of these,
    the failed ones.
    """

    name: str
    title: str
    scale: float
    base_per_s: float
    peak_per_s: float
    seconds: float
    real_s: float
    shortened: tuple[Shortened, ...] = ()
    planned: int = 0
    sent: int = 0
    bad: int = 0
    failed: int = 0

    @classmethod
    def of(cls, event: LoadEvent, peak_per_s: float, scale: float = 1.0) -> Rehearsed:
        """Before the first request. peak_per_s: the service's declared peak, not scaled."""
        demand = event.demand(peak_per_s * scale)
        return cls(
            name=event.name,
            title=event.title,
            scale=scale,
            base_per_s=demand.rates_per_s[0],
            peak_per_s=demand.peak_per_s,
            seconds=event.seconds,
            real_s=event.real_s,
            shortened=tuple(
                Shortened(at_s, hold.seconds, hold.real_s, demand.rate_at(at_s)) for at_s, hold in event.shortened()
            ),
            planned=demand.count,
        )
