"""What stands above each row of a load event's figure: its name, and how each of its lines looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

#: As the lines themselves are dashed, so that no colour stands alone.
SOLID, DASHED, DOTTED, DASHDOT = "━━", "╍╍", "┈┈", "━·━"


def titles(threshold_ms: float | None, domains: Mapping[str, tuple[float, float]]) -> list[Json]:
    """Above each row what it shows, with the look of each line; a phone has room for what stands before the colon."""
    limit = "" if threshold_ms is None else f"   {_key('bad', '╍', f'threshold {threshold_ms:g} ms')}"
    texts = {
        "rate": "requests a second:   "
        + "   ".join(
            (_key("ink", DASHED, "demand"), _key("cluster", SOLID, "sent"), _key("bad", "▨", "bad (✕ failed or late)"))
        ),
        "pods": "pods:   "
        + "   ".join(
            (
                _key("ink", DASHED, "needed"),
                _key("weighted", DOTTED, "wanted"),
                _key("cluster", SOLID, "ready"),
                _key("leaving", "▤", "pending"),
                _key("customers", DASHDOT, "hindsight"),
                _key("bad", "▨", "short"),
            )
        ),
        "nodes": f"ready nodes:   {_key('legacy', '■', 'on demand')}   {_key('weighted', '▨', 'Spot')}",
        "latency": "latency of the event's requests:   "
        + "   ".join(
            (_key("cluster", "─", "p50"), _key("cluster", SOLID, "p99"), _key("legacy", DOTTED, "p99 of the control"))
        )
        + limit,
        "cost": "cost of pods so far:   "
        + "   ".join((_key("cluster", SOLID, "as it was"), _key("customers", DASHDOT, "hindsight"))),
        "lanes": "what happened:   ▲ comes   ▼ leaves   ◆ wanted   ✕ goes wrong   ■ ours   ━ machine, launch to ready",
    }
    return [
        {
            "text": texts[name],
            "name": "title",
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": domain[1],
            "yref": "paper",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": 11.5, "color": "var:--muted"},
        }
        for name, domain in domains.items()
    ]


def _key(tone: str, look: str, name: str) -> str:
    return f'<span style="color:var:--{tone}">{look}</span> {name}'
