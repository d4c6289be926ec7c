"""What several commands have in common: options that read the same in each, and the way into the lab."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shiftproof.model import target as models

Json = Annotated[str | None, typer.Option("--json", metavar="FILE", help="The verdict here too; - prints it alone.")]
Target = Annotated[str, typer.Option("--target", help="infra/targets/NAME.yaml.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Repeat a run's random choices.")]
Ticket = Annotated[str, typer.Option("--ticket", help="The change ticket, for the record.")]
Operator = Annotated[str, typer.Option("--operator", help="Who answers for it (you).")]


def go_in(target: models.Target) -> None:
    """For the lab: become the same command inside it. Raises SetupError when not root, LabError when no lab is up."""
    from shiftproof.gate.world import enter

    enter(target, [sys.executable, "-m", "shiftproof", *sys.argv[1:]])
