"""sensitivity.json (its schema: sensitivity.schema.json) and sensitivity.md. Pure: what goes in is what comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from shiftproof.report.verdict_file import dump, plain
from shiftproof.report.words import clean, duration
from shiftproof.sensitivity.attempts import Attempt, attempt_json
from shiftproof.sensitivity.figures import HEADS, figure_cells
from shiftproof.sensitivity.table import CONFIDENCE, COULD_NOT_RUN, Row, Summary
from shiftproof.sensitivity.wording import (
    COMPARED,
    NOT_COMPARED,
    caught_words,
    last_line,
    other_cell,
    rules_of,
    seconds_words,
    tally_words,
    totals_rows,
)

JSON_FILE = "sensitivity.json"
MARKDOWN_FILE = "sensitivity.md"


@dataclass(frozen=True, slots=True)
class About:
    """What the figures are of: gates to a weight (to_pct), or rehearsals of an event.

    stopped: why it ended before its end, if it did. The mappings are by name.
    """

    service: str
    to_pct: int | None
    started_at: str
    ended_at: str
    seconds: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    fingerprint: Mapping[str, str]
    stopped: str | None = None
    event: str | None = None


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of sensitivity.json, as shipped in the package."""
    text = (files("shiftproof.sensitivity") / "sensitivity.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def as_json(about: About, summary: Summary, attempts: Sequence[Attempt]) -> str:
    """The text of sensitivity.json."""
    document = {
        "version": 1,
        "exit_code": summary.exit_code if about.stopped is None else COULD_NOT_RUN,
        "complete": summary.complete,
        **asdict(about),
        "planned": summary.planned,
        "left": summary.left,
        "confidence": CONFIDENCE,
        "defects": [_row_json(row) for row in summary.rows],
        "clean": _row_json(summary.clean),
        "totals": asdict(summary.totals),
        "attempts": [attempt_json(attempt) for attempt in attempts],
    }
    return dump(plain(document))


def _row_json(row: Row) -> dict[str, Any]:
    return {**asdict(row), "outcomes": {outcome.value: count for outcome, count in row.outcomes.items()}}


def published_names(event: str | None) -> tuple[str, str]:
    """What the two files are called where results are checked in: those of an event lie beside those of gates."""
    stem = "sensitivity" if event is None else f"sensitivity-{event}"
    return f"{stem}.json", f"{stem}.md"


def not_whole(about: About, summary: Summary) -> str | None:
    """Why this is not the whole table; None when it is."""
    if about.stopped is not None:
        return about.stopped
    return None if summary.complete else f"{summary.left} of {summary.planned} {summary.many} have no result"


def as_markdown(about: About, summary: Summary) -> str:
    """The text of sensitivity.md."""
    heads = ["defect", "expected claim", "caught", "by", *_own_heads(summary), f"whole {summary.one}"]
    rows = (*summary.rows, summary.clean)
    lines = [
        f"# {_title(about)}",
        "",
        *[
            f"**MISSED: {row.name}** ({row.title}): the {summary.one} said PASS with it planted."
            for row in summary.misses
        ],
        *([f"Not whole: {clean(why)}" + "\n"] if (why := not_whole(about, summary)) is not None else []),
        f"{last_line(summary)}.",
        "",
        _line(heads),
        _line(["---"] * len(heads)),
        *[_line(_cells(row, summary.event)) for row in rows],
        "",
        *(_compared(summary) if summary.event is None else [NOT_COMPARED]),
        "",
        "| total | figure |",
        "|---|---|",
        *[_line([what, figure]) for what, figure in totals_rows(summary)],
        "",
        f"Seconds are means over the tries that decided{_of_event(summary)}.",
        "Intervals are exact (Clopper-Pearson). What these figures mean and what they do not: docs/SENSITIVITY.md.",
        "",
        f"{about.started_at} to {about.ended_at}, {duration(about.seconds)} at work. "
        + ", ".join(f"{name} {value}" for name, value in {**about.machine, **about.versions}.items())
        + ".",
    ]
    return "\n".join(lines) + "\n"


def _title(about: About) -> str:
    if about.event is None:
        return f"What the gate of {about.service} caught (to {about.to_pct}%)"
    return f"What rehearsals of {about.event} caught ({about.service})"


def _own_heads(summary: Summary) -> Sequence[str]:
    """Of what only gates have, or only rehearsals."""
    return ("load until decided",) if summary.event is None else HEADS


def _of_event(summary: Summary) -> str:
    return "" if summary.event is None else f"; {', '.join(HEADS)} are means over all of them"


def _compared(summary: Summary) -> list[str]:
    rules = rules_of(summary)
    heads = ["defect", "Shiftproof", *[head for *_, head in rules]]
    return [
        "The same traffic, judged by others' rules. " + COMPARED,
        "",
        _line(heads),
        _line(["---"] * len(heads)),
        *[
            _line([row.name, tally_words(row.own), *[other_cell(row, *rule[:2]) for rule in rules]])
            for row in (*summary.rows, summary.clean)
        ],
    ]


def _cells(row: Row, event: str | None) -> list[str]:
    return [
        row.name,
        row.expects or "",
        caught_words(row),
        ", ".join(row.claims),
        *([seconds_words(row.load_s)] if event is None else figure_cells(row.figures)),
        seconds_words(row.process_s),
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(clean(cell).replace("|", "\\|") for cell in cells) + " |"
