"""The figures as Markdown that a person reads."""

from __future__ import annotations

from typing import Any

from benchmarks.decisions.tables import graceful, percent, recorded, seconds, table

_INTRO = """# Decisions: how many requests, and how often wrong

{cores} cores, {memory}, kernel {kernel}, Python {python}, numpy {numpy}, scipy {scipy}; seed {seed},
{streams:,} streams of each scenario at {pairs_per_s} pairs/s, {seconds:.0f} s in all.
Again: `python -m benchmarks.decisions`.

- **rate test**, **exact SPRT**: `judge/sequential`, {p0:.1%} against {p1:.0%} at 1% each. **Wald's SPRT**: the same
  with his thresholds. **fixed sample**: the smallest that holds both errors, looked at once. **Wald's bound**: no test
  with these errors needs fewer in the mean.
- **gate**: what the gate's availability claim says of 170 s of pairs in which nothing is done, against its own
  objective (0.01% acceptable, 0.1% not); its other claims are stricter.
- **Argo**, **Flagger**: their documented examples (`judge/others.py`); **doc.** with their own intervals of 60 s,
  **compr.** with all their checks in the gate's 170 s. Success rates only: latency is taken as good.
- Bold: wrong in more than 1.5% of the streams, by the rates that the rule is held to. Where failures are independent
  our own tests have to hold what they state: the benchmark ends with exit code 1, and names the cells, where a true
  error rate as stated would err as often less than once in a thousand.
- A rate test alone stops after seconds and says nothing of what comes later: that is why the gate looks at all of its
  traffic, and at each action.
"""


def written(result: dict[str, Any]) -> str:
    """The whole page."""
    streams = result["simulated"][0]["streams"] if result["simulated"] else 0
    intro = _INTRO.format(
        **result["machine"],
        seed=result["seed"],
        streams=streams,
        pairs_per_s=result["pairs_per_s"],
        seconds=result["seconds"],
        p0=result["p0"],
        p1=result["p1"],
    )
    parts = [
        intro,
        _exact(result["exact"]),
        _pairs(result["pairs"], result["planned_tests"]),
        _grid(result["simulated"]),
    ]
    parts += [_rest(result["simulated"]), graceful(result["graceful"]), recorded(result["recorded"])]
    return "\n".join(part for part in parts if part)


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
        " sqrt(p0 p1).\n\n" + table(head, body)
    )


def _pairs(rows: list[dict[str, Any]], planned_tests: int) -> str:
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
        f"## McNemar: discordant pairs until FAIL, exactly\n\n{0.01 / planned_tests:.4%} is the gate's share of alpha,"
        f" 1% / {planned_tests}.\n\n" + table(head, body)
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
        " undecided), then requests (of the treatment; each has its twin) and seconds until the verdict: mean / 99th"
        " percentile.\n\n" + _cross([row for row in rows if row["kind"] == "independent"], "rate")
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
    return table(head, [[name, *(_cell(found[name, rule]) for rule in rules)] for name in names])


def _cell(row: dict[str, Any]) -> str:
    """Wrong answers that are more than one in a hundred stand out."""
    shares = f"{percent(row['passed'])} / {percent(row['failed'])}"
    if row["wrong"] is not None and row["wrong"] > 0.015:
        shares = f"**{shares}**"
    requests = f"{row['mean_pairs']:,.0f} / {row['p99_pairs']:,.0f}"
    return f"{shares}; {requests}; {seconds(row['mean_s'])} / {seconds(row['p99_s'])} s"
