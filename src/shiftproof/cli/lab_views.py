"""What `shiftproof lab …` shows: the parts as they come up, the table of parts, or JSON where a machine reads."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shiftproof.lab.enter import RunningLab
from shiftproof.lab.launch import Removed
from shiftproof.lab.supervisor import PartFailed

_MARKS = {"waiting": ("·", "dim"), "starting": ("…", "yellow"), "ready": ("✓", "green")}
_STATES = {"ready": "green", "not-ready": "yellow", "stopped": "yellow", "off": "yellow", "dead": "red"}


class Progress:
    """Parts as the init tells of them. `parts_s`: seconds each took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start_s = time.monotonic()
        self._states: dict[str, tuple[str, float]] = {}
        self.parts_s: dict[str, float] = {}

    def watch(self, message: Mapping[str, Any]) -> None:
        """Take one message of the init."""
        for name in message.get("parts", ()):
            self._states[name] = ("waiting", 0.0)
        if "part" not in message:
            return
        state = str(message["state"])
        self._states[message["part"]] = (state, time.monotonic())
        if state == "ready":
            self.parts_s[message["part"]] = message["seconds"]
            if not self._console.is_terminal:
                self._console.print(self._line(message["part"], message["seconds"]), highlight=False)

    def __rich__(self) -> RenderableType:
        now_s = time.monotonic()
        rows = [self._row(name, state, since_s, now_s) for name, (state, since_s) in self._states.items()]
        return Group(*rows, Text(f"lab coming up  {now_s - self._start_s:.0f} s", style="bold"))

    def _row(self, name: str, state: str, since_s: float, now_s: float) -> Text:
        mark, style = _MARKS[state]
        shown = {"ready": self.parts_s.get(name), "starting": now_s - since_s}.get(state)
        return Text(f"  {mark} {name:<24}{'' if shown is None else f'{shown:6.1f} s'}", style=style)

    def _line(self, name: str, seconds: float) -> str:
        return f"  ok  {name:<24}{seconds:6.1f} s   at {time.monotonic() - self._start_s:5.1f} s"


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """Live where there is a terminal; else a plain line for each part that is ready."""
    view = Progress(console)
    if not console.is_terminal:
        console.print("lab: coming up", highlight=False)
        yield view
        return
    with Live(view, console=console, refresh_per_second=8, transient=True):
        yield view


def came_up(console: Console, took_s: float, parts_s: Mapping[str, float], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"up": True, "already": False, "seconds": round(took_s, 2), "parts_s": parts_s}))
    else:
        console.print(f"lab up in {took_s:.1f} s, all {len(parts_s)} parts ready", highlight=False)


def last_words(console: Console, error: PartFailed) -> None:
    """The last log lines of the part that would not start."""
    for line in error.log:
        console.print(f"  {error.part} | {line}", highlight=False, markup=False)


def already_up(console: Console, lab: RunningLab, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"up": True, "already": True, "pid": lab.pid}))
    else:
        console.print(f"the lab is up already (pid {lab.pid})", highlight=False)


def went_down(removed: Removed, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"up": False, "was_up": removed.lab_pid is not None, "guests_ended": removed.guests}))
    elif removed.lab_pid is not None:
        print("lab down: nothing is left of it")
    elif removed.cgroup_folders:
        print("no lab was up; what a dead one had left was removed")
    else:
        print("no lab was up")


def show_status(console: Console, found: Mapping[str, Any], as_json: bool) -> None:
    """The table of parts; the init's own status with pid and memory as JSON."""
    if as_json:
        print(json.dumps(found, indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("part", "where", "pid", "state", "restarts", ""):
        table.add_column(title, justify="right" if title in ("pid", "restarts") else "left")
    for part in found["parts"]:
        state = Text(part["state"], style=_STATES[part["state"]])
        pid = "" if part["pid"] is None else str(part["pid"])
        table.add_row(part["name"], part["where"], pid, state, str(part["restarts"] or ""), part["problem"] or "")
    console.print(table)
    for line in _changed(found):
        console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)
    memory = {name: value / 2**20 for name, value in found["memory"].items()}
    console.print(
        f"up {found['up_s']:.0f} s, init {found['pid']}, memory {memory['total']:,.0f} MiB"
        f" (processes {memory['pss']:,.0f}, guests {memory['guests_pss']:,.0f}, tmpfs {memory['tmpfs']:,.0f})",
        highlight=False,
    )


def _changed(found: Mapping[str, Any]) -> Iterator[str]:
    """What somebody has planted: network faults in force, legacy machines with other settings."""
    for fault in found.get("network", ()):
        yield f"network fault: {fault['fault']}; {fault['dropped']} packets dropped, ends in {fault['ends_in_s']:.0f} s"
    for host, state in found.get("legacy", {}).items():
        if state["env"]:
            yield f"{host} has other settings: {', '.join(state['env'])}"
