"""A duplicate conversation: one idempotent request sent twice, by a way that crosses sides, and a control beside it.

The control sends its own request to legacy twice, at the same moments. What the treatment does and the control does not
is the migration's doing: a second thing, an answer of its own, an account that looks otherwise afterwards. As two
accounts may look otherwise on legacy, too, a noise twin does what the control does, and is read as often as the
treatment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from shiftproof.load.compare import Comparison, Reply
from shiftproof.load.conversation import Asker, Leg, VoidError, Way, id_in, listed_ids, lists_account
from shiftproof.load.parity import at_once
from shiftproof.model.event import Side
from shiftproof.model.probe import AFTERWARDS, SECOND_ANSWER, Difference

LATEST_S = 3.0
"""Longest wait before the second request: a client that tries again, with the weights changed in between."""

IN_PROGRESS = 409
"""What some services answer while the first of two is still being worked on; a client asks again, and so do we."""


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
    """One leg of it: the answers to the two requests (None: lost on the way), and the account read afterwards.

    reads: which sides read it. lost: why it does not say all that it should. after: (operation, what was read).
    """

    leg: Leg
    way: Twice
    reads: Sequence[Side]
    answers: list[Reply | None] = field(default_factory=lambda: [None, None])
    lost: str = ""
    after: list[tuple[int, Reply]] = field(default_factory=list)


@dataclass(slots=True)
class Duplicate:
    """One conversation about operation number `operation`. ways: by side.

    legs: treatment's, control's and noise twin's, each new.
    """

    asker: Asker
    ways: dict[Side, Way]
    operation: int
    legs: tuple[Leg, Leg, Leg]
    names: Sequence[str]

    def hold(self, twice: Twice) -> HeardTwice:
        """All of it. Raises VoidError when it says nothing: an answer did not come, and no harm was seen without it."""
        on_legacy = Twice(Side.LEGACY, Side.LEGACY, twice.at_once, twice.after_s)
        sides = sorted({twice.first, twice.second, Side.LEGACY} - {Side.WEIGHTED})
        treatment = _Story(self.legs[0], twice, sides)
        control = _Story(self.legs[1], on_legacy, (Side.LEGACY,))
        twin = _Story(self.legs[2], on_legacy, (Side.LEGACY,) * len(sides))
        at_once([lambda story=story: self._tell(story) for story in (treatment, control, twin)])
        answers = [self._compare_answers(story) for story in (treatment, control)]
        states = [self._compare_accounts(control, story) for story in (treatment, twin)]
        heard = HeardTwice(
            compared=sum(one.compared for one in (*answers, *states)),
            treatment=(*answers[0].found, *states[0].found),
            control=(*answers[1].found, *states[1].found),
            applied=self._applied(treatment, control),
            control_applied=self._applied(control, control),
        )
        lost = treatment.lost or control.lost or twin.lost
        if lost and (heard.applied or 0) <= max(1, heard.control_applied or 1):
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
        """Keep what was created. Refused or lost both times is nothing to judge by, unless the account shows two."""
        operation = self.ways[Side.LEGACY].operations[self.operation]
        good = [answer for answer in story.answers if answer is not None and answer.status in operation.expect_status]
        statuses = {answer.status for answer in story.answers if answer is not None}
        if statuses and not good:
            story.lost = f"{self.names[self.operation]} was answered with {min(statuses)}"
        for answer in good:
            Asker.remember(operation, story.leg, answer)

    def _read(self, story: _Story) -> None:
        """The account as it looks afterwards to all who are to read it."""
        for number, operation in enumerate(self.ways[Side.LEGACY].operations):
            if lists_account(operation):
                for side in story.reads:
                    try:
                        story.after.append((number, self.asker.ask(self.ways[side], number, story.leg)))
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

    def _compare_accounts(self, control: _Story, story: _Story) -> Comparison:
        """Each reading against the control's of the same operation: two accounts of which the same should have come."""
        comparison = Comparison(control.leg.names, story.leg.names, by_format=True)
        theirs = dict(control.after)
        for number, reply in story.after:
            if number in theirs:
                comparison.replies(self.names[number], theirs[number], reply, AFTERWARDS)
        return comparison

    def _applied(self, story: _Story, control: _Story) -> int | None:
        """How often it took effect, by the ids that were answered, and by those that the account lists.

        What is listed counts where the control's own id is listed, and beyond what the control's account lists there:
        a list of something else may be longer for a reason of its own.
        """
        answered, of_control = self._answered_ids(story), self._answered_ids(control)
        counts = [len(answered)] if answered else []
        theirs = {number: listed_ids(reply.document) for number, reply in control.after}
        for number, reply in story.after:
            ours = listed_ids(reply.document)
            for place, ids in theirs.get(number, {}).items():
                if ids & of_control and place in ours:
                    counts.append(len(of_control) + len(ours[place]) - len(ids))
        return max(counts, default=None)

    def _answered_ids(self, story: _Story) -> set[str]:
        """Of answers that the operation expects: an error may have an id of its own."""
        operation = self.ways[Side.LEGACY].operations[self.operation]
        if operation.remember is None:
            return set()
        good = (one for one in story.answers if one is not None and one.status in operation.expect_status)
        return {made for one in good if (made := id_in(one.fields, operation.remember)) is not None}
