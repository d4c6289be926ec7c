"""What users write in `infra/platform.yaml`; how its services and workers scale is model.scaling's."""

from __future__ import annotations

import math
import re
from datetime import date, time
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from shiftproof.model.probe import NEVER_IGNORED, never_ignored
from shiftproof.model.scaling import Scaling, Worker
from shiftproof.model.strict import Name, Pct, Share, Strict

#: What an operation's path, headers and body may ask to have filled in.
PLACEHOLDERS = frozenset({"account", "key", "amount", "id"})


class Availability(Strict):
    """Rates of attributed failures: PASS rules out `unacceptable`; at `acceptable` FAIL is rare (see judge)."""

    acceptable: Share = 0.0001
    unacceptable: Share = 0.001

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.acceptable >= self.unacceptable:
            raise ValueError(f"acceptable ({self.acceptable:g}) must be below unacceptable ({self.unacceptable:g})")
        return self


class Latency(Strict):
    """A request slower than `threshold_ms` misses. The cluster may miss more often than legacy by `margin` at most.

    tail_ratio: how many times the 99th percentile of legacy at rest the cluster's tail may reach, below the threshold.
    """

    threshold_ms: PositiveFloat = 500
    margin: Share = 0.05
    tail_ratio: float = Field(default=2.0, ge=1)


class Objectives(Strict):
    availability: Availability = Availability()
    latency: Latency = Latency()
    deploy_within_s: PositiveFloat = 60
    rollback_within_s: PositiveFloat = 10
    outage_ms: PositiveFloat = Field(default=1.0, description="longest outage allowed in a graceful phase")


class Operation(Strict):
    """One request of the load. Filled in: `{account}`, `{key}` (idempotency key), `{amount}`, `{id}` (of a create)."""

    name: Name
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str = Field(pattern=r"^/")
    share: PositiveFloat = 1.0
    body: dict[str, str | int | float | bool] | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    expect_status: tuple[int, ...] = (200, 201)
    remember: str | None = Field(default=None, description="field of the answer that later operations use as {id}")
    expect_fields: tuple[str, ...] = Field(default=(), description="fields that a good answer must have")

    def placeholders(self) -> frozenset[str]:
        """Names in braces in the path, the headers and the body."""
        texts = [self.path, *self.headers.values(), *map(str, (self.body or {}).values())]
        return frozenset(name for text in texts for name in re.findall(r"\{([^{}]*)\}", text))

    @model_validator(mode="after")
    def _fillable(self) -> Self:
        unknown = sorted(self.placeholders() - PLACEHOLDERS)
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS))
            raise ValueError(f"{{{unknown[0]}}} cannot be filled in; known are {known}")
        return self


#: Times what can pile up until requests time out.
_PILE_UP = 1.5


class Load(Strict):
    """The open-loop load of pairs."""

    pairs_per_s: PositiveFloat = 150
    customers_per_s: PositiveFloat = 20
    probes_per_s: NonNegativeFloat = Field(
        default=2, le=10, description="conversations of each kind: parity, duplicates; 0: none, and nothing is proven"
    )
    timeout_s: PositiveFloat = 2
    in_flight_per_side: PositiveInt | None = Field(
        default=None,
        description="requests of one side under way at once; by default more than can pile up in timeout_s",
    )
    accounts_prefix: str = Field(default="test-", min_length=1, description="our accounts; customers never have them")
    accounts: PositiveInt = 100
    quiet_s: PositiveFloat = Field(default=8, description="how long our load pauses to let connections fall idle")
    peak_per_s: PositiveFloat | None = Field(
        default=None, description="requests a second at the service's peak, all customers together"
    )
    operations: tuple[Operation, ...] = Field(min_length=1)

    @property
    def most_in_flight(self) -> int:
        """Of one side. At least what piles up until the first time-out: a side that only pauses must not be charged
        with requests that nobody refused.
        """
        return self.in_flight_per_side or math.ceil(_PILE_UP * self.pairs_per_s * self.timeout_s)

    @model_validator(mode="after")
    def _holds_a_pause(self) -> Self:
        least = math.ceil(self.pairs_per_s * self.timeout_s)
        if self.in_flight_per_side is not None and self.in_flight_per_side < least:
            raise ValueError(
                f"in_flight_per_side: {self.in_flight_per_side} is less than {least}, which pile up in timeout_s at"
                f" {self.pairs_per_s:g} pairs/s: what a short pause only delays would count as failed"
            )
        return self

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """In a rollback the old side gets both requests of each triple that are not pinned to the new one."""
        ours = 2 * self.pairs_per_s + self.customers_per_s
        if self.peak_per_s is not None and ours > self.peak_per_s:
            raise ValueError(
                f"our own load would be above the peak: in a rollback 2 x {self.pairs_per_s:g} pairs and"
                f" {self.customers_per_s:g} customers a second come to the old side; peak_per_s is {self.peak_per_s:g}"
            )
        return self

    @model_validator(mode="after")
    def _remembered(self) -> Self:
        asking = [one.name for one in self.operations if "id" in one.placeholders()]
        if asking and not any(one.remember for one in self.operations):
            raise ValueError(f"operation {asking[0]!r} asks for {{id}}, and no operation has `remember`")
        return self


class LoadBalancer(Strict):
    """Names in AWS: the listener's load balancer, the two target groups, and the tag values that find the rules."""

    name: Name
    legacy_target_group: Name
    cluster_target_group: Name


class Connections(Strict):
    """For the preflight's sum: legacy pools + (max replicas + surge) x pool <= limit - reserved."""

    legacy_total: NonNegativeInt
    per_pod: PositiveInt
    database_limit: PositiveInt
    reserved: NonNegativeInt = 10


def _ignorable(path: str) -> str:
    if never_ignored(path):
        known = ", ".join(sorted(NEVER_IGNORED))
        raise ValueError(f"{path!r} can never be ignored: fields of {known} and the HTTP status are about money")
    return path


class Parity(Strict):
    """What both sides must answer alike is everything, but for what a person accepted as noise here.

    ignore: paths as a finding names them, e.g. "note" or "items[].seen_at"; each leaves out that one field, never what
    lies below it.
    """

    ignore: tuple[Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_ignorable)], ...] = ()


class Duplicates(Strict):
    """Each operation with {key} is sent twice. A service that has none says why that is right."""

    not_applicable: str | None = Field(default=None, min_length=1, description="why nothing can be sent twice")


class Service(Strict):
    name: Name
    namespace: Name
    deployment: Name
    manifests: str = Field(description="kustomize folder, relative to the platform file's folder")
    health_path: str = Field(default="/ready", pattern=r"^/")
    load_balancer: LoadBalancer
    objectives: Objectives = Objectives()
    load: Load
    experiments: tuple[Name, ...] = ()
    cleanup: tuple[str, ...] = Field(default=(), description="in the service's image: removes our traffic")
    connections: Connections | None = None
    legacy_hosts_for_peak: PositiveInt | None = Field(
        default=None, description="healthy legacy hosts that it takes to take everything back; None: not declared"
    )
    parity: Parity = Parity()
    duplicates: Duplicates = Duplicates()
    scaling: Scaling | None = Field(default=None, description="None: its pods do not scale, so no event is rehearsed")


class Wave(Strict):
    """One step of the migration's plan: services that move together, and the weights they stop at."""

    name: Name
    services: tuple[Name, ...] = Field(min_length=1)
    weights_pct: tuple[Pct, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(later <= earlier for earlier, later in zip(self.weights_pct, self.weights_pct[1:], strict=False)):
            raise ValueError(f"wave {self.name!r}: weights_pct must rise")
        return self


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Window(Strict):
    """A peak window in which nothing moves on the targets named (none named: all but the lab).

    Days of the week, of the month and dates add up; none of them given means every day. From `start` (included) to
    `end` (excluded; none: the end of the day), local time. An end before the start is on the next day.
    """

    name: Name
    timezone: str = "UTC"
    days: tuple[Weekday, ...] = ()
    days_of_month: tuple[Annotated[int, Field(ge=1, le=31)], ...] = ()
    dates: tuple[date, ...] = ()
    start: time = time(0, 0)
    end: time | None = None
    targets: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _long(self) -> Self:
        if self.start == self.end:
            raise ValueError(f"window {self.name!r} ends when it starts; leave out both for the whole day")
        if self.start.tzinfo or (self.end and self.end.tzinfo):
            raise ValueError(f"window {self.name!r}: give the zone as `timezone`, not in start or end")
        return self


class Platform(Strict):
    version: Literal[1]
    name: Name
    services: tuple[Service, ...] = Field(min_length=1)
    workers: tuple[Worker, ...] = ()
    waves: tuple[Wave, ...] = ()
    windows: tuple[Window, ...] = ()
