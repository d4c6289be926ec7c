"""Remove what our synthetic traffic wrote: the service's own command, as a Job with its own image and secrets.

The service knows its data, so it removes and checks; we only ask, and believe its exit code and not its silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from shiftproof.adapters.kubernetes.api import Api, KubernetesError, connect
from shiftproof.adapters.kubernetes.commands import Command, CommandFailed, run_command
from shiftproof.adapters.targets import load_service, load_target, load_worker
from shiftproof.errors import UndoError
from shiftproof.model.platform import Service
from shiftproof.model.scaling import Worker

JOB = "shiftproof-cleanup"


def undo_synthetic(payload: Mapping[str, Any]) -> None:
    """The journal's handler for kind "synthetic": {"target", "service"}. Raises UndoError."""
    target, service = load_target(str(payload["target"])), load_service(str(payload["service"]))
    try:
        remove_synthetic(Api(connect(target)), service)
    except KubernetesError as error:
        raise UndoError(f"the cleanup job could not be run: {error}") from error


def undo_jobs(payload: Mapping[str, Any]) -> None:
    """The journal's handler for kind "jobs": {"target", "worker"}. Raises UndoError."""
    target, worker = load_target(str(payload["target"])), load_worker(str(payload["worker"]))
    try:
        remove_jobs(Api(connect(target)), worker)
    except KubernetesError as error:
        raise UndoError(f"the cleanup job of {worker.name} could not be run: {error}") from error


def remove_synthetic(api: Api, service: Service, sleep: Callable[[float], None] = time.sleep) -> None:
    """Run the service's cleanup command to its end. Raises UndoError with the pod's own last words when it fails."""
    _remove(api, Command(service.namespace, service.deployment, service.cleanup, JOB), sleep)


def remove_jobs(api: Api, worker: Worker, sleep: Callable[[float], None] = time.sleep) -> None:
    """Run the worker's cleanup command, on any node. Raises UndoError as above."""
    _remove(api, Command(worker.namespace, worker.deployment, worker.cleanup, JOB, anywhere=True), sleep)


def _remove(api: Api, command: Command, sleep: Callable[[float], None]) -> None:
    if not command.words:
        return
    try:
        run_command(api, command, sleep)
    except CommandFailed as error:
        raise UndoError(f"synthetic traffic was not removed: {error}") from error
