"""Turns the objects that a watch brings into what happened. Pure: receipt times come in, happenings go out.

Times are those of receipt on our own clock, because the API's own have a resolution of a second, and a pod's whole
leaving is decided within one. On the lab a change is received 1-3 ms after the API server made it. What the API says of
when a pod was refused by the scheduler is told beside it, as `since`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from shiftproof.adapters.kubernetes.pods import (
    condition,
    containers,
    is_ready,
    is_terminating,
    last_words,
    waiting,
    workload_of,
)
from shiftproof.model.history import Happening, Source

Json = Mapping[str, Any]


class Reader(Protocol):
    """What one watch has brought so far, and what each change of it means."""

    def listed(self, t_ns: int, objects: Iterable[Json], *, first: bool) -> list[Happening]:
        """A whole list: what is there when watching starts, or all that changed across a gap."""
        ...

    def changed(self, t_ns: int, verb: str, thing: Json) -> list[Happening]:
        """One change; `verb` is ADDED, MODIFIED or DELETED."""
        ...


def happening(t_ns: int, kind: str, subject: str, detail: str = "", /, **data: object) -> Happening:
    return Happening(t_ns, Source.KUBERNETES, kind, subject, detail, data)


class Remembering:
    """Keeps the last object by uid, so that each change is told against what was known."""

    def __init__(self) -> None:
        self._known: dict[str, Json] = {}

    def listed(self, t_ns: int, objects: Iterable[Json], *, first: bool) -> list[Happening]:
        found = {str(thing["metadata"]["uid"]): thing for thing in objects}
        told: list[Happening] = []
        for uid in [uid for uid in self._known if uid not in found]:
            told += self.changed(t_ns, "DELETED", self._known[uid])
        for uid, thing in found.items():
            if first:
                self._known[uid] = thing
                told += self._present(t_ns, thing)
            else:
                told += self.changed(t_ns, "MODIFIED" if uid in self._known else "ADDED", thing)
        return told

    def changed(self, t_ns: int, verb: str, thing: Json) -> list[Happening]:
        uid = str(thing["metadata"]["uid"])
        old = self._known.get(uid)
        if verb == "DELETED":
            self._known.pop(uid, None)
            return list(self._gone(t_ns, thing))
        self._known[uid] = thing
        return list(self._told(t_ns, old, thing))

    def _present(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        raise NotImplementedError

    def _told(self, t_ns: int, old: Json | None, new: Json) -> Iterator[Happening]:
        raise NotImplementedError

    def _gone(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Pod:
    """The few things of a pod whose change is worth telling."""

    name: str
    ip: str
    node: str
    ready: bool
    terminating: bool
    running: frozenset[str]  # container ids
    failing: tuple[str, str]
    namespace: str = ""
    workload: str = ""
    since: str = ""  # of an unscheduled one: the scheduler's own time, to the second

    @classmethod
    def of(cls, pod: Json) -> _Pod:
        status = pod.get("status", {})
        running = frozenset(
            str(container.get("containerID", ""))
            for container in status.get("containerStatuses") or ()
            if "running" in container.get("state", {})
        )
        failing, since = waiting(pod), ""
        scheduled = condition(pod, "PodScheduled")
        if scheduled.get("status") == "False":
            failing = (str(scheduled.get("reason", "Unschedulable")), str(scheduled.get("message", "")))
            since = str(scheduled.get("lastTransitionTime") or "")
        elif not failing[0] and status.get("phase") == "Failed" and not is_terminating(pod):
            failing = (str(status.get("reason", "Failed")), str(status.get("message", "")))
        return cls(
            name=str(pod["metadata"]["name"]),
            ip=str(status.get("podIP", "")),
            node=str(pod.get("spec", {}).get("nodeName", "")),
            ready=is_ready(pod),
            terminating=is_terminating(pod),
            running=running,
            failing=failing,
            namespace=str(pod["metadata"].get("namespace", "")),
            workload=workload_of(pod),
            since=since,
        )


_NO_POD = _Pod("", "", "", ready=False, terminating=False, running=frozenset(), failing=("", ""))


class PodReader(Remembering):
    """pod.present, created, scheduled, started, stopped, ready, not-ready, terminating, failing, gone."""

    def __init__(self) -> None:
        super().__init__()
        self._addresses: dict[str, str] = {}

    def _present(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        now = _Pod.of(thing)
        self._addresses[now.name] = now.ip
        yield self._say(t_ns, now, "pod.present", ready=now.ready, terminating=now.terminating)

    def _told(self, t_ns: int, old: Json | None, new: Json) -> Iterator[Happening]:
        was = _Pod.of(old) if old is not None else _NO_POD
        now = _Pod.of(new)
        if not now.ip:  # a pod whose sandbox is gone has no address any more: tell the one it had
            now = replace(now, ip=self._addresses.get(now.name, ""))
        self._addresses[now.name] = now.ip
        if old is None:
            yield self._say(t_ns, now, "pod.created")
        if now.node and not was.node:
            yield self._say(t_ns, now, "pod.scheduled")
        yield from self._containers(t_ns, old, new, now)
        if now.running - was.running:
            yield self._say(t_ns, now, "pod.started")
        if now.failing[0] and now.failing != was.failing:
            yield self._failing(t_ns, now)
        if now.ready and not was.ready:
            yield self._say(t_ns, now, "pod.ready")
        elif was.ready and not now.ready and not now.terminating:  # a pod that is told to go ceases to be ready
            yield self._say(t_ns, now, "pod.not-ready")
        if now.terminating and not was.terminating:
            metadata = new["metadata"]
            grace_s = metadata.get("deletionGracePeriodSeconds")
            yield self._say(
                t_ns,
                now,
                "pod.terminating",
                grace_s=grace_s,
                delete_by=metadata["deletionTimestamp"],
                ready=now.ready,
                pre_stop=_has_pre_stop(new),
            )

    def _containers(self, t_ns: int, old: Json | None, new: Json, now: _Pod) -> Iterator[Happening]:
        """A container that ended: by itself, by SIGTERM on its way out, or killed."""
        before = {_ended_id(container) for container in (containers(old) if old is not None else ())}
        for container in containers(new):
            ended = _ended(container)
            if ended is not None and str(ended.get("containerID", "")) not in before:
                yield self._say(
                    t_ns,
                    now,
                    "pod.stopped",
                    container=container.get("name", ""),
                    exit_code=ended.get("exitCode"),
                    reason=ended.get("reason", ""),
                    message=last_words(ended) if ended.get("exitCode") else "",
                )

    def _gone(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        pod = _Pod.of(thing)
        yield self._say(t_ns, replace(pod, ip=pod.ip or self._addresses.pop(pod.name, "")), "pod.gone")

    def _failing(self, t_ns: int, pod: _Pod) -> Happening:
        reason, message = pod.failing
        since = {"since": pod.since} if pod.since else {}
        return self._say(t_ns, pod, "pod.failing", message, reason=reason, message=message, **since)

    @staticmethod
    def _say(t_ns: int, pod: _Pod, kind: str, detail: str = "", **data: object) -> Happening:
        known = {"ip": pod.ip, "node": pod.node, "pod": pod.name, "namespace": pod.namespace, "workload": pod.workload}
        return happening(t_ns, kind, f"pod/{pod.name}", detail, **known, **data)


def _has_pre_stop(pod: Json) -> bool:
    """Whether its SIGTERM comes later than it is told to go."""
    found = pod.get("spec", {}).get("containers") or ()
    return any((container.get("lifecycle") or {}).get("preStop") for container in found)


def _ended(container: Json) -> Json | None:
    """How its present or, once restarted, its last run ended."""
    states = (container.get("state", {}), container.get("lastState", {}))
    return next((state["terminated"] for state in states if state.get("terminated")), None)


def _ended_id(container: Json) -> str:
    ended = _ended(container)
    return str(ended.get("containerID", "")) if ended is not None else ""


class EndpointReader(Remembering):
    """endpoint.present, added (traffic may come), terminating, not-serving, removed; by address and slice."""

    def _present(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        for ip, endpoint in _endpoints(thing).items():
            yield self._say(t_ns, thing, ip, endpoint, "endpoint.present")

    def _told(self, t_ns: int, old: Json | None, new: Json) -> Iterator[Happening]:
        before = _endpoints(old) if old is not None else {}
        now = _endpoints(new)
        for ip, endpoint in before.items():
            if ip not in now:
                yield self._say(t_ns, new, ip, endpoint, "endpoint.removed")
        for ip, endpoint in now.items():
            was = _conditions(before.get(ip))
            is_now = _conditions(endpoint)
            if is_now["ready"] and not was["ready"]:
                yield self._say(t_ns, new, ip, endpoint, "endpoint.added")
            if is_now["terminating"] and not was["terminating"]:
                yield self._say(t_ns, new, ip, endpoint, "endpoint.terminating")
            if was["serving"] and not is_now["serving"]:
                yield self._say(t_ns, new, ip, endpoint, "endpoint.not-serving")

    def _gone(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        for ip, endpoint in _endpoints(thing).items():
            yield self._say(t_ns, thing, ip, endpoint, "endpoint.removed")

    @staticmethod
    def _say(t_ns: int, piece: Json, ip: str, endpoint: Json, kind: str) -> Happening:
        service = piece["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        pod = (endpoint.get("targetRef") or {}).get("name", "")
        return happening(
            t_ns,
            kind,
            f"pod/{pod}" if pod else f"endpoint/{ip}",
            ip=ip,
            pod=pod,
            node=endpoint.get("nodeName", ""),
            service=service,
            **_conditions(endpoint),
        )


def _endpoints(piece: Json) -> dict[str, Json]:
    endpoints = piece.get("endpoints") or ()
    return {endpoint["addresses"][0]: endpoint for endpoint in endpoints if endpoint.get("addresses")}


def _conditions(endpoint: Json | None) -> dict[str, bool]:
    """An absent endpoint has none; of one that is there, an unknown `ready` counts as ready, as the API says."""
    if endpoint is None:
        return {"ready": False, "serving": False, "terminating": False}
    said = endpoint.get("conditions") or {}
    ready = said.get("ready") is not False
    return {"ready": ready, "serving": bool(said.get("serving", ready)), "terminating": bool(said.get("terminating"))}


class WarningReader:
    """event.warning: what components complain of. Those from before the watch started are not ours to tell."""

    def listed(self, t_ns: int, objects: Iterable[Json], *, first: bool) -> list[Happening]:
        del t_ns, objects, first
        return []

    def changed(self, t_ns: int, verb: str, thing: Json) -> list[Happening]:
        if verb == "DELETED" or thing.get("type") != "Warning":
            return []
        about = thing.get("involvedObject") or {}
        subject = f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"
        count = (thing.get("series") or {}).get("count") or thing.get("count") or 1
        message = str(thing.get("message", ""))
        reason = str(thing.get("reason", ""))
        return [happening(t_ns, "event.warning", subject, message, reason=reason, message=message, count=count)]
