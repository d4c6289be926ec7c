"""Whole gates on the lab, as a user runs them: how long they take, and whether they say the right thing every time.

    python benchmarks/gate.py --clean 5 --defect experiments/defects/no-graceful-shutdown.yaml --repeat 5
    python benchmarks/gate.py --outage          # a total outage: from the first failed request to the decision

The lab must be up. Prints one line a run and writes JSON when --out is given.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "shiftproof")
LONGEST_S = 900


@dataclass(frozen=True, slots=True)
class Run:
    """One gate. `claims`: those that FAIL. `outage_to_verdict_s`: first failed request to the decision, where asked."""

    what: str
    verdict: str
    exit_code: int
    seconds: float
    pairs: int
    attributed: int
    customers_failed: int
    claims: tuple[str, ...]
    sentence: str
    outage_to_verdict_s: float | None = None


def gate(what: str, *more: str, meanwhile: Sequence[str] = (), after_s: float = 0.0) -> Run:
    """Run one gate; `meanwhile` is a command run once the gate has been under way for `after_s`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "verdict.json"
        began = time.monotonic()
        process = subprocess.Popen(
            [*PROGRAM, "gate", "payments", "--to", "25", "--json", str(out), *more], stdout=subprocess.DEVNULL
        )
        if meanwhile:
            time.sleep(after_s)
            subprocess.run(meanwhile, check=True, capture_output=True)
        process.wait(LONGEST_S)
        seconds = time.monotonic() - began
        verdict: Mapping[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    words = _summary(verdict)
    failing = sorted({claim["name"] for claim in verdict.get("claims", ()) if claim["verdict"] == "FAIL"})
    return Run(
        what=what,
        verdict=verdict.get("verdict", "none"),
        exit_code=process.returncode,
        seconds=round(seconds, 1),
        pairs=verdict.get("requests", {}).get("pairs", 0),
        attributed=verdict.get("requests", {}).get("attributed", 0),
        customers_failed=verdict.get("customers", {}).get("failed", 0),
        claims=tuple(failing),
        sentence=words,
        outage_to_verdict_s=_decided_after_s(verdict) if meanwhile else None,
    )


def _summary(verdict: Mapping[str, Any]) -> str:
    path = Path(verdict.get("run_dir", "")) / "summary.json"
    return str(json.loads(path.read_text()).get("sentence", "")) if path.is_file() else ""


def _decided_after_s(verdict: Mapping[str, Any]) -> float | None:
    """From the first failed request to the cluster to the end of the phase that it failed, by the run's record."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    run_dir = Path(verdict["run_dir"])
    events = pq.read_table(run_dir / "events.parquet", columns=["side", "failure", "intended_ns"])
    on_cluster = pc.equal(events["side"].cast("string"), "cluster")
    lost = events.filter(pc.and_(on_cluster, pc.not_equal(events["failure"].cast("string"), "none")))
    ends = [
        happening["t_ns"]
        for line in (run_dir / "timeline.jsonl").read_text().splitlines()
        if (happening := json.loads(line))["kind"] == "phase.end"
    ]
    if not len(lost) or not ends:
        return None
    return round((max(ends) - pc.min(lost["intended_ns"]).as_py()) / 1e9, 2)


def total_outage() -> Run:
    """Scale the cluster side to nothing while the steady phase runs, and back afterwards."""
    kubectl = [*PROGRAM, "lab", "exec", "--", "kubectl", "-n", "payments", "scale", "deployment/payments"]
    try:
        return gate("total outage", meanwhile=[*kubectl, "--replicas=0"], after_s=15.0)
    finally:
        subprocess.run([*kubectl, "--replicas=3"], check=True, capture_output=True)


def machine() -> dict[str, str]:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{memory_gib:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=int, default=0, metavar="N", help="clean gates")
    parser.add_argument("--defect", type=Path, action="append", default=[], help="a defect's file; may be repeated")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="gates with each defect")
    parser.add_argument("--outage", action="store_true", help="a total outage in the steady phase")
    parser.add_argument("--quick", action="store_true", help="gates with --quick")
    parser.add_argument("--out", type=Path, help="write the runs as JSON here")
    asked = parser.parse_args()
    more = ["--quick"] if asked.quick else []
    print(json.dumps(machine()))
    runs: list[Run] = []

    def keep(run: Run) -> None:
        runs.append(run)
        print(
            f"{run.what:28} {run.verdict:12} exit {run.exit_code}  {run.seconds:6.1f} s  {run.pairs:6} pairs  "
            f"{run.attributed:4} attributed  customers failed {run.customers_failed}  {','.join(run.claims)}"
            + (
                f"  decided {run.outage_to_verdict_s} s after the first failed request"
                if run.outage_to_verdict_s
                else ""
            ),
            flush=True,
        )
        print(f"    {run.sentence}", flush=True)

    for _ in range(asked.clean):
        keep(gate("clean", *more))
    for defect in asked.defect:
        for _ in range(asked.repeat):
            keep(gate(defect.stem, "--defect", str(defect), *more))
    if asked.outage:
        keep(total_outage())
    if asked.out is not None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps({"machine": machine(), "runs": [asdict(run) for run in runs]}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
