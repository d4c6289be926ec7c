"""The line of a manifest that a finding is about: where a tired engineer would start to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import Node

from shiftproof.adapters.documents import line_of
from shiftproof.model.platform import Service
from shiftproof.model.verdict import Finding, Verdict

Place = tuple[str | int, ...]

_CONTAINER: Place = ("spec", "template", "spec", "containers", 0)
_LIFECYCLE = (*_CONTAINER, "lifecycle")

#: What a finding says happened (its `pattern`, or the pods' own reason) -> the part of the Deployment that decides it.
PLACES: Mapping[str, Place] = {
    "pod-leaving": _LIFECYCLE,
    "node-leaving": _LIFECYCLE,
    "late-to-let-go": _LIFECYCLE,
    "not-ready-yet": (*_CONTAINER, "readinessProbe"),
    "CreateContainerConfigError": (*_CONTAINER, "env"),
    "ImagePullBackOff": (*_CONTAINER, "image"),
    "ErrImagePull": (*_CONTAINER, "image"),
    "ErrImageNeverPull": (*_CONTAINER, "image"),
    "OOMKilled": (*_CONTAINER, "resources"),
    "Unschedulable": (*_CONTAINER, "resources"),
}


def with_place(finding: Finding, service: Service, infra_dir: Path) -> Finding:
    """The finding with `data["where"]` = "file:line" when it FAILs for a reason that has a place; else as it was."""
    place = _place(finding)
    if finding.verdict is not Verdict.FAIL or place is None:
        return finding
    for path, node in _deployments(infra_dir / service.manifests, service.deployment):
        return replace(finding, data={**finding.data, "where": f"{_shown(path)}:{line_of(node, place)}"})
    return finding


def _shown(path: Path) -> Path:
    """As somebody in the working folder would open it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _place(finding: Finding) -> Place | None:
    pattern = finding.data.get("pattern")
    if isinstance(pattern, str) and pattern in PLACES:
        return PLACES[pattern]
    return next((place for word, place in PLACES.items() if word in finding.reason), None)


def _deployments(folder: Path, name: str) -> Iterator[tuple[Path, Node]]:
    """Deployments of that name in a kustomize folder and those that it builds on."""
    for path, node in _documents(folder):
        head = _plain(node)
        if head.get("kind") == "Deployment" and head.get("name") == name:
            yield path, node


def _documents(folder: Path) -> Iterator[tuple[Path, Node]]:
    for path in sorted(folder.glob("*.yaml")):
        try:
            nodes = list(YAML().compose_all(path.read_text(encoding="utf-8")))
        except (OSError, YAMLError):
            continue  # whoever applies it complains; here it only has no line to show
        for node in nodes:
            yield path, node
            if path.name == "kustomization.yaml":
                for resource in _plain(node).get("resources", []):
                    if (folder / resource).is_dir():
                        yield from _documents((folder / resource).resolve())


def _plain(node: Node) -> dict[str, Any]:
    """kind, metadata.name and resources of a document, as far as they are there."""
    found: dict[str, Any] = {}
    pairs = node.value if isinstance(node.value, list) else []
    for key, value in (pair for pair in pairs if isinstance(pair, tuple)):
        if key.value == "kind":
            found["kind"] = value.value
        elif key.value == "resources":
            found["resources"] = [item.value for item in value.value]
        elif key.value == "metadata":
            found |= {inner.value: content.value for inner, content in value.value if inner.value == "name"}
    return found
