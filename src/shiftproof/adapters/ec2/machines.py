"""EC2 instances as nodes know them: which there are, since when, and whether they may be taken away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shiftproof.adapters.aws import aws_client, aws_errors
from shiftproof.errors import FaultError
from shiftproof.model.target import Target

Json = Mapping[str, Any]

GOING = frozenset({"shutting-down", "terminated", "stopping", "stopped"})
"""States of an instance that serves nobody any more; AWS ceases to bill it with the first of them."""

CLUSTER_TAG = "kubernetes.io/cluster/"
"""Prefix of the tag with the cluster's name that whoever makes nodes puts on their machines."""

NODE_TAGS = ("karpenter.sh/nodepool", "k8s.io/cluster-autoscaler/", "eks:cluster-name", "eks:nodegroup-name")
"""Prefixes of other tags by which a machine is known as one of a cluster's nodes."""


class Ec2(Protocol):
    """What we need of boto3's client."""

    def get_paginator(self, operation_name: str, /) -> Any: ...

    def describe_instances(self, *, InstanceIds: Sequence[str]) -> Json: ...  # noqa: N803 (boto3's own names)

    def terminate_instances(self, *, InstanceIds: Sequence[str]) -> Json: ...  # noqa: N803


@dataclass(frozen=True, slots=True)
class Ec2Machine:
    """One instance. launched_s: AWS's LaunchTime, seconds since 1970, which has a resolution of a second.

    capacity_type: "spot" or "on-demand". state: EC2's own word. account: who owns it.
    """

    id: str
    launched_s: float
    capacity_type: str
    zone: str
    state: str
    account: str
    tags: Mapping[str, str]

    @property
    def going(self) -> bool:
        return self.state in GOING

    @classmethod
    def of(cls, instance: Json, account: str) -> Ec2Machine:
        """From one entry of DescribeInstances. Of those that ended AWS keeps little."""
        return cls(
            id=str(instance["InstanceId"]),
            launched_s=instance["LaunchTime"].timestamp(),
            capacity_type="spot" if instance.get("InstanceLifecycle") == "spot" else "on-demand",
            zone=str(instance.get("Placement", {}).get("AvailabilityZone") or ""),
            state=str(instance.get("State", {}).get("Name", "")),
            account=account,
            tags={tag["Key"]: tag.get("Value", "") for tag in instance.get("Tags") or ()},
        )

    def is_node_of(self, cluster: str = "") -> bool:
        """By its tags. cluster: that one alone, where a tag names one; "" for any: the lab's account has only one."""
        named = [key.removeprefix(CLUSTER_TAG) for key in self.tags if key.startswith(CLUSTER_TAG)]
        named += [self.tags["eks:cluster-name"]] if "eks:cluster-name" in self.tags else []
        if named:
            return not cluster or cluster in named
        return any(key.startswith(NODE_TAGS) for key in self.tags)


class Machines:
    """The instances of one account and region. Every call may raise SetupError."""

    def __init__(self, client: Ec2) -> None:
        self._client = client

    def all(self) -> Sequence[Ec2Machine]:
        """Every one that DescribeInstances tells of: AWS keeps those that ended for about an hour."""
        with aws_errors("list the EC2 instances"):
            pages = list(self._client.get_paginator("describe_instances").paginate())
        return [machine for page in pages for machine in _of(page)]

    def nodes(self, known: Collection[str] = (), cluster: str = "") -> Sequence[Ec2Machine]:
        """Those that are nodes: by their tags, or because one of `known`, which nodes name as theirs."""
        return [machine for machine in self.all() if machine.id in known or machine.is_node_of(cluster)]

    def one(self, instance: str) -> Ec2Machine:
        """Raises FaultError when AWS knows none of that id."""
        with aws_errors(f"look at instance {instance}"):
            found = list(_of(self._client.describe_instances(InstanceIds=[instance])))
        if not found:
            raise FaultError(f"AWS knows no instance {instance}")
        return found[0]

    def terminate(self, instance: str) -> None:
        """Without a word to whatever runs on it; returns once AWS says that it is going. Raises FaultError if not."""
        with aws_errors(f"terminate instance {instance}"):
            self._client.terminate_instances(InstanceIds=[instance])
        machine = self.one(instance)
        if not machine.going:
            raise FaultError(f"instance {instance} was to be terminated, and is {machine.state}")


def connect(target: Target) -> Machines:
    """Calls nothing yet. Raises SetupError."""
    return Machines(aws_client("ec2", target))


def _of(answer: Json) -> list[Ec2Machine]:
    return [
        Ec2Machine.of(instance, str(reservation.get("OwnerId", "")))
        for reservation in answer["Reservations"]
        for instance in reservation["Instances"]
    ]
