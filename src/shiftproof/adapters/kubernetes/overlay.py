"""Putting a target into another overlay and back: what was added goes, what was taken away or changed comes back.

Going back needs no memory of what there was: the ordinary overlay says it. So the undo is the same after a kill as at
the end of a run, and may be played twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shiftproof.adapters.kubernetes import kubectl
from shiftproof.adapters.kubernetes.api import Api, Json, connect
from shiftproof.adapters.kubernetes.digest import ROLLED
from shiftproof.adapters.kubernetes.kinds import ObjectRef
from shiftproof.adapters.kubernetes.objects import Objects
from shiftproof.adapters.targets import infra_dir, load_target
from shiftproof.errors import SetupError, UndoError, UserError
from shiftproof.model.target import Target
from shiftproof.ports import UndoLog

KIND = "overlay"


@dataclass(frozen=True, slots=True)
class Folders:
    """Two kustomize folders of one workload: as it is, and as it is for events.

    The same for a worker that only events know: it is not there between them.
    """

    ordinary: Path
    events: Path

    @classmethod
    def of(cls, infra: str | Path, manifests: str, overlay: str) -> Folders:
        ordinary = Path(infra) / manifests
        return cls(ordinary, ordinary.parent / overlay)

    def is_there(self) -> bool:
        return (self.events / "kustomization.yaml").is_file()


class Overlays:
    """Several workloads, put into their events' overlays one after the other."""

    def __init__(self, target: Target, folders: Sequence[Folders], journal: UndoLog, objects: Objects) -> None:
        self._target = target
        self._folders = folders
        self._journal = journal
        self._objects = objects

    def put_in(self) -> Sequence[str]:
        """Journaled before anything is changed; what was done, for people. Raises SetupError."""
        return [self._put_in(folders) for folders in self._folders]

    def _put_in(self, folders: Folders) -> str:
        ordinary, events = kubectl.built(folders.ordinary), kubectl.built(folders.events)
        deployed = folders.ordinary != folders.events and any(map(self._is_there, _deployments(ordinary)))
        subject = folders.events.parent.parent.name
        self._journal.record(
            kind=KIND,
            subject=f"overlay/{subject}",
            undo={
                "target": self._target.name,
                "ordinary": str(folders.ordinary.resolve()),
                "events": str(folders.events.resolve()),
                "deployed": deployed,
            },
            lease_s=0.0,
        )
        for thing in _only(ordinary, events) if deployed else ():
            _remove(self._objects, thing)
        _apply(folders.events, events, self._target, self._objects)
        return f"{subject} is in its size for events ({folders.events.name})"

    def _is_there(self, thing: Json) -> bool:
        ref = _ref(self._objects, thing)
        return ref is not None and self._objects.read(ref) is not None


def undo_overlay(payload: Mapping[str, Any]) -> None:
    """Undo handler of journal entries of kind "overlay". Idempotent; raises UndoError.

    Payload: target, ordinary and events (folders), deployed: whether it was there before at all.
    """
    target = load_target(str(payload["target"]))
    objects = Objects(Api(connect(target)))
    try:
        _put_back(objects, target, payload)
    except UndoError:
        raise
    except (SetupError, UserError) as error:
        raise UndoError(f"{payload['ordinary']} could not be applied again: {error}", hint=error.hint) from error


def _put_back(objects: Objects, target: Target, payload: Mapping[str, Any]) -> None:
    ordinary_folder, events_folder = (_folder(payload[name]) for name in ("ordinary", "events"))
    ordinary, events = kubectl.built(ordinary_folder), kubectl.built(events_folder)
    added = _only(events, ordinary) if payload["deployed"] else events
    # The last made goes first, and what holds others goes last of all.
    for thing in [*reversed([one for one in added if not _holds_others(one)]), *filter(_holds_others, added)]:
        _remove(objects, thing)
    if not payload["deployed"]:
        return
    for thing in ordinary:
        _remove_foreign(objects, thing)
    _apply(ordinary_folder, ordinary, target, objects)
    for thing in _deployments(ordinary):
        ref = _ref(objects, thing)
        if ref is not None:
            objects.wait_settled(ref)


def _folder(recorded: str) -> Path:
    """As it was recorded, or below the working copy that is here now."""
    path = Path(recorded)
    if path.is_dir() or "infra" not in path.parts:
        return path
    below = path.parts[len(path.parts) - path.parts[::-1].index("infra") :]
    return infra_dir().joinpath(*below)


def _apply(folder: Path, things: Sequence[Json], target: Target, objects: Objects) -> None:
    """Pods whose template stays the same are rolled all the same: what they read at their start may have changed."""
    refs = [ref for thing in _deployments(things) if (ref := _ref(objects, thing)) is not None]
    before = {ref: _template(objects.read(ref)) for ref in refs}
    kubectl.apply(folder, target)
    for ref in refs:
        now = objects.read(ref)
        if now is None or before[ref] is None or _template(now) != before[ref]:
            continue
        mark = f"events-{now['metadata'].get('resourceVersion', '')}"
        body = {"spec": {"template": {"metadata": {"annotations": {ROLLED: mark}}}}}
        objects.patch(ref, "merge", body)


def _template(deployment: Json | None) -> Any:
    return None if deployment is None else deployment["spec"]["template"]


def _only(these: Sequence[Json], others: Sequence[Json]) -> list[Json]:
    """Objects that the others do not have."""
    known = {_key(thing) for thing in others}
    return [thing for thing in these if _key(thing) not in known]


def _holds_others(thing: Json) -> bool:
    return bool(thing["kind"] == "Namespace")


def _key(thing: Json) -> tuple[str, str, str, str]:
    group = str(thing.get("apiVersion", "")).rpartition("/")[0]
    metadata = thing["metadata"]
    return group, str(thing["kind"]), str(metadata.get("namespace", "")), str(metadata["name"])


def _deployments(things: Sequence[Json]) -> list[Json]:
    return [thing for thing in things if thing["kind"] == "Deployment"]


def _ref(objects: Objects, thing: Json) -> ObjectRef | None:
    """None for a kind that the cluster does not know: then there is no such object either."""
    metadata = thing["metadata"]
    try:
        return objects.locate(
            thing["kind"], metadata["name"], str(metadata.get("namespace", "default")), thing["apiVersion"]
        )
    except UserError:
        return None


def _remove_foreign(objects: Objects, thing: Json) -> None:
    """An object of ours that belongs to another now, and goes with it (KEDA's autoscaler has the name of ours)."""
    ref = _ref(objects, thing)
    live = objects.read(ref) if ref is not None else None
    if ref is not None and live is not None and live["metadata"].get("ownerReferences"):
        objects.delete(ref)


def _remove(objects: Objects, thing: Json) -> None:
    ref = _ref(objects, thing)
    if ref is not None:
        objects.delete(ref)
