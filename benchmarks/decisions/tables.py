"""Tables of the page: the counting rule of graceful actions, and recorded runs; and how figures are printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_VERDICTS = ("FAIL", "INCONCLUSIVE", "PASS")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """As Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def seconds(value: float) -> str:
    """Two digits that count."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.2g}"


def percent(share: float) -> str:
    """Short, for cells that hold much."""
    return "0" if share == 0 else f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"


def graceful(result: dict[str, dict[str, Any]]) -> str:
    """What a defect has to cost, and what noise does, for each depth of a gate."""
    depths = [
        f"{name}: 3 x {one['pairs']:,} pairs an action, {one['all_pairs']:,} in all" for name, one in result.items()
    ]
    defects: list[list[str]] = []
    noises: list[list[str]] = []
    for name, one in result.items():
        actions = max(row["actions"] for row in one["defect"])
        defects += [
            [name, f"{row['rate']:.2%}", f"{row['actions']} of {actions}", *_verdicts(row)] for row in one["defect"]
        ]
        noises += [[name, f"{row['rate']:.4%}", *_verdicts(row), f"{row['fail_once']:.2%}"] for row in one["noise"]]
    return (
        f"## The counting rule of graceful actions\n\nFive actions, tried three times each ({'; '.join(depths)}): the"
        " least that the gate waits for, a rollout lasts longer by itself. A defect that costs each pair of its actions"
        " with this chance (exact):\n\n"
        + table(["gate", "rate", "actions", *_VERDICTS], defects)
        + "\nNoise that hits each side by itself, independently (simulated, phases in the suites' order): every FAIL is"
        " wrong. FAIL is what the gate says, which looks after each loss and at the end; the last column is what one"
        " look at the end would say.\n\n" + table(["gate", "rate on each side", *_VERDICTS, "FAIL, one look"], noises)
    )


def _verdicts(row: dict[str, Any]) -> list[str]:
    return [f"{row[name.lower()]:.2%}" for name in _VERDICTS]


def recorded(rows: list[dict[str, Any]]) -> str:
    """Recorded runs; nothing where there are none."""
    if not rows:
        return ""
    short = ["Argo doc.", "Argo compr.", "Flagger doc.", "Flagger compr."]
    tests: list[dict[str, Any]] = next((row["tests"] for row in rows if "tests" in row), [])
    head = ["run", "planted", "gate", "pairs", "attributed", *(one["test"] for one in tests), *short]
    body = [_run(row, len(head)) for row in rows]
    return (
        "## Recorded runs\n\nThe gate's verdict, and what the other tests and the others' rules say of the same"
        " requests. They know no budget: what is lost as a node is taken away on purpose counts as all else does.\n\n"
        + table(head, body)
    )


def _run(row: dict[str, Any], columns: int) -> list[str]:
    if "problem" in row:
        return [row["run"], "", row["problem"], *[""] * (columns - 3)]
    why = f" ({', '.join(row['failing'])})" if row["failing"] else ""
    tests = [f"{one['verdict']}; {one['pairs']:,}{_after(one)}" for one in row["tests"]]
    others = [f"{one['verdict']}{_after(one)}" for one in row["others"]]
    gate = f"{row['gate']}{why}, {row['gate_s']:.0f} s"
    lost = f"{row['attributed']:,} (control alone {row['control_only']:,})"
    return [row["run"], row["defect"] or "none", gate, f"{row['pairs']:,}", lost, *tests, *others]


def _after(one: dict[str, Any]) -> str:
    return f"; {seconds(one['after_s'])} s" if one["after_s"] is not None else ""
