"""A command of a workload's own, in its own image and with its own secrets: a Job made from the live Deployment."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.api import Api, Json
from shiftproof.adapters.kubernetes.pods import troubles
from shiftproof.errors import MeasureError, UndoError

ENDS_ITSELF_AFTER_S = 120  # on the cluster, whatever became of us
GONE_WITHIN_S = 60.0
POLL_S = 0.2
_NOT_FOR_A_JOB = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports")
_ERRAND = {"cpu": "10m", "memory": "32Mi"}
_WHERE = ("nodeSelector", "affinity")


class CommandFailed(MeasureError):
    """It did not end well; the message is its own last words."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. job: the Job's name. anywhere: also on nodes that the workload itself keeps away from."""

    namespace: str
    deployment: str
    words: tuple[str, ...]
    job: str
    anywhere: bool = False


def run_command(api: Api, command: Command, sleep: Callable[[float], None] = time.sleep, *, read: bool = False) -> str:
    """Run it to its end; returns what it printed, if that is to be read. Raises CommandFailed with its own last words.

    KubernetesError when the API does not answer, UndoError when an earlier Job of that name does not go away.
    """
    collection = paths.grouped("batch/v1", command.namespace, "jobs")
    _remove_job(api, collection, command.job, sleep)
    deployment = api.get(paths.deployment(command.namespace, command.deployment))
    api.post(collection, job_of(deployment, command))
    try:
        _wait(api, collection, command, sleep)
        return _printed(api, command) if read else ""
    finally:
        _remove_job(api, collection, command.job, sleep)


def job_of(deployment: Json, command: Command) -> Json:
    """The Job: the live Deployment's first container with another command; no label that a service selects."""
    spec = copy.deepcopy(deployment["spec"]["template"]["spec"])
    container = {key: value for key, value in spec["containers"][0].items() if key not in _NOT_FOR_A_JOB}
    container["command"] = list(command.words)
    container.pop("args", None)
    # An errand beside the service must not take the place of a pod of it.
    container["resources"] = {**container.get("resources", {}), "requests": _ERRAND}
    # What it prints is how it explains itself; Kubernetes keeps the end of it with the pod.
    container["terminationMessagePolicy"] = "FallbackToLogsOnError"
    spec |= {"containers": [container], "restartPolicy": "Never"}
    spec.pop("topologySpreadConstraints", None)
    for key in _WHERE if command.anywhere else ():
        spec.pop(key, None)
    labels = {"app.kubernetes.io/managed-by": "shiftproof", "app.kubernetes.io/name": command.job}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": command.job, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": ENDS_ITSELF_AFTER_S,
            "ttlSecondsAfterFinished": 600,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _wait(api: Api, collection: str, command: Command, sleep: Callable[[float], None]) -> None:
    until = time.monotonic() + ENDS_ITSELF_AFTER_S + 10
    while time.monotonic() < until:
        status = api.get(f"{collection}/{command.job}").get("status", {})
        if status.get("succeeded"):
            return
        if status.get("failed"):
            raise CommandFailed(_last_words(api, command))
        sleep(POLL_S)
    raise CommandFailed(f"the job did not end within {ENDS_ITSELF_AFTER_S} s")


def _pods(api: Api, command: Command) -> list[Json]:
    return api.items(paths.pods(command.namespace), labelSelector=f"app.kubernetes.io/name={command.job}")


def _printed(api: Api, command: Command) -> str:
    pods = _pods(api, command)
    return api.text(f"{paths.pods(command.namespace)}/{pods[0]['metadata']['name']}/log") if pods else ""


def _last_words(api: Api, command: Command) -> str:
    pods = _pods(api, command)
    for pod in pods:
        for state in pod.get("status", {}).get("containerStatuses", []):
            message = state.get("state", {}).get("terminated", {}).get("message", "").strip()
            if message:
                return str(message.splitlines()[-1])
    return troubles(pods) or "its job failed and left no word"


def _remove_job(api: Api, collection: str, job: str, sleep: Callable[[float], None]) -> None:
    path = f"{collection}/{job}"
    if api.find(path) is None:
        return
    api.delete(path, {"propagationPolicy": "Background"})
    until = time.monotonic() + GONE_WITHIN_S
    while api.find(path) is not None:
        if time.monotonic() > until:
            raise UndoError(f"the Job {job} does not go away")
        sleep(POLL_S)
