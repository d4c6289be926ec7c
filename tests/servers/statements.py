"""The batch worker as a process of its own, from the very files that its image holds."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psycopg
from fakes.ports import free_port

from servers import apps
from servers.sqs import SqsQueue
from shiftproof.lab.waiting import until

SERVICE = "statements"
_READY_WITHIN_S = 90.0


def run(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python3 -m statements ARGUMENTS` to its end, with nothing in its environment but `env`."""
    return apps.run(SERVICE, *arguments, env=env)


@dataclass(frozen=True)
class Estate:
    """A migrated database and an empty queue, of one test."""

    database: str
    queue: SqsQueue

    @property
    def env(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database, **self.queue.env}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, env=self.env)

    def ask(self, number: int) -> None:
        asked = self.run("ask", str(number))
        assert asked.returncode == 0, asked.stderr

    def check(self, prefix: str = "test-") -> dict[str, int]:
        """What `check` prints, which must be one JSON object and nothing else."""
        checked = self.run("check", prefix)
        assert (checked.returncode, checked.stderr) == (0, "")
        found: dict[str, int] = json.loads(checked.stdout)
        return found

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode()).fetchall()

    def count(self, table: str) -> int:
        found = self.rows(f"SELECT count(*) FROM {table}")[0][0]
        assert isinstance(found, int)
        return found


@dataclass
class Worker:
    """A running worker."""

    process: subprocess.Popen[str]
    port: int

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """As a node that loses its power does."""
        self.process.kill()
        self.process.wait()

    def exit_code(self, within_s: float = 60.0) -> int:
        return self.process.wait(within_s)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False)

    def metric(self, name: str) -> float:
        """Of a series by its full name, labels included. Fails when there is none."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        assert found is not None, name
        return float(found[1])

    def wait_in_hand(self) -> None:
        """Until it works on a job."""
        until(lambda: None if self.metric("statements_in_hand") >= 1 else "nothing in hand", 60)


Start = Callable[..., Worker]
"""Starts a worker with settings by name."""


@contextmanager
def worker(estate: Estate, **settings: str) -> Iterator[Worker]:
    """Started and ready. `settings` are variables of its environment; killed at the end if still there."""
    port = free_port()
    env = estate.env | {"BIND": "127.0.0.1", "PORT": str(port), "WORK_MS": "20", "WAIT_S": "1"} | settings
    process = subprocess.Popen(
        apps.command(SERVICE, "work"), env=apps.environment(SERVICE, env), stdout=subprocess.DEVNULL, text=True
    )
    try:
        started = Worker(process, port)
        until(lambda: _problem(started), _READY_WITHIN_S)
        yield started
    finally:
        process.kill()
        process.wait()


def _problem(started: Worker) -> str | None:
    if started.process.poll() is not None:
        raise RuntimeError(f"the worker ended with {started.process.returncode}")
    try:
        answer = started.get("/ready")
    except httpx.TransportError as error:
        return str(error)
    return None if answer.status_code == 200 else answer.text
