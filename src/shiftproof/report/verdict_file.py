"""The verdict as a file (its schema: verdict.schema.json), written whole or not at all, and read back.

`verdict.json` holds exactly what the schema names. What only the summary needs (its sentence, the phase lines, the
next command) lies beside it in `summary.json`, so that `shiftproof report` can show a run again as it was shown first.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from shiftproof.errors import SetupError, UserError
from shiftproof.model.rehearsed import Rehearsed, Shortened
from shiftproof.model.result import CustomerCount, PairCount, PhaseRow, RunInfo, RunResult
from shiftproof.model.verdict import Finding, Outage, Verdict
from shiftproof.report.words import next_command, sentence

VERDICT_FILE = "verdict.json"
SUMMARY_FILE = "summary.json"
PAGE_FILE = "index.html"
STDOUT = "-"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the verdict file, as shipped in the package."""
    text = (files("shiftproof.report") / "verdict.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def plain(value: Any) -> Any:
    """`value` as JSON knows it. Numpy's numbers become Python's; NaN and infinities, which JSON lacks, become null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence | set | frozenset | np.ndarray) and not isinstance(value, str | bytes):
        return [plain(one) for one in value]
    return str(value)


def moment(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: "2026-05-01T12:01:03.120Z"."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def verdict_json(result: RunResult) -> dict[str, Any]:
    """The verdict file's content; holds to the schema."""
    run = result.run
    document = {
        "verdict": result.verdict.value,
        "service": result.service,
        "target": result.target,
        "from_pct": result.from_pct,
        "to_pct": result.to_pct,
        "started_at": moment(result.started_at),
        "seconds": round(result.seconds, 3),
        "claims": [
            {"name": f.claim, "phase": f.phase, "verdict": f.verdict.value, "reason": f.reason, "data": f.data}
            for f in result.findings
        ],
        "requests": {
            "pairs": result.requests.pairs,
            "failed": result.requests.failed,
            "attributed": result.requests.attributed,
        },
        "customers": {"requests": result.customers.requests, "failed": result.customers.failed},
        "outages": [
            {
                "phase": o.phase,
                "start_ms": o.start_ms,
                "duration_ms": o.duration_ms,
                "error_ms": o.error_ms,
                "requests": o.requests,
                "failed_share": o.failed_share,
            }
            for o in result.outages
        ],
        "run": {
            "id": run.id,
            "operator": run.operator,
            "ticket": run.ticket,
            "digests": run.digests,
            "config_hash": run.config_hash,
            "versions": run.versions,
            "seed": run.seed,
            "quick": run.quick,
            "defect": run.defect,
            "load_s": None if run.load_s is None else round(run.load_s, 3),
            "not_planted": [step for f in result.findings for step in f.data.get("not_planted", ())],
        },
        "run_dir": str(result.run_dir),
    }
    if result.event is not None:
        document["event"] = asdict(result.event)
    made: dict[str, Any] = plain(document)
    return made


def summary_json(result: RunResult) -> dict[str, Any]:
    """What `summary.json` keeps: words for people, nothing that a verdict stands on."""
    made: dict[str, Any] = plain(
        {
            "sentence": sentence(result),
            "next_command": next_command(result),
            "proof": None if result.proof is None else str(result.proof),
            "phases": [
                {
                    "name": row.name,
                    "verdict": None if row.verdict is None else row.verdict.value,
                    "detail": row.detail,
                    "pairs": row.pairs,
                    "attributed": row.attributed,
                    "seconds": row.seconds,
                }
                for row in result.phases
            ],
        }
    )
    return made


def dump(document: Mapping[str, Any]) -> str:
    """JSON text as all our files have it: indented, readable, with a last newline."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_atomic(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader or a power cut sees the old file or the new one. Raises SetupError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".new-", delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise SetupError(
            f"cannot write {path}: {error.strerror}", hint="free space there or choose another folder"
        ) from error


def write_run(result: RunResult) -> Path:
    """Write verdict.json and summary.json into the run's folder; returns the path of the first. Raises SetupError."""
    write_atomic(result.run_dir / SUMMARY_FILE, dump(summary_json(result)))
    path = result.run_dir / VERDICT_FILE
    write_atomic(path, dump(verdict_json(result)))
    return path


def write_verdict(result: RunResult, where: str, stdout: TextIO) -> None:
    """`--json FILE`: the verdict to that file, or alone on `stdout` for "-". Raises SetupError if it cannot."""
    text = dump(verdict_json(result))
    if where == STDOUT:
        stdout.write(text)
        stdout.flush()
    else:
        write_atomic(Path(where), text)


def read_run(run_dir: Path) -> RunResult:
    """The result that `write_run` left in `run_dir`. Raises UserError when there is none or it cannot be read."""
    path = run_dir / VERDICT_FILE
    if not path.is_file():
        raise UserError(f"no verdict in {run_dir}: the run did not get that far", hint="shiftproof report")
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
        beside = run_dir / SUMMARY_FILE
        words = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        return _result(verdict, words, run_dir)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a verdict file: {error}", hint="see verdict.schema.json") from error


def _result(verdict: Mapping[str, Any], words: Mapping[str, Any], run_dir: Path) -> RunResult:
    """The way back; `run_dir` is where it lies now, since folders get moved and copied."""
    proof = words.get("proof")
    return RunResult(
        verdict=Verdict(verdict["verdict"]),
        service=verdict["service"],
        target=verdict["target"],
        from_pct=verdict["from_pct"],
        to_pct=verdict["to_pct"],
        started_at=datetime.fromisoformat(verdict["started_at"]),
        seconds=verdict["seconds"],
        findings=tuple(
            Finding(one["name"], one["phase"], Verdict(one["verdict"]), one["reason"], one["data"])
            for one in verdict["claims"]
        ),
        requests=PairCount(**verdict["requests"]),
        customers=CustomerCount(**verdict["customers"]),
        outages=tuple(Outage(**one) for one in verdict["outages"]),
        run=RunInfo(**{key: value for key, value in verdict["run"].items() if key != "not_planted"}),  # of the claims
        run_dir=run_dir,
        sentence=words.get("sentence") or "",
        next_command=words.get("next_command"),
        phases=tuple(_row(one) for one in words.get("phases", ())),
        proof=None if proof is None else Path(proof),
        event=None if verdict.get("event") is None else _event(verdict["event"]),
    )


def _event(event: Mapping[str, Any]) -> Rehearsed:
    return Rehearsed(**{**event, "shortened": tuple(Shortened(**one) for one in event["shortened"])})


def _row(row: Mapping[str, Any]) -> PhaseRow:
    judged = row["verdict"]
    return PhaseRow(
        name=row["name"],
        verdict=None if judged is None else Verdict(judged),
        detail=row["detail"],
        pairs=row["pairs"],
        attributed=row["attributed"],
        seconds=row["seconds"],
    )
