"""Payday on the lab, clean and with each defect that a rehearsal must catch: the verdict of each, and by which claim.

    python benchmarks/rehearsals.py [--clean 1] [--keep FOLDER] [--out benchmarks/results/rehearsals.json]

The lab must be up; each takes seven to nine minutes. A line for each as it ends, and a table. With --keep the verdict
files stay in FOLDER, and what is there is not done again: stopped half way, the same command goes on. Exit code 1 when
a clean one did not PASS, or a defect was not caught by the claim that its file expects.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from shiftproof.sensitivity.machine import machine

EVENT = "payday"
DEFECTS = Path("experiments/defects")
LONGEST_S = 1800
CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class Case:
    """One rehearsal to be made. defect: None for a clean one. expected: the claim that must FAIL."""

    name: str
    defect: Path | None = None
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """How it ended. failed, unclear: claims that FAIL, or are INCONCLUSIVE."""

    name: str
    expected: str | None
    verdict: str
    failed: tuple[str, ...]
    unclear: tuple[str, ...]
    seconds: float
    time_to_capacity_s: float | None
    shortfall_pct: float | None
    cost_ratio: float | None

    @property
    def as_expected(self) -> bool:
        return self.verdict == "PASS" if self.expected is None else self.expected in self.failed


def cases(clean: int, folder: Path = DEFECTS) -> list[Case]:
    """Clean ones first, then every defect whose `run` is this event."""
    found = [Case(f"{CLEAN}-{number}") for number in range(1, clean + 1)]
    for file in sorted(folder.glob("*.yaml")):
        defect = yaml.safe_load(file.read_text(encoding="utf-8"))
        if defect.get("run") == f"rehearse {EVENT}":
            found.append(Case(defect["id"], file, defect["expect"]["claim"]))
    return found


def rehearse(case: Case, kept: Path) -> Mapping[str, Any]:
    """The verdict, made now unless it is kept. Raises CalledProcessError when a rehearsal could not run."""
    out = kept / f"{case.name}.json"
    if not out.is_file():
        asked = [sys.executable, "-m", "shiftproof", "rehearse", EVENT, "--json", str(out)]
        asked += ["--defect", str(case.defect)] if case.defect is not None else []
        done = subprocess.run(asked, stdout=subprocess.DEVNULL, check=False, timeout=LONGEST_S)
        if done.returncode not in (0, 1, 2):
            raise subprocess.CalledProcessError(done.returncode, asked)
    loaded: Mapping[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return loaded


def row_of(case: Case, verdict: Mapping[str, Any]) -> Row:
    def named(wanted: str) -> tuple[str, ...]:
        return tuple(sorted({claim["name"] for claim in verdict["claims"] if claim["verdict"] == wanted}))

    capacity = [one["seconds"] for one in _data(verdict, "time-to-capacity").get("rows", ())]
    return Row(
        name=case.name,
        expected=case.expected,
        verdict=verdict["verdict"],
        failed=named("FAIL"),
        unclear=named("INCONCLUSIVE"),
        seconds=verdict["seconds"],
        time_to_capacity_s=capacity[-1] if capacity else None,
        shortfall_pct=_data(verdict, "shortfall").get("shortfall_pct"),
        cost_ratio=_data(verdict, "cost").get("ratio"),
    )


def _data(verdict: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next((claim["data"] for claim in verdict["claims"] if claim["name"] == name), {})


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [
        "| rehearsal | must FAIL | verdict | claims that FAIL | unclear | time to capacity | shortfall | cost | took |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        capacity = "never" if row.time_to_capacity_s is None else f"{row.time_to_capacity_s:.0f} s"
        shortfall = "" if row.shortfall_pct is None else f"{row.shortfall_pct:.1f}%"
        cost = "" if row.cost_ratio is None else f"{row.cost_ratio:.2f} x"
        cells = [row.name, row.expected or "", row.verdict, ", ".join(row.failed), ", ".join(row.unclear)]
        lines.append(f"| {' | '.join([*cells, capacity, shortfall, cost, f'{row.seconds / 60:.1f} min'])} |")
    return "\n".join(lines)


def main() -> int:
    given = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        kept = given.keep or Path(temporary)
        kept.mkdir(parents=True, exist_ok=True)
        rows = []
        for case in cases(given.clean):
            rows.append(row_of(case, rehearse(case, kept)))
            print(f"{case.name}: {rows[-1].verdict}  {', '.join(rows[-1].failed)}", flush=True)
    print(table(rows))
    if given.out is not None:
        made = {"machine": machine(), "event": EVENT, "rows": [asdict(row) for row in rows]}
        given.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        given.out.with_suffix(".md").write_text(table(rows) + "\n", encoding="utf-8")
    return 0 if all(row.as_expected for row in rows) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=int, default=1, help="clean rehearsals, before those with a defect")
    parser.add_argument("--keep", type=Path, help="keep the verdict files here, and make none that is here")
    parser.add_argument("--out", type=Path, help="also write JSON, and the table beside it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
