"""A worker's jobs of our own, by the worker's own commands: it knows its queue and its data, we only ask and count."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from shiftproof.adapters.kubernetes.api import Api, KubernetesError
from shiftproof.adapters.kubernetes.commands import Command, run_command
from shiftproof.errors import FaultError, MeasureError, UndoError
from shiftproof.model.scaling import Worker
from shiftproof.model.target import Target
from shiftproof.ports import UndoLog

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient

ASK, CHECK = "shiftproof-ask", "shiftproof-check"
COUNTS = ("asked", "produced", "twice", "lost")


class WorkerJobs:
    """Implements ports.Jobs for one worker. sleep: of the run clock, so that an asking may be cut short."""

    def __init__(
        self, client: ApiClient, target: Target, worker: Worker, journal: UndoLog, sleep: Callable[[float], None]
    ) -> None:
        self._api = Api(client)
        self._target = target
        self._of = worker
        self._journal = journal
        self._sleep = sleep

    @property
    def worker(self) -> str:
        return self._of.name

    @property
    def planned(self) -> int:
        return self._of.jobs

    def promise_removal(self) -> None:
        payload = {"target": self._target.name, "worker": self._of.name}
        self._journal.record(kind="jobs", subject=f"worker/{self._of.name}", undo=payload, lease_s=0)

    def ask(self) -> None:
        try:
            run_command(self._api, self._command(self._of.asks, ASK), self._sleep)
        except (MeasureError, KubernetesError, UndoError) as error:
            raise FaultError(f"no jobs were asked of {self._of.name}: {error}") from error

    def check(self) -> Mapping[str, int]:
        try:
            said = run_command(self._api, self._command(self._of.check, CHECK), self._sleep, read=True)
        except (KubernetesError, UndoError) as error:
            raise MeasureError(f"the check of {self._of.name} could not be run: {error}") from error
        return counts(said, self._of.name)

    def _command(self, words: tuple[str, ...], job: str) -> Command:
        return Command(self._of.namespace, self._of.deployment, words, job, anywhere=True)


def counts(said: str, worker: str) -> dict[str, int]:
    """The last line that is a JSON object with all counts. Raises MeasureError when there is none."""
    for line in reversed(said.splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and all(type(found.get(name)) is int and found[name] >= 0 for name in COUNTS):
            return {name: found[name] for name in COUNTS}
    raise MeasureError(f"the check of {worker} did not say what became of its jobs")
