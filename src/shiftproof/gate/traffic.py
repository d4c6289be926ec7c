"""Where the weighted requests really went, by the name of the server that answered."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.errors import FaultError
from shiftproof.judge.claims.traffic import fits
from shiftproof.model.event import WITH_COOKIES, Events, Failure, Side
from shiftproof.ports import Clock

NAMES_LOOKBACK_S = 30.0  # pods come and go; who answered for the cluster is learnt over this long
CLIENTS_S = 2.0  # of requests with cookies that go by the new weight, and the others are expected to do so, too
SURE = math.log(1000)  # evidence of 1,000 to 1
SURE_OF_CHANGE = math.log(1e6)  # a change may begin at any of some thousand requests, each a chance to be wrong
STRAY_SHARE = 0.001  # a weight of 0 is taken as this much, so that one stray request is unlikely and not impossible


@dataclass(frozen=True, slots=True)
class Followed:
    """How traffic answered a change of weights.

    seconds: until it followed; None when it was not seen to. stayed: it was seen to stay as it was (1,000 to 1);
    neither: too little was seen to tell, e.g. a step of few percent in few requests.
    """

    seconds: float | None
    stayed: bool
    cluster: int
    answered: int


class TrafficShare:
    """Share of weighted requests that the cluster side answered.

    A server belongs to the cluster when pinned `cluster` requests were answered by it; so no naming rule is assumed.
    Weights alone direct the requests that carry no cookie; what clients with cookies do is looked at apart.
    """

    def __init__(self, events_since: Callable[[int], Events], clock: Clock) -> None:
        self._events_since = events_since
        self._clock = clock

    def wait_for(self, from_pct: int, to_pct: int, since_ns: int, deadline_s: float) -> Followed:
        """Wait until traffic goes by `to_pct` and no more by `from_pct`, at most `deadline_s`.

        Page's CUSUM of the log-likelihood ratio of the two shares (Page 1954): it finds the change whenever it came,
        and is not fooled by what still went the old way before it.
        """
        give_up_ns = since_ns + int(deadline_s * 1e9)
        while True:
            self._clock.sleep(0.1)
            events = self._answered(Side.WEIGHTED, since_ns)
            events = events[(events["flags"] & WITH_COOKIES) == 0]
            on_cluster = self._on_cluster(events)
            seen = int(on_cluster.sum()), len(events)
            evidence = _evidence(on_cluster, from_pct, to_pct)
            change = _change_point(evidence)
            if change is not None:
                return Followed(_followed_after_s(events, on_cluster, to_pct, since_ns, change), False, *seen)
            if self._clock.now_ns() > give_up_ns:
                return Followed(None, bool(len(evidence) and evidence[-1] < -SURE), *seen)

    def cookies_since(self, since_ns: int) -> bool:
        """Whether any weighted request since then carried cookies."""
        events = self._answered(Side.WEIGHTED, since_ns)
        return bool((events["flags"] & WITH_COOKIES).any())

    def wait_for_clients(self, to_pct: int, since_ns: int, deadline_s: float) -> bool:
        """Wait until requests with cookies go by `to_pct` too, as the last two seconds show, at most `deadline_s`.

        Of 0 or 100 percent there may be no stray among them. False when they do not in time.
        """

        def followed() -> bool:
            now_ns = self._clock.now_ns()
            events = self._answered(Side.WEIGHTED, max(since_ns, now_ns - int(CLIENTS_S * 1e9)))
            events = events[(events["flags"] & WITH_COOKIES) > 0]
            on_cluster = int(self._on_cluster(events).sum())
            return now_ns - since_ns > CLIENTS_S * 1e9 and fits(on_cluster, len(events), to_pct)

        return self._until(followed, since_ns, deadline_s)

    def wait_for_any(self, since_ns: int, least_s: float, deadline_s: float) -> None:
        """Wait `least_s`, and on until a weighted request was answered by the cluster side, at most `deadline_s`."""
        self._clock.sleep(least_s)

        def on_cluster() -> bool:
            return bool(self._on_cluster(self._answered(Side.WEIGHTED, since_ns)).any())

        self._until(on_cluster, since_ns, deadline_s)

    def wait_for_answer(self, since_ns: int, deadline_s: float) -> None:
        """Wait until a weighted request without cookies, due after `since_ns`, was answered, at most `deadline_s`."""

        def answered() -> bool:
            events = self._answered(Side.WEIGHTED, since_ns)
            return bool(((events["flags"] & WITH_COOKIES) == 0).any())

        self._until(answered, since_ns, deadline_s)

    def _until(self, seen: Callable[[], bool], since_ns: int, deadline_s: float) -> bool:
        """Look every 0.1 s until it was seen; False when it was not within `deadline_s` of `since_ns`."""
        give_up_ns = since_ns + int(deadline_s * 1e9)
        while self._clock.now_ns() < give_up_ns:
            if seen():
                return True
            self._clock.sleep(0.1)
        return False

    def _answered(self, side: Side, since_ns: int) -> Events:
        events = self._events_since(since_ns)
        answered = (events["failure"] == Failure.NONE) & (events["served_by"] > 0)
        chosen: Events = events[answered & (events["side"] == side)]
        return chosen[chosen["intended_ns"].argsort(kind="stable")]

    def _on_cluster(self, events: Events) -> npt.NDArray[np.bool_]:
        lookback_ns = self._clock.now_ns() - int(NAMES_LOOKBACK_S * 1e9)
        names = np.unique(self._answered(Side.CLUSTER, lookback_ns)["served_by"])
        if np.isin(self._answered(Side.LEGACY, lookback_ns)["served_by"], names).any():
            raise FaultError("a server answered requests pinned to legacy and to cluster: who got which cannot be told")
        return np.isin(events["served_by"], names)


def _evidence(on_cluster: npt.NDArray[np.bool_], from_pct: int, to_pct: int) -> npt.NDArray[np.float64]:
    """Cumulative log-likelihood ratio of the new share against the old one, with 0 in front."""
    old, new = (min(max(pct / 100, STRAY_SHARE), 1 - STRAY_SHARE) for pct in (from_pct, to_pct))
    steps = np.where(on_cluster, math.log(new / old), math.log((1 - new) / (1 - old)))
    return np.concatenate(([0.0], np.cumsum(steps))) if len(on_cluster) else np.empty(0)


def _change_point(evidence: npt.NDArray[np.float64]) -> int | None:
    """Index of the first request that went by the new share: where the evidence was lowest before it was enough.

    None while it is not enough. Of equal lowest places the last: the longer time is the safer one to report.
    """
    crossed = np.flatnonzero(evidence - np.minimum.accumulate(evidence) > SURE_OF_CHANGE)
    if not len(crossed):
        return None
    before = evidence[: crossed[0]]
    return int(len(before) - 1 - np.argmin(before[::-1]))


def _followed_after_s(events: Events, on_cluster: npt.NDArray[np.bool_], pct: int, since_ns: int, change: int) -> float:
    """For 0 or 100 percent the moment of the last stray; in between, where no single request tells, the change."""
    if pct in (0, 100):
        strays = events["intended_ns"][on_cluster if pct == 0 else ~on_cluster]
        return float((strays.max() - since_ns) / 1e9) if len(strays) else 0.0
    return float((events["intended_ns"][change] - since_ns) / 1e9)
