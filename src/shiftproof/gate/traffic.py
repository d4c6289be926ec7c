"""Where the weighted requests really went, by the name of the server that answered."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from shiftproof.model.event import Events, Failure, Side
from shiftproof.ports import Clock

WINDOW_S = 1.0  # the share is taken over this much traffic
NAMES_LOOKBACK_S = 30.0  # pods come and go; who answered for the cluster is learnt over this long
MIN_ANSWERS = 20  # below this a share says nothing
SIGMAS = 4.0  # how far a binomial share may lie from its weight: 1 in 16,000 by chance


class TrafficShare:
    """Share of weighted requests that the cluster side answered.

    A server belongs to the cluster when pinned `cluster` requests were answered by it, and to legacy likewise; so no
    naming rule is assumed.
    """

    def __init__(self, events_since: Callable[[int], Events], clock: Clock) -> None:
        self._events_since = events_since
        self._clock = clock
        self._seen: tuple[int, int] = (0, 0)  # answered by the cluster, answered

    def wait_for(self, pct: int, since_ns: int, deadline_s: float) -> float | None:
        """Seconds from `since_ns` until traffic followed: the last answer that did not belong, or the first that did.

        None when it had not within `deadline_s`.
        """
        give_up_ns = since_ns + int(deadline_s * 1e9)
        while self._clock.now_ns() < give_up_ns:
            self._clock.sleep(0.1)
            events = self._answered(Side.WEIGHTED, since_ns)
            window_start_ns = self._clock.now_ns() - int(WINDOW_S * 1e9)
            if window_start_ns < since_ns:
                continue
            recent = events[events["intended_ns"] >= window_start_ns]
            if self._matches(recent, pct):
                return self._followed_after_s(events, pct, since_ns)
        return None

    @property
    def seen(self) -> bool:
        """Whether enough weighted requests were answered to tell where they go."""
        return self._seen[1] >= MIN_ANSWERS

    def describe(self) -> str:
        cluster, answered = self._seen
        return f"{cluster} of the last {answered}" if answered else "no weighted request was answered"

    def _answered(self, side: Side, since_ns: int) -> Events:
        events = self._events_since(since_ns)
        answered = (events["failure"] == Failure.NONE) & (events["served_by"] > 0)
        chosen: Events = events[answered & (events["side"] == side)]
        return chosen

    def _on_cluster(self, events: Events) -> npt.NDArray[np.bool_]:
        lookback_ns = self._clock.now_ns() - int(NAMES_LOOKBACK_S * 1e9)
        names = np.unique(self._answered(Side.CLUSTER, lookback_ns)["served_by"])
        return np.isin(events["served_by"], names)

    def _matches(self, recent: Events, pct: int) -> bool:
        answered = len(recent)
        cluster = int(self._on_cluster(recent).sum())
        self._seen = (cluster, answered)
        if answered < MIN_ANSWERS:
            return False
        share = pct / 100
        slack = SIGMAS * math.sqrt(answered * share * (1 - share))
        return abs(cluster - answered * share) <= slack

    def _followed_after_s(self, events: Events, pct: int, since_ns: int) -> float:
        """For 0 or 100 percent the moment of the last stray; in between the first request to a side gaining weight."""
        on_cluster = self._on_cluster(events)
        if pct in (0, 100):
            strays = events["intended_ns"][on_cluster if pct == 0 else ~on_cluster]
            return float((strays.max() - since_ns) / 1e9) if len(strays) else 0.0
        arrived = events["intended_ns"][on_cluster]
        return float((arrived.min() - since_ns) / 1e9) if len(arrived) else 0.0
