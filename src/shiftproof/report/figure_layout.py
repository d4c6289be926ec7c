"""Axes, phase bands and labels of the timeline (figure.py has what is drawn in them)."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from shiftproof.model.event import Side
from shiftproof.model.history import History, Phase, PhaseKind
from shiftproof.report.lanes import Lane
from shiftproof.report.series import SideSeries

Json = dict[str, Any]

#: Shares of the figure's height, from the bottom.
DOMAINS = {"lanes": (0.0, 0.37), "weights": (0.395, 0.495), "latency": (0.52, 0.785), "failures": (0.81, 1.0)}
TITLES = {"failures": "failed a second", "latency": "latency", "weights": "cluster %", "lanes": ""}
AXES = {"failures": "y", "latency": "y2", "weights": "y3", "lanes": "y4"}


def layout(
    history: History,
    rows: Sequence[Lane],
    series: Sequence[SideSeries],
    span: tuple[int, int],
    threshold_ms: float | None,
) -> Json:
    """Plotly's layout. Times are milliseconds since the epoch, read as UTC."""
    start, end = (t / 1e6 for t in span)
    made: Json = {
        "paper_bgcolor": "var:--paper",
        "plot_bgcolor": "var:--paper",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "var:--ink"},
        "margin": {"l": 104, "r": 12, "t": 26, "b": 40},
        "barmode": "relative",
        "bargap": 0,
        "hovermode": "closest",
        "hoverlabel": {
            "align": "left",
            "bgcolor": "var:--paper",
            "bordercolor": "var:--line",
            "font": {"color": "var:--ink"},
        },
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom", "yref": "container"},
        "xaxis": {
            "type": "date",
            "range": [start - (end - start) * 0.005, end + (end - start) * 0.005],
            "anchor": AXES["lanes"],
            "gridcolor": "var:--grid",
            "linecolor": "var:--line",
            "hoverformat": "%H:%M:%S.%2f",
            "showspikes": True,
            "spikemode": "across",
            "spikesnap": "cursor",
            "spikethickness": 1,
            "spikedash": "solid",
            "spikecolor": "var:--muted",
        },
        "yaxis": _axis("failures") | _mirrored(series),
        "yaxis2": _axis("latency") | _milliseconds(series),
        "yaxis3": _axis("weights") | {"range": [0, 105], "tickvals": [0, 50, 100], "fixedrange": True},
        "yaxis4": _axis("lanes") | _lane_axis(rows),
        "shapes": frames(DOMAINS.values())
        + _bands(history.phases)
        + ([] if threshold_ms is None else [_threshold(threshold_ms, (start, end))]),
        "annotations": _band_labels(history.phases) + _titles() + _empty_words(series),
    }
    return made


def _axis(name: str) -> Json:
    return {
        "domain": list(DOMAINS[name]),
        "anchor": "x",
        "gridcolor": "var:--grid",
        "zeroline": name == "failures",
        "zerolinecolor": "var:--line",
        "automargin": False,
    }


def _mirrored(series: Sequence[SideSeries]) -> Json:
    """Failures: treatments upwards, legacy downwards, both counted from zero without a sign."""
    up = np.zeros(1, dtype=np.int64) + sum(one.failed for one in series if one.side is not Side.LEGACY)
    down = np.zeros(1, dtype=np.int64) + sum(one.failed for one in series if one.side is Side.LEGACY)
    top, bottom = max(int(up.max()), 1), max(int(down.max()), 1)
    if top >= 4 * bottom:
        bottom = -(-top // 4)  # room for the control, empty or not: that it is empty is the finding
    elif bottom >= 4 * top:
        top = -(-bottom // 4)
    values = sorted({-bottom, 0, top} if bottom * 3 >= top else {0, top})
    return {
        "range": [-bottom * 1.15, top * 1.15],
        "tickvals": values,
        "ticktext": [f"{abs(v):,}" for v in values],
        "fixedrange": True,
    }


def _milliseconds(series: Sequence[SideSeries]) -> Json:
    values = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000]
    words = [f"{v} ms" if v < 1000 else f"{v // 1000} s" for v in values]
    seen = [one.p50_ms[~np.isnan(one.p50_ms)] for one in series] + [one.p99_ms[~np.isnan(one.p99_ms)] for one in series]
    flat = np.concatenate(seen) if seen else np.empty(0)
    low = max(float(flat.min()) * 0.6, 0.1) if len(flat) else 1.0
    high = max(float(flat.max()) * 2.0, low * 10) if len(flat) else 1000.0
    return {
        "type": "log",
        "tickvals": values[::1] if high / low < 30 else values[::3],
        "ticktext": words if high / low < 30 else words[::3],
        "range": [float(np.log10(low)), float(np.log10(high))],
    }


def _lane_axis(rows: Sequence[Lane]) -> Json:
    return {
        "range": [-len(rows) + 0.4, 0.6],
        "tickvals": [-index for index in range(len(rows))],
        "ticktext": [html.escape(row.label) for row in rows],
        "fixedrange": True,
    }


def _bands(phases: Sequence[Phase]) -> list[Json]:
    """One band a phase; repeats of an action stand apart by their edges."""
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": phase.start_ns / 1e6,
            "x1": phase.end_ns / 1e6,
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"width": 0.6, "color": "var:--line"},
            "fillcolor": f"var:--band-{_band(phase.kind)}",
        }
        for phase in phases
    ]


def frames(domains: Iterable[tuple[float, float]]) -> list[Json]:
    """A frame around each panel, from its lower to its upper end."""
    return [
        {
            "type": "rect",
            "xref": "paper",
            "yref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": low,
            "y1": high,
            "layer": "below",
            "line": {"width": 1, "color": "var:--line"},
        }
        for low, high in domains
    ]


def _band(kind: PhaseKind) -> str:
    return {PhaseKind.STEADY: "steady", PhaseKind.CRASH: "crash"}.get(kind, "graceful")


def _band_labels(phases: Sequence[Phase]) -> list[Json]:
    """A name once for all repeats that follow each other."""
    out = []
    for name, group in groupby(phases, key=lambda phase: phase.name):
        members = list(group)
        times = f" x{len(members)}" if len(members) > 1 else ""
        out.append(
            {
                "text": html.escape(name) + times,
                "name": "phase",
                "x": (members[0].start_ns + members[-1].end_ns) / 2e6,
                "width_ms": (members[-1].end_ns - members[0].start_ns) / 1e6,
                "xref": "x",
                "xanchor": "center",
                "y": 1.0,
                "yref": "paper",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 11, "color": "var:--muted"},
            }
        )
    return out


def _titles() -> list[Json]:
    return [
        {
            "text": text,
            "name": "title",
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "xshift": 4,
            "y": DOMAINS[name][1],
            "yref": "paper",
            "yanchor": "top",
            "showarrow": False,
            "font": {"size": 11, "color": "var:--muted"},
        }
        for name, text in (
            ("failures", "failed requests a second: cluster and weighted upwards, legacy downwards"),
            ("latency", "latency from the intended start: p50 thin, p99 thick, slowest single ones as circles"),
            ("weights", "weights: percent that the rule sends to the cluster"),
        )
    ]


def _threshold(threshold_ms: float, span: tuple[float, float]) -> Json:
    return {
        "type": "line",
        "xref": "x",
        "yref": AXES["latency"],
        "x0": span[0],
        "x1": span[1],
        "y0": threshold_ms,
        "y1": threshold_ms,
        "line": {"width": 1, "dash": "dash", "color": "var:--bad"},
    }


def _empty_words(series: Sequence[SideSeries]) -> list[Json]:
    """An empty panel says why it is empty."""
    if any(int(one.failed.sum()) for one in series):
        return []
    sent = int(sum(int(one.sent.sum()) for one in series))
    text = f"none of {sent:,} requests failed" if sent else "no request was recorded"
    middle = sum(DOMAINS["failures"]) / 2
    return [
        {
            "text": text,
            "x": 0.5,
            "xref": "paper",
            "y": middle,
            "yref": "paper",
            "showarrow": False,
            "name": "empty",
            "font": {"size": 13, "color": "var:--muted"},
        }
    ]
