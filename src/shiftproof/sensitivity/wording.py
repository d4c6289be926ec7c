"""The words in which the Markdown, the page and the terminal tell what it came to. Pure."""

from __future__ import annotations

from shiftproof.report.words import duration, percent
from shiftproof.sensitivity.attempts import Outcome
from shiftproof.sensitivity.table import CONFIDENCE, OWN, Again, Rate, Row, Summary, Tally, Totals

COMPARED = (
    "Seconds are of load. Our FAIL ends the traffic, so a rule that looks once a minute often has no verdict by then; "
    "Argo counts an analysis that is ended as Successful. Compressed: its interval shortened until all its checks fit."
)
NOT_COMPARED = (
    "Others' rules (Argo Rollouts, Flagger) were not asked: they compare a new version with an old one under the same "
    "traffic, and an event has one version and a load that rises."
)
PASSED_UNHEARD = "said PASS with a defect planted"
RULE_NAMES = {"argo-rollouts": "Argo", "flagger": "Flagger"}


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
    to_fail, to_pass = "", ""
    if summary.event is None:
        to_fail = f"; mean time to FAIL {seconds_words(totals.mean_fail_load_s) or 'unknown'} of load"
        to_pass = f", mean time to PASS {seconds_words(totals.mean_pass_load_s) or 'unknown'} of load"
    return (
        f"caught {totals.caught.k} of {totals.caught.n} by the expected claim{_not_so_caught(totals)}; "
        f"missed {totals.missed.k}{to_fail}; "
        f"clean {summary.many}: {summary.clean.tries}, false FAIL {totals.false_fail.k}, "
        f"inconclusive {totals.clean_inconclusive.k}{to_pass}"
        f"{_run_again(totals.again)}{_without_result(summary)}"
    )


def _not_so_caught(totals: Totals) -> str:
    """ ", 1 by another": what else became of runs with a defect, so that the figures add up."""
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
    return f"; NOT WHOLE: {said} of {summary.planned} {summary.many}" if said else ""


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
        (f"clean {summary.many} that are INCONCLUSIVE", rate_words(totals.clean_inconclusive)),
        *(_times(totals) if summary.event is None else ()),
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


def _times(totals: Totals) -> list[tuple[str, str]]:
    """Of gates: a FAIL ends no rehearsal early, so its time says nothing."""
    return [
        ("mean time to FAIL", f"{seconds_words(totals.mean_fail_load_s) or 'unknown'} of load"),
        ("longest time to FAIL", f"{seconds_words(totals.most_fail_load_s) or 'unknown'} of load"),
        ("mean time to PASS", f"{seconds_words(totals.mean_pass_load_s) or 'unknown'} of load"),
    ]
