"""A digest over the live objects of a service, for the proof to name: what was proven is what is shifted to."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

ROLLED = "shiftproof.dev/rolled"
"""The template annotation that `roll` writes. Not part of the digest: a gate must not change what it proves."""

_SERVER_METADATA = frozenset(
    {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid", "ownerReferences"}
)
_NOT_WRITTEN_BY_TEAM = frozenset(
    {ROLLED, "deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"}
)


def digest(objects: Iterable[Mapping[str, Any]], *, scaled: bool) -> str:
    """sha256 (hex) over `objects` in a fixed order, less status and what servers fill in.

    scaled: an autoscaler owns spec.replicas of Deployments, so that figure is left out.
    """
    parts = sorted((_name(thing), json.dumps(_stripped(thing, scaled), sort_keys=True)) for thing in objects)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _name(thing: Mapping[str, Any]) -> str:
    return f"{thing.get('kind', '')}/{thing['metadata']['name']}"


def _stripped(thing: Mapping[str, Any], scaled: bool) -> dict[str, Any]:
    kept: dict[str, Any] = copy.deepcopy({key: value for key, value in thing.items() if key != "status"})
    if kept.get("kind") == "Secret":
        # Values stay out even of a hash, which could be searched for weak ones; any write to it changes this.
        version = kept["metadata"].get("resourceVersion")
        kept["data"] = {"keys": sorted(kept.get("data") or {}), "resourceVersion": version}
    kept["metadata"] = _stripped_metadata(kept["metadata"])
    if kept.get("kind") == "Deployment":
        kept["spec"]["template"]["metadata"] = _stripped_metadata(kept["spec"]["template"].get("metadata") or {})
        if scaled:
            kept["spec"].pop("replicas", None)
    return kept


def _stripped_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in metadata.items() if key not in _SERVER_METADATA}
    annotations = {
        key: value for key, value in (kept.pop("annotations", None) or {}).items() if key not in _NOT_WRITTEN_BY_TEAM
    }
    if annotations:
        kept["annotations"] = annotations
    return kept


def referenced(template: Mapping[str, Any]) -> set[tuple[str, str]]:
    """("configmaps" or "secrets", name) that a pod template reads: environment, volumes, pull secrets."""
    spec = template.get("spec", {})
    found: set[tuple[str, str]] = set()
    for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        for source in container.get("envFrom", []):
            found |= _named(source, "configMapRef", "secretRef")
        for variable in container.get("env", []):
            found |= _named(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef")
    for volume in spec.get("volumes", []):
        found |= _in_volume(volume)
    return found | {("secrets", pull["name"]) for pull in spec.get("imagePullSecrets", [])}


def _in_volume(volume: Mapping[str, Any]) -> set[tuple[str, str]]:
    found = _named(volume, "configMap", "")
    if "secret" in volume:
        found.add(("secrets", str(volume["secret"]["secretName"])))
    for source in (volume.get("projected") or {}).get("sources", []):
        found |= _named(source, "configMap", "secret")
    return found


def _named(source: Mapping[str, Any], map_key: str, secret_key: str) -> set[tuple[str, str]]:
    keys = (("configmaps", map_key), ("secrets", secret_key))
    return {(plural, str(source[key]["name"])) for plural, key in keys if key in source}
