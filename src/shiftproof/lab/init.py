"""Process 1 of the lab: `python -m shiftproof.lab.init`, started by keeper.py inside new namespaces.

Everything in the lab is a descendant of this process and ends with it. It reads the plan (JSON) from standard input,
writes progress to the file descriptor `--progress`, and gives up when nobody reads that any more: a start that was
interrupted must not leave half a lab. Once all is up it serves the control socket until SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shiftproof.lab import cgroups, mounts, namespaces
from shiftproof.lab.network import LB_DIR, LOG_DIR
from shiftproof.lab.parts import Progress, bring_up
from shiftproof.lab.plan import LabPlan
from shiftproof.lab.supervisor import PartFailed

log = logging.getLogger(__name__)
_REAP_EVERY_S = 5.0


class Reporter:
    """Writes one JSON object a line; whoever started the lab reads them. Raises BrokenPipeError once nobody does."""

    def __init__(self, descriptor: int) -> None:
        self._stream = os.fdopen(descriptor, "w", buffering=1)
        self._lock = threading.Lock()

    def write(self, **fields: Any) -> None:
        with self._lock:
            self._stream.write(json.dumps(fields) + "\n")

    def progress(self, step: Progress) -> None:
        self.write(part=step.part, state=step.state, seconds=round(step.seconds, 2))

    def beat(self) -> None:
        """Find out whether the reader still lives."""
        self.write(beat=True)

    def close(self) -> None:
        self._stream.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Ends only on SIGTERM (0) or when the lab cannot be brought up (1)."""
    parser = argparse.ArgumentParser(prog="python -m shiftproof.lab.init")
    parser.add_argument("--progress", type=int, required=True)
    arguments = parser.parse_args(argv)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    reporter = Reporter(arguments.progress)
    plan = LabPlan.from_json(sys.stdin.read())
    try:
        _bring_up(plan, reporter, stopped)
    except BrokenPipeError:
        return 1
    except _Stopped:
        return 0
    except Exception as error:  # noqa: BLE001 - the last door: process 1 has no other way to say why it ends
        _report_failure(plan, reporter, error)
        return 1
    reporter.close()
    stopped.wait()
    return 0


class _Stopped(Exception):
    """SIGTERM came before the lab was up."""


def _bring_up(plan: LabPlan, reporter: Reporter, stopped: threading.Event) -> None:
    start_s = time.monotonic()
    mounts.prepare()
    logging.basicConfig(
        filename=LOG_DIR / "init.log", level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    cgroups.make_machines(list(namespaces.FIXED))
    cgroups.enter(cgroups.CONTROL)
    namespaces.build()
    # Only now: these modules take longest to load, and what they need first (mounts, network) is made meanwhile.
    from shiftproof.lab.control_server import Parts, serve, verbs
    from shiftproof.lab.runtime import Lab

    lab = Lab(plan)
    serve(verbs(Parts(lab.nodes, lab.legacy, lab.network, lab.autoscaling, lab.pauses, lab.database, lab.status)))
    parts = lab.parts()
    reporter.write(parts=[part.name for part in parts], before_s=round(time.monotonic() - start_s, 2))

    def tick() -> None:
        if stopped.is_set():
            raise _Stopped
        reporter.beat()

    bring_up(parts, reporter.progress, tick)
    lab.up.set()
    threading.Thread(target=_reap_orphans, name="reaper", daemon=True).start()
    reporter.write(up=True, seconds=round(time.monotonic() - start_s, 2))


def _report_failure(plan: LabPlan, reporter: Reporter, error: Exception) -> None:
    failed = error if isinstance(error, PartFailed) else None
    why = failed.why if failed else str(error) or type(error).__name__
    log.error("%s", "".join(traceback.format_exception(error)))
    lines = list(failed.log) if failed else ([] if str(error) else traceback.format_exception(error)[-3:])
    kept = _keep_logs(Path(plan.logs_kept))
    with contextlib.suppress(BrokenPipeError):
        reporter.write(failed=failed.part if failed else "lab", why=why, log=lines[-12:], logs=kept)


def _keep_logs(folder: Path) -> str | None:
    """Copy all logs out of the lab's tmpfs, which is about to go. Returns where they are now."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for log_file in [*LOG_DIR.glob("*.log"), *LB_DIR.glob("*.err"), *LOG_DIR.parent.glob("nodes/*/machine.log")]:
            name = log_file.name if log_file.parent == LOG_DIR else f"{log_file.parent.name}-{log_file.name}"
            shutil.copyfile(log_file, folder / name)
    except OSError:
        log.exception("logs not kept")
        return None
    return str(folder)


def _reap_orphans() -> None:
    """Processes whose parent died fall to process 1. Children of our own are waited for by their own threads.

    A dead child that two looks in a row find is nobody's: those that somebody waits for are gone in between.
    """
    from shiftproof.lab import procfs

    own = int(str(Path("/proc/self").readlink()))
    seen: set[int] = set()
    while True:
        time.sleep(_REAP_EVERY_S)
        dead = {p.ns_pids[-1] for p in procfs.processes() if p.parent == own and not p.argv and len(p.ns_pids) == 2}
        for pid in dead & seen:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
        seen = dead


if __name__ == "__main__":
    code = main()
    # Not sys.exit: threads that still wait for a part to become ready must not hold up the end. All others end with us.
    os._exit(code)
