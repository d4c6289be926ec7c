"""EC2 instances of the lab as its AWS tells them."""

from __future__ import annotations

from dataclasses import dataclass

from shiftproof.lab import aws
from shiftproof.lab.aws import EC2, path_of, text_of

_ALIVE = frozenset({"pending", "running"})


@dataclass(frozen=True, slots=True)
class Instance:
    """One that is pending or running. zone: e.g. "eu-west-1a"."""

    id: str
    zone: str


def running() -> list[Instance]:
    """All that are not ended, by id. Raises OSError, http.client.HTTPException, ET.ParseError."""
    answer = aws.ask(EC2, "DescribeInstances")
    found = [
        Instance(text_of(item, "instanceId"), text_of(item, "placement/availabilityZone"))
        for item in answer.iterfind(path_of("reservationSet/item/instancesSet/item"))
        if text_of(item, "instanceState/name") in _ALIVE
    ]
    return sorted(found, key=lambda instance: instance.id)


def restore_groups(instance: str) -> None:
    """Give an instance the security groups of its network interface, as it has on AWS.

    The stand-in forgets them where a fleet starts an instance on demand, and Karpenter then calls its node drifted.
    Raises as `running` does.
    """
    answer = aws.ask(EC2, "DescribeInstances", {"InstanceId.1": instance})
    found = answer.iterfind(
        path_of("reservationSet/item/instancesSet/item/networkInterfaceSet/item/groupSet/item/groupId")
    )
    groups = sorted({group.text for group in found if group.text})
    if groups:
        chosen = {f"GroupId.{number}": group for number, group in enumerate(groups, start=1)}
        aws.ask(EC2, "ModifyInstanceAttribute", {"InstanceId": instance, **chosen})
