"""What a pod's object says of it, in the words of ports and of a tired engineer. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shiftproof.ports import PodState

Json = Mapping[str, Any]

STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""Waiting reasons of a pod that is only on its way."""

HOPELESS = frozenset({"CreateContainerConfigError", "InvalidImageName", "ErrImageNeverPull"})
"""Waiting reasons that no waiting mends: what the pod asks for is not there, or makes no sense. A failed pull or a
crash is not among them, since a registry or a dependency may come back."""


MOST_WORDS = 200
_IN_ADDRESS = re.compile(r"(\w+://[^\s:@/]*:)[^\s@]*@")
_NAMED = re.compile(r"(?i)((?:password|passwd|secret|token|api_?key|authorization)\w*[\"']?\s*[:=]\s*)\S+")


def name_of(pod: Json) -> str:
    return str(pod["metadata"]["name"])


def workload_of(pod: Json) -> str:
    """The name of what it is one of: its Deployment (its ReplicaSet's name, less the template's hash), or its owner."""
    metadata = pod["metadata"]
    owner = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), None)
    if owner is None:
        return ""
    name, template = str(owner["name"]), (metadata.get("labels") or {}).get("pod-template-hash")
    return name.removesuffix(f"-{template}") if owner.get("kind") == "ReplicaSet" and template else name


def is_terminating(pod: Json) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: Json) -> bool:
    """The Ready condition is True (a pod that is leaving may still be ready)."""
    return condition(pod, "Ready").get("status") == "True"


def condition(thing: Json, kind: str) -> Json:
    """One condition of any object's status, or an empty mapping."""
    for found in thing.get("status", {}).get("conditions") or ():
        if found["type"] == kind:
            return dict(found)
    return {}


def containers(pod: Json) -> Sequence[Json]:
    """The statuses of its containers, init containers first."""
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def waiting(pod: Json) -> tuple[str, str]:
    """Reason and message of the first container that waits for something other than its start; ("", "") if none."""
    for container in containers(pod):
        state = container.get("state", {}).get("waiting")
        if state and state.get("reason", "") not in STARTING:
            return str(state.get("reason", "")), str(state.get("message", ""))
    return "", ""


def image_ids(pods: Iterable[Json]) -> tuple[str, ...]:
    """Digests of the images that the ready pods run: a tag may point elsewhere tomorrow."""
    found = {
        str(container["imageID"])
        for pod in pods
        if is_ready(pod)
        for container in pod.get("status", {}).get("containerStatuses", [])
        if container.get("imageID")
    }
    return tuple(sorted(found))


def restarts(pod: Json) -> int:
    return sum(int(container.get("restartCount", 0)) for container in containers(pod))


def pod_state(pod: Json) -> PodState:
    return PodState(
        name=name_of(pod),
        ip=pod.get("status", {}).get("podIP", ""),
        node=pod.get("spec", {}).get("nodeName", ""),
        ready=is_ready(pod),
        terminating=is_terminating(pod),
        waiting_reason=waiting(pod)[0],
    )


def trouble(pod: Json) -> str | None:
    """Why a pod that should serve does not, in its own words; None when it is ready or only on its way."""
    if is_ready(pod) or is_terminating(pod):
        return None
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return _sentence(str(scheduled.get("reason", "Unscheduled")), str(scheduled.get("message", "")), pod)
    status = pod.get("status", {})
    if status.get("phase") == "Failed":
        return _sentence(str(status.get("reason", "Failed")), str(status.get("message", "")), pod)
    reason, message = waiting(pod)
    if reason:
        return _sentence(reason, _last_end(pod) or message, pod)
    if any("running" in container.get("state", {}) for container in containers(pod)):
        crash = last_crash(pod)
        again = f"{crash}, and was started again; its readiness probe does not succeed"
        return _sentence("NotReady", again if crash else "it runs, and its readiness probe does not succeed", pod)
    return None


def troubles(pods: Iterable[Json], most: int = 3) -> str | None:
    """The pods' own reasons, each said once, with one pod as the example; None when no pod has one."""
    said: dict[str, str] = {}
    for pod in pods:
        sentence = trouble(pod)
        if sentence is not None:
            said.setdefault(sentence.rsplit(" (pod ", 1)[0], sentence)
    return "; ".join(list(said.values())[:most]) or None


def _last_end(pod: Json) -> str:
    """How a container that crashes again and again ended last."""
    again = any(
        container.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
        for container in containers(pod)
    )
    return last_crash(pod) if again else ""


def last_crash(pod: Json) -> str:
    """How the last run of a container that was started again ended, if badly; "" when none did."""
    for container in containers(pod):
        ended = container.get("lastState", {}).get("terminated")
        if ended and ended.get("exitCode") != 0:
            said = f"it ended with code {ended.get('exitCode')} ({ended.get('reason', 'Error')})"
            words = last_words(ended)
            return f"{said}: {words}" if words else said
    return ""


def last_words(ended: Json) -> str:
    """The last line that a container left as its termination message, which is the end of its log if its pod asks for

    that (terminationMessagePolicy: FallbackToLogsOnError). Cut short; credentials in addresses and after names that
    sound like one are taken out, as a program that cannot start may well print what it was given.
    """
    lines = [line.strip() for line in str(ended.get("message") or "").splitlines() if line.strip()]
    if not lines:
        return ""
    line = _IN_ADDRESS.sub(r"\1***@", lines[-1])
    return _NAMED.sub(r"\1***", line)[:MOST_WORDS]


def _sentence(reason: str, message: str, pod: Json) -> str:
    words = f"{reason}: {message}" if message else reason
    return f"{words} (pod {name_of(pod)})"
