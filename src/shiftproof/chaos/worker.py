"""The process in which Chaos Toolkit runs: `python -m shiftproof.chaos.worker PARENT_PID`.

One line of JSON in is one experiment to run ({"experiment", "journal", "env"}), one line out its end ({"error": null}
or {"error": "why it could not be run"}). One process serves a whole gate, since starting one takes a second of CPU that
the load would miss. Chaos Toolkit needs the main thread, for its signal handlers.

SIGUSR1 ends an experiment early with its rollbacks played, then the process: SIGTERM would not do, because chaoslib
turns it into an exception that the Python provider swallows. The kernel sends SIGUSR1 too when the gate dies: once for
each of its threads, so only the first is heeded, or the second would break off the rollbacks that the first began.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

PR_SET_PDEATHSIG = 1
END = signal.SIGUSR1
MARKS = "shiftproof"
"""Key in the journal under which we keep our own marks, in nanoseconds of CLOCK_MONOTONIC."""


def main(parent_pid: int) -> int:
    """Serve orders from stdin until it ends. Answers {"ready": true} once everything is imported."""
    signal.signal(END, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the gate, which ends us with END
    die_with(parent_pid)
    os.setpriority(os.PRIO_PROCESS, 0, 10)  # imports must not take the load's CPU
    _import()
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    _say({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        os.environ.update(order["env"])
        _say({"error": run(Path(order["experiment"]), Path(order["journal"]))})
    return 0


def run(experiment_file: Path, journal_file: Path) -> str | None:
    """Run one experiment and write its journal; returns why it could not be run, or None when it was.

    Raises SystemExit after the journal is written when it was told to end.
    """
    import yaml
    from chaoslib.exceptions import ChaosException
    from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
    from chaoslib.types import Strategy

    experiment = yaml.safe_load(experiment_file.read_text(encoding="utf-8"))
    log = _log_to(journal_file.with_suffix(".log"))
    marks = _marks()
    try:
        ensure_experiment_is_valid(experiment)
        journal = run_experiment(
            experiment,
            # Given whole, so that no settings file in the user's home has a say.
            settings={"runtime": {"rollbacks": {"strategy": "always"}}},
            strategy=Strategy.DEFAULT,
            event_handlers=[marks],
        )
    except ChaosException as error:
        return f"{type(error).__name__}: {error}"
    finally:
        logging.getLogger("chaostoolkit").removeHandler(log)
        log.close()
    journal[MARKS] = marks.at
    _write(journal_file, journal)
    if marks.ended:
        raise SystemExit(0)
    return None


def die_with(parent_pid: int) -> None:
    """Have the kernel send END when the parent dies, however it dies. Raises SystemExit if it is dead already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, END, 0, 0, 0)
    if os.getppid() != parent_pid:
        raise SystemExit(1)


def _import() -> None:
    """All that an experiment of ours needs, so that the first one starts at once."""
    import chaoslib.experiment
    import yaml
    from kubernetes.client import api_client

    import shiftproof.adapters.elbv2
    import shiftproof.chaos.nodes
    import shiftproof.chaos.pods
    import shiftproof.chaos.probes

    del chaoslib, yaml, api_client, shiftproof


def _marks() -> Any:
    from chaoslib.run import RunEventHandler

    class Marks(RunEventHandler):  # type: ignore[misc]
        """When the method began and ended, and whether the run was told to end."""

        def __init__(self) -> None:
            self.at: dict[str, int] = {}
            self.ended = False

        def started(self, _experiment: Mapping[str, Any], _journal: Mapping[str, Any]) -> None:
            _heed_once(END)  # by now chaoslib's handler stands where ours stood

        def start_method(self, _experiment: Mapping[str, Any]) -> None:
            self.at["method_start"] = time.monotonic_ns()

        def method_completed(self, _experiment: Mapping[str, Any], _state: object = None) -> None:
            self.at["method_end"] = time.monotonic_ns()

        def signal_exit(self) -> None:
            self.ended = True

    return Marks()


def _heed_once(signum: int) -> None:
    """Let the present handler have the first signal, and nobody another."""
    handler = signal.getsignal(signum)

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        if callable(handler):
            handler(number, frame)

    signal.signal(signum, first)


def _log_to(path: Path) -> logging.Handler:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("chaostoolkit")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    return handler


def _write(path: Path, journal: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    aside = path.with_suffix(".tmp")
    aside.write_text(json.dumps(journal, default=str, indent=1), encoding="utf-8")
    aside.rename(path)


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _leave(_signum: int, _frame: FrameType | None) -> None:
    """Told to end while nothing runs; while an experiment does, chaoslib's own handler stands in for this one."""
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
