"""The words and figures that every report shares, so that the terminal, the page and Allure say the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from shiftproof.model.rehearsed import Rehearsed
from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.claims import telling

#: Keys of `Finding.data` that are sentences or commands for people; all others are figures.
CULPRIT, HINT, WHERE, COMMAND = "culprit", "hint", "where", "command"
SPOKEN = (CULPRIT, HINT, WHERE, COMMAND)

PROPOSE = "propose"
"""Key of a line for platform.yaml that a person may accept: noise that was learnt is never left out by itself."""

ROWS = "rows"
"""Key of a table that a page draws in its own way."""

EARLY = "decided_early"
"""Key of a finding that the live judge made: the claim at the end has more to go by."""


def clean(text: str) -> str:
    """`text` on one line without control characters: names and answers of a service must not drive a terminal."""
    return "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).strip()


def count(number: int) -> str:
    """14880 -> "14,880"."""
    return f"{number:,}"


def percent(share: float) -> str:
    """A share as percent with two figures that count: 0.00031 -> "0.031%"."""
    pct = share * 100
    if pct == 0:
        return "0%"
    return f"{pct:.0f}%" if pct >= 10 else f"{pct:.2g}%" if pct >= 0.0001 else "under 0.0001%"


def duration(seconds: float) -> str:
    """2.34 -> "2.3 s", 161 -> "2 min 41 s", 3725 -> "1 h 2 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def milliseconds(ms: float) -> str:
    """7.2 -> "7.2 ms", 412.3 -> "412 ms", 1912 -> "1.9 s"."""
    if ms < 10:
        return f"{ms:.2g} ms"
    return f"{ms:.0f} ms" if ms < 1000 else duration(ms / 1000)


def clock_time(t_ns: int) -> str:
    """Time of day in UTC to 10 ms, as findings say it: "12:03:06.41"."""
    moment = datetime.fromtimestamp(t_ns // 10_000_000 / 100, UTC)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 10_000:02d}"


def zero_bound(samples: int, confidence: float = 0.99) -> float:
    """Rate that `samples` trials without one failure rule out: 1 - (1 - confidence)^(1/n); 1.0 of no trials."""
    return 1.0 - (1.0 - confidence) ** (1.0 / samples) if samples > 0 else 1.0


def attributed_of(attributed: int, pairs: int) -> str:
    """A count never without its sample size: "0 of 3,010"."""
    return f"{count(attributed)} of {count(pairs)}"


def step(from_pct: int, to_pct: int) -> str:
    """The step in words: "legacy 100% -> cluster 25%", later "cluster 5% -> 25%"."""
    return f"legacy 100% -> cluster {to_pct}%" if from_pct == 0 else f"cluster {from_pct}% -> {to_pct}%"


def subject(result: RunResult) -> str:
    """What was tried: the step, or the event and how far it raises the load, "payday 20 -> 100/s"."""
    event = result.event
    if event is None:
        return step(result.from_pct, result.to_pct)
    return f"{clean(event.name)} {rate(event.base_per_s)} -> {rate(event.peak_per_s)}/s"


def rate(per_s: float) -> str:
    """Requests a second, without the unit: 99.7 -> "100", 0.25 -> "0.25"."""
    return f"{per_s:,.0f}" if per_s >= 10 or per_s == 0 else f"{per_s:.2g}"


def said(finding: Finding, key: str) -> tuple[str, ...]:
    """The sentences under `key` of a finding's data (one, several or none), cleaned."""
    value = finding.data.get(key)
    if value is None or value == "":
        return ()
    many: Sequence[object] = value if isinstance(value, list | tuple) else (value,)
    return tuple(clean(str(one)) for one in many)


def by_weight(findings: Sequence[Finding]) -> list[Finding]:
    """The worst first; of equals by what their claim tells, then those that name a culprit or a way out."""

    def weight(finding: Finding) -> tuple[int, int, bool, bool]:
        unproven = finding.verdict is Verdict.INCONCLUSIVE
        order = telling(finding.claim, unproven=unproven)
        speaks = said(finding, COMMAND if unproven else CULPRIT)
        return (-finding.verdict.rank, order, not speaks, bool(finding.data.get(EARLY)))

    return sorted(findings, key=weight)


def news(findings: Sequence[Finding]) -> list[Finding]:
    """Less what was decided while the run went on and is said again, with all figures, by the same claim."""
    final = {(f.claim, f.phase, f.verdict) for f in findings if not f.data.get(EARLY)}
    return [f for f in findings if not f.data.get(EARLY) or (f.claim, f.phase, f.verdict) not in final]


def headline(result: RunResult) -> Finding | None:
    """The finding that decided: the weightiest of those with the run's own verdict. None of a PASS."""
    if result.verdict is Verdict.PASS:
        return None
    deciding = [f for f in result.findings if f.verdict is result.verdict]
    return by_weight(deciding)[0] if deciding else None


def told(result: RunResult, key: str) -> tuple[str, ...]:
    """What the deciding finding says under `key`, or else another of its verdict and phase (one cause)."""
    decided = headline(result)
    if decided is None:
        return ()
    same = [f for f in by_weight(result.findings) if f.verdict is decided.verdict and f.phase == decided.phase]
    return next((said(f, key) for f in (decided, *same) if said(f, key)), ())


def placed(finding: Finding) -> str:
    """The reason with its phase in front, unless it is about the whole run or says so itself."""
    reason, phase = clean(finding.reason), clean(finding.phase)
    return reason if phase == "run" or reason.startswith(f"{phase}:") else f"{phase}: {reason}"


def sentence(result: RunResult) -> str:
    """Why, in one sentence: the gate's own where it gave one, else the deciding finding's."""
    if result.sentence:
        return clean(result.sentence)
    decided = headline(result)
    if decided is not None:
        return placed(decided)
    if result.verdict is not Verdict.PASS:
        return "Nothing was judged, so nothing is proven."
    if result.event is not None:
        return _carried(result.event)
    pairs, attributed = planned(result)
    if attributed == 0 and pairs:
        bound = percent(zero_bound(pairs))
        return f"Nothing a customer could notice: 0 of {count(pairs)} graceful pairs attributed (below {bound} at 99%)."
    return f"{count(attributed)} of {count(pairs)} pairs attributed, within what is allowed."


def _carried(event: Rehearsed) -> str:
    """A PASS of a load event in one sentence."""
    peak = f"{clean(event.name)} was carried, up to {rate(event.peak_per_s)} requests a second"
    share = (
        f"below {percent(zero_bound(event.sent))} at 99%"
        if event.bad == 0
        else percent(event.bad / event.sent)
        if event.sent
        else "no sample"
    )
    return f"{peak}: {attributed_of(event.bad, event.sent)} failed or came late ({share})."


def planned(result: RunResult) -> tuple[int, int]:
    """(pairs, attributed) of graceful work: as the judge pooled them, else by the phases' rows, else all."""
    for finding in result.findings:
        pairs, attributed = finding.data.get("graceful_pairs"), finding.data.get("attributed")
        if finding.claim == "availability" and isinstance(pairs, int) and isinstance(attributed, int):
            return pairs, attributed
    rows = [row for row in result.phases if row.pairs is not None]
    if rows:
        return sum(row.pairs or 0 for row in rows), sum(row.attributed for row in rows)
    return result.requests.pairs, result.requests.attributed


def next_command(result: RunResult) -> str | None:
    """What to type next: None after a FAIL, which is mended in the service, and after a PASS, which opened the gate."""
    if result.next_command:
        return clean(result.next_command)
    if result.verdict is not Verdict.INCONCLUSIVE:
        return None
    commands = told(result, COMMAND)
    if commands:
        return commands[0]
    if result.event is not None:
        return f"shiftproof rehearse {clean(result.event.name)} --service {clean(result.service)}"
    return f"shiftproof gate {result.service} --to {result.to_pct}"


def shown_path(path: Path) -> str:
    """Relative to where the person stands, if it lies below."""
    try:
        return clean(str(path.resolve().relative_to(Path.cwd())))
    except ValueError:
        return clean(str(path))
