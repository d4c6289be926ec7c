"""Any object of the cluster: find, patch, create, delete, and put back exactly as it was.

A strategic patch cannot be inverted: what it merged into a list looks the same as what was there. So an object is
recorded whole before it is changed, and put back whole, which also removes what the change added.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from shiftproof.adapters.kubernetes.api import Api, Json, KubernetesError, connect
from shiftproof.adapters.kubernetes.kinds import Kinds, ObjectRef
from shiftproof.adapters.kubernetes.settling import Unsettled, unsettled
from shiftproof.errors import SetupError, UndoError, UserError

PatchType = Literal["strategic", "merge", "json"]

CONTENT_TYPES: Mapping[PatchType, str] = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}

GONE_WITHIN_S = 60.0
SETTLED_WITHIN_S = 180.0
POLL_S = 0.2
_ATTEMPTS = 10

#: Kinds that may be deleted and made anew when a field cannot be changed back: they hold no state of their own.
_REPLACEABLE = frozenset({"ConfigMap", "Secret", "Service", "Ingress", "Job", "PodDisruptionBudget"})

#: Kinds whose deletion takes with it what a recorded object does not hold.
IRREPLACEABLE = frozenset(
    {
        "Namespace",
        "Node",
        "NodePool",
        "NodeClaim",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "CustomResourceDefinition",
        "APIService",
    }
)

_KEPT_METADATA = ("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences")
_SERVERS_ANNOTATIONS = frozenset({"deployment.kubernetes.io/revision"})


class Objects:
    """Objects of any kind that the API server knows, by kind and name."""

    def __init__(self, api: Api, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._kinds = Kinds(api)
        self._sleep = sleep

    def locate(self, kind: str, name: str, namespace: str, api_version: str | None = None) -> ObjectRef:
        """Where such an object is or would be; see Kinds.locate."""
        return self._kinds.locate(kind, name, namespace, api_version)

    def read(self, ref: ObjectRef) -> Json | None:
        """The live object, or None. Items carry kind and version here, as a single GET gives them."""
        return self._api.find(ref.path)

    def patch(self, ref: ObjectRef, kind: PatchType, body: Any, *, dry_run: bool = False) -> Json:
        """The object as it is then; dry_run: as it would be. Raises UserError when the API server finds it wrong."""
        try:
            return self._api.patch(ref.path, cast("Json", body), CONTENT_TYPES[kind], **_query(dry_run))
        except KubernetesError as error:
            raise _users_mistake(error, f"the patch of {ref}") from error

    def create(self, ref: ObjectRef, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        """Raises UserError when the API server finds the manifest wrong. dry_run: nothing is kept."""
        body = {**manifest, "apiVersion": ref.api_version, "kind": ref.kind}
        if ref.namespace is not None:
            body["metadata"] = {**body.get("metadata", {}), "namespace": ref.namespace}
        try:
            return self._api.post(ref.collection, body, **_query(dry_run))
        except KubernetesError as error:
            raise _users_mistake(error, f"creating {ref}") from error

    def delete(self, ref: ObjectRef) -> None:
        """Delete it and wait until that very object is gone; nothing happens when it is not there. Raises UndoError."""
        live = self.read(ref)
        if live is None:
            return
        try:
            self._api.delete(ref.path, {"propagationPolicy": "Background"})
        except KubernetesError as error:
            if error.status != 404:
                raise
        self._await_gone(ref, live)

    def restore(self, ref: ObjectRef, before: Mapping[str, Any] | None, uid: str | None = None) -> None:
        """Make it as it was (None: not there), and look at it again. Idempotent; raises UndoError.

        uid: which one was recorded. Where a controller owns it, only that very one is put back: once it is gone, its
        controller has made another, and ours would be one too many.

        Does not wait for a workload to settle: what it waits for may be another object that is yet to be put back.
        """
        if before is None:
            self.delete(ref)
            return
        if _has_controller(before) and not self._is_there(ref, uid):
            return
        scaled = self._is_scaled(ref)
        self._put_back(ref, before, scaled)
        self._await(lambda: self._difference(ref, before, scaled), GONE_WITHIN_S)

    def wait_settled(self, ref: ObjectRef, within_s: float = SETTLED_WITHIN_S) -> None:
        """Wait until only the workload's newest template runs, healthy; at once for other kinds. Raises UndoError."""
        self._await(lambda: str(problem) if (problem := self.unsettled(ref)) else None, within_s)

    def unsettled(self, ref: ObjectRef) -> Unsettled | None:
        """What is still missing until a workload has settled; None when nothing is, or it is no workload."""
        return unsettled(self._api, ref.kind, self.read(ref))

    def _is_there(self, ref: ObjectRef, uid: str | None) -> bool:
        """That very object, and to stay."""
        metadata = (self.read(ref) or {}).get("metadata", {})
        return uid is not None and metadata.get("uid") == uid and "deletionTimestamp" not in metadata

    # --- putting back -------------------------------------------------------------------------------------------

    def _put_back(self, ref: ObjectRef, before: Mapping[str, Any], scaled: bool) -> None:
        for _ in range(_ATTEMPTS):
            live = self.read(ref)
            try:
                if live is None:
                    self._api.post(ref.collection, cleaned(before))
                elif "deletionTimestamp" in live["metadata"]:
                    self._await_gone(ref, live)
                    continue
                elif not _differences(live, before, scaled):
                    return
                else:
                    self._api.put(ref.path, _replacement(live, before, scaled))
                return
            except KubernetesError as error:
                if error.status == 422 and live is not None and ref.kind in _REPLACEABLE:
                    self.delete(ref)
                elif error.status not in (404, 409):  # 409, 404: changed or gone since we looked, so look again
                    raise UndoError(f"{ref} could not be put back: {error}") from error
        raise UndoError(f"{ref} could not be put back: something else changes it all the time")

    def _difference(self, ref: ObjectRef, before: Mapping[str, Any], scaled: bool) -> str | None:
        live = self.read(ref)
        if live is None:
            return f"{ref} is not there"
        different = _differences(live, before, scaled)
        return f"{ref} still differs in {', '.join(different)}" if different else None

    def _await_gone(self, ref: ObjectRef, was: Mapping[str, Any]) -> None:
        """Wait until this very object is gone; another of the same name may be there by then."""

        def missing() -> str | None:
            now = self.read(ref)
            gone = now is None or now["metadata"]["uid"] != was["metadata"]["uid"]
            return None if gone else f"{ref} is not gone"

        self._await(missing, GONE_WITHIN_S)

    def _is_scaled(self, ref: ObjectRef) -> bool:
        """True when an autoscaler owns this workload's number of replicas."""
        if ref.namespace is None or ref.kind not in ("Deployment", "StatefulSet"):
            return False
        path = f"/apis/autoscaling/v2/namespaces/{ref.namespace}/horizontalpodautoscalers"
        listed = self._api.find(path)
        aims = [scaler["spec"]["scaleTargetRef"] for scaler in listed["items"]] if listed is not None else []
        return any((aim["kind"], aim["name"]) == (ref.kind, ref.name) for aim in aims)

    def _await(self, missing: Callable[[], str | None], within_s: float) -> None:
        give_up_s = time.monotonic() + within_s
        while (said := missing()) is not None:
            if time.monotonic() >= give_up_s:
                raise UndoError(f"not put back after {within_s:g} s: {said}", hint="run: shiftproof recover")
            self._sleep(POLL_S)


def cleaned(thing: Mapping[str, Any]) -> Json:
    """The object as somebody would have written it: less status and what the server fills in. A copy."""
    kept: Json = copy.deepcopy({key: value for key, value in thing.items() if key != "status"})
    metadata = kept.get("metadata", {})
    kept["metadata"] = {key: metadata[key] for key in _KEPT_METADATA if metadata.get(key)}
    annotations = kept["metadata"].pop("annotations", {})
    own = {key: value for key, value in annotations.items() if key not in _SERVERS_ANNOTATIONS}
    if own:
        kept["metadata"]["annotations"] = own
    return kept


def undo_payload(target: str, ref: ObjectRef, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the undo journal keeps of an object that is about to be changed; `restore_object` reads it."""
    return {
        "target": target,
        "api_version": ref.api_version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "before": cleaned(before) if before is not None else None,
        "uid": before["metadata"].get("uid") if before is not None else None,
    }


def restore_object(payload: Mapping[str, Any]) -> None:
    """Undo handler of journal entries of kind "object". Idempotent; raises UndoError."""
    from shiftproof.adapters.targets import load_target

    objects = Objects(Api(connect(load_target(str(payload["target"])))))
    restore_with(objects, payload)


def restore_with(objects: Objects, payload: Mapping[str, Any]) -> None:
    """`restore_object` over a connection that is there already."""
    ref = objects.locate(payload["kind"], payload["name"], payload["namespace"] or "", payload["api_version"])
    objects.restore(ref, payload["before"], payload.get("uid"))


def _query(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _replacement(live: Mapping[str, Any], before: Mapping[str, Any], scaled: bool) -> Json:
    """The recorded object, to be written over the live one: refused by the server if that has changed since."""
    body = cleaned(before)
    body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    kept = {key: value for key, value in _annotations(live).items() if key in _SERVERS_ANNOTATIONS}
    if kept:
        body["metadata"]["annotations"] = {**body["metadata"].get("annotations", {}), **kept}
    if scaled:
        # The autoscaler has its reasons for more pods than there were: putting fewer back would cost capacity now.
        body["spec"]["replicas"] = max(int(live["spec"].get("replicas", 1)), int(body["spec"].get("replicas", 1)))
    return body


def _differences(live: Mapping[str, Any], before: Mapping[str, Any], scaled: bool) -> list[str]:
    """Top-level fields in which they differ, as far as people write them."""
    now, then = _comparable(live, scaled), _comparable(before, scaled)
    return sorted(key for key in now.keys() | then.keys() if now.get(key) != then.get(key))


def _comparable(thing: Mapping[str, Any], scaled: bool) -> Json:
    kept = cleaned(thing)
    kept.pop("apiVersion", None)
    kept.pop("kind", None)
    kept["metadata"] = {key: kept["metadata"].get(key) for key in ("labels", "annotations")}
    if scaled and "spec" in kept:
        kept["spec"].pop("replicas", None)
    return kept


def _annotations(thing: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = thing["metadata"].get("annotations") or {}
    return found


def _has_controller(thing: Mapping[str, Any]) -> bool:
    return any(owner.get("controller") for owner in thing["metadata"].get("ownerReferences") or ())


def _users_mistake(error: KubernetesError, what: str) -> UserError | SetupError:
    """400, 403, 404, 409, 415 and 422 are about what was asked for; anything else is about the server."""
    if error.status in (400, 403, 404, 409, 415, 422):
        return UserError(f"{what} is refused: {str(error).split(': ', 1)[-1]}")
    return error
