"""Made-up requests of a run: both sides of each pair, with the changes that a test asked for.

The same script and the same seed give the same events, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.model.event import EVENT_DTYPE, WITH_COOKIES, Events, Failure, Side, no_events
from shiftproof.model.history import LbRecord, Phase

_S = 1_000_000_000
LEGACY = ("vm-1", "vm-2")
PODS = {"payments-a1": "198.18.1.7", "payments-b2": "198.18.2.7", "payments-c3": "198.18.1.8"}


@dataclass(frozen=True, slots=True)
class Change:
    """From start_ns on for the time given, `share` of one side's requests fail or are slow."""

    side: Side
    start_ns: int
    end_ns: int
    share: float
    failure: Failure = Failure.NONE
    status: int = 0
    latency_ms: float | None = None
    target: str = ""
    cause: str = ""
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class EventScript:
    """All that decides which requests there are and what became of them.

    silent: spans (ns) in which nothing is sent. sticky: by phase and repeat, for how long (s) clients with cookies stay
    where they were. extra: spans (ns) of single requests to legacy, with their rate a second.
    """

    pairs_per_s: float
    latency_ms: float
    late_ms: float
    started_ns: int
    phases: Sequence[Phase]
    changes: Sequence[Change]
    silent: Sequence[tuple[int, int]]
    sticky: Mapping[tuple[str, int], float]
    extra: Sequence[tuple[int, int, float]]

    def events(self, rng: np.random.Generator) -> Events:
        end_ns = self.phases[-1].end_ns if self.phases else self.started_ns
        count = int((end_ns - self.started_ns) * self.pairs_per_s / _S)
        if not count:
            return no_events()
        intended = self.started_ns + (np.arange(count) * (_S / self.pairs_per_s)).astype(np.int64)
        for start_ns, silent_until_ns in self.silent:
            intended = intended[(intended < start_ns) | (intended >= silent_until_ns)]
        count = len(intended)
        triple = np.zeros(count, dtype=np.bool_)
        to_cluster = np.zeros(count, dtype=np.bool_)
        for phase in self.phases:
            if phase.kind.treatment is Side.WEIGHTED:
                inside = (intended >= phase.start_ns) & (intended < phase.end_ns)
                triple |= inside
                to_cluster |= inside & (rng.random(count) < self._share(phase, intended))
                self._hold(phase, intended, to_cluster)
        parts = [self._side(rng, Side.LEGACY, intended, np.arange(count), ~np.ones(count, dtype=np.bool_))]
        parts.append(self._side(rng, Side.CLUSTER, intended, np.arange(count), np.ones(count, dtype=np.bool_)))
        at = np.flatnonzero(triple)
        weighted = self._side(rng, Side.WEIGHTED, intended[at], at, to_cluster[at])
        weighted["client"] = 1 + self._clients(count)[at]
        weighted["flags"] = np.where(self._with_cookies(intended)[at], WITH_COOKIES, 0)
        parts.append(weighted)
        parts.extend(self._extra_events(rng))
        events = np.concatenate(parts)
        result: Events = events[np.argsort(events["intended_ns"], kind="stable")]
        return result

    def _extra_events(self, rng: np.random.Generator) -> list[Events]:
        parts, first = [], 0
        for start_ns, end_ns, rate_per_s in self.extra:
            count = int((end_ns - start_ns) / _S * rate_per_s)
            intended = start_ns + (np.arange(count) * (_S / rate_per_s)).astype(np.int64)
            nobody = np.zeros(count, dtype=np.bool_)
            parts.append(self._side(rng, Side.EXTRA_LEGACY, intended, first + np.arange(count), nobody))
            first += count
        return parts

    def _hold(self, phase: Phase, intended: npt.NDArray[np.int64], to_cluster: npt.NDArray[np.bool_]) -> None:
        """Clients with cookies stay where the weight before had put them."""
        client, held = self._clients(len(intended)), self._with_cookies(intended)
        until_ns = phase.action_start_ns + round(self.sticky.get((phase.name, phase.repeat), 0.0) * _S)
        held &= (intended >= phase.start_ns) & (intended < min(until_ns, phase.end_ns))
        to_cluster[held] = (client * 37 % 100 < phase.facts.get("from_pct", 0))[held]

    def _clients(self, count: int) -> npt.NDArray[np.int64]:
        return np.asarray(np.arange(count) * 7 % 100, dtype=np.int64)

    def _with_cookies(self, intended: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        inside = np.zeros(len(intended), dtype=np.bool_)
        for name, repeat in self.sticky:
            phase = next(one for one in self.phases if (one.name, one.repeat) == (name, repeat))
            inside |= (intended >= phase.start_ns) & (intended < phase.end_ns)
        kept: npt.NDArray[np.bool_] = inside & (self._clients(len(intended)) % 5 > 0)
        return kept

    def _share(self, phase: Phase, intended: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """What share of weighted requests goes to the cluster at each intended time."""
        before, after = phase.facts.get("from_pct", 0) / 100, phase.facts.get("to_pct", 0) / 100
        share: npt.NDArray[np.float64] = np.where(intended < phase.action_start_ns, before, after)
        return share

    def _side(
        self,
        rng: np.random.Generator,
        side: Side,
        intended: npt.NDArray[np.int64],
        number: npt.NDArray[np.int64],
        on_cluster: npt.NDArray[np.bool_],
    ) -> Events:
        count = len(intended)
        events = np.zeros(count, dtype=EVENT_DTYPE)
        events["pair"], events["side"], events["operation"] = number, side, number % 2
        events["intended_ns"] = intended
        events["sent_ns"] = intended + (rng.exponential(self.late_ms, count) * 1e6).astype(np.int64)
        latency_ms = self.latency_ms * np.exp(rng.normal(0, 0.15, count))
        events["status"] = 201
        legacy = 1 + rng.integers(0, len(LEGACY), count)
        events["served_by"] = np.where(on_cluster, 1 + len(LEGACY) + rng.integers(0, len(PODS), count), legacy)
        for change in self.changes:
            if change.side is not side:
                continue
            hit = (events["sent_ns"] >= change.start_ns) & (events["sent_ns"] < change.end_ns)
            hit &= rng.random(count) < change.share
            if change.at_most is not None:
                hit[np.flatnonzero(hit)[change.at_most :]] = False
            if change.latency_ms is not None:
                latency_ms[hit] = change.latency_ms
                continue
            events["failure"][hit], events["status"][hit], events["served_by"][hit] = change.failure, change.status, 0
            latency_ms[hit] = 2000.0 if change.failure is Failure.TIMEOUT else 2.0
        events["ended_ns"] = events["sent_ns"] + (latency_ms * 1e6).astype(np.int64)
        return events

    def lb_records(self, events: Events) -> tuple[LbRecord, ...]:
        records = []
        for change in self.changes:
            if not change.cause:
                continue
            hit = (events["side"] == change.side) & (events["failure"] != 0)
            hit &= (events["sent_ns"] >= change.start_ns) & (events["sent_ns"] < change.end_ns)
            for event in events[hit]:
                pair, t_ns = int(event["pair"]), int(event["ended_ns"])
                records.append(LbRecord(t_ns, pair, change.side, change.target, change.status, change.cause))
        return tuple(sorted(records, key=lambda record: record.t_ns))
