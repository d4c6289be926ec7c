"""A rehearsal's own figures, which stand beside its verdict: how soon capacity was there, what was short, what it cost.

Pure. A gate has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from shiftproof.report.words import duration


@dataclass(frozen=True, slots=True)
class EventFigures:
    """Of one rehearsal, or means over several. None: not known, since no claim told it.

    time_to_capacity_s: until the pods that the load asked for were ready, the slowest of its rises. never: in so many
    rehearsals some were not ready before the event was over; their seconds are in no mean. shortfall_pct: of the
    event's requests, beyond what the control shows. cost_ratio: to what foresight would have paid.
    """

    time_to_capacity_s: float | None = None
    never: int = 0
    shortfall_pct: float | None = None
    cost_ratio: float | None = None


def figures_of(verdict: Mapping[str, Any]) -> EventFigures:
    """From a rehearsal's verdict file. They decide nothing: what is not there is not known."""
    timed = list(_data(verdict, "time-to-capacity"))
    late = any("stuck" in data for data in timed)
    rises_s = [data["rows"][-1].get("seconds") for data in timed if data.get("rows")]
    known_s = [seconds for seconds in rises_s if seconds is not None]
    return EventFigures(
        time_to_capacity_s=None if late else max(known_s, default=None),
        never=int(late),
        shortfall_pct=_first(verdict, "shortfall", "shortfall_pct"),
        cost_ratio=_first(verdict, "cost", "ratio"),
    )


def mean_figures(figures: Iterable[EventFigures | None]) -> EventFigures | None:
    """Over those that are known; None without one."""
    known = [one for one in figures if one is not None]
    if not known:
        return None
    return EventFigures(
        time_to_capacity_s=_mean([one.time_to_capacity_s for one in known]),
        never=sum(one.never for one in known),
        shortfall_pct=_mean([one.shortfall_pct for one in known]),
        cost_ratio=_mean([one.cost_ratio for one in known]),
    )


HEADS = ("time to capacity", "shortfall", "cost")


def figure_cells(figures: EventFigures | None) -> list[str]:
    """The words below HEADS; empty where nothing is known."""
    if figures is None:
        return [""] * len(HEADS)
    shortfall, cost = figures.shortfall_pct, figures.cost_ratio
    return [
        _capacity_words(figures),
        "" if shortfall is None else f"{shortfall:.1f}%",
        "" if cost is None else f"{cost:.2f} x",
    ]


def _capacity_words(figures: EventFigures) -> str:
    """ "65 s", "never", or where tries differ "65 s, never 1"."""
    if figures.time_to_capacity_s is None:
        return "never" if figures.never else ""
    return duration(figures.time_to_capacity_s) + (f", never {figures.never}" if figures.never else "")


def _data(verdict: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """What each finding of this claim says in figures."""
    return (claim.get("data", {}) for claim in verdict.get("claims", ()) if claim["name"] == name)


def _first(verdict: Mapping[str, Any], name: str, figure: str) -> float | None:
    found: float | None = next((data[figure] for data in _data(verdict, name) if figure in data), None)
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
