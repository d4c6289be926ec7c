"""All rules over all scenarios, each stream judged by every rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.decisions.rules import Contender, Said
from benchmarks.decisions.streams import BAD, GOOD, PAIRS_PER_S, Scenario
from shiftproof.judge.sequential import binomial_at_least
from shiftproof.model.verdict import Verdict

#: A share so far above what is stated is no chance of these streams.
_CHANCE = 0.001


@dataclass(frozen=True, slots=True)
class Row:
    """One rule over the streams of one scenario. Shares of all streams; pairs and seconds up to the decision.

    wrong: share of FAIL where the truth is good and of PASS where it is bad; None where there is no truth.
    stated: the error rate that has to hold here; None where none is claimed (others' rules, bursts, and a noisy control
    for what does not look at the control).
    """

    kind: str
    scenario: str
    truth: str | None
    rule: str
    streams: int
    passed: float
    failed: float
    undecided: float
    wrong: float | None
    stated: float | None
    mean_pairs: float
    p99_pairs: float
    mean_s: float
    p99_s: float


def run(
    rows: Sequence[Scenario],
    rules: Sequence[Contender],
    streams: int,
    rng: np.random.Generator,
    progress: Callable[[str], None],
) -> list[dict[str, Any]]:
    """One Row for each scenario and rule, as dictionaries."""
    out: list[dict[str, Any]] = []
    for number, scenario in enumerate(rows, start=1):
        said: list[list[Said]] = [[] for _ in rules]
        for _ in range(streams):
            stream = scenario.make(rng)
            for one, results in zip(rules, said, strict=True):
                results.append(one.decide(stream))
        out += [asdict(_row(scenario, rule, results)) for rule, results in zip(rules, said, strict=True)]
        progress(f"{number} of {len(rows)}: {scenario.kind}, {scenario.name}")
    return out


def _row(scenario: Scenario, rule: Contender, results: list[Said]) -> Row:
    truth = scenario.truth_for(rule.p0, rule.p1)
    verdicts = [one.verdict for one in results]
    pairs = np.array([one.pairs for one in results])
    passed, failed = (verdicts.count(one) / len(verdicts) for one in (Verdict.PASS, Verdict.FAIL))
    mean, p99 = float(pairs.mean()), float(np.quantile(pairs, 0.99))
    return Row(
        kind=scenario.kind,
        scenario=scenario.name,
        truth=truth,
        rule=rule.name,
        streams=len(results),
        passed=passed,
        failed=failed,
        undecided=1 - passed - failed,
        wrong={GOOD: failed, BAD: passed}.get(truth or ""),
        stated=rule.stated if scenario.independent and (scenario.rate is not None or rule.paired) else None,
        mean_pairs=round(mean, 1),
        p99_pairs=round(p99, 1),
        mean_s=round(mean / PAIRS_PER_S, 2),
        p99_s=round(p99 / PAIRS_PER_S, 2),
    )


def broken(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Cells that err more often than `stated`, by so much that chance would do it less than once in a thousand."""
    return [
        f"{row['rule']} on {row['scenario']}: {row['wrong']:.2%} of {row['streams']:,}, {row['stated']:.2%} stated"
        for row in rows
        if row["wrong"] is not None
        and row["stated"] is not None
        and is_beyond(row["wrong"], row["streams"], row["stated"])
    ]


def is_beyond(wrong: float, runs: int, stated: float) -> bool:
    """Whether a share of wrong runs is above what is stated by more than chance."""
    return binomial_at_least(round(wrong * runs), runs, stated) < _CHANCE
