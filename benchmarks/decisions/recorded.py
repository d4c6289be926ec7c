"""Runs that the gate recorded: its own verdict, and what the others' rules say of the same requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shiftproof.adapters.locust.events import read_parquet
from shiftproof.errors import LoadError
from shiftproof.judge import pair_up
from shiftproof.judge.others import other_rules
from shiftproof.judge.sequential import RateTest, rate_test
from shiftproof.model.history import History


def recorded(reports: Path, p0: float, p1: float, most: int) -> list[dict[str, Any]]:
    """The newest `most` runs below `reports` that have a verdict and events; none when there are none."""
    folders = sorted((path.parent for path in reports.glob("*/events.parquet")), reverse=True)
    rows: list[dict[str, Any]] = []
    for folder in folders:
        verdict = folder / "verdict.json"
        if not verdict.is_file() or len(rows) == most:
            continue
        try:
            rows.append(_row(folder, json.loads(verdict.read_text(encoding="utf-8")), rate_test(p0, p1)))
        except (LoadError, ValueError, KeyError) as error:
            rows.append({"run": folder.name, "problem": str(error)})
    return rows


def _row(folder: Path, verdict: dict[str, Any], test: RateTest) -> dict[str, Any]:
    table = read_parquet(folder / "events.parquet")
    history = History(0, (), table.events, table.operations, table.servers)
    pairs = pair_up(table.events, ())
    stopped = test.decide(pairs.attributed[pairs.complete])
    return {
        "run": folder.name,
        "defect": verdict["run"].get("defect"),
        "gate": verdict["verdict"],
        "gate_s": verdict["seconds"],
        "failing": sorted({one["name"] for one in verdict["claims"] if one["verdict"] == "FAIL"}),
        "pairs": len(pairs),
        "attributed": int(pairs.attributed.sum()),
        "rate_test": {"decision": stopped.decision.value, "pairs": stopped.used},
        "others": [
            {"rule": one.rule, "variant": one.variant, "verdict": one.verdict, "after_s": one.decided_after_s}
            for one in other_rules(history)
        ],
    }
