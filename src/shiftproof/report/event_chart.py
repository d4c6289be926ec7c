"""Demand and pods over an event's time as a few lines of text: what was, where we are, what is to come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from shiftproof.model.demand import Demand
from shiftproof.report.event_track import Second
from shiftproof.report.words import duration, rate

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = " .-=#"
LABEL = 10
PAST, TO_COME, NOW, SHORT = "cyan", "dim", "bold", "bold red"


@dataclass(frozen=True, slots=True)
class Scale:
    """columns of text for [0, seconds]."""

    seconds: float
    columns: int

    def starts(self, column: int) -> float:
        return column * self.seconds / self.columns

    def column(self, at_s: float) -> int:
        return min(self.columns - 1, max(0, int(at_s * self.columns / self.seconds)))


def chart(
    demand: Demand, seconds: Mapping[int, Second], at_s: float | None, width: int, *, height: int = 3, plain: bool
) -> list[Text]:
    """The lines of the chart, each at most `width` wide: demand, time, pods needed and ready. plain: ASCII only.

    It is as long as the event, or as it took so far where that is longer. seconds: what was seen, by the second.
    """
    scale = Scale(max(demand.seconds, at_s or 0.0), max(8, width - LABEL))
    here = None if at_s is None else scale.column(at_s)
    blocks = ASCII_BLOCKS if plain else BLOCKS
    lines = _bars(demand, scale, here, height, blocks)
    lines.append(_ruler(scale, at_s, here, plain))
    needed, ready = (_sampled(seconds, scale, pick) for pick in (lambda one: one.needed, lambda one: one.ready))
    if any(value is not None for value in (*needed, *ready)):
        top = max(value for value in (*needed, *ready) if value is not None)
        lines.append(_label("needed").append(_symbols(needed, top, blocks)))
        lines.append(_ready_line(needed, ready, top, blocks))
    return lines


def _bars(demand: Demand, scale: Scale, here: int | None, height: int, blocks: str) -> list[Text]:
    """Demand as columns of `height` lines; those to come are dim."""
    values = [_highest(demand, scale, column) for column in range(scale.columns)]
    steps = len(blocks) - 1
    levels = [round(value / demand.peak_per_s * height * steps) for value in values]
    lines = []
    for row in reversed(range(height)):
        name = "demand" if row == height - 1 else f"{rate(demand.peak_per_s)}/s" if row == height - 2 else ""
        symbols = "".join(blocks[min(steps, max(0, level - row * steps))] for level in levels)
        lines.append(_label(name).append(_past_and_to_come(symbols, here)))
    return lines


def _highest(demand: Demand, scale: Scale, column: int) -> float:
    """The highest rate within a column, so that no short peak falls between two."""
    begin, end = scale.starts(column), scale.starts(column + 1)
    inside = [r for t, r in zip(demand.times_s, demand.rates_per_s, strict=True) if begin <= t < end]
    return max([demand.rate_at(begin), *inside])


def _past_and_to_come(symbols: str, here: int | None) -> Text:
    cut = 0 if here is None else here + 1
    return Text(symbols[:cut], style=PAST).append(symbols[cut:], style=TO_COME)


def _ruler(scale: Scale, at_s: float | None, here: int | None, plain: bool) -> Text:
    """Below the bars: where we are, with the time beside the mark, and where it ends."""
    line = [" "] * scale.columns
    end = duration(scale.seconds)
    line[-len(end) :] = end
    if at_s is not None and here is not None:
        word, mark = duration(at_s), "^" if plain else "▲"
        if here + len(word) + 2 < scale.columns - len(end):
            line[here : here + len(word) + 2] = f"{mark} {word}"
        else:
            before = f"{word} {mark}"[-here - 1 :]
            line = [" "] * scale.columns
            line[here + 1 - len(before) : here + 1] = before
    return _label("").append("".join(line), style=NOW)


def _sampled(seconds: Mapping[int, Second], scale: Scale, pick: Callable[[Second], int | None]) -> list[int | None]:
    """The last value seen within each column; between two looks the last one still holds, after the last none."""
    out: list[int | None] = [None] * scale.columns
    for second in sorted(seconds):
        out[scale.column(second)] = pick(seconds[second])
    last = max((index for index, value in enumerate(out) if value is not None), default=-1)
    for index in range(1, last):
        out[index] = out[index - 1] if out[index] is None else out[index]
    return out


def _symbols(values: Sequence[int | None], top: int, blocks: str) -> str:
    """A digit a column while one is enough, else a bar."""
    if top <= 9:
        return "".join(" " if value is None else str(value) for value in values)
    steps = len(blocks) - 1
    return "".join(" " if value is None else blocks[max(1, round(value / top * steps))] for value in values)


def _ready_line(needed: Sequence[int | None], ready: Sequence[int | None], top: int, blocks: str) -> Text:
    """Ready pods; where fewer than needed, in red, and the line above says how many that was."""
    line = _label("ready")
    for symbol, want, have in zip(_symbols(ready, top, blocks), needed, ready, strict=True):
        line.append(symbol, style=SHORT if want is not None and have is not None and have < want else "")
    return line


def _label(name: str) -> Text:
    return Text(f"  {name}".ljust(LABEL), style="dim")
