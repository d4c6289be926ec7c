"""What a view of a running load event remembers, and how it says it. Both views share it; neither draws here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shiftproof.model.demand import Demand
from shiftproof.report.event_live import EventHeader, EventNumbers
from shiftproof.report.words import attributed_of, clean, count, duration, milliseconds, percent, rate

UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Second:
    """One second of the event: what was sent, and the pods that were needed and ready at its last look."""

    sent_per_s: float
    needed: int | None
    ready: int | None


@dataclass(slots=True)
class StageRun:
    """One stage, from its beginning; ended: None while it runs. Times of the view's own clock."""

    name: str
    began: float
    ended: float | None = None
    sent_before: int = 0
    bad_before: int = 0
    last: EventNumbers | None = None
    ready: list[int] = field(default_factory=list)
    most_short: int = 0
    most_pending: int = 0

    def see(self, numbers: EventNumbers) -> None:
        self.last = numbers
        if numbers.pods_ready is not None and (not self.ready or self.ready[-1] != numbers.pods_ready):
            self.ready.append(numbers.pods_ready)
        self.most_short = max(self.most_short, short(numbers))
        self.most_pending = max(self.most_pending, numbers.pods_pending or 0)


@dataclass(slots=True)
class Track:
    """All of it so far. seconds: by the event's second, as many as the event is long and no more."""

    header: EventHeader | None = None
    stages: list[StageRun] = field(default_factory=list)
    numbers: EventNumbers = field(default_factory=EventNumbers)
    seconds: dict[int, Second] = field(default_factory=dict)

    def stage(self, name: str, now: float) -> StageRun | None:
        """A stage begins; returns the one that thereby ended."""
        before = self.close(now)
        self.stages.append(StageRun(name, now, None, self.numbers.sent, self.numbers.bad))
        return before

    def close(self, now: float) -> StageRun | None:
        """The stage that runs ends; returns it."""
        last = self.running
        if last is not None:
            last.ended = now
        return last

    @property
    def running(self) -> StageRun | None:
        return self.stages[-1] if self.stages and self.stages[-1].ended is None else None

    def progress(self, numbers: EventNumbers) -> None:
        self.numbers = numbers
        if numbers.at_s is not None and numbers.at_s >= 0:
            self.seconds[int(numbers.at_s)] = Second(numbers.sent_per_s, numbers.pods_needed, numbers.pods_ready)
        if self.running is not None:
            self.running.see(numbers)


def short(numbers: EventNumbers) -> int:
    """Pods that are missing; 0 where that is not known."""
    if numbers.pods_needed is None or numbers.pods_ready is None:
        return 0
    return max(0, numbers.pods_needed - numbers.pods_ready)


def header_words(header: EventHeader) -> str:
    """What runs, on one line, in the summary's order: "payments   payday 20 -> 100/s   lab"."""
    rates = f"{rate(header.demand.rates_per_s[0])} -> {rate(header.demand.peak_per_s)}/s"
    scaled = "" if header.scale == 1 else f" (scaled by {header.scale:.3g})"
    parts = (header.service, f"{header.event} {rates}{scaled}", header.target)
    return "   ".join(clean(part) for part in parts)


def piece_words(demand: Demand, at_s: float) -> str:
    """Where in the event that is: "rising to 100/s, 23 s left"; "" beyond its end."""
    if not 0 <= at_s < demand.seconds:
        return ""
    index = max(i for i, begins_s in enumerate(demand.times_s[:-1]) if begins_s <= at_s)
    before, after = demand.rates_per_s[index : index + 2]
    how = "holding" if before == after else "rising to" if after > before else "falling to"
    return f"{how} {rate(after)}/s, {duration(demand.times_s[index + 1] - at_s)} left"


def place_parts(header: EventHeader, at_s: float | None) -> list[str]:
    """How far it is: "1 min 2 s of 6 min 20 s", "rising to 100/s, 23 s left"."""
    if at_s is None:
        return []
    if 0 <= at_s < header.demand.seconds:
        return [f"{duration(at_s)} of {duration(header.demand.seconds)}", piece_words(header.demand, at_s)]
    most = f" of {duration(header.after_s)} at most" if header.after_s else ""
    return [f"{duration(at_s - header.demand.seconds)} after the event{most}"]


def load_parts(numbers: EventNumbers) -> list[str]:
    """Demand, what was sent of it, what was bad, and how long the slowest of a hundred took."""
    if numbers.at_s is None:
        return ["not begun"]
    if not numbers.demand_per_s and not numbers.sent_per_s:
        return ["none now", f"bad {attributed_of(numbers.bad, numbers.sent)} in all"]
    now = percent(numbers.bad_per_s / numbers.sent_per_s) if numbers.sent_per_s > 0 else UNKNOWN
    p99 = UNKNOWN if numbers.p99_ms is None else milliseconds(numbers.p99_ms)
    return [
        f"demand {rate(numbers.demand_per_s)}/s",
        f"sent {rate(numbers.sent_per_s)}/s",
        f"bad {now} now, {attributed_of(numbers.bad, numbers.sent)} so far",
        f"p99 {p99}",
    ]


def pod_parts(numbers: EventNumbers) -> list[str]:
    """Pods that are needed, wanted, ready and pending, and how many are missing."""
    known = (
        ("needed", numbers.pods_needed),
        ("wanted", numbers.pods_wanted),
        ("ready", numbers.pods_ready),
        ("pending", numbers.pods_pending),
    )
    parts = [f"{name} {UNKNOWN if value is None else count(value)}" for name, value in known]
    missing = short(numbers)
    return [*parts, f"{count(missing)} short"] if missing else parts


def node_parts(numbers: EventNumbers) -> list[str]:
    """Nodes by kind, and the cost so far."""
    ready = UNKNOWN if numbers.nodes is None else f"{count(numbers.nodes)} ready"
    spot = f", {count(numbers.nodes_spot)} of them Spot" if numbers.nodes_spot else ""
    return [ready + spot, f"cost {UNKNOWN if numbers.cost is None else f'{numbers.cost:.3g}'}"]


def stage_parts(stage: StageRun, now: float) -> list[str]:
    """One ended stage: how long, what was sent in it, how the pods went."""
    parts = [duration((now if stage.ended is None else stage.ended) - stage.began)]
    if stage.last is not None and stage.last.sent > stage.sent_before:
        sent, bad = stage.last.sent - stage.sent_before, stage.last.bad - stage.bad_before
        parts.append(f"{attributed_of(bad, sent)} bad")
    if stage.ready:
        parts.append(f"pods {_course(stage.ready)}")
    if stage.most_short:
        parts.append(f"{count(stage.most_short)} short at worst")
    if stage.most_pending:
        parts.append(f"{count(stage.most_pending)} pending at most")
    return parts


def _course(values: Sequence[int], most: int = 4) -> str:
    """The turns of a step function: 2, 3, 5, 4, 2 is "2 -> 5 -> 2"; a restless one is cut to its bounds."""
    turns = [values[0]]
    for before, here, after in zip(values, values[1:], values[2:], strict=False):
        if (here - before) * (after - here) < 0:
            turns.append(here)
    if len(values) > 1:
        turns.append(values[-1])
    if len(turns) <= most:
        return " -> ".join(map(count, turns))
    return f"{count(min(values))} to {count(max(values))}, {count(len(turns) - 2)} turns"
