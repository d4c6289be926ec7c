"""Waiting until the platform is back to normal: how long that may take depends on what it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shiftproof.errors import SetupError, UndoError
from shiftproof.sensitivity.normal import Look, differences
from shiftproof.sensitivity.platform import Platform
from shiftproof.sensitivity.state import Baseline

UNSEEN = ""  # the scope of a look that could not be taken
NORMAL_WITHIN_S = 120.0
PASSES_WITHIN_S = 900.0
"""For what passes by itself: an autoscaler comes down from 6 pods to 3 in five quiet minutes and one for each pod, and
only then the machines go that had been brought for them."""

LOOK_AGAIN_S = 2.0
NOT_NORMAL = (
    "shiftproof recover, and if that does not help: shiftproof lab down && shiftproof lab up; then run the same "
    "command again, without --fresh, which goes on from here"
)


@dataclass(frozen=True, slots=True)
class Settling:
    """`note`: told once in each wait what is waited for, when that may take minutes."""

    platform: Platform
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    note: Callable[[str], None]

    def wait(self, baseline: Baseline | None, when: str) -> Look:
        """Look until all is back to normal: a pod or a target may need a moment. Raises UndoError, saying what is not.

        baseline None: there is nothing yet to compare with.
        """
        began = lasts_since = self.monotonic()
        told = False
        while True:
            look = self._look()
            wrong = _wrong(baseline, look)
            if not wrong:
                return look
            now = self.monotonic()
            if set(wrong) <= set(look.passing):
                lasts_since = now  # a pod that leaves meanwhile is a moment's matter again, not one of minutes
                if not told:
                    self.note(f"waiting: {'; '.join(wrong)}")
                    told = True
            if now > min(began + PASSES_WITHIN_S, lasts_since + NORMAL_WITHIN_S):
                raise UndoError(f"the platform is not back to normal {when}: {'; '.join(wrong)}", hint=NOT_NORMAL)
            self.sleep(LOOK_AGAIN_S)

    def _look(self) -> Look:
        """A platform that cannot be looked at is not normal; it may be in a moment."""
        try:
            return self.platform.look()
        except SetupError as error:
            return Look(UNSEEN, {}, (f"it cannot be looked at: {error}",))


def _wrong(baseline: Baseline | None, look: Look) -> list[str]:
    if baseline is None or look.scope == UNSEEN:
        return [*look.problems, *look.passing]
    if baseline.scope != look.scope:
        return ["the lab is another one than before"]
    return differences(baseline.facts, look)
