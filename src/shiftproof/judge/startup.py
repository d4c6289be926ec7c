"""Why pods could not start, in their own words."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from shiftproof.judge.words import clock, count
from shiftproof.model.history import Happening, History

#: What to try, by the reason that Kubernetes gives; the first that the reason starts with.
_HINTS = (
    ("CreateContainerConfigError", "add the missing key or object, or correct the reference to it in the manifests"),
    ("CreateContainerError", "correct the container's command or mounts in the manifests"),
    ("RunContainerError", "correct the container's command or mounts in the manifests"),
    ("ImagePull", "check the image's name, tag and pull secret"),
    ("ErrImage", "check the image's name, tag and pull secret"),
    ("InvalidImageName", "check the image's name"),
    ("CrashLoopBackOff", "read the log of the container that ended: kubectl logs --previous"),
    ("Error", "read the log of the container that ended: kubectl logs --previous"),
    ("OOMKilled", "raise the memory limit, or find what takes the memory"),
    ("Unschedulable", "make room or ask for less: requests, node selectors, taints, spread"),
    ("FailedScheduling", "make room or ask for less: requests, node selectors, taints, spread"),
    ("FailedCreatePodSandBox", "check the pod network: are there addresses left?"),
    ("FailedCreate", "read the event: a quota or an admission webhook refuses the pod"),
    ("FailedMount", "check the volumes, secrets and config maps that it mounts"),
    ("Unhealthy", "check the probe's path, port and delays against what the pod really does"),
    ("BackOff", "read the log of the container that ended: kubectl logs --previous"),
)
#: Waiting reasons that only say that a container ended before.
_RESTARTS = ("CrashLoopBackOff", "Error")
#: Warnings that go with a leaving pod or say nothing of why a new one does not start.
_SYMPTOMS = ("Unhealthy", "BackOff")


def why_not_started(history: History, start_ns: int, end_ns: int) -> tuple[str, str | None] | None:
    """(sentence, hint) on the pods that could not start in [start_ns, end_ns], None when nobody complained."""
    within = [h for h in history.timeline if start_ns <= h.t_ns <= end_ns]
    seen = [h for h in within if h.kind in ("pod.failing", "event.warning")]
    crashed = _crashes(within)
    failing = [h for h in seen if h.kind == "pod.failing" and not (crashed and h.data.get("reason") in _RESTARTS)]
    causes = [h for h in seen if h.kind == "event.warning" and h.data.get("reason") not in _SYMPTOMS]
    for group in (failing, crashed, causes, seen):
        if group:
            return _sentence(group)
    return None


def _crashes(within: list[Happening]) -> list[Happening]:
    """Containers that ended badly, of pods that nobody had told to go, with a reason and a message as the others."""
    told = {h.subject: h.t_ns for h in reversed(within) if h.kind == "pod.terminating"}
    ended = [
        h
        for h in within
        if h.kind == "pod.stopped"
        and h.data.get("exit_code") not in (None, 0)
        and h.t_ns < told.get(h.subject, h.t_ns + 1)
    ]
    return [replace(h, data={**h.data, "reason": h.data.get("reason") or "Error", "message": _end(h)}) for h in ended]


def _end(stopped: Happening) -> str:
    code = f"exit code {stopped.data['exit_code']}"
    return f"{code}: {stopped.data['message']}" if stopped.data.get("message") else code


def _sentence(group: list[Happening]) -> tuple[str, str | None]:
    reasons = Counter(str(h.data.get("reason") or "Unknown") for h in group)
    reason = reasons.most_common(1)[0][0]
    same = [h for h in group if str(h.data.get("reason") or "Unknown") == reason]
    message = next((str(h.data["message"]) for h in same if h.data.get("message")), same[0].detail)
    subjects = {h.subject for h in same}
    pods = count(len(subjects), "pod") if all(s.startswith("pod/") for s in subjects) else ", ".join(sorted(subjects))
    said = f"{reason}: {message.strip()}" if message.strip() else reason
    return f"{clock(same[0].t_ns)}  {pods} could not start: {said}", hint_for(reason)


def hint_for(reason: str) -> str | None:
    """What to try for a reason as Kubernetes words it."""
    return next((hint for start, hint in _HINTS if reason.startswith(start)), None)
