"""`shiftproof rehearse`: does what scales follow the load of a named day?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shiftproof.cli.common import Json, Operator, Seed, Target, Ticket, go_in

if TYPE_CHECKING:
    from shiftproof.rehearse.request import EventRequest

Infra = Annotated[Path, typer.Option("--infra", help="Folder of platform.yaml and targets/; loadprofiles/ beside it.")]
Defect = Annotated[Path | None, typer.Option("--defect", help="Plant this before the event, unplant it after.")]
Fixed = Annotated[int | None, typer.Option("--fixed-pods", metavar="N", help="N pods and no autoscaling; no verdict.")]


def rehearse(  # noqa: PLR0913, PLR0917 (a command has the options that it has)
    event: Annotated[str | None, typer.Argument(help="A load event of loadprofiles/, e.g. payday.")] = None,
    service: Annotated[
        str, typer.Option("--service", help="A service of infra/platform.yaml that scales.")
    ] = "payments",
    target: Target = "lab",
    json: Json = None,
    defect: Defect = None,
    experiment: Annotated[
        list[str] | None,
        typer.Option("--experiment", metavar="NAME", help="While the load is highest; several may be."),
    ] = None,
    fixed_pods: Fixed = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Three times: as it scales, fixed for the peak, fixed for the base.")
    ] = False,
    seed: Seed = None,
    ticket: Ticket = "",
    operator: Operator = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="What would be done; nothing is changed.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="The events that there are.")] = False,
    infra: Infra = Path("infra"),
) -> int:
    """Rehearse a load event: a service that scales gets the load of that day, and is judged by how it follows.

    Exit code: 0 PASS, 1 FAIL, 2 INCONCLUSIVE, 3 could not run.
    """
    from shiftproof.errors import UserError
    from shiftproof.rehearse.request import EventRequest, check_request

    if listing:
        return _list(infra)
    if event is None:
        raise UserError("which event is to be rehearsed?", hint="shiftproof rehearse --list")
    if compare and (fixed_pods is not None or defect is not None):
        raise UserError("--compare goes with neither --fixed-pods nor --defect: it fixes the pods itself")
    request = EventRequest(
        event=event.replace("_", "-"),
        service=service,
        target=target,
        infra_dir=infra,
        experiments=tuple(experiment or ()),
        fixed_pods=fixed_pods,
        seed=seed,
        operator=operator,
        ticket=ticket,
        defect=defect,
    )
    check_request(request)
    if dry_run:
        return _plan(request, json)
    _enter(request, to_stderr=json == "-")
    return _run(request, json, compared=compare)


def _enter(request: EventRequest, *, to_stderr: bool) -> None:
    """What the lab needs for events is made from outside; then we go in, as the same process."""
    from rich.console import Console

    from shiftproof.gate.request import target_of
    from shiftproof.rehearse.lab_ready import make_ready
    from shiftproof.rehearse.settings import settings_for

    target = target_of(request)
    settings_for(request)  # what is wrong with the profile is said before anything is built
    make_ready(target, Console(stderr=to_stderr), f"rehearse {request.event} (getting the lab ready)")
    go_in(target)


def _run(request: EventRequest, json: str | None, *, compared: bool) -> int:
    from shiftproof.gate.run import forget_old_verdict
    from shiftproof.rehearse.compare import compare
    from shiftproof.rehearse.run import run_rehearsal
    from shiftproof.report.event_view import event_view_for
    from shiftproof.report.live import open_console
    from shiftproof.report.verdict_file import write_verdict

    forget_old_verdict(request.folder, json)
    console = open_console(to_stderr=json == "-")
    result = compare(request, console) if compared else run_rehearsal(request, event_view_for(console)).result
    if json is not None:
        write_verdict(result, json, sys.stdout)
    return result.verdict.exit_code


def _plan(request: EventRequest, json: str | None) -> int:
    from shiftproof.gate.request import check_dry_run
    from shiftproof.rehearse.plan import plan_lines
    from shiftproof.rehearse.settings import settings_for

    check_dry_run(request, json)
    for line in plan_lines(settings_for(request)):
        typer.echo(line)
    return 0


def _list(infra: Path) -> int:
    from shiftproof.rehearse.profiles import known_events, profiles_dir

    found = known_events(profiles_dir(infra))
    width = max((len(name) for name, _ in found), default=0)
    for name, title in found:
        typer.echo(f"{name:<{width}}  {title}")
    return 0
