"""`shiftproof gate`: may this traffic move now?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from shiftproof.cli.common import Json, Operator, Seed, Target, Ticket, go_in

Infra = Annotated[Path, typer.Option("--infra", help="Folder of platform.yaml and targets/.")]
Defect = Annotated[Path | None, typer.Option("--defect", help="Plant this first, unplant it after (lab only).")]


def gate(  # noqa: PLR0913, PLR0917 (a command has the options that it has)
    service: Annotated[str, typer.Argument(help="A service of infra/platform.yaml.")],
    to: Annotated[int, typer.Option("--to", metavar="PCT", help="The cluster's weight to prove, 0 to 100.")],
    target: Target = "lab",
    json: Json = None,
    defect: Defect = None,
    quick: Annotated[bool, typer.Option("--quick", help="A PASS rules out 1% instead of 0.1%.")] = False,
    seed: Seed = None,
    ticket: Ticket = "",
    operator: Operator = "",
    only: Annotated[str, typer.Option("-k", help="Only drills whose name matches; cannot PASS.")] = "",
    marked: Annotated[str, typer.Option("-m", help="Only drills with this mark; cannot PASS.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Preflight and the plan; nothing is changed.")] = False,
    infra: Infra = Path("infra"),
) -> int:
    """Prove a step before the traffic moves: preflight, rehearse, judge.

    Exit code: 0 PASS, 1 FAIL, 2 INCONCLUSIVE, 3 could not run.
    """
    from shiftproof.gate.request import Request, check_request, target_of
    from shiftproof.gate.run import dry_run_gate, run_gate

    request = Request(
        service, to, quick, target=target, infra_dir=infra, seed=seed, operator=operator, ticket=ticket, defect=defect
    )
    check_request(request)
    go_in(target_of(request))
    if dry_run:
        return dry_run_gate(request, json)
    return run_gate(request, json, only, marked)


def recover(
    target: Target = "lab",
    infra: Infra = Path("infra"),
) -> int:
    """Undo what a run that died had changed: faults, weights, planted defects."""
    from shiftproof.adapters.targets import INFRA_ENV
    from shiftproof.gate.config import find_target
    from shiftproof.gate.run import run_recover
    from shiftproof.lab.enter import find_lab

    os.environ[INFRA_ENV] = str(infra.resolve())
    chosen = find_target(infra, target)
    if chosen.kind == "lab" and find_lab() is not None:
        go_in(chosen)
    return run_recover(chosen)
