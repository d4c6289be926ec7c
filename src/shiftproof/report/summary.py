"""The end of a run in words: the verdict first, then why, then what to do (DESIGN.md, "What people see")."""

from __future__ import annotations

import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text

from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.verdict_file import PAGE_FILE
from shiftproof.report.words import (
    CULPRIT,
    HINT,
    WHERE,
    by_weight,
    clean,
    count,
    headline,
    next_command,
    placed,
    said,
    sentence,
)

INDENT = " " * 7
STYLES = {Verdict.PASS: "bold green", Verdict.FAIL: "bold red", Verdict.INCONCLUSIVE: "bold yellow"}
MAX_WIDTH = 120  # longer lines are hard to read, however wide the terminal
OTHERS_SHOWN = 3


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


def summary_lines(result: RunResult, width: int = 80) -> list[str]:
    """The summary as plain lines of at most `width` columns (paths and commands are never broken)."""
    width = max(40, min(width, MAX_WIDTH))
    lines = _wrapped(f"{result.verdict.value}   {sentence(result)}", width, first="")
    decided = headline(result)
    if decided is not None:
        lines += _about(decided, width)
        lines += _others(result, decided, width)
    if result.customers.failed:
        failed, requests = count(result.customers.failed), count(result.customers.requests)
        lines += _wrapped(f"Customers: {failed} of {requests} of their own requests failed meanwhile.", width)
    return lines + _ending(result, decided, width)


def _about(finding: Finding, width: int) -> list[str]:
    """Who did it and what to try."""
    lines: list[str] = []
    for culprit in said(finding, CULPRIT):
        lines += _wrapped(culprit, width)
    for hint in said(finding, HINT):
        lines += _wrapped(f"Try: {hint}", width)
    return lines


def _others(result: RunResult, decided: Finding, width: int) -> list[str]:
    """What else had the run's verdict: the first few by name, the rest by number. After a FAIL, what was left open
    is no news: a clear FAIL stops the run early."""
    others = [f for f in by_weight(result.findings) if f is not decided and f.verdict is result.verdict]
    lines: list[str] = []
    for other in others[:OTHERS_SHOWN]:
        lines += _wrapped(f"Also: {placed(other)}", width)
    if len(others) > OTHERS_SHOWN:
        lines += _wrapped(f"Also: {len(others) - OTHERS_SHOWN} more, all in the report.", width)
    return lines


def _ending(result: RunResult, decided: Finding | None, width: int) -> list[str]:
    """Where to look and what to type, on one line where it fits."""
    parts: list[str] = []
    if decided is not None:
        parts += said(decided, WHERE)
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


def shown_path(path: Path) -> str:
    """Relative to where the person stands, if it lies below."""
    try:
        return clean(str(path.resolve().relative_to(Path.cwd())))
    except ValueError:
        return clean(str(path))


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
