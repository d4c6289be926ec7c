"""Bring a lab up and take it down, from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shiftproof.errors import LabError, LockHeldError
from shiftproof.lab import cgroups, procfs
from shiftproof.lab.enter import RunningLab, find_lab
from shiftproof.lab.plan import LabPlan
from shiftproof.lab.supervisor import PartFailed
from shiftproof.lab.waiting import NotInTime, until

_UP_WITHIN_S = 300.0
_DOWN_WITHIN_S = 15.0
_LOCK_ADDRESS = "\0shiftproof-lab-up"  # an abstract socket: it is gone with its holder, and leaves no file


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold the right to bring a lab up. Raises LockHeldError naming who holds it."""
    with socket.socket(socket.AF_UNIX) as mine:
        try:
            mine.bind(_LOCK_ADDRESS)
        except OSError as error:
            raise LockHeldError(
                f"another `lab up` or `lab down` is at work: {_holder()}", hint="wait for it, or end it"
            ) from error
        mine.listen()
        yield


def _holder() -> str:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(_LOCK_ADDRESS)
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid = struct.unpack("3i", credentials)[0]
    except OSError:
        return "it has just ended"
    process = procfs.read_process(pid)
    return f"pid {pid} ({' '.join(process.argv) if process else 'gone'})"


def bring_up(plan: LabPlan, watch: Callable[[Mapping[str, Any]], None]) -> float:
    """Start a lab; `watch` gets the init's progress. Returns the seconds it took.

    Raises PartFailed when a part does not start, LabError when the init dies; the lab is then gone again, as it is
    after any exception out of `watch` and after Ctrl-C.
    """
    start_s = time.monotonic()
    reading, writing = os.pipe()
    keeper = subprocess.Popen(
        [sys.executable, "-m", procfs.KEEPER_MODULE, str(writing)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[writing],
        start_new_session=True,
        text=True,
        cwd="/",
    )
    os.close(writing)
    up = False
    try:
        with os.fdopen(reading) as progress:
            assert keeper.stdin is not None
            keeper.stdin.write(plan.to_json())
            keeper.stdin.close()
            follow(progress, watch, start_s)
        up = True
    except BrokenPipeError as error:
        raise LabError(f"the lab did not start: {_last_words(keeper)}", hint="shiftproof doctor") from error
    finally:
        if not up:
            _give_up(keeper)
    return time.monotonic() - start_s


def follow(
    progress: Iterable[str],
    watch: Callable[[Mapping[str, Any]], None],
    start_s: float,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Read the init's progress, one JSON object a line, until it says that the lab is up.

    Raises PartFailed when a part failed, LabError when it takes too long, BrokenPipeError when the init ends silently.
    """
    for line in progress:
        message = json.loads(line)
        if "failed" in message:
            failed = PartFailed(message["failed"], message["why"], message["log"])
            kept = message["logs"]
            failed.hint = f"the lab was taken down again; logs: {kept}" if kept else "the lab was taken down again"
            raise failed
        watch(message)
        if message.get("up"):
            return
        if now() - start_s > _UP_WITHIN_S:
            raise LabError(f"the lab was not up within {_UP_WITHIN_S:.0f} s; it was taken down again")
    raise BrokenPipeError


def _last_words(keeper: subprocess.Popen[str]) -> str:
    try:
        _, errors = keeper.communicate(timeout=5)
    except (subprocess.TimeoutExpired, ValueError):
        return "its init ended without a word"
    lines = [line for line in (errors or "").splitlines() if line.strip()]
    return lines[-1] if lines else "its init ended without a word"


def _give_up(keeper: subprocess.Popen[str]) -> None:
    """Our end of the pipe is closed, so the init ends by itself; wait for it, and help if it does not."""
    try:
        keeper.wait(timeout=5)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
    cgroups.remove()


@dataclass(frozen=True, slots=True)
class Removed:
    """What `take_down` found and removed."""

    lab_pid: int | None
    cgroup_folders: int
    guests: tuple[int, ...]


def take_down(force: bool = False) -> Removed:
    """End the lab and remove whatever a dead one left. Does nothing when there is neither.

    Raises LabError when programs from outside still work in it (with `force` they are ended too), or when something
    will not go.
    """
    lab = find_lab()
    guests: tuple[int, ...] = ()
    if lab is not None:
        guests = _end_guests(lab, force)
        _end_init(lab)
    return Removed(lab.pid if lab else None, sweep(), guests)


def sweep() -> int:
    """Remove the empty cgroups that a killed lab has left; returns how many. Raises LabError if one will not go."""
    found = len(cgroups.leftovers())
    left = cgroups.remove()
    if left:
        raise LabError(f"{len(left)} control groups would not go: something still runs in {left[-1]}")
    return found


def _end_guests(lab: RunningLab, force: bool) -> tuple[int, ...]:
    found = procfs.guests(lab.init)
    if not found:
        return ()
    names = ", ".join(f"{process.pid} ({' '.join(process.argv[:4])})" for process in found)
    if not force:
        raise LabError(
            f"programs still work in the lab: {names}", hint="end them first, or: shiftproof lab down --force"
        )
    for number, within_s in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        for process in procfs.guests(lab.init):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        try:
            until(lambda: "guests" if procfs.guests(lab.init) else None, within_s)
            break
        except NotInTime:
            continue
    return tuple(process.pid for process in found)


def _end_init(lab: RunningLab) -> None:
    """SIGKILL to process 1 ends all of its namespace at once; the keeper then removes the cgroups and ends too."""
    keeper = procfs.find_keeper()
    with contextlib.suppress(ProcessLookupError):
        os.kill(lab.pid, signal.SIGKILL)
    try:
        until(lambda: "the init" if _lives(lab.pid) else None, _DOWN_WITHIN_S)
        if keeper is not None:
            until(lambda: "the keeper" if _lives(keeper.pid) else None, _DOWN_WITHIN_S)
    except NotInTime as error:
        raise LabError(f"the lab does not end: {error}", hint="shiftproof lab status") from error


def _lives(pid: int) -> bool:
    """A zombie has no command line and counts as gone: only its parent has not looked yet."""
    process = procfs.read_process(pid)
    return process is not None and bool(process.argv)
