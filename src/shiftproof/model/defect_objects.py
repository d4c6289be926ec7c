"""What a planted defect does to objects of Kubernetes: verbs of `shiftproof.model.defect`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, model_validator

from shiftproof.model.strict import Strict

_KIND = r"[A-Z][A-Za-z0-9]*"
_OBJECT_NAME = r"[^/%\s]{1,253}"  # the API server knows what each kind allows, and is asked before anything is made
_API_VERSION = r"([a-z0-9.-]+/)?v[0-9][a-z0-9]*"
_LOOKS_LIKE = {
    "kind": "kinds look like Deployment, ConfigMap",
    "metadata.name": "a name is text, in quotes where it is a number",
    "metadata.namespace": "a name is text, in quotes where it is a number",
    "apiVersion": "they look like v1, apps/v1",
}


class ObjectName(Strict):
    """Which object. `namespace`: the service's when left out. `api_version`: only where several APIs know the kind."""

    kind: str = Field(pattern=rf"^{_KIND}$", description="as in manifests, e.g. Deployment")
    name: str = Field(min_length=1)
    namespace: str | None = None
    api_version: str | None = Field(default=None, validation_alias=AliasChoices("api_version", "apiVersion"))


class Patch(ObjectName):
    """Change an object that is there. `body` is a mapping, or a list of operations, which only type json has."""

    type: Literal["strategic", "merge", "json"] = "strategic"
    body: dict[str, Any] | list[dict[str, Any]]

    @model_validator(mode="before")
    @classmethod
    def _operations(cls, data: Any) -> Any:
        """A list says by itself which type it is."""
        listed = isinstance(data, Mapping) and isinstance(data.get("body"), list) and "type" not in data
        return {**data, "type": "json"} if listed else data

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.type == "json") != isinstance(self.body, list):
            raise ValueError("body: a list of operations for type json, a mapping for strategic and merge")
        return self


class Create(Strict):
    """Make an object that is not there: its whole manifest."""

    body: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _manifest(cls, data: Any) -> Any:
        """The manifest may stand there without `body:` around it, or be named as patch and delete name theirs."""
        if not isinstance(data, Mapping) or "kind" not in data:
            return data
        return {"body": _merged(data) if "name" in data else data}

    @model_validator(mode="after")
    def _named(self) -> Self:
        metadata = self.body.get("metadata")
        if "kind" not in self.body or not isinstance(metadata, dict) or not metadata.get("name"):
            raise ValueError("a manifest needs kind and metadata.name, or kind and name beside body")
        for name, pattern, value in (
            ("kind", _KIND, self.body["kind"]),
            ("metadata.name", _OBJECT_NAME, metadata["name"]),
            ("metadata.namespace", _OBJECT_NAME, metadata.get("namespace", "default")),
            ("apiVersion", _API_VERSION, self.body.get("apiVersion", "v1")),
        ):
            if not isinstance(value, str) or not re.fullmatch(pattern, value):
                raise ValueError(f"{name}: {value!r} is none: {_LOOKS_LIKE[name]}")
        return self

    @property
    def object(self) -> ObjectName:
        metadata = self.body["metadata"]
        return ObjectName(
            kind=self.body["kind"],
            name=metadata["name"],
            namespace=metadata.get("namespace"),
            api_version=self.body.get("apiVersion"),
        )


def _merged(data: Mapping[str, Any]) -> dict[str, Any]:
    """{kind, name, namespace, api_version, body} as a manifest. What is beside `body` names the object."""
    unknown = set(data) - {"kind", "name", "namespace", "api_version", "apiVersion", "body"}
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]} is not known beside name: it belongs into body")
    body = data.get("body", {})
    if not isinstance(body, Mapping) or not isinstance(body.get("metadata", {}), Mapping):
        raise ValueError("body: the rest of the manifest, a mapping")  # noqa: TRY004 (pydantic takes no TypeError)
    metadata = {**body.get("metadata", {}), "name": data["name"]}
    metadata |= {"namespace": data["namespace"]} if data.get("namespace") is not None else {}
    version = data.get("apiVersion", data.get("api_version"))
    return {
        **body,
        **({"apiVersion": version} if version is not None else {}),
        "kind": data["kind"],
        "metadata": metadata,
    }
