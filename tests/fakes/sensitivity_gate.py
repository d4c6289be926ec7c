"""The child of fakes.sensitivity: `FOLDER gate payments --to 25 --infra infra --json FILE [--defect FILE]`, or
`FOLDER rehearse payday --service payments --infra infra --json FILE [--defect FILE]`.

It imports nothing of ours, so that a test may run many.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

EXITS = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 2}


def call(folder: Path, words: str) -> None:
    with (folder / "calls.log").open("a") as file:
        file.write(f"{words}\n")


def claim(name: str, verdict: str, **data: Any) -> dict[str, Any]:
    return {"name": name, "phase": "deploy", "verdict": verdict, "reason": f"it said {verdict}", "data": data}


def claims_of_event(script: dict[str, Any]) -> list[dict[str, Any]]:
    """What a rehearsal says beside what the script names."""
    late = {"stuck": "node"} if script["capacity_s"] is None else {}
    rows = [{"pods": 4, "seconds": 15.0}, {"pods": 5, "seconds": script["capacity_s"]}]
    said = [claim("load-delivered", script["delivered"])] if script["delivered"] is not None else []
    return [
        *said,
        claim("time-to-capacity", "PASS", rows=rows, **late),
        claim("shortfall", "PASS", shortfall_pct=0.68),
        claim("cost", "PASS", ratio=1.1),
    ]


def verdict_of(script: dict[str, Any], name: str, run_dir: Path, rehearsed: str | None) -> dict[str, Any]:
    claims = [claim(one, "FAIL") for one in script["claims"]]
    claims += [claim("sufficiency", "INCONCLUSIVE")] if script["verdict"] == "INCONCLUSIVE" else []
    event = script["event"] or rehearsed
    claims += claims_of_event(script) if event is not None else []
    return {
        **({"event": {"name": event}} if event is not None else {}),
        "verdict": script["verdict"],
        "claims": claims,
        "requests": {"pairs": 100, "failed": 2, "attributed": 1},
        "customers": {"requests": 10, "failed": 0},
        "run": {
            "defect": script["planted"] or (None if name == "clean" else name),
            "load_s": script["load_s"],
            "not_planted": script["not_planted"],
        },
        "run_dir": str(run_dir),
    }


def main(folder: Path, words: list[str]) -> int:
    options = dict(zip(words[2::2], words[3::2], strict=True))
    name = Path(options["--defect"]).stem if "--defect" in options else "clean"
    script = json.loads((folder / "script.json").read_text())[name]

    def put_back(*_: Any) -> None:
        call(folder, f"put back {name}")
        sys.exit(3)

    signal.signal(signal.SIGTERM, put_back)
    call(folder, f"{words[0]} {name} {os.getpid()}")
    while script["waits"] and not (folder / "go").exists():
        time.sleep(0.02)
    if script["spoils"]:
        look = {"scope": "lab:1", "facts": {"weights": script["spoils"]}, "problems": [], "passing": []}
        (folder / "platform.json").write_text(json.dumps(look))
    if script["edits"]:
        (folder / "edited").write_text(script["edits"])
    print(script["says"])
    if script["verdict"] is None:
        if script["exit"] is not None and script["exit"] < 0:
            os.kill(os.getpid(), -script["exit"])
        return 3
    rehearsed = words[1] if words[0] == "rehearse" else None
    verdict = verdict_of(script, name, folder / "reports" / f"20260101-000000-payments-{name}", rehearsed)
    Path(options["--json"]).write_text(json.dumps(verdict))
    return EXITS[script["verdict"]] if script["exit"] is None else int(script["exit"])


sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
