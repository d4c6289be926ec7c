"""A planted defect as people write it in `experiments/defects/*.yaml`; shiftproof.gate.defects reads and plants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, NonNegativeFloat, model_validator

from shiftproof.model.platform import Name, Strict

VERBS = ("patch", "create", "delete", "router", "legacy", "sql", "network")


class ObjectName(Strict):
    """Which object. `namespace`: the service's when left out. `api_version`: only where several APIs know the kind."""

    kind: str = Field(pattern=r"^[A-Z][A-Za-z0-9]*$", description="as in manifests, e.g. Deployment")
    name: str = Field(min_length=1)
    namespace: str | None = None
    api_version: str | None = Field(default=None, validation_alias=AliasChoices("api_version", "apiVersion"))


class Patch(ObjectName):
    """Change an object that is there. `body` is a mapping, or for type json a list of operations."""

    type: Literal["strategic", "merge", "json"] = "strategic"
    body: dict[str, Any] | list[dict[str, Any]]

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
    def _bare_manifest(cls, data: Any) -> Any:
        """The manifest may also stand there without `body:` around it."""
        return {"body": data} if isinstance(data, Mapping) and "kind" in data else data

    @model_validator(mode="after")
    def _named(self) -> Self:
        metadata = self.body.get("metadata")
        if not isinstance(self.body.get("kind"), str) or not isinstance(metadata, dict) or not metadata.get("name"):
            raise ValueError("a manifest needs kind and metadata.name")
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


class RouterChange(Strict):
    """The load balancer's lag, in seconds: between what its API says and what traffic does."""

    weights_s: NonNegativeFloat | None = None
    registration_s: NonNegativeFloat | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.weights_s is None and self.registration_s is None:
            raise ValueError("say weights_s or registration_s")
        return self


class Step(Strict):
    """One change: exactly one verb. Steps are made in order and undone in reverse."""

    patch: Patch | None = None
    create: Create | None = None
    delete: ObjectName | None = None
    router: RouterChange | None = None
    legacy: dict[str, Any] | None = None
    sql: str | None = Field(default=None, min_length=1)
    undo: str | None = Field(default=None, min_length=1, description="of sql")
    network: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_verb(self) -> Self:
        given = [verb for verb in VERBS if getattr(self, verb) is not None]
        if len(given) != 1:
            said = f"has {' and '.join(given)}" if given else "has none"
            raise ValueError(f"a step needs exactly one of {', '.join(VERBS)}; this one {said}")
        if (self.sql is None) != (self.undo is None):
            raise ValueError("sql needs undo beside it, and undo is only for sql")
        return self

    @property
    def verb(self) -> str:
        return next(verb for verb in VERBS if getattr(self, verb) is not None)


class Expect(Strict):
    """Which claim must catch it."""

    claim: Name


class Defect(Strict):
    """One cutover defect. evidence: where it really happened, so that nobody plants what cannot be."""

    id: Name
    title: str = Field(min_length=1)
    evidence: str = Field(min_length=1)
    service: Name
    plant: tuple[Step, ...] = Field(min_length=1)
    expect: Expect
