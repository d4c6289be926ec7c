"""A load event as a plotly figure: demand and supply, nodes, latency and cost above each other on one time axis.

Made as plain dicts, colours as names of CSS variables, as the gate's timeline is (figure.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from shiftproof.report.event_evidence import EventEvidence, Numbers
from shiftproof.report.event_lanes import LABELS, Boot, boots, event_lanes, moments
from shiftproof.report.event_layout import AXES, layout
from shiftproof.report.event_seconds import Drawn, drawn
from shiftproof.report.figure_marks import happening_marks, safe
from shiftproof.report.lanes import Lane

Json = dict[str, Any]
_NS = 1_000_000_000


def event_figure(evidence: EventEvidence) -> Json:
    """The whole figure: {"data", "layout", "meta"}.

    meta: as the timeline's, figure.timeline_figure.
    """
    curves = drawn(evidence.curves)
    start_ms = evidence.start_ns / 1e6
    x = (start_ms + curves.seconds * 1e3).tolist() or [start_ms]
    span_ms = (x[0], x[-1] + curves.step_s * 1e3)
    span_ns = (round(span_ms[0] * 1e6), round(span_ms[1] * 1e6))
    lanes = event_lanes(evidence.timeline, *span_ns)
    data = [
        *_rate(x, curves),
        *_pods(x, curves),
        *_nodes(x, curves),
        *_latency(x, curves),
        *_cost(x, curves),
        *_marks(lanes, boots(evidence.timeline), span_ns[1]),
    ]
    hurt = np.flatnonzero(curves.bad_per_s > 0)
    return {
        "data": data,
        "layout": layout(evidence, lanes, moments(evidence.timeline, *span_ns), span_ms),
        "meta": {
            "start": span_ms[0],
            "end": span_ms[1],
            "lanes": AXES["lanes"].replace("y", "yaxis"),
            "first_failure": x[int(hurt[0])] if len(hurt) else None,
            "thinned": curves.said
            + [
                f"{len(lane.marks):,} of {lane.total:,} marks of {lane.label} are drawn"
                for lane in lanes
                if len(lane.marks) < lane.total
            ],
        },
    }


def _line(x: list[float], y: Numbers, row: str, name: str, tone: str, **look: Any) -> Json:
    """One line; look: its `line` and anything else. Values that are not known leave a gap."""
    line = {"color": f"var:--{tone}", "width": 2} | look.pop("line", {})
    unit = look.pop("unit", "")
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": [None if math.isnan(value) else round(value, 4) for value in y.tolist()],
        "line": line,
        "hovertemplate": f"{name} %{{y:.4~g}}{unit}<extra></extra>",
        "yaxis": AXES[row],
        **look,
    }


def _rate(x: list[float], curves: Drawn) -> list[Json]:
    hit = np.flatnonzero(curves.bad_per_s > 0)
    at = [x[index] for index in hit]
    words = [
        f"{b:g} of {s:g} bad, {f:g} of them failed"
        for b, s, f in zip(curves.bad_per_s[hit], curves.sent_per_s[hit], curves.failed_per_s[hit], strict=True)
    ]
    return [
        _bars(at, curves.bad_per_s[hit], curves.step_s, "rate", "bad", "/"),
        _line(x, curves.sent_per_s, "rate", "sent", "cluster", unit="/s"),
        _line(x, curves.demand_per_s, "rate", "demand", "ink", line={"dash": "dash", "width": 1.6}, unit="/s"),
        {
            "type": "scatter",
            "mode": "markers",
            "name": "bad",
            "x": at,
            "y": [0] * len(at),
            "marker": {"symbol": "x-thin-open", "size": 6, "color": "var:--bad", "line": {"width": 1.2}},
            "text": words,
            "hovertemplate": "%{text}<extra></extra>",
            "cliponaxis": False,
            "yaxis": AXES["rate"],
        },
    ]


def _pods(x: list[float], curves: Drawn) -> list[Json]:
    step = {"shape": "hv"}
    short = np.maximum(curves.pods_needed - curves.pods_ready, 0)
    return [
        *_short(x, curves, short),
        _line(x, curves.pods_pending, "pods", "pending", "leaving", line=step | {"width": 0.8}, fill="tozeroy")
        | {"fillpattern": {"shape": "-", "fgcolor": "var:--leaving", "bgcolor": "rgba(0,0,0,0)", "size": 5}},
        _line(x, curves.pods_ready, "pods", "ready", "cluster", line=step | {"width": 3}),
        _line(x, curves.hindsight_pods, "pods", "hindsight", "customers", line=step | {"dash": "dashdot"}),
        _line(x, curves.pods_wanted, "pods", "wanted", "weighted", line=step | {"dash": "dot"}),
        _line(x, curves.pods_needed, "pods", "needed", "ink", line=step | {"dash": "dash", "width": 1.6}),
    ]


def _short(x: list[float], curves: Drawn, short: Numbers) -> list[Json]:
    """Missing pods as one hatched bar for each stretch of the same number, from the ready ones up to the needed."""
    edges = np.flatnonzero(np.diff(short, prepend=0) | np.diff(curves.pods_ready, prepend=0))
    ends = [*edges[1:].tolist(), len(short)]
    found = [(b, e) for b, e in zip(edges.tolist(), ends, strict=True) if short[b] > 0]
    width = curves.step_s * 1e3
    return [
        {
            "type": "bar",
            "name": "short",
            "x": [(x[b] + x[e - 1] + width) / 2 for b, e in found],
            "width": [x[e - 1] + width - x[b] for b, e in found],
            "y": [float(short[b]) for b, _ in found],
            "base": [float(curves.pods_ready[b]) for b, _ in found],
            "text": [f"{short[b]:g} short for {(e - b) * curves.step_s:g} s" for b, e in found],
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
            "marker": _hatched("bad", "/"),
            "yaxis": AXES["pods"],
        }
    ]


def _nodes(x: list[float], curves: Drawn) -> list[Json]:
    on_demand = curves.nodes_ready - curves.nodes_spot
    return [
        _line(x, on_demand, "nodes", "on demand", "legacy", stackgroup="nodes", line={"shape": "hv", "width": 1.4})
        | {"fillcolor": "var:--legacy-soft", "hovertemplate": "%{y} on demand<extra></extra>"},
        # Its edge would lie on the others' where there is no Spot node.
        _line(x, curves.nodes_spot, "nodes", "Spot", "weighted", stackgroup="nodes", line={"shape": "hv", "width": 0})
        | {
            "fillpattern": {"shape": "/", "fgcolor": "var:--weighted", "bgcolor": "rgba(0,0,0,0)", "size": 6},
            "hovertemplate": "%{y} on Spot<extra></extra>",
        },
    ]


def _latency(x: list[float], curves: Drawn) -> list[Json]:
    return [
        _line(x, curves.control_p99_ms, "latency", "p99 of the control", "legacy", line={"dash": "dot"}, unit=" ms"),
        _line(x, curves.p50_ms, "latency", "p50", "cluster", line={"width": 1.1}, opacity=0.75, unit=" ms"),
        _line(x, curves.p99_ms, "latency", "p99", "cluster", unit=" ms"),
    ]


def _cost(x: list[float], curves: Drawn) -> list[Json]:
    return [
        _line(x, curves.cost, "cost", "as it was", "cluster"),
        _line(x, curves.hindsight_cost, "cost", "hindsight", "customers", line={"dash": "dashdot"}),
    ]


def _bars(x: list[float], y: Numbers, step_s: float, row: str, tone: str, hatch: str) -> Json:
    half = step_s * 500
    return {
        "type": "bar",
        "name": tone,
        "x": [one + half for one in x],
        "y": y.tolist(),
        "width": step_s * 1e3,
        "hoverinfo": "skip",
        "marker": _hatched(tone, hatch),
        "yaxis": AXES[row],
    }


def _hatched(tone: str, shape: str) -> Json:
    """A pattern and a colour: neither has to be told apart by the colour alone."""
    return {
        "color": "rgba(0,0,0,0)",
        "line": {"width": 0.8, "color": f"var:--{tone}"},
        "pattern": {
            "shape": shape,
            "fillmode": "overlay",
            "fgcolor": f"var:--{tone}",
            "bgcolor": "rgba(0,0,0,0)",
            "size": 5,
            "solidity": 0.3,
        },
    }


def _marks(lanes: Sequence[Lane], machines: Sequence[Boot], end_ns: int) -> list[Json]:
    """Happenings in their lanes, and each machine's time from launch to ready as a line in its lane."""
    lane = next(index for index, row in enumerate(lanes) if row.label == LABELS["machines"])
    x: list[float | None] = []
    texts: list[str] = []
    for boot in machines:
        until_ns = end_ns if boot.ready_ns is None else boot.ready_ns
        x += [boot.launched_ns / 1e6, (boot.launched_ns + until_ns) / 2e6, until_ns / 1e6, None]
        texts += [safe(boot.text)] * 3 + [""]
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "boot",
        "x": x,
        "y": [None if one is None else -lane for one in x],
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": "var:--coming", "width": 7},
        "opacity": 0.5,
        "yaxis": AXES["lanes"],
    }
    return [line, *({**one, "yaxis": AXES["lanes"]} for one in happening_marks(lanes))]
