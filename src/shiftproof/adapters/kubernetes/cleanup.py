"""Remove what our synthetic traffic wrote: the service's own command, as a Job with its own image and secrets.

The service knows its data, so it removes and checks; we only ask, and believe its exit code and not its silence.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.api import Api, Json, KubernetesError, connect
from shiftproof.adapters.kubernetes.pods import troubles
from shiftproof.adapters.targets import load_service, load_target
from shiftproof.errors import UndoError
from shiftproof.model.platform import Service

JOB = "shiftproof-cleanup"
ENDS_ITSELF_AFTER_S = 120  # on the cluster, whatever became of us
GONE_WITHIN_S = 60.0
POLL_S = 0.2
_NOT_FOR_A_JOB = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports")


def undo_synthetic(payload: Mapping[str, Any]) -> None:
    """The journal's handler for kind "synthetic": {"target", "service"}. Raises UndoError."""
    target, service = load_target(str(payload["target"])), load_service(str(payload["service"]))
    try:
        remove_synthetic(Api(connect(target)), service)
    except KubernetesError as error:
        raise UndoError(f"the cleanup job could not be run: {error}") from error


def remove_synthetic(api: Api, service: Service, sleep: Callable[[float], None] = time.sleep) -> None:
    """Run the service's cleanup command to its end. Raises UndoError with the pod's own last words when it fails."""
    if not service.cleanup:
        return
    collection = paths.grouped("batch/v1", service.namespace, "jobs")
    _remove_job(api, collection, sleep)
    deployment = api.get(paths.deployment(service.namespace, service.deployment))
    api.post(collection, cleanup_job(deployment, service))
    try:
        _wait(api, collection, service, sleep)
    finally:
        _remove_job(api, collection, sleep)


def cleanup_job(deployment: Json, service: Service) -> Json:
    """The Job: the live Deployment's first container with another command; no label that the service selects."""
    spec = copy.deepcopy(deployment["spec"]["template"]["spec"])
    container = {key: value for key, value in spec["containers"][0].items() if key not in _NOT_FOR_A_JOB}
    container["command"] = list(service.cleanup)
    container.pop("args", None)
    # What it prints is how it explains itself; Kubernetes keeps the end of it with the pod.
    container["terminationMessagePolicy"] = "FallbackToLogsOnError"
    spec |= {"containers": [container], "restartPolicy": "Never"}
    spec.pop("topologySpreadConstraints", None)
    labels = {"app.kubernetes.io/managed-by": "shiftproof", "app.kubernetes.io/name": JOB}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": JOB, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": ENDS_ITSELF_AFTER_S,
            "ttlSecondsAfterFinished": 600,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _wait(api: Api, collection: str, service: Service, sleep: Callable[[float], None]) -> None:
    until = time.monotonic() + ENDS_ITSELF_AFTER_S + 10
    while time.monotonic() < until:
        status = api.get(f"{collection}/{JOB}").get("status", {})
        if status.get("succeeded"):
            return
        if status.get("failed"):
            raise UndoError(f"synthetic traffic was not removed: {_last_words(api, service)}")
        sleep(POLL_S)
    raise UndoError(f"synthetic traffic was not removed: the job did not end within {ENDS_ITSELF_AFTER_S} s")


def _last_words(api: Api, service: Service) -> str:
    pods = api.items(paths.pods(service.namespace), labelSelector=f"app.kubernetes.io/name={JOB}")
    for pod in pods:
        for state in pod.get("status", {}).get("containerStatuses", []):
            message = state.get("state", {}).get("terminated", {}).get("message", "").strip()
            if message:
                return str(message.splitlines()[-1])
    return troubles(pods) or "its job failed and left no word"


def _remove_job(api: Api, collection: str, sleep: Callable[[float], None]) -> None:
    path = f"{collection}/{JOB}"
    if api.find(path) is None:
        return
    api.delete(path, {"propagationPolicy": "Background"})
    until = time.monotonic() + GONE_WITHIN_S
    while api.find(path) is not None:
        if time.monotonic() > until:
            raise UndoError(f"the Job {JOB} does not go away")
        sleep(POLL_S)
