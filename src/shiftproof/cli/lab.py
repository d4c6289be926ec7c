"""`shiftproof lab …`: bring the lab up and down, look at it, go in. Imports inside the commands keep `--help` quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="The embedded lab: a real Kubernetes inside one Linux machine.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
_ENTRY = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
def build(
    events: Annotated[bool, typer.Option("--events", help="Make what only load events need, too.")] = False,
) -> None:
    """Make what the lab lacks: Kubernetes and companions from source, and images. Does nothing when all is there."""
    from rich.console import Console

    from shiftproof.lab.setup import steps

    steps.build(Console(stderr=True), [*steps.all_steps(), *(steps.event_steps() if events else ())])


@app.command()
def up(json: Json = False) -> None:
    """Start the lab and wait until all of it is ready. Does nothing when it is up."""
    from rich.console import Console

    from shiftproof.cli import lab_views
    from shiftproof.lab import launch, planning
    from shiftproof.lab.enter import find_lab, require_lab
    from shiftproof.lab.supervisor import PartFailed

    console = Console(stderr=True)
    _need_root()
    with launch.only_one():
        if find_lab() is not None:
            lab = require_lab(whole=True)  # says what to do when it is not whole
            lab_views.already_up(console, lab, json)
            return
        plan = planning.make_plan()
        launch.sweep()
        try:
            with lab_views.progress(console) as view:
                took_s = launch.bring_up(plan, view.watch)
        except PartFailed as error:
            lab_views.last_words(console, error)
            raise
    lab_views.came_up(console, took_s, view.parts_s, json)


@app.command()
def down(
    force: Annotated[
        bool, typer.Option("--force", help="End programs that entered the lab (a gate, lab exec) too.")
    ] = False,
    json: Json = False,
) -> None:
    """End the lab, and remove whatever a dead one left. Does nothing when there is neither."""
    from shiftproof.cli import lab_views
    from shiftproof.lab import launch

    _need_root()
    with launch.only_one():
        lab_views.went_down(launch.take_down(force), json)


@app.command()
def status(json: Json = False) -> None:
    """Every part with its pid, its state and its machine. Ends with 0 when all are ready, 3 otherwise."""
    from rich.console import Console

    from shiftproof.cli import lab_views
    from shiftproof.errors import LabError
    from shiftproof.lab.enter import find_lab
    from shiftproof.lab.memory import memory

    _need_root()
    lab = find_lab()
    if lab is None:
        if json:
            print('{"up": false, "ready": false}')
            raise typer.Exit(3)
        raise LabError("the lab is not up", hint="shiftproof lab up")
    found: dict[str, Any] = {"up": True, "pid": lab.pid, **lab.control().status(), "memory": memory(lab.init, lab.root)}
    lab_views.show_status(Console(), found, json)
    raise typer.Exit(0 if found["ready"] else 3)


@app.command("exec", context_settings=_ENTRY)
def execute(
    context: typer.Context,
    place: Annotated[
        str | None, typer.Option("--in", help="On one machine: node-1, node-2, legacy-1, legacy-2, lb, postgres.")
    ] = None,
) -> None:
    """Run a command in the lab, with its network, kubectl and AWS: shiftproof lab exec -- kubectl get pods -A."""
    from shiftproof.errors import LabError, UserError
    from shiftproof.lab.enter import entry_command, environment, find_lab, kubectl_path, place_command

    _need_root()
    if not context.args:
        raise UserError("what is to be run in the lab?", hint="shiftproof lab exec -- kubectl get pods -A")
    lab = find_lab()
    if lab is None:
        raise LabError("the lab is not up", hint="shiftproof lab up")
    folder = Path.cwd()
    words = place_command(lab, place, context.args, folder) if place else entry_command(lab, context.args, folder)
    sys.stdout.flush()
    os.execvpe(words[0], words, {**os.environ, **environment(lab, kubectl_path())})


@app.command()
def forward(
    ports: Annotated[list[str], typer.Argument(help="entry, aws, apiserver, postgres, or [LOCAL:][HOST:]PORT.")],
) -> None:
    """Open ports of the lab on 127.0.0.1 until Ctrl-C."""
    from shiftproof.lab import forward as forwarding
    from shiftproof.lab.enter import require_lab

    _need_root()
    wanted = [forwarding.parse(text) for text in ports]

    def say() -> None:
        for item in wanted:
            print(f"127.0.0.1:{item.local} -> {item.name} ({item.host}:{item.port})", flush=True)

    forwarding.run(require_lab(), wanted, say)


def _need_root() -> None:
    from shiftproof.errors import SetupError

    if os.geteuid() != 0:
        raise SetupError("the lab makes namespaces, so it needs root", hint="run it with sudo -E")
