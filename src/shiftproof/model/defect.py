"""A planted defect as people write it in `experiments/defects/*.yaml`; shiftproof.gate.planting reads and plants it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    model_validator,
)

from shiftproof.model.defect_events import NodesChange, QueueChange
from shiftproof.model.defect_objects import Create, ObjectName, Patch
from shiftproof.model.strict import Name, Strict

VERBS = ("patch", "create", "delete", "router", "legacy", "sql", "network", "nodes", "queue")

GATE = "gate"
"""What most defects are caught by."""
REHEARSAL = "rehearse "
"""How the name of a load event is written in `run`."""


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

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        """The fields are few, so one that is not known is answered with all of them."""
        unknown = [str(key) for key in data if key not in cls.model_fields] if isinstance(data, Mapping) else []
        if unknown:
            raise ValueError(f"has no {unknown[0]}: it has {', '.join(cls.model_fields)}")
        return data


def _as_text(value: Any) -> Any:
    """Environments hold text; a number or a truth value may be written as one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _as_hosts(value: Any) -> Any:
    """One host needs no list; and the error is in words, where a union's would be two."""
    hosts = [value] if isinstance(value, str) and value != "all" else value
    if hosts != "all" and not (isinstance(hosts, list | tuple) and hosts and all(isinstance(h, str) for h in hosts)):
        raise ValueError("all, or the name of a legacy machine, or a list of names")
    return hosts


VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Setting = Annotated[str | None, BeforeValidator(_as_text)]


class LegacyChange(Strict):
    """The service's process on legacy machines. env: on top of its settings, null takes one away; stop: by SIGTERM."""

    hosts: Annotated[Literal["all"] | tuple[str, ...], BeforeValidator(_as_hosts)] = "all"
    env: dict[VariableName, Setting] = Field(default_factory=dict)
    stop: bool = False

    @model_validator(mode="before")
    @classmethod
    def _process(cls, data: Any) -> Any:
        """`process: stop` is another way to say `stop: true`."""
        if not isinstance(data, Mapping) or "process" not in data:
            return data
        if data["process"] != "stop" or "stop" in data:
            raise ValueError("process: stop is all that can be done to it (or stop: true)")
        return {**{key: value for key, value in data.items() if key != "process"}, "stop": True}

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.env and not self.stop:
            raise ValueError("say env, or stop: true")
        return self


_OTHER_NAMES = {"pods": "cluster", "lb": "load-balancer"}
End = Annotated[str, BeforeValidator(lambda end: _OTHER_NAMES.get(end, end) if isinstance(end, str) else end)]


class Way(Strict):
    """From one end to another: legacy, cluster (or pods), database, load-balancer (or lb), a machine, or an address."""

    source: End = Field(alias="from", min_length=1)
    destination: End = Field(alias="to", min_length=1)


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
    nodes: NodesChange | None = None
    queue: QueueChange | None = None
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


def _as_one_text(value: Any) -> Any:
    """Where it happened more than once, a list of places."""
    if isinstance(value, list) and value and all(isinstance(place, str) for place in value):
        return ", ".join(value)
    return value


class Expect(Strict):
    """Which claim must catch it."""

    claim: Name


class Defect(Strict):
    """One cutover defect. evidence: where it really happened, so that nobody plants what cannot be.

    run: what must catch it: a gate, or the rehearsal of a load event ("rehearse payday").
    """

    id: Name
    title: str = Field(min_length=1)
    evidence: Annotated[str, BeforeValidator(_as_one_text)] = Field(min_length=1)
    service: Name
    run: str = Field(default=GATE, pattern=rf"^({GATE}|{REHEARSAL}[a-z]([a-z0-9-]{{0,50}}[a-z0-9])?)$")
    plant: tuple[Step, ...] = Field(min_length=1)
    expect: Expect

    @property
    def event(self) -> str | None:
        """The load event whose rehearsal must catch it; None: a gate must."""
        return self.run.removeprefix(REHEARSAL) if self.run != GATE else None
