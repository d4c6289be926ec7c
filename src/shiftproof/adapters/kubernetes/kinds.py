"""Kinds of objects as the API server itself lists them: where they live, and whether they have a namespace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from shiftproof.adapters.kubernetes.api import Api, KubernetesError
from shiftproof.errors import UserError


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object; `namespace` is None for kinds that have none. `path` is its place in the API."""

    api_version: str
    kind: str
    namespace: str | None
    name: str
    path: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"

    @property
    def collection(self) -> str:
        return self.path.rsplit("/", 1)[0]


@dataclass(frozen=True, slots=True)
class _Resource:
    api_version: str
    kind: str
    plural: str
    namespaced: bool


class Kinds:
    """What the cluster knows. Asked for once, when first needed."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def locate(self, kind: str, name: str, namespace: str, api_version: str | None = None) -> ObjectRef:
        """Where such an object is or would be; `namespace` is left out for kinds that have none.

        Raises UserError: a kind that the cluster does not know, or that several of its APIs know.
        """
        resource = self._resource(kind, api_version)
        root = "/api" if "/" not in resource.api_version else "/apis"
        within = f"/namespaces/{namespace}" if resource.namespaced else ""
        path = f"{root}/{resource.api_version}{within}/{resource.plural}/{name}"
        return ObjectRef(resource.api_version, kind, namespace if resource.namespaced else None, name, path)

    def _resource(self, kind: str, api_version: str | None) -> _Resource:
        if api_version is not None:
            found = [resource for resource in self._listed(api_version) if resource.kind == kind]
        else:
            found = [resource for resource in self._known if resource.kind == kind]
            # Where the core has the kind, that one is meant (events have two homes).
            found = [resource for resource in found if "/" not in resource.api_version] or found
        if not found:
            of_version = f" of {api_version}" if api_version else ""
            raise UserError(
                f"the cluster knows no kind {kind!r}{of_version}", hint="kinds look like Deployment, Secret"
            )
        if len(found) > 1:
            homes = ", ".join(resource.api_version for resource in found)
            raise UserError(f"several APIs know a kind {kind!r}", hint=f"say which one with api_version: {homes}")
        return found[0]

    @cached_property
    def _known(self) -> list[_Resource]:
        groups = self._api.get("/apis").get("groups", [])
        versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
        return [resource for version in versions for resource in self._listed(version)]

    def _listed(self, api_version: str) -> list[_Resource]:
        """What one API serves; nothing when it is not there or not available (metrics may be away)."""
        try:
            found = self._api.get(("/api/" if "/" not in api_version else "/apis/") + api_version)
        except KubernetesError as error:
            if error.status is None:
                raise
            return []
        return [
            _Resource(api_version, entry["kind"], entry["name"], entry["namespaced"])
            for entry in found.get("resources", [])
            if "/" not in entry["name"]
        ]
