"""The steps from a bare machine to one where the lab can start, in order.

`make setup` does those that need the machine's package manager (infra/lab/bootstrap.sh) and then calls `build`, which
does the rest. Each step can say what is missing, and which command mends it: that is all that `shiftproof doctor`
prints.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console

from shiftproof.errors import SetupError
from shiftproof.lab.setup import images, packages, rootfs, toolchain
from shiftproof.lab.setup.command import CommandFailed, run
from shiftproof.lab.setup.paths import cache_root
from shiftproof.lab.setup.progress import Ticker, shown
from shiftproof.lab.setup.tools import EVENT_TOOLS, LAB_TOOLS, GoTool

LAB_BUILD = "shiftproof lab build"
EVENTS_BUILD = f"{LAB_BUILD} --events"
_FREE_FOR_BUILD_GIB = 12  # seen at the peak of a cold set-up: 8.8 GiB, sources and compiled packages included


@dataclass(frozen=True, slots=True)
class Step:
    """`problem` says in a phrase what is missing, None when all is there, and changes nothing; `make` mends it.

    `mend` is the command, or change, for a person.
    """

    name: str
    problem: Callable[[], str | None]
    mend: str
    make: Callable[[Ticker], None] | None = None


def all_steps() -> list[Step]:
    """All that the lab and a gate need, in the order in which they must be made.

    Raises nothing: a recipe that cannot be read is a step's problem.
    """
    return [
        Step("root", _no_root, "run it as root (sudo -E make setup)"),
        Step("debian", _other_system, "use a Debian 12 machine"),
        Step("namespaces", _no_namespaces, "use a machine, or a privileged container, that may make them"),
        Step("debian-packages", _missing_packages, packages.MEND),
        Step("go-toolchain", _no_toolchain, "make setup"),
        _disk_step(LAB_TOOLS),
        *(_tool_step(tool) for tool in LAB_TOOLS),
        *(_image_step(name, LAB_BUILD) for name in images.FOR_GATE),
    ]


def event_steps() -> list[Step]:
    """What load events need besides: `build(console, event_steps())` makes it, the first time that one is rehearsed.

    Not in `all_steps`: whoever only runs gates waits for none of it, and the doctor does not call it missing.
    """
    return [
        _disk_step(EVENT_TOOLS),
        *(_tool_step(tool) for tool in EVENT_TOOLS),
        *(_image_step(name, EVENTS_BUILD) for name in images.FOR_EVENTS),
    ]


def build(console: Console, steps: Sequence[Step] | None = None) -> None:
    """Make all that is missing, with progress on `console`. Quick when nothing is.

    Raises SetupError: something that only `make setup` or the user can mend, no network, a full disk, a broken build.
    """
    try:
        for step in all_steps() if steps is None else steps:
            _make_if_missing(step, console)
    finally:
        if toolchain.has_modules() and _all_built(LAB_TOOLS):
            toolchain.drop_modules()


def _make_if_missing(step: Step, console: Console) -> None:
    problem = step.problem()
    if problem is None:
        return
    if step.make is None:
        raise SetupError(f"{step.name}: {problem}", hint=step.mend)
    with shown(step.name, console) as ticker:
        step.make(ticker)
    remaining = step.problem()
    if remaining is not None:
        raise SetupError(f"{step.name}: made, and still {remaining}", hint=step.mend)


def _disk_step(tools: Sequence[GoTool]) -> Step:
    mend = "free some space, or set SHIFTPROOF_CACHE to a folder on a larger disk"
    return Step("disk", partial(_little_disk, tools), mend)


def _tool_step(tool: GoTool) -> Step:
    def problem() -> str | None:
        return None if toolchain.is_built(tool) else f"not built: {', '.join(tool.programs)}"

    def make(ticker: Ticker) -> None:
        toolchain.build(tool, ticker)

    return Step(f"tool-{tool.name}", problem, LAB_BUILD, make)


def _no_root() -> str | None:
    return None if os.geteuid() == 0 else "the lab makes namespaces, so it needs root"


def _other_system() -> str | None:
    return None if rootfs.PYTHON.is_file() else f"there is no {rootfs.PYTHON}, which Debian 12 has"


def _no_namespaces() -> str | None:
    try:
        run(["unshare", "--pid", "--mount", "--net", "--fork", "--mount-proc", "true"])
    except (CommandFailed, SetupError) as error:
        return f"cannot make namespaces: {error}"
    return None


def _missing_packages() -> str | None:
    lacking = packages.missing()
    return f"not installed: {', '.join(lacking)}" if lacking else None


def _no_toolchain() -> str | None:
    try:
        toolchain.go_program()
    except SetupError as error:
        return str(error)
    return None


def _little_disk(tools: Sequence[GoTool]) -> str | None:
    """Space is asked for only while Go tools are still to be built."""
    if _all_built(tools):
        return None
    folder = next(path for path in (cache_root(), *cache_root().parents) if path.is_dir())
    free_gib = shutil.disk_usage(folder).free / 2**30
    return (
        None
        if free_gib >= _FREE_FOR_BUILD_GIB
        else f"{free_gib:.1f} GiB free at {folder}, {_FREE_FOR_BUILD_GIB} GiB needed to build"
    )


def _all_built(tools: Sequence[GoTool]) -> bool:
    return all(toolchain.is_built(tool) for tool in tools)


def _image_step(name: str, mend: str) -> Step:
    return Step(f"image-{name}", partial(_unmade_image, name), mend, partial(_make_image, name))


def _unmade_image(name: str) -> str | None:
    return None if images.is_made(name) else "not made"


def _make_image(name: str, ticker: Ticker) -> None:
    images.make(name, ticker)
