"""The figures as Markdown that a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_INTRO = """# Decisions: how many requests, and how often wrong

{cores} cores, {memory}, kernel {kernel}, Python {python}, numpy {numpy}, scipy {scipy}; seed {seed},
{streams:,} streams of each scenario at 150 pairs/s, {seconds:.0f} s in all. Again: `python -m benchmarks.decisions`.

- **rate test**, **exact SPRT**: `judge/sequential`, {p0:.1%} against {p1:.0%} at 1% each. **Wald's SPRT**: the same
  with his thresholds. **fixed sample**: the smallest that holds both errors, looked at once. **Wald's bound**: no test
  with these errors needs fewer in the mean.
- **gate**: what the gate's availability claim says of 170 s of pairs in which nothing is done, against its own
  objective (0.01% acceptable, 0.1% not); its other claims are stricter.
- **Argo**, **Flagger**: their documented examples (`judge/others.py`); **doc.** with their own intervals of 60 s,
  **compr.** with all their checks in the gate's 170 s. Success rates only: latency is taken as good.
- Bold: wrong in more than 1.5% of the streams, by the rates that the rule is held to. A rate test alone stops after
  seconds and says nothing of what comes later: that is why the gate looks at all of its traffic, and at each action.
"""


def written(result: dict[str, Any]) -> str:
    """The whole page."""
    streams = result["simulated"][0]["streams"] if result["simulated"] else 0
    intro = _INTRO.format(
        **result["machine"],
        seed=result["seed"],
        streams=streams,
        seconds=result["seconds"],
        p0=result["p0"],
        p1=result["p1"],
    )
    parts = [intro, _exact(result["exact"]), _pairs(result["pairs"]), _grid(result["simulated"])]
    parts += [_rest(result["simulated"]), _graceful(result["graceful"]), _recorded(result["recorded"])]
    return "\n".join(part for part in parts if part)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _exact(rows: list[dict[str, Any]]) -> str:
    def cell(row: dict[str, Any], where: str) -> str:
        if f"mean_{where}" not in row:
            return ""
        p99 = f" / {row[f'p99_{where}']:,.0f}" if f"p99_{where}" in row else ""
        return f"{row[f'mean_{where}']:,.0f}{p99}"

    head = ["rates", "test", "false FAIL", "false PASS", "at p0", "between", "at p1", "at 5 p1", "all fail"]
    body = []
    for row in rows:
        errors = [f"{row[name]:.3%}" if name in row else "" for name in ("false_fail", "false_pass")]
        places = [cell(row, where) for where in ("p0", "between", "p1", "5p1", "all")]
        body.append([f"{row['p0']:.2%} / {row['p1']:.1%}", row["test"], *errors, *places])
    return (
        "## Independent failures, exactly\n\nRequests, mean / 99th percentile, by dynamic programming; 'between' is"
        " sqrt(p0 p1).\n\n" + _table(head, body)
    )


def _pairs(rows: list[dict[str, Any]]) -> str:
    body = []
    for row in rows:
        if row["q"] == 0.5:
            body.append([f"{row['alpha']:.4%}", "0.5", "", "", "", f"wrong FAIL {row['wrong']:.4%}"])
        else:
            more = f"+{row['mean'] / row['wald_bound'] - 1:.0%}"
            figures = [f"{row['wald_bound']:,.1f}", f"{row['mean']:,.1f}", f"{row['p99']:,}", more]
            body.append([f"{row['alpha']:.4%}", f"{row['q']:g}", *figures])
    head = ["alpha", "share that is the treatment's", "Wald's bound", "mean", "p99", "above the bound"]
    return (
        "## McNemar: discordant pairs until FAIL, exactly\n\n0.0167% is the gate's share of alpha, 1% / 60.\n\n"
        + _table(head, body)
    )


_SHORT = {
    "argo-rollouts, documented": "Argo doc.",
    "argo-rollouts, compressed": "Argo compr.",
    "flagger, documented": "Flagger doc.",
    "flagger, compressed": "Flagger compr.",
}


def _grid(rows: list[dict[str, Any]]) -> str:
    return (
        "## The same streams: independent failures of the treatment\n\nShare of streams that PASS / FAIL (the rest is"
        " undecided), then mean and 99th percentile of seconds.\n\n"
        + _cross([row for row in rows if row["kind"] == "independent"], "rate")
    )


def _rest(rows: list[dict[str, Any]]) -> str:
    titles = {
        "bursts": "Bursts: the same mean rates, but failures in a row (what independence is worth)",
        "drift": "Drift",
        "healed outage": "A total outage that heals, within the first 170 s",
        "noise of both sides": "Noise of both sides: the migration is innocent, a FAIL is wrong",
    }
    parts = [
        f"## {title}\n\n" + _cross([row for row in rows if row["kind"] == kind], kind) for kind, title in titles.items()
    ]
    return "\n".join(parts)


def _cross(rows: list[dict[str, Any]], first: str) -> str:
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    names = list(dict.fromkeys(row["scenario"] for row in rows))
    found = {(row["scenario"], row["rule"]): row for row in rows}
    head = [first, *(_SHORT.get(rule, rule) for rule in rules)]
    return _table(head, [[name, *(_cell(found[name, rule]) for rule in rules)] for name in names])


def _cell(row: dict[str, Any]) -> str:
    """Wrong answers that are more than one in a hundred stand out."""
    shares = f"{_percent(row['passed'])} / {_percent(row['failed'])}"
    if row["wrong"] is not None and row["wrong"] > 0.015:
        shares = f"**{shares}**"
    return f"{shares}; {_seconds(row['mean_s'])}, {_seconds(row['p99_s'])}"


def _seconds(value: float) -> str:
    return f"{value:,.0f} s" if value >= 99.5 else f"{value:.2g} s"


def _percent(share: float) -> str:
    return "0" if share == 0 else f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"


def _graceful(result: dict[str, list[dict[str, Any]]]) -> str:
    defects = [
        [f"{r['rate']:.2%}", f"{r['actions']} of 6", *(f"{r[name]:.2%}" for name in ("fail", "inconclusive", "pass"))]
        for r in result["defect"]
    ]
    noise = [
        [f"{r['rate']:.4%}", *(f"{r[name]:.2%}" for name in ("fail", "inconclusive", "pass"))] for r in result["noise"]
    ]
    words = ["FAIL", "INCONCLUSIVE", "PASS"]
    return (
        "## The counting rule of graceful actions\n\nSix actions of 3 x 1,250 pairs. A defect that costs each pair of"
        " its actions with this chance (exact):\n\n"
        + _table(["rate", "actions", *words], defects)
        + "\nNoise that hits each side alone, independently (simulated): every FAIL is wrong.\n\n"
        + _table(["rate on each side", *words], noise)
    )


def _recorded(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    body = []
    for row in rows:
        if "problem" in row:
            body.append([row["run"], "", row["problem"], "", "", "", "", ""])
            continue
        others = [
            f"{one['verdict']}" + (f" after {one['after_s']:.0f} s" if one["after_s"] else "") for one in row["others"]
        ]
        why = f" ({', '.join(row['failing'])})" if row["failing"] else ""
        planted = row["defect"] or "none"
        body.append([row["run"], planted, f"{row['gate']}{why}, {row['gate_s']:.0f} s", f"{row['pairs']:,}", *others])
    head = ["run", "planted", "gate", "pairs", "Argo doc.", "Argo compr.", "Flagger doc.", "Flagger compr."]
    return "## Recorded runs\n\nThe gate's verdict, and what the others' rules say of the same requests.\n\n" + _table(
        head, body
    )
