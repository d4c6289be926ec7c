"""Planted defects: a gate is worth what it catches, so one may plant a defect first and see.

Every step is in the undo journal, on disk, before it is made, and is undone through the same handlers that `recover`
uses: what works after a kill is what works every time. Only in the lab.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shiftproof.adapters.documents import Problem, read_document
from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.kubernetes.kinds import ObjectRef
from shiftproof.adapters.kubernetes.objects import IRREPLACEABLE, Objects, cleaned, undo_payload
from shiftproof.errors import FaultError, RefusedError, SetupError, ShiftproofError, UndoError, UserError
from shiftproof.gate.undo import handlers
from shiftproof.model.defect import Create, Defect, ObjectName, Patch, RouterChange, Step
from shiftproof.model.platform import Service, Target
from shiftproof.ports import UndoLog
from shiftproof.safety.recover import UndoHandler

NOT_YET = frozenset({"legacy", "sql", "network"})

#: How long a patched workload may take to settle before its not settling is taken as what the defect does.
IN_EFFECT_WITHIN_S = 90.0
#: A change that no waiting mends is given this long to be mended after all (a Secret that is a moment late).
HOPELESS_AFTER_S = 5.0
POLL_S = 0.2
#: The lease of a planted defect: none ends by itself, so that a gate of any length sees it; the journal undoes it.
NO_LEASE_S = 0.0
HTTP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Change:
    """One change that was journalled, and perhaps made. `ref`: the object, if it is about one."""

    entry_id: str
    kind: str
    subject: str
    undo: Mapping[str, Any]
    ref: ObjectRef | None = None


@dataclass(slots=True)
class Planted:
    """A defect that is in place. `notes`: what was seen while planting, for people."""

    defect: Defect
    changes: list[_Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_defect(path: Path) -> Defect:
    """Raises ConfigError with file and line; UserError when it uses a verb that cannot be planted yet."""
    document = read_document(path, Defect)
    for number, step in enumerate(document.value.plant):
        if step.verb in NOT_YET:
            document.refuse([Problem(("plant", number, step.verb), f"planting by {step.verb!r} is not built yet")])
        if step.delete is not None and step.delete.kind in IRREPLACEABLE:
            said = f"a {step.delete.kind} cannot be put back with what was in it, so it is not deleted"
            document.refuse([Problem(("plant", number, "delete"), said)])
    return document.value


@contextmanager
def planted(
    defect: Defect | None, target: Target, journal: UndoLog, service: Service | None = None
) -> Iterator[Planted | None]:
    """Plant, and undo however the block ends; nothing at all for None.

    service: whose namespace objects are in unless they say so (else a namespace called like the defect's service).
    Raises RefusedError on any target but the lab, UserError when a step cannot be made (those before it are undone),
    FaultError when a step had no effect, UndoError when something could not be put back.
    """
    if defect is None:
        yield None
        return
    refuse_elsewhere(target)
    planter = Planter(target, journal, service.namespace if service else defect.service)
    done = Planted(defect)
    try:
        for step in defect.plant:
            planter.plant(step, done)
        yield done
    finally:
        planter.unplant(done)


def refuse_elsewhere(target: Target) -> None:
    """Raises RefusedError: a defect is planted in the lab, and nowhere else, whatever flags are given."""
    if target.kind != "lab":
        raise RefusedError(
            f"defects are planted in the lab only, and {target.name} is not one", hint="leave out --defect"
        )


class Planter:
    """Makes the steps of defects on one lab, and undoes them."""

    def __init__(
        self,
        target: Target,
        journal: UndoLog,
        namespace: str,
        *,
        objects: Objects | None = None,
        undo: Mapping[str, UndoHandler] | None = None,
    ) -> None:
        self._target = target
        self._journal = journal
        self._namespace = namespace
        self._objects = objects or Objects(Api(connect(target)))
        self._undo = undo or handlers()

    def plant(self, step: Step, into: Planted) -> None:
        """Make one step and wait until it is in effect, as far as its nature allows."""
        match step:
            case Step(patch=Patch() as patch):
                self._patch(patch, into)
            case Step(create=Create() as create):
                self._create(create, into)
            case Step(delete=ObjectName() as name):
                self._delete(name, into)
            case Step(router=RouterChange() as change):
                self._router(change, into)
            case _:
                raise UserError(f"planting by {step.verb!r} is not built yet")

    def unplant(self, planted: Planted) -> None:
        """Undo in reverse and wait until all is back to normal. Raises UndoError that lists what is not."""
        left: list[str] = []
        for change in reversed(planted.changes):
            try:
                self._undo[change.kind](change.undo)
                self._journal.done(change.entry_id)
            except ShiftproofError as error:
                left.append(f"{change.subject}: {error}")
        for ref in dict.fromkeys(change.ref for change in planted.changes if change.ref is not None):
            try:
                self._objects.wait_settled(ref)
            except UndoError as error:
                left.append(f"{ref}: {error}")
        planted.changes.clear()
        if left:
            raise UndoError(
                f"defect {planted.defect.id} is not wholly undone: {'; '.join(left)}", hint="run: shiftproof recover"
            )

    # --- verbs ----------------------------------------------------------------------------------------------------

    def _patch(self, patch: Patch, into: Planted) -> None:
        ref = self._locate(patch)
        before = self._must_read(ref)
        self._record_object(ref, before, into)
        after = self._objects.patch(ref, patch.type, patch.body)
        if cleaned(after) == cleaned(before):
            raise UserError(f"the patch of {ref} changes nothing, so no defect would be planted")
        note = self._await_effect(ref)
        if note is not None:
            into.notes.append(note)

    def _create(self, create: Create, into: Planted) -> None:
        ref = self._locate(create.object)
        if self._objects.read(ref) is not None:
            raise UserError(f"{ref} is there already", hint="use patch to change it")
        self._record_object(ref, None, into)
        self._objects.create(ref, create.body)
        note = self._await_effect(ref)
        if note is not None:
            into.notes.append(note)

    def _delete(self, name: ObjectName, into: Planted) -> None:
        ref = self._locate(name)
        self._record_object(ref, self._must_read(ref), into)
        self._objects.delete(ref)

    def _router(self, change: RouterChange, into: Planted) -> None:
        url = f"{self._target.aws_endpoint}/_lab/lag"
        before = _lag("GET", url)
        wanted = {**before, **change.model_dump(exclude_none=True)}
        if wanted == before:
            raise UserError("the load balancer's lag is that already, so no defect would be planted")
        self._record("router-lag", "load-balancer/lag", {"target": self._target.name, **before}, into)
        found = _lag("PUT", url, wanted)
        if found != wanted:
            raise FaultError(f"the load balancer's lag is {found}, not {wanted}")

    # --- around them ------------------------------------------------------------------------------------------------

    def _locate(self, name: ObjectName) -> ObjectRef:
        return self._objects.locate(name.kind, name.name, name.namespace or self._namespace, name.api_version)

    def _must_read(self, ref: ObjectRef) -> Mapping[str, Any]:
        found = self._objects.read(ref)
        if found is None:
            where = f" in namespace {ref.namespace}" if ref.namespace else ""
            raise UserError(f"there is no {ref}{where} to plant a defect in")
        return found

    def _record_object(self, ref: ObjectRef, before: Mapping[str, Any] | None, into: Planted) -> None:
        self._record("object", str(ref), undo_payload(self._target.name, ref, before), into, ref)

    def _record(
        self, kind: str, subject: str, undo: Mapping[str, Any], into: Planted, ref: ObjectRef | None = None
    ) -> None:
        """On disk before the change is made; from here on `unplant` knows of it, made or not."""
        entry_id = self._journal.record(kind=kind, subject=subject, undo=undo, lease_s=NO_LEASE_S)
        into.changes.append(_Change(entry_id, kind, subject, undo, ref))

    def _await_effect(self, ref: ObjectRef) -> str | None:
        """Wait until a workload runs as it is now written. One that cannot is in effect too, which the note says.

        Raises FaultError when its controller never saw the change.
        """
        start_s = time.monotonic()
        hopeless_since_s: float | None = None
        while (state := self._objects.unsettled(ref)) is not None:
            now_s = time.monotonic()
            hopeless_since_s = (hopeless_since_s or now_s) if state.seen and state.hopeless else None
            if hopeless_since_s is not None and now_s - hopeless_since_s >= HOPELESS_AFTER_S:
                return f"{ref} does not settle: {state}"
            if now_s - start_s >= IN_EFFECT_WITHIN_S:
                if not state.seen:
                    raise FaultError(f"{ref}: {state}, so no defect was planted")
                return f"{ref} does not settle: {state}"
            time.sleep(POLL_S)
        return None


def _lag(verb: str, url: str, wanted: Mapping[str, float] | None = None) -> dict[str, float]:
    """Seconds by name, as the load balancer holds them after this call."""
    try:
        answer = httpx.request(verb, url, json=wanted, timeout=HTTP_TIMEOUT_S, trust_env=False)
    except httpx.HTTPError as error:
        raise SetupError(f"the lab's load balancer does not answer: {error}", hint="shiftproof lab status") from error
    if answer.status_code != 200:
        raise UserError(f"the load balancer refuses the lag: {answer.text[:200]}")
    return {name: float(value) for name, value in answer.json().items()}


__all__ = ["Defect", "Planted", "Planter", "planted", "read_defect", "refuse_elsewhere"]
