"""A duplicate conversation: one idempotent request sent twice, by a way that crosses sides, and a control beside it.

The control sends its own request to legacy twice, at the same moments. What the treatment does and the control does not
is the migration's doing: a second thing, an answer of its own, an account that looks otherwise afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from shiftproof.load.compare import Comparison, Reply
from shiftproof.load.conversation import Asker, Leg, VoidError, Way, id_in, lists_account, lists_in
from shiftproof.load.parity import at_once
from shiftproof.model.event import Side
from shiftproof.model.probe import Difference

LATEST_S = 3.0
"""Longest wait before the second request: a client that tries again, with the weights changed in between."""

IN_PROGRESS = 409
"""What some services answer while the first of two is still being worked on; a client asks again, and so do we."""

SECOND_ANSWER = "answered the second time"
AFTERWARDS = "read afterwards"


@dataclass(frozen=True, slots=True)
class Twice:
    """Where the two go, and when the second leaves. at_once: both together; else after_s after the first's answer."""

    first: Side
    second: Side
    at_once: bool = False
    after_s: float = 0.0

    @property
    def words(self) -> str:
        """As in "to legacy, then to cluster"."""
        first, second = (_TO[side] for side in (self.first, self.second))
        if self.first is self.second:
            return f"{first}, twice at once" if self.at_once else f"{first}, twice"
        return f"{first} and {second} at once" if self.at_once else f"{first}, then {second}"


_TO = {Side.LEGACY: "to legacy", Side.CLUSTER: "to cluster", Side.WEIGHTED: "by the weights"}

_PINNED = (
    Twice(Side.LEGACY, Side.CLUSTER),
    Twice(Side.CLUSTER, Side.LEGACY),
    Twice(Side.LEGACY, Side.CLUSTER, at_once=True),
    Twice(Side.CLUSTER, Side.CLUSTER),
)
_WEIGHTED = (
    Twice(Side.WEIGHTED, Side.WEIGHTED),
    Twice(Side.LEGACY, Side.WEIGHTED),
    Twice(Side.WEIGHTED, Side.LEGACY),
    Twice(Side.CLUSTER, Side.WEIGHTED),
    Twice(Side.WEIGHTED, Side.CLUSTER),
)


def pick_way(random: Random, number: int, *, weighted: bool) -> Twice:
    """All ways in turn; while weights move, two of three go by them. Every second time around with a wait between."""
    ways = _WEIGHTED if weighted and number % 3 else _PINNED
    chosen, around = ways[number % len(ways)], number // len(ways)
    if chosen.at_once or around % 2 == 0:
        return chosen
    return Twice(chosen.first, chosen.second, after_s=random.random() * LATEST_S)


@dataclass(frozen=True, slots=True)
class HeardTwice:
    """What it came to. applied: how often the treatment's (the control's) request took effect; None: nobody knows."""

    compared: int
    treatment: tuple[Difference, ...]
    control: tuple[Difference, ...]
    applied: int | None
    control_applied: int | None


@dataclass(slots=True)
class _Story:
    """One leg of it: the answers to the two requests (None: lost on the way), and the account read afterwards."""

    leg: Leg
    way: Twice
    answers: list[Reply | None] = field(default_factory=lambda: [None, None])
    lost: str = ""
    after: dict[tuple[int, Side], Reply] = field(default_factory=dict)

    def of(self, number: int, side: Side) -> Reply | None:
        """What a side read afterwards; legacy's reading stands for a side that did not read."""
        return self.after.get((number, side)) or self.after.get((number, Side.LEGACY))


@dataclass(slots=True)
class Duplicate:
    """One conversation about operation number `operation`. ways: by side. legs: treatment's and control's, each new."""

    asker: Asker
    ways: dict[Side, Way]
    operation: int
    legs: tuple[Leg, Leg]
    names: Sequence[str]

    def hold(self, twice: Twice) -> HeardTwice:
        """All of it. Raises VoidError when it says nothing: an answer did not come, and no harm was seen without it."""
        control_way = Twice(Side.LEGACY, Side.LEGACY, twice.at_once, twice.after_s)
        treatment, control = _Story(self.legs[0], twice), _Story(self.legs[1], control_way)
        at_once([lambda: self._tell(treatment), lambda: self._tell(control)])
        answers = [self._compare_answers(story) for story in (treatment, control)]
        state = Comparison(control.leg.names, treatment.leg.names, by_format=True)
        for (number, side), reply in treatment.after.items():
            of_control = control.of(number, side)
            if of_control is not None:
                state.replies(self.names[number], of_control, reply, AFTERWARDS)
        heard = HeardTwice(
            compared=state.compared + sum(one.compared for one in answers),
            treatment=(*answers[0].found, *state.found),
            control=tuple(answers[1].found),
            applied=self._applied(treatment, control),
            control_applied=self._applied(control, control),
        )
        lost = treatment.lost or control.lost
        if lost and (heard.applied or 0) <= (heard.control_applied or 1):
            raise VoidError(lost)
        return heard

    # --- one leg ----------------------------------------------------------------------------------------------------

    def _tell(self, story: _Story) -> None:
        self._prepare(story.leg)
        if story.way.at_once:
            at_once([lambda: self._send(story, 0), lambda: self._send(story, 1)])
            for place in (0, 1):
                answer = story.answers[place]
                if answer is not None and answer.status == IN_PROGRESS:
                    self._send(story, place)
        else:
            self._send(story, 0)
            self.asker.wait(story.way.after_s)
            self._send(story, 1)
        if story.answers == [None, None]:
            raise VoidError(story.lost)
        self._settle(story)
        self._read(story)

    def _prepare(self, leg: Leg) -> None:
        """What the operation is about has to be there first; legacy makes it, once."""
        legacy = self.ways[Side.LEGACY]
        if not legacy.operations[self.operation].template.needs_id:
            return
        for operation in legacy.operations:
            if (
                operation.creates
                and operation.number != self.operation
                and self.asker.step(legacy, operation.number, leg)
            ):
                return
        raise VoidError("legacy did not create what it needs")

    def _send(self, story: _Story, place: int) -> None:
        """An answer that is lost on the way is what clients try again for: the other one must still be the only one."""
        side = story.way.second if place else story.way.first
        try:
            story.answers[place] = self.asker.ask(self.ways[side], self.operation, story.leg)
        except VoidError as error:
            story.lost = str(error)

    def _settle(self, story: _Story) -> None:
        """Keep what was created; a request refused by both is nothing to judge by."""
        operation = self.ways[Side.LEGACY].operations[self.operation]
        good = [answer for answer in story.answers if answer is not None and answer.status in operation.expect_status]
        if not good:
            statuses = {answer.status for answer in story.answers if answer is not None}
            raise VoidError(f"{self.names[self.operation]} was answered with {min(statuses)}")
        for answer in good:
            Asker.remember(operation, story.leg, answer)

    def _read(self, story: _Story) -> None:
        """The account as both sides see it afterwards; the control as legacy does."""
        sides = {story.way.first, story.way.second, Side.LEGACY} - {Side.WEIGHTED}
        for number, operation in enumerate(self.ways[Side.LEGACY].operations):
            if lists_account(operation):
                for side in sorted(sides):
                    try:
                        story.after[number, side] = self.asker.ask(self.ways[side], number, story.leg)
                    except VoidError as error:
                        story.lost = str(error)

    # --- what it says -------------------------------------------------------------------------------------------------

    def _compare_answers(self, story: _Story) -> Comparison:
        """The two answers are about one thing: every field must agree. Nothing to compare when one was lost."""
        comparison = Comparison(story.leg.names, story.leg.names, by_format=False)
        first, second = story.answers
        if first is not None and second is not None:
            comparison.replies(self.names[self.operation], first, second, SECOND_ANSWER)
        return comparison

    def _applied(self, story: _Story, control: _Story) -> int | None:
        """How often it took effect, by the ids that were answered and by what the account lists."""
        operation = self.ways[Side.LEGACY].operations[self.operation]
        answered = _ids(operation.remember, story.answers)
        once = max(1, len(_ids(operation.remember, control.answers)))
        listed = [
            max(len(ours) * once // len(theirs), once + (len(ours) > len(theirs)))
            for (number, side), reply in story.after.items()
            for ours, theirs in _same_lists(control.of(number, side), reply)
        ]
        counts = [*listed, *([len(answered)] if answered else [])]
        return max(counts, default=None)


def _ids(name: str | None, answers: Sequence[Reply | None]) -> set[str]:
    if name is None:
        return set()
    found = (id_in(answer.fields, name) for answer in answers if answer is not None)
    return {one for one in found if one is not None}


def _same_lists(control: Reply | None, treatment: Reply) -> list[tuple[Sequence[Any], Sequence[Any]]]:
    """(treatment's, control's) lists, place by place; none where the documents are built otherwise."""
    theirs = list(lists_in(control.document)) if control is not None else []
    ours = list(lists_in(treatment.document))
    if len(theirs) != len(ours):
        return []
    return [(one, other) for one, other in zip(ours, theirs, strict=True) if other]
