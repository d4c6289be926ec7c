"""`shiftproof doctor`: what is missing on this machine, and the command that mends it."""

from __future__ import annotations

from typing import Annotated

import typer

NOT_READY = 3


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")] = False,
) -> None:
    """Name each thing that is missing and the command that mends it. Ends with 0 when nothing is, 3 otherwise."""
    from shiftproof.lab.setup import doctor as examination

    findings = examination.examine()
    if json:
        print(examination.as_json(findings))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            print(f"{finding.name:<{width}}  {'ok' if finding.problem is None else finding.problem}")
            if finding.mend is not None:
                print(f"{'':<{width}}  -> {finding.mend}")
    raise typer.Exit(0 if examination.is_healthy(findings) else NOT_READY)
