"""sensitivity.json (its schema: sensitivity.schema.json) and sensitivity.md. Pure: what goes in is what comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from shiftproof.report.verdict_file import dump, plain
from shiftproof.report.words import clean, duration, percent
from shiftproof.sensitivity.attempts import Attempt, Outcome, attempt_json
from shiftproof.sensitivity.table import CONFIDENCE, COULD_NOT_RUN, OWN, Again, Rate, Row, Summary, Tally, Totals

JSON_FILE = "sensitivity.json"
MARKDOWN_FILE = "sensitivity.md"
COMPARED = (
    "Seconds are of load. Our FAIL ends the traffic, so a rule that looks once a minute often has no verdict by then; "
    "Argo counts an analysis that is ended as Successful. Compressed: its interval shortened until all its checks fit."
)
PASSED_UNHEARD = "said PASS with a defect planted"
RULE_NAMES = {"argo-rollouts": "Argo", "flagger": "Flagger"}


@dataclass(frozen=True, slots=True)
class About:
    """What the figures are of. stopped: why it ended before its end, if it did. The mappings are by name."""

    service: str
    to_pct: int
    started_at: str
    ended_at: str
    seconds: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    fingerprint: Mapping[str, str]
    stopped: str | None = None


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of sensitivity.json, as shipped in the package."""
    text = (files("shiftproof.sensitivity") / "sensitivity.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def as_json(about: About, summary: Summary, attempts: Sequence[Attempt]) -> str:
    """The text of sensitivity.json."""
    document = {
        "version": 1,
        "exit_code": summary.exit_code if about.stopped is None else COULD_NOT_RUN,
        "complete": summary.complete,
        **asdict(about),
        "planned": summary.planned,
        "left": summary.left,
        "confidence": CONFIDENCE,
        "defects": [_row_json(row) for row in summary.rows],
        "clean": _row_json(summary.clean),
        "totals": asdict(summary.totals),
        "attempts": [attempt_json(attempt) for attempt in attempts],
    }
    return dump(plain(document))


def _row_json(row: Row) -> dict[str, Any]:
    return {**asdict(row), "outcomes": {outcome.value: count for outcome, count in row.outcomes.items()}}


# --- words that the Markdown, the page and the terminal share --------------------------------------------------------


def caught_words(row: Row) -> str:
    """Yes, no, by another claim, inconclusive; with counts where tries differ."""
    names = {Outcome.CAUGHT: "yes", Outcome.MISSED: "NO", Outcome.OTHER_CLAIM: "by another claim"}
    said = [(names.get(outcome, outcome.value), count) for outcome, count in row.outcomes.items()]
    if len(said) == 1:
        word, count = said[0]
        return word if count == 1 else f"{word}, {count} of {count}"
    return ", ".join(f"{word} {count}" for word, count in said) or "not tried yet"


def seconds_words(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def rate_words(one: Rate) -> str:
    """ "14 of 14 (95%: 77% to 100%)" """
    if one.n == 0:
        return "none tried"
    return f"{one.k} of {one.n} ({CONFIDENCE:.0%}: {percent(one.low)} to {percent(one.high)})"


def tally_words(one: Tally) -> str:
    """ "FAIL 61 s", or where tries differ "3 FAIL (61 s), 1 PASS"; a rule whose traffic ended first: "no verdict"."""
    seconds = "" if one.seconds is None else duration(one.seconds)
    names = {} if one.rule == OWN else {"INCONCLUSIVE": "no verdict"}
    several = len(one.verdicts) > 1
    words = []
    for verdict, count in sorted(one.verdicts.items()):
        said, timed = names.get(verdict, verdict), seconds if verdict == "FAIL" else ""
        if several:
            words.append(f"{count} {said}" + (f" ({timed})" if timed else ""))
        else:
            words.append(f"{said} {timed}".rstrip())
    return ", ".join(words)


def rules_of(summary: Summary) -> list[tuple[str, str, str]]:
    """(rule, variant, heading) of all rules that any row has, in their order."""
    found = dict.fromkeys((one.rule, one.variant) for row in (*summary.rows, summary.clean) for one in row.others)
    return [(rule, variant, f"{RULE_NAMES.get(rule, rule)}, {variant}") for rule, variant in found]


def other_cell(row: Row, rule: str, variant: str) -> str:
    mine = [one for one in row.others if (one.rule, one.variant) == (rule, variant)]
    return tally_words(mine[0]) if mine else ("no traffic" if row.tries else "")


def last_line(summary: Summary) -> str:
    """The one line that says it all; the README shows it."""
    totals = summary.totals
    return (
        f"caught {totals.caught.k} of {totals.caught.n} by the expected claim{_not_so_caught(totals)}; "
        f"missed {totals.missed.k}; mean time to FAIL {seconds_words(totals.mean_fail_load_s) or 'unknown'} of load; "
        f"clean gates: {summary.clean.tries}, false FAIL {totals.false_fail.k}, "
        f"inconclusive {totals.clean_inconclusive.k}, mean time to PASS "
        f"{seconds_words(totals.mean_pass_load_s) or 'unknown'} of load"
        f"{_run_again(totals.again)}{_without_result(summary)}"
    )


def _not_so_caught(totals: Totals) -> str:
    """ ", 1 by another": what else became of gates with a defect, so that the figures add up."""
    others = [
        ("by another", totals.failed.k - totals.caught.k),
        ("FAIL before it was wholly planted", totals.too_early),
        ("inconclusive", totals.inconclusive),
    ]
    return "".join(f", {count} {what}" for what, count in others if count)


def _run_again(again: Again) -> str:
    """What the figures before it do not count: nothing, as a rule."""
    said = ""
    if again.without_result or again.cut_short:
        said = f"; {_tries(again.without_result)}, {again.cut_short} cut short, were run again"
    return said + (f"; {_tries(again.passed)} {PASSED_UNHEARD}" if again.passed else "")


def _tries(count: int) -> str:
    return f"{count} {'try' if count == 1 else 'tries'} without a result"


def _without_result(summary: Summary) -> str:
    """The figures before it are not of all that was asked for, and must not look so. `left` holds both."""
    counts = (("could not run", summary.totals.could_not_run), ("left", summary.left))
    said = ", ".join(f"{what} {count}" for what, count in counts if count)
    return f"; NOT WHOLE: {said} of {summary.planned} gates" if said else ""


def not_whole(about: About, summary: Summary) -> str | None:
    """Why this is not the whole table; None when it is."""
    if about.stopped is not None:
        return about.stopped
    return None if summary.complete else f"{summary.left} of {summary.planned} gates have no result"


def totals_rows(summary: Summary) -> list[tuple[str, str]]:
    """(what, figure) below the table."""
    totals = summary.totals
    rows = [
        ("caught by the expected claim", rate_words(totals.caught)),
        ("caught by another claim alone", str(totals.failed.k - totals.caught.k)),
        ("caught by any claim", rate_words(totals.failed)),
        ("missed (PASS with a defect planted)", rate_words(totals.missed)),
        ("inconclusive with a defect planted", str(totals.inconclusive)),
        ("FAIL before the defect was wholly planted", str(totals.too_early)),
        ("false alarms (FAIL with nothing planted)", rate_words(totals.false_fail)),
        ("clean gates that are INCONCLUSIVE", rate_words(totals.clean_inconclusive)),
        ("mean time to FAIL", f"{seconds_words(totals.mean_fail_load_s) or 'unknown'} of load"),
        ("longest time to FAIL", f"{seconds_words(totals.most_fail_load_s) or 'unknown'} of load"),
        ("mean time to PASS", f"{seconds_words(totals.mean_pass_load_s) or 'unknown'} of load"),
    ]
    rows.append(("tries without a result that were run again", str(totals.again.without_result)))
    rows.append(("tries cut short that were run again", str(totals.again.cut_short)))
    if totals.again.passed:
        rows.append((f"tries without a result that {PASSED_UNHEARD}", str(totals.again.passed)))
    if not summary.complete:
        rows.append(("could not run", str(totals.could_not_run)))
        rows.append(("left without a result, these among them", f"{summary.left} of {summary.planned}"))
    for one in totals.others:
        tries = sum(one.verdicts.values())
        words = f"{one.verdicts.get('FAIL', 0)} of {tries} runs with a defect"
        rows.append((f"the rule of {RULE_NAMES.get(one.rule, one.rule)}, {one.variant}: FAIL", words))
    return rows


def as_markdown(about: About, summary: Summary) -> str:
    """The text of sensitivity.md."""
    rules = rules_of(summary)
    heads = ["defect", "expected claim", "caught", "by", "load until decided", "whole gate"]
    compared = ["defect", "Shiftproof", *[head for *_, head in rules]]
    rows = (*summary.rows, summary.clean)
    lines = [
        f"# What the gate of {about.service} caught (to {about.to_pct}%)",
        "",
        *[f"**MISSED: {row.name}** ({row.title}): the gate said PASS with it planted." for row in summary.misses],
        *([f"Not whole: {clean(why)}" + "\n"] if (why := not_whole(about, summary)) is not None else []),
        f"{last_line(summary)}.",
        "",
        _line(heads),
        _line(["---"] * len(heads)),
        *[_line(_cells(row)) for row in rows],
        "",
        "The same traffic, judged by others' rules. " + COMPARED,
        "",
        _line(compared),
        _line(["---"] * len(compared)),
        *[_line([row.name, tally_words(row.own), *[other_cell(row, *rule[:2]) for rule in rules]]) for row in rows],
        "",
        "| total | figure |",
        "|---|---|",
        *[_line([what, figure]) for what, figure in totals_rows(summary)],
        "",
        "Seconds are means over the tries that decided. Intervals are exact (Clopper-Pearson). What these figures",
        "mean and what they do not: docs/SENSITIVITY.md.",
        "",
        f"{about.started_at} to {about.ended_at}, {duration(about.seconds)} at work. "
        + ", ".join(f"{name} {value}" for name, value in {**about.machine, **about.versions}.items())
        + ".",
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        row.expects or "",
        caught_words(row),
        ", ".join(row.claims),
        seconds_words(row.load_s),
        seconds_words(row.process_s),
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(clean(cell).replace("|", "\\|") for cell in cells) + " |"
