"""The table: counts, means, exact intervals, exit codes; and its three forms."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from shiftproof.sensitivity.attempts import Attempt, OtherRule, Outcome, attempt_json, read_attempt
from shiftproof.sensitivity.document import About, as_json, as_markdown, schema
from shiftproof.sensitivity.page import headline, render_page
from shiftproof.sensitivity.plan import CLEAN, KnownDefect, Turn, make_turns
from shiftproof.sensitivity.table import Summary, Tally, rate, summarise
from shiftproof.sensitivity.wording import caught_words, last_line, tally_words

HOSTILE = "</td><script>alert(1)</script>|x\n\x1b[2J"
ABOUT = About(
    "payments",
    25,
    "2026-01-01T00:00:00.000Z",
    "2026-01-01T01:00:00.000Z",
    1800.0,
    {"cores": "2"},
    {"python": "3"},
    {"src": "0" * 64},
)
VERDICTS = {
    Outcome.CAUGHT: "FAIL",
    Outcome.OTHER_CLAIM: "FAIL",
    Outcome.FALSE_FAIL: "FAIL",
    Outcome.TOO_EARLY: "FAIL",
    Outcome.MISSED: "PASS",
    Outcome.PASSED: "PASS",
    Outcome.INCONCLUSIVE: "INCONCLUSIVE",
    Outcome.COULD_NOT_RUN: None,
}


def attempt(turn: Turn, outcome: Outcome, load_s: float = 10.0, **changes: Any) -> Attempt:
    base = Attempt(
        name=turn.name,
        repeat=turn.repeat,
        outcome=outcome,
        verdict=VERDICTS[outcome],
        exit_code=1,
        expects=turn.defect.expects if turn.defect else None,
        claims=("outage",) if VERDICTS[outcome] == "FAIL" else (),
        load_s=load_s,
        process_s=load_s + 30,
        pairs=100,
        attributed=1,
        customers_failed=0,
        run="20260101-000000-payments-abc",
        started_at="2026-01-01T00:00:00.000Z",
        others=(OtherRule("flagger", "compressed", "FAIL", 2 * load_s, "said"),),
    )
    return replace(base, **changes)


def turns_of(*names: str, clean: int = 0, repeat: int = 1) -> tuple[Turn, ...]:
    return make_turns(
        [KnownDefect(name, f"A {name}", "e", "outage", f"{name}.yaml", "0") for name in names], clean, repeat
    )


def summary_of(turns: Sequence[Turn], attempts: Sequence[Attempt]) -> Summary:
    return summarise(turns, {one.key: one for one in attempts})


def all_good(clean: int = 1, repeat: int = 1) -> tuple[tuple[Turn, ...], list[Attempt]]:
    turns = turns_of("a", "b", clean=clean, repeat=repeat)
    return turns, [attempt(turn, Outcome.PASSED if turn.name == CLEAN else Outcome.CAUGHT) for turn in turns]


def at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) of X ~ Binomial(n, p), summed up."""
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@pytest.mark.parametrize(("k", "n"), [(14, 14), (0, 20), (1, 20), (13, 14), (41, 42), (7, 9)])
def test_intervals_are_exact(k: int, n: int) -> None:
    """Clopper and Pearson's definition: at each end, what was seen or more extreme has a chance of just 2.5%."""
    found = rate(k, n)
    assert (found.k, found.n) == (k, n)
    assert found.low <= k / n <= found.high
    assert 1 - at_most(k - 1, n, found.low) == pytest.approx(0.025, abs=1e-9) if k else found.low == 0
    assert at_most(k, n, found.high) == pytest.approx(0.025, abs=1e-9) if k < n else found.high == 1


def test_nothing_tried_rules_out_nothing() -> None:
    assert (rate(0, 0).low, rate(0, 0).high) == (0, 1)


def test_each_defect_weighs_the_same_in_the_mean() -> None:
    turns = turns_of("a", "b", repeat=2)
    loads = {"a 1": 10.0, "a 2": 20.0, "b 1": 50.0, "b 2": None}
    made = [attempt(turn, Outcome.CAUGHT) for turn in turns]
    made = [replace(one, load_s=loads[one.key]) for one in made]
    totals = summary_of(turns, made).totals
    assert totals.mean_fail_load_s == pytest.approx((15 + 50) / 2)
    assert totals.most_fail_load_s == 50


def test_a_miss_is_not_part_of_the_time_to_fail() -> None:
    turns = turns_of("a", "b")
    made = [attempt(turns[0], Outcome.CAUGHT, 10), attempt(turns[1], Outcome.MISSED, 200)]
    assert summary_of(turns, made).totals.mean_fail_load_s == 10


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((Outcome.CAUGHT, Outcome.CAUGHT), 0),
        ((Outcome.CAUGHT, Outcome.MISSED), 1),
        ((Outcome.COULD_NOT_RUN, Outcome.MISSED), 1),
        ((Outcome.CAUGHT, Outcome.OTHER_CLAIM), 2),
        ((Outcome.CAUGHT, Outcome.INCONCLUSIVE), 2),
        ((Outcome.CAUGHT, Outcome.TOO_EARLY), 2),
        ((Outcome.CAUGHT, Outcome.FALSE_FAIL), 1),
        ((Outcome.INCONCLUSIVE, Outcome.COULD_NOT_RUN), 3),
    ],
)
def test_exit_codes(outcomes: Sequence[Outcome], code: int) -> None:
    turns = turns_of("a", "b")
    made = [attempt(turn, outcome) for turn, outcome in zip(turns, outcomes, strict=True)]
    assert summary_of(turns, made).exit_code == code


@pytest.mark.parametrize(("clean", "unclear", "code"), [(1, 1, 2), (19, 1, 2), (20, 1, 0), (20, 2, 2), (40, 2, 0)])
def test_one_clean_gate_in_twenty_may_be_inconclusive(clean: int, unclear: int, code: int) -> None:
    turns = turns_of(clean=clean)
    made = [attempt(turn, Outcome.INCONCLUSIVE if turn.repeat <= unclear else Outcome.PASSED) for turn in turns]
    assert summary_of(turns, made).exit_code == code


def test_what_is_left_is_not_counted_as_caught() -> None:
    turns, made = all_good()
    summary = summary_of(turns, made[:-1])
    assert (summary.left, summary.complete, summary.exit_code) == (1, False, 3)
    assert summary.totals.caught.n == 1
    assert caught_words(summary.rows[1]) == "not tried yet"


def test_the_words_count_where_tries_differ() -> None:
    turns = turns_of("a", repeat=3)
    made = [attempt(turns[0], Outcome.CAUGHT), attempt(turns[1], Outcome.CAUGHT), attempt(turns[2], Outcome.MISSED)]
    assert caught_words(summary_of(turns, made).rows[0]) == "yes 2, NO 1"
    assert caught_words(summary_of(turns[:2], made[:2]).rows[0]) == "yes, 2 of 2"


def test_a_rule_whose_tries_differ_is_told_with_counts() -> None:
    assert tally_words(Tally("argo", "compressed", {"FAIL": 1}, 61.0)) == "FAIL 1 min 1 s"
    assert tally_words(Tally("argo", "compressed", {"PASS": 1, "FAIL": 3}, 9.0)) == "3 FAIL (9.0 s), 1 PASS"
    assert tally_words(Tally("argo", "documented", {"INCONCLUSIVE": 2}, None)) == "no verdict"


def test_an_attempt_comes_back_from_the_state_as_it_was() -> None:
    one = attempt(turns_of("a")[0], Outcome.CAUGHT)
    assert read_attempt(json.loads(json.dumps(attempt_json(one)))) == one


def test_the_document_holds_to_its_schema_and_the_forms_say_the_same() -> None:
    turns, made = all_good()
    summary = summary_of(turns, made)
    document = json.loads(as_json(ABOUT, summary, made))
    jsonschema.validate(document, schema())
    jsonschema.Draft202012Validator.check_schema(schema())
    markdown, page = as_markdown(ABOUT, summary), render_page(ABOUT, summary, made)
    line = last_line(summary)
    assert line == (
        "caught 2 of 2 by the expected claim; missed 0; mean time to FAIL 10 s of load; "
        "clean gates: 1, false FAIL 0, inconclusive 0, mean time to PASS 10 s of load"
    )
    assert line in markdown
    assert "| a | outage | yes | outage | 10 s | 40 s |" in markdown
    assert "| a | FAIL 10 s | FAIL 20 s |" in markdown
    assert "| clean | PASS | FAIL 20 s |" in markdown
    for words in (
        "All caught: 2 of 2",
        "A a",
        "10 s",
        "<th>Flagger, compressed</th>",
        "./../20260101-000000-payments-abc/",
    ):
        assert words in page


def test_an_empty_table_can_be_written() -> None:
    summary = summarise(turns_of("a", clean=1), {})
    jsonschema.validate(json.loads(as_json(ABOUT, summary, [])), schema())
    assert "not tried yet" in as_markdown(ABOUT, summary)
    assert "2 of 2 gates are left" in render_page(ABOUT, summary, [])


def test_a_miss_is_the_first_thing_on_the_page() -> None:
    turns = turns_of("a")
    made = [attempt(turns[0], Outcome.MISSED)]
    summary = summary_of(turns, made)
    assert headline(ABOUT, summary) == "MISSED a"
    assert headline(replace(ABOUT, stopped="interrupted"), summary) == "MISSED a"
    page = render_page(ABOUT, summary, made)
    assert page.index("MISSED a") < page.index("Main figures")
    assert 'class="is-fail"' in page


def test_the_page_loads_nothing_and_hostile_words_stay_words() -> None:
    turns = make_turns([KnownDefect("a", HOSTILE, HOSTILE, "outage", "a.yaml", "0")], 0, 1)
    made = [attempt(turns[0], Outcome.OTHER_CLAIM, problem=HOSTILE, run=HOSTILE)]
    summary = summary_of(turns, made)
    page = render_page(ABOUT, summary, made)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page
    assert len(page) < 100_000
    row = next(line for line in as_markdown(ABOUT, summary).splitlines() if line.startswith("| a "))
    assert row.count(" | ") == 5


def test_a_table_that_is_not_whole_says_so_in_each_form() -> None:
    turns = turns_of("a", "b", "c")
    made = [attempt(turns[0], Outcome.CAUGHT), attempt(turns[1], Outcome.COULD_NOT_RUN)]
    summary = summary_of(turns, made)
    line = last_line(summary)
    assert line.startswith("caught 1 of 1 by the expected claim; ")
    assert line.endswith("; NOT WHOLE: could not run 1, left 2 of 3 gates")
    markdown, page = as_markdown(ABOUT, summary), render_page(ABOUT, summary, made)
    assert "Not whole: 2 of 3 gates have no result" in markdown
    assert "| could not run | 1 |" in markdown
    assert "| left without a result, these among them | 2 of 3 |" in markdown
    assert "Not whole: 2 of 3 gates have no result" in page
    whole = summary_of(turns[:1], made[:1])
    assert "whole:" not in (as_markdown(ABOUT, whole) + render_page(ABOUT, whole, made[:1]) + last_line(whole)).lower()


def test_tries_thrown_away_are_told_in_each_form() -> None:
    turns, made = all_good()
    lost = [attempt(turns[0], Outcome.COULD_NOT_RUN), attempt(turns[0], Outcome.COULD_NOT_RUN, unheard="PASS")]
    summary = summarise(turns, {one.key: one for one in made}, [*lost, *made], cut_short=3)
    jsonschema.validate(json.loads(as_json(ABOUT, summary, [*lost, *made])), schema())
    words = "; 2 tries without a result, 3 cut short, were run again"
    words += "; 1 try without a result said PASS with a defect planted"
    assert last_line(summary).endswith(words)
    assert words in as_markdown(ABOUT, summary)
    rows = {"tries without a result that were run again": 2, "tries cut short that were run again": 3}
    for what, figure in rows.items():
        assert f"| {what} | {figure} |" in as_markdown(ABOUT, summary)
        assert f'<th scope="row">{what}</th><td class="n">{figure}</td>' in render_page(ABOUT, summary, made)


def test_a_clean_gate_without_a_result_that_said_pass_hides_no_miss() -> None:
    turns, made = all_good()
    lost = attempt(next(turn for turn in turns if turn.name == CLEAN), Outcome.COULD_NOT_RUN, unheard="PASS")
    summary = summarise(turns, {one.key: one for one in made}, [lost, *made])
    assert (summary.totals.again.without_result, summary.totals.again.passed) == (1, 0)


def test_by_another_claim_is_never_counted_as_expected() -> None:
    turns = turns_of("a", "b", "c", "d")
    outcomes = (Outcome.CAUGHT, Outcome.OTHER_CLAIM, Outcome.TOO_EARLY, Outcome.INCONCLUSIVE)
    made = [attempt(turn, outcome) for turn, outcome in zip(turns, outcomes, strict=True)]
    summary = summary_of(turns, made)
    assert last_line(summary).startswith(
        "caught 1 of 4 by the expected claim, 1 by another, 1 FAIL before it was wholly planted, 1 inconclusive; "
    )
    page = render_page(ABOUT, summary, made)
    assert '<p class="figure">1 of 4</p>' in page
    assert "1 more by another claim" in page
    assert "2 of 4" not in page.split("Main figures")[1].split("</section>")[0]


def test_a_fail_before_anything_was_planted_is_a_false_alarm_of_a_clean_gate() -> None:
    turns = turns_of("a", "b", clean=2)
    outcomes = {"a": Outcome.FALSE_FAIL, "b": Outcome.CAUGHT, "clean": Outcome.PASSED}
    made = [attempt(turn, outcomes[turn.name], 10 if turn.name == "b" else 99) for turn in turns]
    summary = summary_of(turns, made)
    totals = summary.totals
    assert (totals.caught.k, totals.caught.n) == (1, 1)
    assert (totals.false_fail.k, totals.false_fail.n) == (1, 3)
    assert totals.mean_fail_load_s == 10, "of what was caught"
    jsonschema.validate(json.loads(as_json(ABOUT, summary, made)), schema())
