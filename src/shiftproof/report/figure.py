"""The timeline as a plotly figure: failures, latency, weights and happenings above each other on one time axis.

Made as plain dicts, since plotly's Python objects would cost a second of import for what is JSON in the end. A colour
is the name of a CSS variable ("var:--legacy"); the page's script puts the colour of the current theme in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shiftproof.model.event import Side
from shiftproof.model.history import History
from shiftproof.report.figure_layout import AXES, layout
from shiftproof.report.figure_marks import (
    SIDES,
    action_bars,
    colour,
    failed_marks,
    happening_marks,
    ms,
    safe,
    slow_marks,
)
from shiftproof.report.lanes import Lane, lanes
from shiftproof.report.series import (
    SideSeries,
    Singles,
    bin_width_ns,
    failed_singles,
    side_series,
)

DASHES = {Side.LEGACY: "dot", Side.CLUSTER: "solid", Side.WEIGHTED: "dash", Side.CUSTOMER: "dashdot"}

Json = dict[str, Any]


def timeline_figure(
    history: History,
    attributed: npt.NDArray[np.int64] | None = None,
    threshold_ms: float | None = None,
) -> Json:
    """The whole figure: {"data", "layout", "meta"}. attributed: pair numbers charged to the cluster, as judged.

    meta: {"start", "end", "first_failure"} in milliseconds since the epoch; "thinned": sentences on what is not drawn;
    "lanes": the layout's name of the lanes' axis.
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
        data += failed_marks(history, singles[side], side, charged, rows)
    data += happening_marks(rows) + action_bars(history.phases, rows)
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
        out.append(slow_marks(history, one.side))
    return out


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
    return {
        "start": ms(span[0]),
        "end": ms(span[1]),
        "first_failure": first,
        "thinned": thinned,
        "lanes": AXES["lanes"].replace("y", "yaxis"),
    }
