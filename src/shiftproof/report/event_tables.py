"""Tables and bars of a load event's page: stages of each rise, under- and over-provisioning, other supplies.

What they show is in the findings' data (claims "time-to-capacity" and "cost"), so a run that is read back has them too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.event_evidence import Variant
from shiftproof.report.words import ROWS, attributed_of, clean, count, duration, milliseconds, percent

NOT_MEASURED = "not measured"
CAPACITY, COST = "time-to-capacity", "cost"

#: What happens in each stage of a rise.
STAGE_MEANS = {
    "metric lag": "until the autoscaler saw a load above its target",
    "decision": "until it wanted as many pods as it took",
    "scheduling": "until the last pod was refused for want of a node, or placed",
    "node": "until a machine was launched for it",
    "boot": "until the machine was a ready node with the pod on it",
    "ready": "until the pod was ready",
}


@dataclass(frozen=True, slots=True)
class Rise:
    """The load asked for `pods` at at_s of the event; seconds: until they were ready, None: never. stages: in order."""

    at_s: float
    pods: int
    seconds: float | None
    stages: Mapping[str, float]
    last: str | None


@dataclass(frozen=True, slots=True)
class Capacity:
    """One finding on time to capacity. passed: as it was judged."""

    rises: tuple[Rise, ...]
    limit_s: float | None
    passed: bool

    def in_time(self, rise: Rise) -> bool | None:
        """None: nothing is said, as of a quick one that was judged too late all the same (after the event's end)."""
        if self.limit_s is None:
            return None
        if rise.seconds is None or rise.seconds > self.limit_s:
            return False
        return True if self.passed else None


@dataclass(frozen=True, slots=True)
class StagePart:
    """One stage in a rise's bar. number: of its look, from 1; 0: not known here. width_pct: of the longest rise."""

    name: str
    number: int
    seconds: float
    width_pct: float


@dataclass(frozen=True, slots=True)
class RiseBar:
    """One rise as it is drawn. limit_pct: where the limit lies on the same scale, None without or beyond it."""

    sentence: str
    in_time: bool | None
    parts: tuple[StagePart, ...]
    limit_pct: float | None


def capacity_data(result: RunResult) -> list[Capacity]:
    """The findings on time to capacity that timed something."""
    found = [_capacity(finding) for finding in result.findings if finding.claim == CAPACITY]
    return [one for one in found if one.rises]


def _capacity(finding: Finding) -> Capacity:
    rows = finding.data.get(ROWS)
    limit = finding.data.get("limit_s")
    rises = tuple(_rise(row) for row in rows if isinstance(row, Mapping)) if isinstance(rows, list | tuple) else ()
    limit_s = float(limit) if isinstance(limit, int | float) else None
    return Capacity(rises, limit_s, finding.verdict is Verdict.PASS)


def _rise(row: Mapping[str, Any]) -> Rise:
    seconds, last = row.get("seconds"), row.get("last")
    return Rise(
        at_s=float(row.get("at_s", 0.0)),
        pods=int(row.get("pods", 0)),
        seconds=None if seconds is None else float(seconds),
        stages={clean(str(name)): float(spent) for name, spent in (row.get("stages") or {}).items()},
        last=None if last is None else clean(str(last)),
    )


def rise_bars(found: Sequence[Capacity]) -> list[RiseBar]:
    """Each rise as a stacked bar of the stages that took time, all on one scale: that of the longest."""
    longest = max((rise.seconds or 0.0 for one in found for rise in one.rises), default=0.0) or 1.0
    return [_bar(rise, one, longest) for one in found for rise in one.rises]


def _bar(rise: Rise, found: Capacity, longest: float) -> RiseBar:
    known = list(STAGE_MEANS)
    parts = tuple(
        StagePart(name, known.index(name) + 1 if name in known else 0, seconds, 100 * seconds / longest)
        for name, seconds in rise.stages.items()
        if seconds > 0
    )
    limit_s = found.limit_s
    at = None if limit_s is None or limit_s > longest else 100 * limit_s / longest
    return RiseBar(_sentence(rise, limit_s), found.in_time(rise), parts, at)


def _sentence(rise: Rise, limit_s: float | None) -> str:
    limit = "" if limit_s is None else f" (limit {duration(limit_s)})"
    needed = f"{duration(rise.at_s)} into the event {count(rise.pods)} pods were needed"
    if rise.seconds is None:
        return f"{needed}: never ready{limit}"
    if rise.seconds == 0:
        return f"{needed}: they were there already"
    last = "" if rise.last is None else f"; the last was {rise.last}"
    return f"{needed}: ready after {duration(rise.seconds)}{limit}{last}"


def provisioned_rows(result: RunResult) -> list[tuple[str, str, str]]:
    """(figure, its value, what it says), of the pods; none where nothing was accounted for."""
    data = next((f.data for f in result.findings if f.claim == COST and "under_share" in f.data), None)
    if data is None:
        return []
    rows: list[tuple[str, str, Callable[[float], str], str]] = [
        ("under-provisioned", "under_share", percent, "of the time with fewer pods than needed"),
        ("missing", "under_accuracy", percent, "of what was needed, mean over all the time"),
        ("shortfall", "shortfall_unit_s", "{:,.0f} s".format, "pods missing times seconds"),
        ("over-provisioned", "over_share", percent, "of the time with more pods than needed"),
        ("idle", "over_accuracy", percent, "of what was needed, mean over all the time"),
        ("jitter", "jitter_per_s", _a_minute, "changes of supply less the demand's: above 0 it flaps, below it lags"),
    ]
    return [(name, _or_not(data.get(key), say), says) for name, key, say, says in rows]


def _a_minute(per_s: float) -> str:
    return f"{per_s * 60:+.2g} a minute"


def variant_rows(variants: Sequence[Variant]) -> list[tuple[str, list[str]]]:
    """(figure, its value for each variant), as a table that compares them is read: figures down, variants across."""
    doubts = [("not comparable", [clean(one.doubt or "") for one in variants])]
    return [
        *(doubts if any(one.doubt for one in variants) else []),
        ("pods", [clean(one.pods) for one in variants]),
        ("bad requests", [_bad(one) for one in variants]),
        ("p99 latency", [_or_not(one.p99_ms, milliseconds) for one in variants]),
        ("time with too few pods", [_or_not(one.under_share, percent) for one in variants]),
        ("time with idle pods", [_or_not(one.over_share, percent) for one in variants]),
        ("cost of pods", [_or_not(one.cost, "{:.3g}".format) for one in variants]),
        ("machines on demand", [_or_not(one.machine_s, _machine_minutes) for one in variants]),
        ("times hindsight", [_ratio(one) for one in variants]),
    ]


def _machine_minutes(machine_s: float) -> str:
    return f"{machine_s / 60:.1f} machine-min"


def _bad(one: Variant) -> str:
    return f"{percent(one.bad / one.sent)} ({attributed_of(one.bad, one.sent)})" if one.sent else NOT_MEASURED


def _ratio(one: Variant) -> str:
    if one.cost is None or not one.hindsight_cost:
        return NOT_MEASURED
    return f"{one.cost / one.hindsight_cost:.2f}"


def _or_not(value: object, say: Callable[[float], str]) -> str:
    return say(float(value)) if isinstance(value, int | float) else NOT_MEASURED
