"""The timeline as a plotly figure: failures, latency, weights and happenings above each other on one time axis.

Made as plain dicts, since plotly's Python objects would cost a second of import for what is JSON in the end. A colour
is the name of a CSS variable ("var:--legacy"); the page's script puts the colour of the current theme in.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shiftproof.model.event import Failure, Side
from shiftproof.model.history import History, Phase
from shiftproof.report.figure_layout import AXES, layout
from shiftproof.report.lanes import Lane, lanes
from shiftproof.report.series import (
    SideSeries,
    Singles,
    bin_width_ns,
    failed_singles,
    side_series,
    slow_singles,
)
from shiftproof.report.words import clean, clock_time, duration, milliseconds

SIDES = {Side.LEGACY: "legacy", Side.CLUSTER: "cluster", Side.WEIGHTED: "weighted", Side.CUSTOMER: "customers"}
DASHES = {Side.LEGACY: "dot", Side.CLUSTER: "solid", Side.WEIGHTED: "dash", Side.CUSTOMER: "dashdot"}

Json = dict[str, Any]


def colour(side: Side) -> str:
    return f"var:--{SIDES[side]}"


def safe(text: str, most: int = 160) -> str:
    """Text for plotly's labels, which know some HTML: escaped, on one line, of bounded length."""
    one_line = clean(text)
    return html.escape(one_line if len(one_line) <= most else one_line[: most - 1] + "…")


def ms(t_ns: int | npt.NDArray[np.int64]) -> Any:
    """Plotly's dates: milliseconds since the epoch, to 0.1 ms."""
    return np.round(np.asarray(t_ns) / 1e6, 1).tolist()


def timeline_figure(
    history: History,
    attributed: npt.NDArray[np.int64] | None = None,
    threshold_ms: float | None = None,
) -> Json:
    """The whole figure: {"data", "layout", "meta"}. attributed: pair numbers charged to the cluster, as judged.

    meta: {"start", "end", "first_failure"} in milliseconds since the epoch; "thinned": sentences on what is not drawn.
    """
    start, end = span_ns(history)
    charged = np.empty(0, dtype=np.int64) if attributed is None else attributed
    present = [side for side in SIDES if side in (Side.LEGACY, Side.CLUSTER) or np.any(history.events["side"] == side)]
    bin_ns = bin_width_ns(end - start)
    series = [side_series(history.events, side, start, end, bin_ns) for side in present]
    singles = {side: failed_singles(history.events, side) for side in present}
    rows = lanes(history, present)
    data = _failure_bars(series) + _latency_lines(series, history) + _weight_steps(history, end)
    for side in present:
        data += _failed_marks(history, singles[side], side, charged, rows)
    data += _happening_marks(rows) + _action_bars(history.phases, rows)
    return {
        "data": data,
        "layout": layout(history, rows, series, (start, end), threshold_ms),
        "meta": _meta(singles, (start, end), charged, rows),
    }


def span_ns(history: History) -> tuple[int, int]:
    """From the start to the last thing known, a second at least."""
    ends = [history.started_ns + 1_000_000_000, *(phase.end_ns for phase in history.phases)]
    if len(history.events):
        ends.append(int(history.events["ended_ns"].max()))
    if history.timeline:
        ends.append(history.timeline[-1].t_ns)
    return history.started_ns, max(ends)


def _failure_bars(series: Sequence[SideSeries]) -> list[Json]:
    """Treatments upwards, the control downwards: what is one-sided is seen at once. Empty bins take no room."""
    out = []
    for one in series:
        hit = np.flatnonzero(one.failed)
        sign = -1 if one.side is Side.LEGACY else 1
        shares = [f"{f} of {s} failed" for f, s in zip(one.failed[hit], one.sent[hit], strict=True)]
        out.append(
            {
                "type": "bar",
                "name": SIDES[one.side],
                "legendgroup": SIDES[one.side],
                "showlegend": False,
                "x": ms(one.start_ns[hit] + one.bin_ns // 2),
                "y": (sign * one.failed[hit]).tolist(),
                "width": one.bin_ns / 1e6 * 0.9,
                "text": shares,
                "textposition": "none",
                "hovertemplate": f"{SIDES[one.side]}: %{{text}}<extra></extra>",
                "marker": {"color": colour(one.side), "line": {"width": 0}},
                "yaxis": AXES["failures"],
            }
        )
    return out


def _latency_lines(series: Sequence[SideSeries], history: History) -> list[Json]:
    out = []
    for one in series:
        if not np.any(one.sent):
            continue
        name = SIDES[one.side]
        for label, values, width in (("p50", one.p50_ms, 1.1), ("p99", one.p99_ms, 2.0)):
            out.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "legendgroup": name,
                    "showlegend": label == "p99",
                    "x": ms(one.start_ns + one.bin_ns // 2),
                    "y": [None if np.isnan(v) else round(float(v), 2) for v in values],
                    "line": {"color": colour(one.side), "width": width, "dash": DASHES[one.side]},
                    "opacity": 0.65 if label == "p50" else 1,
                    "hovertemplate": f"{name} {label}: %{{y:.3s}} ms<extra></extra>",
                    "yaxis": AXES["latency"],
                }
            )
        out.append(_slow_marks(history, one.side))
    return out


def _slow_marks(history: History, side: Side) -> Json:
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


def _failed_marks(
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


def _happening_marks(rows: Sequence[Lane]) -> list[Json]:
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


def _action_bars(phases: Sequence[Phase], rows: Sequence[Lane]) -> list[Json]:
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


def _weight_steps(history: History, end: int) -> list[Json]:
    """The cluster's weight in the two rules that the gate may write, as steps from where it is first known."""
    rules: dict[str, list[tuple[int, float]]] = {}
    for happening in history.timeline:
        weight = happening.data.get("cluster_pct")
        rule = happening.subject.removeprefix("rule/")
        if happening.kind == "weights.set" and rule in ("weighted", "customers") and isinstance(weight, int | float):
            rules.setdefault(rule, []).append((happening.t_ns, float(weight)))
    out = []
    for rule, steps in rules.items():
        tone = "var:--customers" if rule == "customers" else "var:--weighted"
        times = [t for t, _ in steps] + [end]
        values = [v for _, v in steps] + [steps[-1][1]]
        out.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{safe(rule)} rule",
                "showlegend": False,
                "x": [ms(t) for t in times],
                "y": values,
                "line": {
                    "color": tone,
                    "width": 2,
                    "shape": "hv",
                    "dash": "dashdot" if rule == "customers" else "solid",
                },
                "fill": "tozeroy" if rule == "weighted" else "none",
                "fillcolor": "var:--weighted-soft",
                "hovertemplate": f"{safe(rule)} rule: %{{y}}% to the cluster<extra></extra>",
                "yaxis": AXES["weights"],
            }
        )
    return out


def _meta(
    singles: dict[Side, Singles], span: tuple[int, int], charged: npt.NDArray[np.int64], rows: Sequence[Lane]
) -> Json:
    thinned = [
        f"{len(s.events):,} of {s.total:,} failed requests of {SIDES[side]} are drawn"
        for side, s in singles.items()
        if s.thinned
    ]
    thinned += [
        f"{len(row.marks):,} of {row.total:,} marks of {row.label} are drawn"
        for row in rows
        if len(row.marks) < row.total
    ]
    first = None
    for side in (Side.CLUSTER, Side.WEIGHTED):
        failed = singles[side].events if side in singles else None
        if failed is None or not len(failed):
            continue
        known = failed[np.isin(failed["pair"], charged)] if len(charged) else failed
        if len(known) and (first is None or ms(int(known["intended_ns"][0])) < first):
            first = ms(int(known["intended_ns"][0]))
    return {"start": ms(span[0]), "end": ms(span[1]), "first_failure": first, "thinned": thinned}
