"""Single requests and happenings as the timeline draws them: marks at their exact time, with words on hover."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shiftproof.model.event import Failure, Side
from shiftproof.model.history import History, Phase
from shiftproof.report.figure_layout import AXES
from shiftproof.report.lanes import Lane
from shiftproof.report.series import Singles, slow_singles
from shiftproof.report.words import clean, clock_time, duration, milliseconds

Json = dict[str, Any]

SIDES = {Side.LEGACY: "legacy", Side.CLUSTER: "cluster", Side.WEIGHTED: "weighted", Side.CUSTOMER: "customers"}


def colour(side: Side) -> str:
    return f"var:--{SIDES[side]}"


def safe(text: str, most: int = 160) -> str:
    """Text for plotly's labels, which know some HTML: escaped, on one line, of bounded length."""
    one_line = clean(text)
    return html.escape(one_line if len(one_line) <= most else one_line[: most - 1] + "…")


def ms(t_ns: int | npt.NDArray[np.int64]) -> Any:
    """Plotly's dates: milliseconds since the epoch, to 0.1 ms."""
    return np.round(np.asarray(t_ns) / 1e6, 1).tolist()


def slow_marks(history: History, side: Side) -> Json:
    picked = slow_singles(history.events, side).events
    latency_ms = (picked["ended_ns"] - picked["intended_ns"]) / 1e6
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{SIDES[side]}, slow ones",
        "legendgroup": SIDES[side],
        "showlegend": False,
        "x": ms(picked["intended_ns"]),
        "y": latency_ms.round(2).tolist(),
        "text": [_request_words(history, event) for event in picked],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": colour(side), "size": 4, "symbol": "circle-open", "opacity": 0.55, "line": {"width": 1}},
        "yaxis": AXES["latency"],
    }


def _request_words(history: History, event: np.void) -> str:
    """One request for its hover: side, operation, how it ended, by whom, and after what time."""
    names, servers = history.operations, history.servers
    operation = names[event["operation"]] if event["operation"] < len(names) else "?"
    server = servers[event["served_by"]] if event["served_by"] < len(servers) else ""
    failure = Failure(int(event["failure"]))
    how = "answered" if failure is Failure.NONE else failure.name.lower().replace("_", " ")
    status = f" {event['status']}" if event["status"] else ""
    took = milliseconds((int(event["ended_ns"]) - int(event["intended_ns"])) / 1e6)
    by = f" by {server}" if server else ""
    words = f"{SIDES[Side(int(event['side']))]} {operation}: {how}{status}{by} after {took}"
    return f"{clock_time(int(event['intended_ns']))}  {safe(words)}"


def failed_marks(
    history: History, singles: Singles, side: Side, charged: npt.NDArray[np.int64], rows: Sequence[Lane]
) -> list[Json]:
    """Each failed request at its exact time; those charged to the cluster are filled."""
    lane = next((index for index, row in enumerate(rows) if row.side is side), None)
    if lane is None or not len(singles.events):
        return []
    causes = {(r.pair, r.side): r.cause for r in history.lb_records}
    mine = np.isin(singles.events["pair"], charged) & (side is not Side.LEGACY)
    texts = []
    for event, is_charged in zip(singles.events, mine, strict=True):
        cause = causes.get((int(event["pair"]), side))
        seen = f"<br>load balancer: {safe(cause)}" if cause else ""
        texts.append(_request_words(history, event) + seen + ("<br>attributed" if is_charged else ""))
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": f"{SIDES[side]} failed",
            "legendgroup": SIDES[side],
            "showlegend": False,
            "x": ms(singles.events["intended_ns"]),
            "y": [-lane] * len(singles.events),
            "text": texts,
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "color": colour(side),
                "size": 9,
                "symbol": ["x" if is_charged else "x-open" for is_charged in mine.tolist()],
                "line": {"width": 1, "color": colour(side)},
            },
            "yaxis": AXES["lanes"],
        }
    ]


def happening_marks(rows: Sequence[Lane]) -> list[Json]:
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": row.label,
            "showlegend": False,
            "x": [ms(mark.t_ns) for mark in row.marks],
            "y": [-index] * len(row.marks),
            "text": [
                f"{clock_time(m.t_ns)}  {safe(m.label)}" + (f"<br>{safe(m.detail)}" if m.detail else "")
                for m in row.marks
            ],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "color": [f"var:--{mark.tone}" for mark in row.marks],
                "size": 9,
                "symbol": [mark.symbol for mark in row.marks],
                "line": {"width": 1, "color": "var:--paper"},
            },
            "yaxis": AXES["lanes"],
        }
        for index, row in enumerate(rows)
        if row.marks
    ]


def action_bars(phases: Sequence[Phase], rows: Sequence[Lane]) -> list[Json]:
    """Each action from its start to its end, as a thick line in its lane."""
    lane = next(index for index, row in enumerate(rows) if row.key == "actions")
    acted = [phase for phase in phases if phase.action_end_ns > phase.action_start_ns]
    x: list[float | None] = []
    texts: list[str] = []
    for phase in acted:
        took = duration((phase.action_end_ns - phase.action_start_ns) / 1e9)
        word = f"{clock_time(phase.action_start_ns)}  {safe(phase.name)} ({phase.repeat}) took {took}"
        x += [
            ms(phase.action_start_ns),
            ms((phase.action_start_ns + phase.action_end_ns) // 2),
            ms(phase.action_end_ns),
            None,
        ]
        texts += [word, word, word, ""]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "action",
            "showlegend": False,
            "x": x,
            "y": [None if one is None else -lane for one in x],
            "text": texts,
            "hovertemplate": "%{text}<extra></extra>",
            "line": {"color": "var:--action", "width": 11},
            "opacity": 0.45,
            "yaxis": AXES["lanes"],
        }
    ]
