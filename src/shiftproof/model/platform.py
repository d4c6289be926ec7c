"""What users write in `infra/platform.yaml` and `infra/targets/*.yaml`, checked by pydantic.

Only these are pydantic: they come from people, so every error must name its place. Reading the files (and turning an
error into `file:line: what is wrong`) is shiftproof.gate.config's work.
"""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt

Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Pct = Annotated[int, Field(ge=0, le=100)]


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt objective must not silently fall back to a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Availability(Strict):
    """Rates of attributed failures: PASS rules out `unacceptable`; at `acceptable` FAIL is rare (see judge)."""

    acceptable: Share = 0.0001
    unacceptable: Share = 0.001


class Latency(Strict):
    """A request slower than `threshold_ms` misses. The cluster may miss more often than legacy by `margin` at most."""

    threshold_ms: PositiveFloat = 500
    margin: Share = 0.05


class Objectives(Strict):
    availability: Availability = Availability()
    latency: Latency = Latency()
    deploy_within_s: PositiveFloat = 60
    rollback_within_s: PositiveFloat = 10
    outage_ms: PositiveFloat = Field(default=1.0, description="longest outage allowed in a graceful phase")


class Operation(Strict):
    """One request of the load. `{account}`, `{key}` (idempotency key), `{amount}`, `{id}` (of an earlier create) are filled in."""

    name: Name
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str = Field(pattern=r"^/")
    share: PositiveFloat = 1.0
    body: dict[str, str | int | float | bool] | None = None
    headers: dict[str, str] = {}
    expect_status: tuple[int, ...] = (200, 201)
    remember: str | None = Field(default=None, description="field of the answer that later operations use as {id}")
    expect_fields: tuple[str, ...] = Field(default=(), description="fields that a good answer must have")


class Load(Strict):
    """The open-loop load of pairs."""

    pairs_per_s: PositiveFloat = 150
    customers_per_s: PositiveFloat = 20
    timeout_s: PositiveFloat = 2
    in_flight_per_side: PositiveInt = 200
    accounts_prefix: str = Field(default="test-", min_length=1, description="our accounts; customers never have them")
    accounts: PositiveInt = 100
    operations: tuple[Operation, ...] = Field(min_length=1)


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
    connections: Connections | None = None
    legacy_hosts_for_peak: PositiveInt = Field(default=1, description="healthy legacy hosts that can take everything back")


class Wave(Strict):
    """One step of the migration's plan: services that move together, and the weights they stop at."""

    name: Name
    services: tuple[Name, ...] = Field(min_length=1)
    weights_pct: tuple[Pct, ...] = Field(min_length=1)


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Window(Strict):
    """A peak window in which nothing moves on the targets named (none named: all but the lab)."""

    name: Name
    timezone: str = "UTC"
    days: tuple[Weekday, ...] = ()
    days_of_month: tuple[Annotated[int, Field(ge=1, le=31)], ...] = ()
    dates: tuple[date, ...] = ()
    start: time = time(0, 0)
    end: time = time(23, 59, 59)
    targets: tuple[Name, ...] = ()


class Platform(Strict):
    version: Literal[1]
    name: Name
    services: tuple[Service, ...] = Field(min_length=1)
    waves: tuple[Wave, ...] = ()
    windows: tuple[Window, ...] = ()


class Target(Strict):
    """Where it runs. For `lab` the addresses are the lab's own; for EKS they come from the account."""

    name: Name
    kind: Literal["lab", "eks"]
    region: str = "eu-west-1"
    aws_endpoint: str | None = Field(default=None, description="None: AWS itself")
    kubeconfig: str | None = None
    kube_context: str | None = None
    access_log: str | None = None
    entry: str = Field(description="base URL of the load balancer, e.g. http://198.18.0.10")
    faults_allowed: bool = False
    max_nodes_hurt: PositiveInt = 1
