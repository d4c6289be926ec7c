"""Runs that the gate recorded: its own verdict, and what other tests and others' rules say of the same requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.decisions.rules import Contender, counting
from benchmarks.decisions.streams import Stream
from shiftproof.errors import LoadError
from shiftproof.judge import pair_up
from shiftproof.judge.others import other_rules
from shiftproof.sensitivity.rules import read_history


def recorded(reports: Path, p0: float, p1: float, most: int) -> list[dict[str, Any]]:
    """The newest `most` runs below `reports` that have a verdict and events; none when there are none."""
    folders = sorted((path.parent for path in reports.glob("*/events.parquet")), reverse=True)
    rows: list[dict[str, Any]] = []
    tests = counting(p0, p1)
    for folder in folders:
        verdict = folder / "verdict.json"
        if not verdict.is_file() or len(rows) == most:
            continue
        try:
            rows.append(_row(folder, json.loads(verdict.read_text(encoding="utf-8")), tests))
        except (LoadError, ValueError, KeyError) as error:
            # The name alone: where the runs lie is nobody's business on a published page.
            rows.append({"run": folder.name, "problem": str(error).replace(f"{folder}/", "")})
    return rows


def _row(folder: Path, verdict: dict[str, Any], tests: tuple[Contender, ...]) -> dict[str, Any]:
    history = read_history(folder)
    pairs = pair_up(history.events, history.phases)  # with the phases: in shift and rollback triples are sent
    attributed, sent_ns = pairs.attributed[pairs.complete], pairs.intended_ns[pairs.complete]
    stream = Stream(attributed, np.zeros_like(attributed))
    said = [(test.name, test.decide(stream)) for test in tests]
    return {
        "run": folder.name,
        "defect": verdict["run"].get("defect"),
        "gate": verdict["verdict"],
        "gate_s": verdict["seconds"],
        "failing": sorted({one["name"] for one in verdict["claims"] if one["verdict"] == "FAIL"}),
        "pairs": len(attributed),
        "attributed": int(attributed.sum()),
        "control_only": int(pairs.control_only[pairs.complete].sum()),
        "tests": [
            {
                "test": name,
                "verdict": one.verdict.value,
                "pairs": one.pairs,
                "after_s": float(sent_ns[one.pairs - 1] - sent_ns[0]) / 1e9 if one.pairs else None,
            }
            for name, one in said
        ],
        "others": [
            {"rule": one.rule, "variant": one.variant, "verdict": one.verdict, "after_s": one.decided_after_s}
            for one in other_rules(history)
        ],
    }
