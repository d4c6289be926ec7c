"""What the lab needs for events (Prometheus, KEDA, Karpenter, workers' images): built on first use, with progress."""

from __future__ import annotations

from importlib import import_module

from rich.console import Console

from shiftproof.lab.control import LabControl
from shiftproof.lab.enter import in_lab, require_lab
from shiftproof.model.target import Target
from shiftproof.safety.lock import exclusive

OF_THE_LAB = "shiftproof.lab.autoscaling.ensure"
"""build_tools(console) builds what is missing; bring_up(target, console) starts it in the lab that runs. Both do
nothing when all is there."""


def make_ready(target: Target, console: Console, what: str) -> None:
    """For the lab, and from outside it: the lab has no way out, and what is built comes from outside.

    Under the lock, as `what`: it takes both cores, and a gate may be measuring. Does nothing for other targets, nor
    once we are inside. Raises SetupError, LabError, LockHeldError.
    """
    if target.kind != "lab" or in_lab():
        return
    require_lab()  # before minutes of building
    lab = import_module(OF_THE_LAB)
    with exclusive(what):
        lab.build_tools(console)
        lab.bring_up(target, console)


def lab_problem(target: Target, since_s: float) -> str | None:
    """Why the lab itself, and not the service, kept capacity away since then: an instance that it made no node of.

    since_s: of time.monotonic. None for other targets. Raises LabError when the lab does not answer.
    """
    if target.kind != "lab":
        return None
    problem = LabControl().autoscaling_problem(since_s)
    return None if problem is None else f"the lab: {problem}"
