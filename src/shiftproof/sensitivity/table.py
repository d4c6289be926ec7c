"""From attempts to the table: what was caught, by what, how fast, and how sure that is. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from shiftproof.judge.sequential import least_rate, ruled_out_rate
from shiftproof.model.verdict import Verdict
from shiftproof.sensitivity.attempts import Attempt, OtherRule, Outcome
from shiftproof.sensitivity.figures import EventFigures, mean_figures
from shiftproof.sensitivity.kind import kind_named
from shiftproof.sensitivity.plan import CLEAN, KnownDefect, Turn

CONFIDENCE = 0.95  # of every interval, both ends together
CLEAN_INCONCLUSIVE_EVERY = 20
"""One clean run in so many may be INCONCLUSIVE: it costs a repeat, and lets no harm through."""

_CATCHES = frozenset({Outcome.CAUGHT, Outcome.OTHER_CLAIM})
COULD_NOT_RUN = 3
OWN = "shiftproof"

WORST_FIRST = (
    Outcome.MISSED,
    Outcome.FALSE_FAIL,
    Outcome.TOO_EARLY,
    Outcome.OTHER_CLAIM,
    Outcome.INCONCLUSIVE,
    Outcome.COULD_NOT_RUN,
    Outcome.CAUGHT,
    Outcome.PASSED,
)


@dataclass(frozen=True, slots=True)
class Rate:
    """k of n, with the exact (Clopper-Pearson) interval of the rate at CONFIDENCE; 0 to 1 when n is 0."""

    k: int
    n: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tally:
    """One rule's verdicts on some runs. seconds: the mean until its FAILs, None without one.

    Our own is one of them, to stand beside the others: rule "shiftproof", variant "".
    """

    rule: str
    variant: str
    verdicts: Mapping[str, int]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """All tries of one defect, or of clean runs (expects None).

    outcomes: how often each. claims: all that FAILed, the most frequent first. load_s, process_s: means over tries
    that decided (PASS or FAIL); None without one. tries: those with a result. figures: of rehearsals, over all these.
    """

    name: str
    title: str
    expects: str | None
    tries: int
    outcomes: Mapping[Outcome, int]
    claims: tuple[str, ...]
    load_s: float | None
    process_s: float | None
    own: Tally
    others: tuple[Tally, ...]
    figures: EventFigures | None = None

    @property
    def worst(self) -> Outcome | None:
        """Of its tries; None when there was none."""
        return min(self.outcomes, key=WORST_FIRST.index, default=None)

    def count(self, *outcomes: Outcome) -> int:
        return sum(self.outcomes.get(outcome, 0) for outcome in outcomes)


@dataclass(frozen=True, slots=True)
class Again:
    """Tries that came to nothing and were run again. Who reads the table must know that there were more than it counts.

    without_result: the run ended, and its turn was tried once more. cut_short: killed or interrupted under way.
    passed: of all tries without a result, run again or not, those whose verdict file says PASS with a defect planted.
    """

    without_result: int = 0
    cut_short: int = 0
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Over all. Rates of defects count tries; mean_fail_load_s is the mean over defects: each weighs the same.

    A FAIL before anything was planted is a false one, wherever it happened: its run counts among false_fail's clean
    ones, and not among those with a defect. too_early: FAIL with only a part of the defect planted. Seconds of load:
    of gates only, since a FAIL ends no rehearsal early.
    """

    caught: Rate  # FAIL, by the expected claim
    failed: Rate  # FAIL, by any
    missed: Rate
    inconclusive: int
    too_early: int
    false_fail: Rate
    clean_inconclusive: Rate
    could_not_run: int
    again: Again
    mean_fail_load_s: float | None
    most_fail_load_s: float | None
    mean_pass_load_s: float | None
    others: tuple[Tally, ...]
    others_clean: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole. planned: turns asked for; left: those without a result. event: what was rehearsed; None: gates."""

    rows: tuple[Row, ...]
    clean: Row
    totals: Totals
    planned: int
    left: int
    event: str | None = None

    @property
    def one(self) -> str:
        """ "gate" or "rehearsal"."""
        return kind_named(self.event)[0]

    @property
    def many(self) -> str:
        return kind_named(self.event)[1]

    @property
    def complete(self) -> bool:
        return self.left == 0

    @property
    def misses(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.count(Outcome.MISSED))

    @property
    def exit_code(self) -> int:
        """1: a miss or a false FAIL. 3: something could not run, or is left. 2: something is not proven. Else 0."""
        totals = self.totals
        if totals.missed.k or totals.false_fail.k:
            return Verdict.FAIL.exit_code
        if not self.complete:
            return COULD_NOT_RUN
        allowed = self.clean.tries // CLEAN_INCONCLUSIVE_EVERY
        if totals.caught.k < totals.caught.n or totals.clean_inconclusive.k > allowed:
            return Verdict.INCONCLUSIVE.exit_code
        return Verdict.PASS.exit_code


def rate(k: int, n: int) -> Rate:
    """The interval holds the true rate in at least CONFIDENCE of all such samples, were its tries independent."""
    one_side = (1 + CONFIDENCE) / 2
    return Rate(k, n, least_rate(n, k, one_side), ruled_out_rate(n, k, one_side))


def summarise(
    turns: Sequence[Turn], attempts: Mapping[str, Attempt], tries: Sequence[Attempt] = (), cut_short: int = 0
) -> Summary:
    """`attempts`: the last word on each turn, by its key; `tries`: all there were; cut_short: those without an end."""
    defects = {turn.name: turn.defect for turn in turns if turn.defect is not None}
    mine = [attempts[turn.key] for turn in turns if turn.key in attempts]
    rows = tuple(_row(name, defect, [one for one in mine if one.name == name]) for name, defect in defects.items())
    clean = _row(CLEAN, None, [one for one in mine if one.name == CLEAN])
    results = sum(one.is_result for one in mine)
    totals = _totals(rows, clean, mine, _again(attempts, tries, cut_short))
    event = next((turn.event for turn in turns), None)
    return Summary(rows, clean, totals, len(turns), len(turns) - results, event)


def _again(attempts: Mapping[str, Attempt], tries: Sequence[Attempt], cut_short: int) -> Again:
    """A turn whose last word is that it could not run is not run again yet: it is among what is left."""
    in_vain = [one for one in tries if not one.is_result]
    return Again(
        without_result=sum(attempts[one.key] is not one for one in in_vain),
        cut_short=cut_short,
        passed=sum(one.passed_unheard for one in in_vain),
    )


def _row(name: str, defect: KnownDefect | None, attempts: Sequence[Attempt]) -> Row:
    results = [one for one in attempts if one.is_result]
    decided = [one for one in results if one.verdict in (Verdict.PASS, Verdict.FAIL)]
    claims = Counter(claim for one in results for claim in one.claims)
    return Row(
        name=name,
        title=defect.title if defect else "nothing planted",
        expects=defect.expects if defect else None,
        tries=len(results),
        outcomes=dict(Counter(one.outcome for one in attempts)),
        claims=tuple(claim for claim, _ in claims.most_common()),
        load_s=_mean(one.load_s for one in decided),
        process_s=_mean(one.process_s for one in decided),
        own=Tally(
            OWN,
            "",
            dict(Counter(one.verdict for one in results if one.verdict is not None)),
            _mean(one.load_s for one in results if one.verdict == Verdict.FAIL),
        ),
        others=tally(other for one in results for other in one.others),
        figures=mean_figures(one.figures for one in results),
    )


def _totals(rows: Sequence[Row], clean: Row, attempts: Sequence[Attempt], again: Again) -> Totals:
    false_early = sum(row.count(Outcome.FALSE_FAIL) for row in rows)
    tries = sum(row.tries for row in rows) - false_early
    caught = sum(row.count(Outcome.CAUGHT) for row in rows)
    other_claim = sum(row.count(Outcome.OTHER_CLAIM) for row in rows)
    planted = [one for one in attempts if one.name != CLEAN]
    fails = {
        row.name: [one.load_s for one in planted if one.name == row.name and one.outcome in _CATCHES] for row in rows
    }
    per_defect = [mean for loads in fails.values() if (mean := _mean(loads)) is not None]
    passes = [one.load_s for one in attempts if one.outcome is Outcome.PASSED]
    return Totals(
        caught=rate(caught, tries),
        failed=rate(caught + other_claim, tries),
        missed=rate(sum(row.count(Outcome.MISSED) for row in rows), tries),
        inconclusive=sum(row.count(Outcome.INCONCLUSIVE) for row in rows),
        too_early=sum(row.count(Outcome.TOO_EARLY) for row in rows),
        false_fail=rate(clean.count(Outcome.FALSE_FAIL) + false_early, clean.tries + false_early),
        clean_inconclusive=rate(clean.count(Outcome.INCONCLUSIVE), clean.tries),
        could_not_run=sum(row.count(Outcome.COULD_NOT_RUN) for row in (*rows, clean)),
        again=again,
        mean_fail_load_s=_mean(per_defect),
        most_fail_load_s=max((load for loads in fails.values() for load in loads if load is not None), default=None),
        mean_pass_load_s=_mean(passes),
        others=tally(other for one in planted for other in one.others),
        others_clean=clean.others,
    )


def tally(verdicts: Iterable[OtherRule]) -> tuple[Tally, ...]:
    """One for each rule and variant, in the order they come."""
    grouped: dict[tuple[str, str], list[OtherRule]] = {}
    for verdict in verdicts:
        grouped.setdefault((verdict.rule, verdict.variant), []).append(verdict)
    return tuple(
        Tally(
            rule,
            variant,
            dict(Counter(one.verdict for one in members)),
            _mean(one.decided_after_s for one in members if one.verdict == Verdict.FAIL),
        )
        for (rule, variant), members in grouped.items()
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
