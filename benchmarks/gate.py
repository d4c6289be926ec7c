"""A total outage in the midst of a gate on the lab: from the first failed request to the decision.

    python benchmarks/gate.py --repeat 3 --out benchmarks/results/gate.json

The lab must be up. Prints a line for each and writes JSON when --out is given. What whole gates take, clean ones and
those with each defect, `shiftproof sensitivity` measures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shiftproof.sensitivity.machine import machine

PROGRAM = (sys.executable, "-m", "shiftproof")
LONGEST_S = 900
WHOLE_WITHIN_S = 60
#: The steady phase begins some 6 s after the program and lasts 8; pods that are told to go serve for 5 s more.
OUTAGE_AFTER_S = 7.0


@dataclass(frozen=True, slots=True)
class Run:
    """One gate. `claims`: those that FAIL. `decided_after_s`: from the first failed request to the end of its phase."""

    verdict: str
    exit_code: int
    seconds: float
    claims: tuple[str, ...]
    decided_after_s: float | None


def total_outage() -> Run:
    """Scale the cluster side to nothing while the steady phase runs, and back afterwards.

    It begins only once all pods are available, as after the one before: the gate's preflight would FAIL else.
    """
    kubectl = [*PROGRAM, "lab", "exec", "--", "kubectl", "-n", "payments"]
    scale = [*kubectl, "scale", "deployment/payments"]
    whole = [*kubectl, "rollout", "status", "deployment/payments", f"--timeout={WHOLE_WITHIN_S}s"]
    subprocess.run(whole, check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "verdict.json"
        began_s = time.monotonic()
        asked = [*PROGRAM, "gate", "payments", "--to", "25", "--json", str(out)]
        process = subprocess.Popen(asked, stdout=subprocess.DEVNULL)
        try:
            time.sleep(OUTAGE_AFTER_S)
            subprocess.run([*scale, "--replicas=0"], check=True, capture_output=True)
            process.wait(LONGEST_S)
        finally:
            subprocess.run([*scale, "--replicas=3"], check=True, capture_output=True)
        verdict = json.loads(out.read_text())
    return Run(
        verdict=verdict["verdict"],
        exit_code=process.returncode,
        seconds=round(time.monotonic() - began_s, 1),
        claims=tuple(sorted({claim["name"] for claim in verdict["claims"] if claim["verdict"] == "FAIL"})),
        decided_after_s=_decided_after_s(verdict),
    )


def _decided_after_s(verdict: Mapping[str, Any]) -> float | None:
    """By the run's own record. None when no request to the cluster failed."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    run_dir = Path(verdict["run_dir"])
    events = pq.read_table(run_dir / "events.parquet", columns=["side", "failure", "intended_ns"])
    on_cluster = pc.equal(events["side"].cast("string"), "cluster")
    lost = events.filter(pc.and_(on_cluster, pc.not_equal(events["failure"].cast("string"), "none")))
    timeline = (json.loads(line) for line in (run_dir / "timeline.jsonl").read_text().splitlines())
    ends = [happening["t_ns"] for happening in timeline if happening["kind"] == "phase.end"]
    if not len(lost) or not ends:
        return None
    return round((max(ends) - pc.min(lost["intended_ns"]).as_py()) / 1e9, 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="how many outages, one after another")
    parser.add_argument("--out", type=Path, help="write the runs as JSON here")
    asked = parser.parse_args()
    runs = []
    for _ in range(asked.repeat):
        run = total_outage()
        runs.append(asdict(run))
        print(
            f"{run.verdict} exit {run.exit_code} by {', '.join(run.claims)}, {run.seconds} s in all;"
            f" decided {run.decided_after_s} s after the first failed request",
            flush=True,
        )
    if asked.out is not None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps({"machine": machine(), "total_outages": runs}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
