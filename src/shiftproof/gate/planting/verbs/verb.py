"""What a verb can do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from shiftproof.gate.planting.site import Site
from shiftproof.model.defect import Step


class Verb(ABC):
    """One verb of a step. Its undo is a handler of the journal (gate.undo), found by the kind that it records."""

    def wrong(self, step: Step) -> str | None:
        """What is wrong with the step as it is written, whatever the lab holds."""
        del step
        return None

    @abstractmethod
    def check(self, step: Step, site: Site) -> None:
        """Look whether it can be made; changes nothing. Raises UserError; SetupError when that cannot be known."""

    @abstractmethod
    def plant(self, step: Step, site: Site) -> None:
        """Journal, make, and wait until it is in effect, as far as its nature allows.

        Raises UserError when it cannot be made, FaultError when it had no effect.
        """

    def idle(self, site: Site) -> list[str]:
        """What this verb has planted that did nothing so far, a sentence for each step; where that can be seen.

        Raises SetupError when it cannot be looked at.
        """
        del site
        return []
