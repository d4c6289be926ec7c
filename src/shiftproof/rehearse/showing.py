"""What the live view is told, a few times a second."""

from __future__ import annotations

from shiftproof.gate.clock import RunClock
from shiftproof.ports import SupplyState
from shiftproof.rehearse.collecting import Recent
from shiftproof.rehearse.settings import RehearsalSettings
from shiftproof.report.event_live import EventNumbers, EventView


class Showing:
    """Of one rehearsal. start_ns: when the event began; None until it has."""

    def __init__(self, settings: RehearsalSettings, clock: RunClock, view: EventView) -> None:
        self.start_ns: int | None = None
        self._settings = settings
        self._clock = clock
        self._view = view
        self._cost = 0.0
        self._shown_ns = 0

    def show(self, recent: Recent, supply: SupplyState | None) -> None:
        """supply: None where nobody could be asked."""
        settings, now_ns = self._settings, self._clock.now_ns()
        at_s = None if self.start_ns is None else (now_ns - self.start_ns) / 1e9
        if supply is not None and at_s is not None and self._shown_ns:
            placed_h = (supply.pods - supply.pending) * (now_ns - self._shown_ns) / 3600e9
            self._cost += placed_h * settings.target.events.price_pod_h
        self._shown_ns = now_ns
        rate = settings.demand.rate_at(at_s) if at_s is not None else 0.0
        self._view.progress(
            EventNumbers(
                at_s=at_s,
                demand_per_s=rate,
                sent_per_s=recent.sent_per_s,
                bad_per_s=recent.bad_per_s,
                sent=recent.sent,
                bad=recent.bad,
                p99_ms=recent.p99_ms,
                pods_needed=settings.pods_for(rate) if at_s is not None else None,
                pods_wanted=supply.wanted if supply is not None else None,
                pods_ready=supply.ready if supply is not None else None,
                pods_pending=supply.pending if supply is not None else None,
                nodes=len(supply.nodes) if supply is not None else None,
                nodes_spot=len(supply.spot_nodes) if supply is not None else None,
                cost=self._cost if at_s is not None else None,
            )
        )
