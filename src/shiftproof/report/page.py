"""One self-contained HTML page a run: the verdict in words first, then the evidence. Needs no network, now or later.

plotly.js goes in compressed (1.9 MB instead of 4.8), the browser unpacks it; the words of the page need no script.
A Content-Security-Policy forbids every load, so that even a hostile name that got through could fetch nothing.
"""

from __future__ import annotations

import base64
import gzip
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from shiftproof.model.history import History
from shiftproof.model.result import PhaseRow, RunResult
from shiftproof.model.verdict import Finding, Outage, Verdict
from shiftproof.report import words
from shiftproof.report.claims import explained
from shiftproof.report.figure import timeline_figure
from shiftproof.report.summary import row_words
from shiftproof.report.verdict_file import PAGE_FILE, VERDICT_FILE, moment, plain, write_atomic

FIGURES_MAX = 24  # a claim; verdict.json has them all
VALUE_MAX = 200
ICONS = {Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.INCONCLUSIVE: "?"}
LEADS = {
    Verdict.PASS: "This step may be taken.",
    Verdict.FAIL: "This step must not be taken.",
    Verdict.INCONCLUSIVE: "Not proven, so this step must not be taken yet.",
}
EVENT_LEADS = {
    Verdict.PASS: "This load would be carried.",
    Verdict.FAIL: "This load would not be carried as declared.",
    Verdict.INCONCLUSIVE: "Not proven that this load would be carried.",
}


@dataclass(frozen=True, slots=True)
class ClaimGroup:
    """One claim with all that was found about it, the worst first."""

    name: str
    verdict: Verdict
    means: str
    judged: str
    findings: tuple[Finding, ...]


def write_page(
    result: RunResult,
    history: History | None = None,
    *,
    attributed: npt.NDArray[np.int64] | None = None,
    threshold_ms: float | None = None,
) -> Path:
    """Write the page into the run's folder and return its path; other files there are linked. Raises SetupError."""
    path = result.run_dir / PAGE_FILE
    page = render_page(
        result, history, attributed=attributed, threshold_ms=threshold_ms, raw_files=files_beside(result.run_dir)
    )
    write_atomic(path, page)
    return path


def files_beside(run_dir: Path) -> list[str]:
    """Names of the files that a page in `run_dir` links."""
    raw = [p.name for p in run_dir.iterdir() if p.is_file()] if run_dir.is_dir() else []
    # The verdict is written last, so that whoever finds one finds the page too.
    raw = sorted({*raw, VERDICT_FILE})
    return [name for name in raw if name != PAGE_FILE and not name.startswith(".")]


def render_page(
    result: RunResult,
    history: History | None = None,
    *,
    attributed: npt.NDArray[np.int64] | None = None,
    threshold_ms: float | None = None,
    raw_files: Sequence[str] = (),
    nonce: Callable[[], str] = lambda: secrets.token_urlsafe(12),
) -> str:
    """The page as text.

    history: what the timeline is drawn from; None leaves it out and says so. attributed: pair numbers that the judges
    charged to the cluster. threshold_ms: the latency objective. raw_files: names next to the page, to link.
    """
    figure = None if history is None else timeline_figure(history, attributed, threshold_ms)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            **frame(result, figure, raw_files, nonce),
            title=words.clean(f"{result.verdict.value}: {result.service} to {result.to_pct}% on {result.target}"),
            tiles=tiles(result, history),
            phases=result.phases,
            outages=[outage_words(outage, history, result) for outage in result.outages],
        )
    )


def frame(
    result: RunResult, figure: Mapping[str, Any] | None, raw_files: Sequence[str], nonce: Callable[[], str]
) -> dict[str, Any]:
    """What the page of a gate and that of a load event share: verdict, claims, what ran, and the figure's scripts."""
    return {
        "nonce": nonce(),
        "result": result,
        "icon": ICONS[result.verdict],
        "lead": (LEADS if result.event is None else EVENT_LEADS)[result.verdict],
        "sentence": words.sentence(result),
        "told": {key: words.told(result, key) for key in words.SPOKEN},
        "next_command": words.next_command(result),
        "subject": words.subject(result),
        "claims": claim_groups(result.findings),
        "environment": environment_rows(result),
        "figure": None if figure is None else _script_json(figure),
        "thinned": [] if figure is None else figure["meta"]["thinned"],
        "plotly": None if figure is None else _plotly(),
        "raw_files": raw_files,
        "started": moment(result.started_at),
        "started_words": f"{result.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
    }


def tiles(result: RunResult, history: History | None) -> list[tuple[str, str, str]]:
    """(name, figure, what it is of), the few figures that everybody looks for."""
    requests, customers = result.requests, result.customers
    longest = max(result.outages, key=lambda outage: outage.duration_ms, default=None)
    return [
        _attributed_tile(result),
        ("Pairs sent", words.count(requests.pairs), _rate_words(requests.pairs, history)),
        (
            "Customers",
            words.attributed_of(customers.failed, customers.requests) if customers.requests else "not observed",
            "of their own requests failed meanwhile" if customers.requests else "",
        ),
        (
            "Longest outage",
            "none" if longest is None else words.milliseconds(longest.duration_ms),
            "" if longest is None else f"± {words.milliseconds(longest.error_ms)}, in {words.clean(longest.phase)}",
        ),
        ("Took", words.duration(result.seconds), f"from {result.started_at.astimezone(UTC):%H:%M:%S} UTC"),
    ]


def _attributed_tile(result: RunResult) -> tuple[str, str, str]:
    """Planned work apart from faults, which may cost something: a PASS with "106 attributed" would only puzzle."""
    pairs, attributed = words.planned(result)
    rest = result.requests.attributed - attributed
    notes = []
    if pairs:
        bound = f"below {words.percent(words.zero_bound(pairs))} at 99%"
        notes.append(bound if attributed == 0 else f"{words.percent(attributed / pairs)} of them")
    if rest > 0:
        notes.append(f"{words.count(rest)} more in crashes or between phases")
    return ("Attributed failures", words.attributed_of(attributed, pairs), "; ".join(notes))


def _rate_words(pairs: int, history: History | None) -> str:
    if history is None or not history.phases or not pairs:
        return ""
    seconds = (history.phases[-1].end_ns - history.phases[0].start_ns) / 1e9
    return f"{pairs / seconds:.0f} a second on average" if seconds > 0 else ""


def claim_groups(findings: Sequence[Finding]) -> list[ClaimGroup]:
    """Findings by claim; the claims that failed first, otherwise in the order they were judged."""
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.claim, []).append(finding)
    groups = []
    for name, members in grouped.items():
        means, judged = explained(name)
        worst = max(members, key=lambda f: f.verdict.rank).verdict
        ordered = tuple(sorted(members, key=lambda f: -f.verdict.rank))
        groups.append(ClaimGroup(name, worst, means, judged, ordered))
    return sorted(groups, key=lambda group: -group.verdict.rank)


def figures(finding: Finding) -> list[tuple[str, str]]:
    """The finding's figures as (name, value) for people: one level of nesting flattened, long ones cut."""
    flat: list[tuple[str, Any]] = []
    for key, value in finding.data.items():
        if key in (*words.SPOKEN, words.PROPOSE, words.ROWS):
            continue
        if isinstance(value, Mapping):
            flat += [(f"{key}, {inner}", one) for inner, one in value.items()]
        else:
            flat.append((str(key), value))
    shown = [(_name(key), _value(key, value)) for key, value in flat[:FIGURES_MAX]]
    return shown + ([("more", "in verdict.json")] if len(flat) > FIGURES_MAX else [])


#: Units are last in names; on the page they stand behind the value.
_UNITS = {"_ms": " ms", "_s": " s", "_pct": "%", "_per_s": "/s"}


def _unit(key: str) -> str:
    return max((unit for unit in _UNITS if key.endswith(unit)), key=len, default="")


def _name(key: str) -> str:
    return words.clean(key.removesuffix(_unit(key)).replace("_", " "))


def _value(key: str, value: Any) -> str:
    unit = _UNITS.get(_unit(key), "")
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unknown"}[value]
    if isinstance(value, int):
        return f"{value:,}{unit}"
    if isinstance(value, float):
        return f"{value:,.0f}{unit}" if abs(value) >= 1000 else f"{value:.4g}{unit}"  # never as 2.156e+04
    if isinstance(value, list | tuple) and all(isinstance(one, int | float | str) for one in value):
        return _cut(", ".join(_value("", one) for one in value) + unit) if value else "none"
    return _cut(value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False))


def _cut(text: str) -> str:
    text = words.clean(text)
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"


def outage_words(outage: Outage, history: History | None, result: RunResult) -> dict[str, Any]:
    """One row of the outages' table; from_ms and to_ms are for the timeline's zoom, epoch milliseconds."""
    started_ns = history.started_ns if history is not None else int(result.started_at.timestamp() * 1e9)
    at_ms = started_ns / 1e6 + outage.start_ms
    room = max(outage.duration_ms * 0.5, 1500.0)
    return {
        "phase": outage.phase,
        "at": words.clock_time(int(at_ms * 1e6)),
        "duration": words.milliseconds(outage.duration_ms),
        "error": words.milliseconds(outage.error_ms),
        "requests": words.count(outage.requests),
        "share": words.percent(outage.failed_share),
        "from_ms": round(at_ms - room, 1),
        "to_ms": round(at_ms + outage.duration_ms + room, 1),
    }


def environment_rows(result: RunResult) -> list[tuple[str, str]]:
    """What ran, for whoever wants to run it again."""
    run = result.run
    rows = [
        ("run", run.id),
        ("operator", run.operator or "not recorded"),
        ("ticket", run.ticket or "none"),
        ("target", result.target),
        ("seed", str(run.seed)),
        ("evidence", "quick: a PASS rules out 1% only" if run.quick else "full"),
        ("planted defect", run.defect or "none"),
        ("configuration", run.config_hash or "not recorded"),
        ("folder", str(result.run_dir)),
    ]
    rows += [(f"digest of {name}", digest) for name, digest in run.digests.items()]
    rows += [(name, version) for name, version in run.versions.items()]
    return [(words.clean(name), words.clean(value)) for name, value in rows]


def _script_json(document: Mapping[str, Any]) -> Markup:
    """JSON that cannot end its script element or open a comment, whatever names it holds."""
    text = json.dumps(plain(document), separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def _plotly() -> str:
    """plotly.js as gzip in base64. Its Python package ships the whole bundle only."""
    script = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    return base64.b64encode(gzip.compress(script, 9, mtime=0)).decode("ascii")


@cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("shiftproof.report"),
        autoescape=True,  # of everything: names and answers come from the system under test
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"clean": words.clean, "figures": figures, "row_words": _row_html}
    made.globals |= {"said": words.said, "Verdict": Verdict}
    return made


def _row_html(row: PhaseRow) -> str:
    return row_words(row).replace("    ", " · ")
