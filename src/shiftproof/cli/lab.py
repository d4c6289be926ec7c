"""`shiftproof lab …`: build what the lab is made of. Imports inside the commands keep `shiftproof --help` quick."""

from __future__ import annotations

import typer

app = typer.Typer(help="The embedded lab: a real Kubernetes inside one Linux machine.", no_args_is_help=True)


@app.command()
def build() -> None:
    """Make what the lab lacks: Kubernetes and companions from source, and images. Does nothing when all is there."""
    from rich.console import Console

    from shiftproof.lab.setup import steps

    steps.build(Console(stderr=True))
