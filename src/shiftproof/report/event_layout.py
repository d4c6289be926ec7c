"""Rows, axes, bands and labels of a load event's figure (event_figure.py has what is drawn in them)."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from shiftproof.model.demand import Demand
from shiftproof.report.event_evidence import Curves, EventEvidence
from shiftproof.report.event_lanes import Moment
from shiftproof.report.event_titles import titles
from shiftproof.report.figure_layout import frames
from shiftproof.report.lanes import Lane

Json = dict[str, Any]

#: Rows from the top, each with its height in pixels; the lanes' depends on how many there are. All together fit on a
#: printed page, heading included.
HEIGHTS = {"rate": 122, "pods": 152, "nodes": 62, "latency": 122, "cost": 78}
TICKS = {"pods": 6, "nodes": 3, "latency": 6}  # at most about so many
LANE_PX, GAP_PX, TOP_PX, BOTTOM_PX = 22, 26, 46, 34
AXES = {name: f"y{number}" if number > 1 else "y" for number, name in enumerate((*HEIGHTS, "lanes"), start=1)}


def layout(
    evidence: EventEvidence, lanes: Sequence[Lane], marked: Sequence[Moment], span_ms: tuple[float, float]
) -> Json:
    """Plotly's layout. Times are milliseconds since the epoch, read as UTC; span_ms: all that is drawn."""
    heights = HEIGHTS | {"lanes": LANE_PX * max(1, len(lanes)) + 12}
    inner = sum(heights.values()) + GAP_PX * (len(heights) - 1)
    domains = _domains(heights, inner)
    start, end = span_ms
    made: Json = {
        "height": inner + TOP_PX + BOTTOM_PX,
        "paper_bgcolor": "var:--paper",
        "plot_bgcolor": "var:--paper",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "var:--ink"},
        "margin": {"l": 104, "r": 14, "t": TOP_PX, "b": BOTTOM_PX},
        "barmode": "stack",
        "bargap": 0,
        "hovermode": "x unified",  # of one row: all rows at once would hide what is pointed at
        "showlegend": False,
        "hoverlabel": {
            "align": "left",
            "bgcolor": "var:--paper",
            "bordercolor": "var:--line",
            "font": {"color": "var:--ink"},
        },
        "xaxis": {
            "type": "date",
            "range": [start, end],
            "anchor": AXES["lanes"],
            "gridcolor": "var:--grid",
            "linecolor": "var:--line",
            "hoverformat": "%H:%M:%S",
            "showspikes": True,
            "spikemode": "across",
            "spikesnap": "cursor",
            "spikethickness": 1,
            "spikedash": "solid",
            "spikecolor": "var:--muted",
        },
        "shapes": frames(domains.values()) + _bands(evidence, span_ms) + _lines(marked) + _threshold(evidence, span_ms),
        "annotations": _band_labels(evidence, span_ms) + titles(evidence.threshold_ms, domains),
    }
    special = {"latency": _milliseconds(evidence.curves, evidence.threshold_ms), "lanes": _lane_axis(lanes)}
    for name, domain in domains.items():
        axis = AXES[name].replace("y", "yaxis")
        made[axis] = _axis(domain) | (special[name] if name in special else _counted(evidence.curves, name))
    return made


def _domains(heights: dict[str, int], inner: int) -> dict[str, tuple[float, float]]:
    """Shares of the figure's height for each row, from the bottom."""
    out, top = {}, float(inner)
    for name, height in heights.items():
        out[name] = ((top - height) / inner, top / inner)
        top -= height + GAP_PX
    return out


def _axis(domain: tuple[float, float]) -> Json:
    return {
        "domain": [max(0.0, domain[0]), min(1.0, domain[1])],
        "anchor": "x",
        "gridcolor": "var:--grid",
        "zeroline": False,
        "automargin": False,
        "fixedrange": True,
    }


def _counted(curves: Curves, name: str) -> Json:
    """From zero to a little above the most; few and whole ticks for what is counted."""
    columns = {
        "rate": (curves.demand_per_s, curves.sent_per_s),
        "pods": (curves.pods_needed, curves.pods_wanted, curves.pods_ready, curves.hindsight_pods, curves.pods_pending),
        "nodes": (curves.nodes_ready,),
        "cost": (curves.cost, curves.hindsight_cost),
    }[name]
    most = max((float(np.nanmax(column)) for column in columns if len(column)), default=0.0)
    top = most if most > 0 else 1.0
    ticks: Json = (
        {"nticks": 5} if name in ("rate", "cost") else {"dtick": max(1, -(-int(top) // TICKS[name])), "tick0": 0}
    )
    return {"range": [-0.03 * top if name == "rate" else 0, top * 1.12], **ticks}


def _milliseconds(curves: Curves, threshold_ms: float | None) -> Json:
    """From below the fastest to above the slowest, and above the threshold, so that what is far below it is seen."""
    seen = np.concatenate([c[~np.isnan(c)] for c in (curves.p50_ms, curves.p99_ms, curves.control_p99_ms)])
    low = max(float(seen.min()) * 0.7, 0.1) if len(seen) else 10.0
    high = max(float(seen.max()) * 1.6, low * 10, 1.4 * (threshold_ms or 0)) if len(seen) else 1000.0
    values = [v for v in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if low <= v <= high]
    values = values[:: -(-len(values) // TICKS["latency"]) or 1]
    return {
        "type": "log",
        "tickvals": values,
        "ticktext": [f"{v} ms" if v < 1000 else f"{v // 1000} s" for v in values],
        "range": [float(np.log10(low)), float(np.log10(high))],
    }


def _lane_axis(lanes: Sequence[Lane]) -> Json:
    return {
        "range": [-len(lanes) + 0.4, 0.6],
        "tickvals": [-index for index in range(len(lanes))],
        "ticktext": [html.escape(lane.label) for lane in lanes],
    }


def pieces(demand: Demand) -> list[tuple[str, float, float]]:
    """(name, from, to) in seconds of the event: base, rise, peak, fall or hold; steps take no time and have none."""
    out = []
    points = list(zip(demand.times_s, demand.rates_per_s, strict=True))
    for (begin_s, low), (end_s, high) in itertools.pairwise(points):
        if end_s == begin_s:
            continue
        flat = {demand.rates_per_s[0]: "base", demand.peak_per_s: "peak"}.get(high, "hold")
        out.append(("rise" if high > low else "fall" if high < low else flat, begin_s, end_s))
    return out


def _spans(evidence: EventEvidence, span_ms: tuple[float, float]) -> list[tuple[str, float, float]]:
    """The event's pieces, and what is drawn before and after it, in milliseconds since the epoch."""
    start_ms = evidence.start_ns / 1e6
    out = [(name, start_ms + a * 1e3, start_ms + b * 1e3) for name, a, b in pieces(evidence.demand)]
    end_ms = start_ms + evidence.demand.seconds * 1e3
    before = [("before", span_ms[0], start_ms)] if span_ms[0] < start_ms else []
    after = [("after", end_ms, span_ms[1])] if end_ms < span_ms[1] else []
    return before + out + after


def _bands(evidence: EventEvidence, span_ms: tuple[float, float]) -> list[Json]:
    tones = {"rise": "graceful", "peak": "graceful", "fall": "graceful", "hold": "graceful"}
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": begin,
            "x1": end,
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"width": 0.6, "color": "var:--line"},
            "fillcolor": f"var:--band-{tones.get(name, 'steady')}",
        }
        for name, begin, end in _spans(evidence, span_ms)
    ]


def _band_labels(evidence: EventEvidence, span_ms: tuple[float, float]) -> list[Json]:
    return [
        {
            "text": name,
            "name": "phase",
            "x": (begin + end) / 2,
            "width_ms": end - begin,
            "xref": "x",
            "xanchor": "center",
            "y": 1.0,
            "yref": "paper",
            "yanchor": "bottom",
            "yshift": 17,
            "showarrow": False,
            "font": {"size": 11, "color": "var:--muted"},
        }
        for name, begin, end in _spans(evidence, span_ms)
    ]


def _lines(marked: Sequence[Moment]) -> list[Json]:
    """A line through all rows; its words are on the mark in its lane."""
    return [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": one.t_ns / 1e6,
            "x1": one.t_ns / 1e6,
            "y0": 0,
            "y1": 1,
            "line": {"width": 1, "dash": one.dash, "color": f"var:--{one.tone}"},
        }
        for one in marked
    ]


def _threshold(evidence: EventEvidence, span_ms: tuple[float, float]) -> list[Json]:
    if evidence.threshold_ms is None:
        return []
    return [
        {
            "type": "line",
            "xref": "x",
            "yref": AXES["latency"],
            "x0": span_ms[0],
            "x1": span_ms[1],
            "y0": evidence.threshold_ms,
            "y1": evidence.threshold_ms,
            "line": {"width": 1.3, "dash": "longdash", "color": "var:--bad"},
        }
    ]
