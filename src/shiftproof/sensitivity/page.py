"""The table as one self-contained HTML page, in the style of a run's page: no script, and it loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import jinja2

from shiftproof.report import words
from shiftproof.sensitivity import document, wording
from shiftproof.sensitivity.attempts import Attempt, Outcome
from shiftproof.sensitivity.document import About
from shiftproof.sensitivity.figures import HEADS, figure_cells
from shiftproof.sensitivity.table import CONFIDENCE, Rate, Row, Summary, Totals

PAGE_FILE = "index.html"
BUDGET_S = 60.0  # of load: the mean time to FAIL over the catalogue should stay below

_TONES = {
    Outcome.CAUGHT: "pass",
    Outcome.PASSED: "pass",
    Outcome.MISSED: "fail",
    Outcome.FALSE_FAIL: "fail",
    Outcome.OTHER_CLAIM: "inconclusive",
    Outcome.TOO_EARLY: "inconclusive",
    Outcome.INCONCLUSIVE: "inconclusive",
}


def render_page(about: About, summary: Summary, attempts: Sequence[Attempt]) -> str:
    """The page as text. Links lead to runs' folders beside its own, relative."""
    rules = wording.rules_of(summary)
    loads = [row.load_s for row in summary.rows if row.load_s is not None]
    return (
        _environment()
        .get_template("sensitivity.html.j2")
        .render(
            about=about,
            not_whole=document.not_whole(about, summary),
            summary=summary,
            headline=headline(about, summary),
            tone=_page_tone(about, summary),
            tiles=tiles(summary),
            rules=rules,
            cells={row.name: [wording.other_cell(row, *rule[:2]) for rule in rules] for row in _all_rows(summary)},
            compared=wording.COMPARED,
            not_compared=wording.NOT_COMPARED,
            figure_heads=HEADS,
            totals=wording.totals_rows(summary),
            attempts=attempts,
            scale_s=max([BUDGET_S, *loads]),
            budget_s=BUDGET_S,
            facts=[*about.machine.items(), *about.versions.items(), *_fingerprint(about)],
        )
    )


def headline(about: About, summary: Summary) -> str:
    """The first words of the page. One that was stopped may have all its results, and says so all the same."""
    if summary.misses:
        return f"MISSED {', '.join(row.name for row in summary.misses)}"
    if summary.totals.false_fail.k:
        return f"{summary.totals.false_fail.k} false FAIL"
    if not summary.complete:
        return f"Not whole: {summary.left} of {summary.planned} {summary.many} are left"
    if about.stopped is not None:
        return f"Stopped after the last of {summary.planned} {summary.many}"
    caught = summary.totals.caught
    if summary.exit_code:
        return f"Nothing missed; caught as expected {caught.k} of {caught.n}"
    return f"All caught: {caught.k} of {caught.n}" if caught.n else "No false alarm"


def tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """(name, figure, what it is of), the few figures that everybody looks for."""
    totals = summary.totals
    by_another = totals.failed.k - totals.caught.k
    return [
        ("Caught as expected", *_rate(totals.caught, f"of runs with a defect; {by_another} more by another claim")),
        ("Missed", *_rate(totals.missed, "of runs with a defect")),
        ("False FAIL", *_rate(totals.false_fail, f"of {summary.many} with nothing planted")),
        *(_times(totals) if summary.event is None else _clean_figures(summary.clean)),
    ]


def _times(totals: Totals) -> list[tuple[str, str, str]]:
    return [
        ("Mean time to FAIL", _seconds(totals.mean_fail_load_s), "of load, over the defects"),
        ("Mean time to PASS", _seconds(totals.mean_pass_load_s), "of load, over the clean gates"),
    ]


def _clean_figures(clean: Row) -> list[tuple[str, str, str]]:
    """What a service without a defect comes to: the others' figures are read beside these."""
    figures = zip(HEADS, figure_cells(clean.figures), strict=True)
    return [(f"Clean: {head}", words or "unknown", "over the clean rehearsals") for head, words in figures]


def _rate(one: Rate, of: str) -> tuple[str, str]:
    figure = f"{one.k} of {one.n}"
    if one.n == 0:
        return figure, "none tried"
    return figure, f"{words.percent(one.low)} to {words.percent(one.high)} {of}, at {CONFIDENCE:.0%}"


def _seconds(seconds: float | None) -> str:
    return "unknown" if seconds is None else words.duration(seconds)


def _fingerprint(about: About) -> list[tuple[str, str]]:
    return [(f"digest of {name}", digest[:16]) for name, digest in about.fingerprint.items()]


def _all_rows(summary: Summary) -> tuple[Row, ...]:
    return (*summary.rows, summary.clean)


def _page_tone(about: About, summary: Summary) -> str:
    if summary.exit_code == 0 and about.stopped is not None:
        return "inconclusive"
    return {0: "pass", 1: "fail"}.get(summary.exit_code, "inconclusive")


def _tone(row: Row) -> str:
    return "" if row.worst is None else _TONES.get(row.worst, "")


@cache
def _environment() -> jinja2.Environment:
    own, shared = jinja2.PackageLoader("shiftproof.sensitivity"), jinja2.PackageLoader("shiftproof.report")
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([own, shared]),  # page.css is a run's page's
        autoescape=True,  # of everything: names and reasons come from files and from the system under test
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clean": words.clean,
        "caught": wording.caught_words,
        "seconds": wording.seconds_words,
        "own": lambda row: wording.tally_words(row.own),
        "figures": figure_cells,
        "tone": _tone,
        "outcome_tone": lambda outcome: _TONES.get(outcome, ""),
    }
    return environment
