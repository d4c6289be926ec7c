"""The end of a run in words: the verdict first, then why, then what to do (DESIGN.md, "What people see")."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shiftproof.model.result import PhaseRow, RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.verdict_file import PAGE_FILE
from shiftproof.report.words import (
    CULPRIT,
    HINT,
    PROPOSE,
    WHERE,
    attributed_of,
    by_weight,
    clean,
    count,
    duration,
    headline,
    news,
    next_command,
    placed,
    said,
    sentence,
    shown_path,
    subject,
    told,
)

INDENT = " " * 7
STYLES = {Verdict.PASS: "bold green", Verdict.FAIL: "bold red", Verdict.INCONCLUSIVE: "bold yellow"}
#: How a judged phase reads in its line; an unjudged one is only done.
STATES = {Verdict.PASS: "ok", Verdict.FAIL: "FAIL", Verdict.INCONCLUSIVE: "unclear", None: "done"}
MAX_WIDTH = 120  # longer lines are hard to read, however wide the terminal
OTHERS_SHOWN = 3
STATE_WIDTH = 9


def print_summary(console: Console, result: RunResult) -> None:
    """The summary on `console`, as wide as it is; colours only where it has them."""
    word = result.verdict.value
    for number, line in enumerate(summary_lines(result, console.width)):
        text = Text(line)
        if number == 0:
            text.stylize(STYLES[result.verdict], 0, len(word))
        elif line.strip().startswith(("Proof:", "Report:", "Also")) or "      Report: " in line:
            text.stylize("dim")
        elif line.strip().startswith("Try: "):
            text.stylize("bold", len(INDENT), len(INDENT) + 4)
        console.print(text, soft_wrap=True)


def print_run(console: Console, result: RunResult) -> None:
    """A finished run as it was shown when it ended: what ran, a line a phase, the summary."""
    when = f"{result.started_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC   {duration(result.seconds)}"
    head = f"{result.service}   {subject(result)}   {result.target}   run {result.run.id}"
    console.print(Text(clean(head), style="bold"), Text(when, style="dim"), sep="   ", soft_wrap=True)
    if result.phases:
        console.print(phase_table(result.phases))
    print_summary(console, result)


def phase_table(rows: Sequence[PhaseRow], name_max: int = 26) -> Table:
    """One line a phase, long ones wrapped below themselves. name_max: columns of a name."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=11, max_width=name_max, overflow="ellipsis")
    table.add_column(no_wrap=True, min_width=4)
    table.add_column(overflow="fold")
    for row in rows:
        add_phase(table, row)
    return table


def add_phase(table: Table, row: PhaseRow) -> None:
    """The line of a phase that ended."""
    style = STYLES[row.verdict] if row.verdict is not None else "dim"
    words = Text(row_words(row), style="bold" if row.verdict is Verdict.FAIL else "")
    table.add_row(Text(f"  {clean(row.name)}"), Text(STATES[row.verdict], style=style), words)


def row_words(row: PhaseRow) -> str:
    """A phase's outcome: "3 rollouts, 6.1 s each    0 of 3,010", "2,250 pairs    0 attributed", "14 checks"."""
    detail = clean(row.detail)
    if row.pairs is None:
        return detail
    if not detail:
        return f"{count(row.pairs)} pairs    {count(row.attributed)} attributed"
    return f"{detail}    {attributed_of(row.attributed, row.pairs)}"


def summary_lines(result: RunResult, width: int = 80) -> list[str]:
    """The summary as plain lines of at most `width` columns (paths and commands are never broken)."""
    width = max(40, min(width, MAX_WIDTH))
    lines = _wrapped(f"{result.verdict.value}   {sentence(result)}", width, first="")
    decided = headline(result)
    if decided is not None:
        lines += _about(result, width)
        lines += [] if result.event is not None else _others(result, decided, width)
    if result.event is not None:
        lines += _claims(result, decided, width)
    if result.customers.failed:
        failed, requests = count(result.customers.failed), count(result.customers.requests)
        lines += _wrapped(f"Customers: {failed} of {requests} of their own requests failed meanwhile.", width)
    for finding in result.findings:
        for line in said(finding, PROPOSE):
            lines += _wrapped(f"Noise that legacy has too; to accept it, in infra/platform.yaml: {line}", width)
    return lines + _ending(result, width)


def _about(result: RunResult, width: int) -> list[str]:
    """Who did it and what to try."""
    lines: list[str] = []
    for culprit in told(result, CULPRIT):
        lines += _wrapped(culprit, width)
    for hint in told(result, HINT):
        lines += _wrapped(f"Try: {hint}", width)
    return lines


def _others(result: RunResult, decided: Finding, width: int) -> list[str]:
    """What else had the run's verdict: the first few by name, the rest by number. After a FAIL, what was left open
    is no news: a clear FAIL stops the run early."""
    same = [f for f in by_weight(result.findings) if f.verdict is result.verdict]
    others = [f for f in news(same) if f is not decided]
    lines: list[str] = []
    for other in others[:OTHERS_SHOWN]:
        lines += _wrapped(f"Also: {placed(other)}", width)
    if len(others) > OTHERS_SHOWN:
        lines += _wrapped(f"Also: {len(others) - OTHERS_SHOWN} more, all in the report.", width)
    return lines


def _claims(result: RunResult, decided: Finding | None, width: int) -> list[str]:
    """Of a load event every claim has its line, the worst first: each limits the service in its own way."""
    by_claim: dict[str, list[Finding]] = {}
    for finding in by_weight(news(result.findings)):
        by_claim.setdefault(finding.claim, []).append(finding)
    lines: list[str] = []
    for claim, (finding, *others) in by_claim.items():
        reason = "as said above" if finding is decided else placed(finding)
        same = sum(other.verdict is finding.verdict for other in others)
        reason += f" (and {same} more)" if same else ""
        state = STATES[finding.verdict]
        lines += textwrap.wrap(
            f"{state:<{STATE_WIDTH}}{clean(claim)}: {reason}",
            width,
            initial_indent=INDENT,
            subsequent_indent=INDENT + " " * STATE_WIDTH,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def _ending(result: RunResult, width: int) -> list[str]:
    """Where to look and what to type, on one line where it fits."""
    parts: list[str] = []
    parts += told(result, WHERE)
    if result.proof is not None:
        parts.append(f"Proof: {shown_path(result.proof)}")
    command = next_command(result)
    page = f"Report: {shown_path(result.run_dir / PAGE_FILE)}"
    if result.proof is None or result.verdict is not Verdict.PASS:
        parts.append(page)
    if command is not None:
        settle = "To settle it" if result.verdict is Verdict.INCONCLUSIVE else "Next"
        parts.append(f"{settle}: {command}")
    one_line = INDENT + "      ".join(parts)
    return [one_line] if len(one_line) <= width else [INDENT + part for part in parts]


def _wrapped(text: str, width: int, first: str = INDENT) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        expand_tabs=False,
        replace_whitespace=False,
    )
