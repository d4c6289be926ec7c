"""A planted defect as people write it in `experiments/defects/*.yaml`; shiftproof.gate.planting reads and plants it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    model_validator,
)

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
    """The load balancer: seconds between what its API says and what traffic does, and how long clients stick.

    registration_s: for targets that come, and for those that leave unless deregistration_s says otherwise.
    stickiness_s: on the `weighted` rehearsal rule, as an ALB's target group stickiness.
    """

    weights_s: NonNegativeFloat | None = None
    registration_s: NonNegativeFloat | None = None
    deregistration_s: NonNegativeFloat | None = None
    stickiness_s: PositiveInt | None = Field(default=None, le=604_800)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError(f"say one of {', '.join(type(self).model_fields)}")
        return self


def _as_text(value: Any) -> Any:
    """Environments hold text; a number may be written as one. What YAML takes for a truth value has no such text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Setting = Annotated[str | None, BeforeValidator(_as_text)]


class LegacyChange(Strict):
    """The service's process on legacy machines. env: on top of its settings, null takes one away; stop: by SIGTERM."""

    hosts: Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all"
    env: dict[VariableName, Setting] = Field(default_factory=dict)
    stop: bool = False

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.env and not self.stop:
            raise ValueError("say env, or stop: true")
        return self


class Way(Strict):
    """From one end to another: legacy, cluster, database, load-balancer, a machine's name, or an address of the lab."""

    source: str = Field(alias="from", min_length=1)
    destination: str = Field(alias="to", min_length=1)


class Deny(Way):
    """Packets from one to the other are dropped; with `port`, those to that port only."""

    port: PositiveInt | None = Field(default=None, le=65535)


class DropIdle(Way):
    """Packets of connections between the two that were silent for `after_s` are dropped, in both directions."""

    after_s: float = Field(ge=0.1, le=3600)


class Delay(Way):
    """Packets from one to the other take `ms` longer."""

    ms: PositiveFloat = Field(ge=1, le=60_000)


class NetworkChange(Strict):
    """One network fault."""

    deny: Deny | None = None
    drop_idle: DropIdle | None = None
    delay: Delay | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError(f"say exactly one of {', '.join(type(self).model_fields)}")
        return self


class Step(Strict):
    """One change: exactly one verb. Steps are made in order and undone in reverse.

    when: the phase whose first start it waits for; at the start of the gate if left out.
    """

    when: Name | None = None
    patch: Patch | None = None
    create: Create | None = None
    delete: ObjectName | None = None
    router: RouterChange | None = None
    legacy: LegacyChange | None = None
    sql: str | None = Field(default=None, min_length=1)
    undo: str | None = Field(default=None, min_length=1, description="of sql")
    network: NetworkChange | None = None
    _place: tuple[Path, int] | None = PrivateAttr(default=None)

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

    @property
    def place(self) -> tuple[Path, int] | None:
        """The file and the 1-based line in which it is written; None when it was not read from a file."""
        return self._place

    def is_at(self, file: Path, line: int) -> None:
        """Said once, by whoever reads the file: so that what goes wrong later can name the line."""
        self._place = (file, line)


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
