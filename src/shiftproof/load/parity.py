"""A parity conversation: one story on legacy, on the cluster, and on legacy again; and each side reads the other's.

The third leg teaches noise, as Diffy's second primary does: where legacy does not agree with itself, a difference from
legacy says little. It runs at the same time, since answers may depend on the hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import gevent

from shiftproof.load.compare import Comparison
from shiftproof.load.conversation import Asker, Leg, VoidError, Way, in_order, is_about, is_read
from shiftproof.model.probe import Difference


@dataclass(frozen=True, slots=True)
class Heard:
    """What a conversation came to."""

    operations: tuple[str, ...]
    compared: int
    treatment: tuple[Difference, ...]
    control: tuple[Difference, ...]


@dataclass(slots=True)
class Parity:
    """One conversation. legs: control, treatment, noise twin, each new, with the same amount."""

    asker: Asker
    legacy: Way
    cluster: Way
    legs: tuple[Leg, Leg, Leg]
    names: Sequence[str]

    def hold(self, random: Random) -> Heard:
        """All of it. Raises VoidError when a request was not answered or legacy itself refuses."""
        control, treatment, twin = self.legs
        ways = (self.legacy, self.cluster, self.legacy)
        stories = [(leg, way) for leg, way in zip(self.legs, ways, strict=True)]
        random.shuffle(stories)
        at_once([lambda leg=leg, way=way: self._story(leg, way) for leg, way in stories])
        self._refuse_sick_control()
        by_format = Comparison(control.names, treatment.names, by_format=True)
        noise = Comparison(control.names, twin.names, by_format=True)
        for step in in_order(self.legacy.operations):
            for leg, comparison in ((treatment, by_format), (twin, noise)):
                if step in control.replies and step in leg.replies:
                    comparison.replies(self.names[step[0]], control.replies[step], leg.replies[step])
        crossing, again = self._read_across()
        return Heard(
            operations=tuple(dict.fromkeys(self.names[number] for number, _ in control.replies)),
            compared=sum(one.compared for one in (by_format, noise, *crossing, again)),
            treatment=_all(by_format, *crossing),
            control=_all(noise, again),
        )

    def _story(self, leg: Leg, way: Way) -> None:
        """Every operation, in order, until one is not answered as it should be; what follows would only repeat that."""
        for number, turn in in_order(way.operations):
            if not self.asker.step(way, number, leg, turn):
                return

    def _refuse_sick_control(self) -> None:
        """A control that refuses is no measure; a treatment that was answered otherwise is told all the same."""
        control, treatment, _ = self.legs
        for (number, turn), reply in control.replies.items():
            if reply.status not in self.legacy.operations[number].expect_status:
                other = treatment.replies.get((number, turn))
                if other is not None and other.status == reply.status:
                    raise VoidError(f"legacy answered {self.names[number]} with {reply.status}")

    def _read_across(self) -> tuple[list[Comparison], Comparison]:
        """Each side reads what the other wrote: there it is one thing, so every field must be equal, the id too.

        Control: legacy reads once more what it wrote itself. Under the same names as the two treatments, so that a
        field that changes with each read is known as noise for both.
        """
        control, treatment, _ = self.legs
        theirs = Comparison(control.names, control.names, by_format=False)
        ours = Comparison(treatment.names, treatment.names, by_format=False)
        again = Comparison(control.names, control.names, by_format=False)
        for number, operation in enumerate(self.legacy.operations):
            if not (is_read(operation) and is_about(operation)):
                continue
            name = self.names[number]
            if (number, 0) in treatment.replies:
                mine = treatment.replies[number, 0]
                # Legacy's answer is the control's, whoever wrote what is read.
                ours.replies(name, self.asker.ask(self.legacy, number, treatment), mine, THROUGH_LEGACY)
            if (number, 0) in control.replies:
                first = control.replies[number, 0]
                theirs.replies(name, first, self.asker.ask(self.cluster, number, control), THROUGH_CLUSTER)
                # Last: what changes with time has had the most of it here, so the control never looks too calm.
                second = self.asker.ask(self.legacy, number, control)
                for via in (THROUGH_CLUSTER, THROUGH_LEGACY):
                    again.replies(name, first, second, via)
        return [theirs, ours], again


THROUGH_CLUSTER = "of what legacy wrote"
THROUGH_LEGACY = "of what the cluster wrote"


def at_once(tasks: Sequence[object]) -> None:
    """Run all, wait for all; then the first error is raised."""
    greenlets = [gevent.spawn(_kept, task) for task in tasks]
    gevent.joinall(greenlets)
    errors = [greenlet.value for greenlet in greenlets if greenlet.value is not None]
    if errors:
        raise errors[0]


def _kept(task: object) -> BaseException | None:
    """An error as a value: gevent would print it, and it is told elsewhere."""
    assert callable(task)
    try:
        task()
    except Exception as error:  # noqa: BLE001 - raised again by whoever waits
        return error
    return None


def _all(*comparisons: Comparison) -> tuple[Difference, ...]:
    return tuple(dict.fromkeys(one for comparison in comparisons for one in comparison.found))
