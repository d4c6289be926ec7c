"""What users write in `infra/targets/*.yaml`: where a platform runs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from shiftproof.model.strict import Name, Strict


class Events(Strict):
    """How load events are rehearsed on a target.

    demand_scale: every rate of an event times this, so that a small target can bear it. overlay: name of the overlay,
    beside the service's own, that the target is put into for the rehearsal, and back from (None: it stays as it is).
    interruption_queue: the SQS queue that notices of Spot interruptions go to.
    node_boot_s: how long a machine of the lab takes from its launch until its kubelet starts; only the lab has it.
    workers: Locust workers that send the event. price_pod_h, price_start: what a pod costs for an hour, and its start.
    """

    demand_scale: PositiveFloat = 1.0
    overlay: Name | None = None
    node_boot_s: PositiveFloat = 40
    interruption_queue: Name = "karpenter-interruptions"
    workers: PositiveInt = 2
    price_pod_h: PositiveFloat = 0.05
    price_start: NonNegativeFloat = 0.0


class Target(Strict):
    """Where it runs. For `lab` the addresses are the lab's own; for EKS they come from the account."""

    name: Name
    kind: Literal["lab", "eks"]
    region: str = "eu-west-1"
    aws_endpoint: str | None = Field(default=None, description="None: AWS itself")
    kubeconfig: str | None = None
    kube_context: str | None = None
    access_log: str | None = None
    entry: str = Field(
        pattern=r"^https?://[^/\s]+$", description="base URL of the load balancer, e.g. http://198.18.0.10"
    )
    faults_allowed: bool = False
    max_nodes_hurt: PositiveInt = 1
    max_zone_nodes_hurt: PositiveInt | None = Field(
        default=None, description="nodes that a zone may have which is lost as a whole; None: as max_nodes_hurt"
    )
    events: Events = Events()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "lab" and not (self.aws_endpoint and self.kubeconfig):
            raise ValueError("a lab needs aws_endpoint and kubeconfig")
        return self
