"""The part of `infra/platform.yaml` that is about scaling: on what, between how many pods, at which cost at most."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from shiftproof.model.strict import Name, Strict


class Signal(Strict):
    """What a service's pods scale on, and why that. per_pod: what one pod is there for, in the signal's own unit."""

    kind: Literal["requests-per-second", "requests-in-flight", "queue-depth", "cpu"]
    per_pod: PositiveFloat = Field(description="the autoscaler's target for one pod")
    reason: str = Field(min_length=1, description="why this signal follows the load here")


class ScalingLimits(Strict):
    """What a load event may cost at most; the scaling claims are held to it."""

    time_to_capacity_s: PositiveFloat = Field(
        default=180, description="from the load asking for more pods until they are ready, for each rise"
    )
    shortfall_pct: PositiveFloat = Field(
        default=1.0, lt=100, description="of the event's requests, failed or too slow beyond what the control shows"
    )
    spare_before_pods: NonNegativeInt = Field(
        default=1, description="pods beyond what the base load needs, before the event: more is pre-provisioned"
    )
    flaps: NonNegativeInt = Field(default=0, description="changes of direction beyond the demand's own")
    return_within_s: PositiveFloat = Field(
        default=300, description="from the end of the event until pods and nodes are back at the base"
    )
    cost_ratio: PositiveFloat = Field(
        default=2.0, ge=1, description="pods' cost against that of perfect foresight for the same demand"
    )
    replacement_within_s: PositiveFloat = Field(
        default=180, description="from a Spot interruption until as many pods as before are ready again"
    )


class Scaling(Strict):
    """How a service scales: between how many pods, on what, and within which limits.

    requests_per_pod: requests a second that one pod is there for; the demand of an event in pods follows from it.
    tolerance: share of more than that with which an autoscaler is still content: an HPA's default is 0.1.
    """

    signal: Signal
    requests_per_pod: PositiveFloat
    tolerance: float = Field(default=0.0, ge=0, lt=1)
    least_pods: PositiveInt
    most_pods: PositiveInt
    limits: ScalingLimits = ScalingLimits()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.least_pods >= self.most_pods:
            raise ValueError(f"most_pods ({self.most_pods}) must be above least_pods ({self.least_pods})")
        return self

    @property
    def enough_per_pod(self) -> float:
        """Requests a second of one pod up to which the autoscaler calls it enough."""
        return self.requests_per_pod * (1 + self.tolerance)

    def pods_for(self, rate_per_s: float) -> int:
        """Pods that a rate of requests asks for; at least the least, and more than the most when it asks for more."""
        return max(self.least_pods, math.ceil(rate_per_s / self.enough_per_pod - 1e-9))


_JOBS = "{jobs}"


class Worker(Strict):
    """Non-critical work without a load balancer: pods that take jobs from a queue, on Spot nodes alone.

    queue: name of the SQS queue. jobs: how many of our traffic a rehearsal asks for. ask: in its image, asks for as
    many as stand in it for {jobs}. cleanup: in its image, removes them and what they produced. check: in its image,
    prints one JSON object {"asked", "produced", "twice", "lost"}: what became of them.
    """

    name: Name
    namespace: Name
    deployment: Name
    manifests: str = Field(description="kustomize folder, relative to the platform file's folder")
    queue: Name
    scaling: Signal
    least_pods: NonNegativeInt = 0
    most_pods: PositiveInt
    jobs: PositiveInt
    ask: tuple[str, ...] = Field(min_length=1)
    experiments: tuple[Name, ...] = Field(default=(), description="done while an event's load is highest")
    cleanup: tuple[str, ...] = ()
    check: tuple[str, ...] = Field(min_length=1)

    @property
    def asks(self) -> tuple[str, ...]:
        """The command, with the number in it."""
        return tuple(word.replace(_JOBS, str(self.jobs)) for word in self.ask)

    @model_validator(mode="after")
    def _says_how_many(self) -> Self:
        if not any(_JOBS in word for word in self.ask):
            raise ValueError(f"ask needs {_JOBS}, for the number that the jobs are counted against in the end")
        return self
