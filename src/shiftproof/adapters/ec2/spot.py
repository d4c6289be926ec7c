"""Taking a Spot machine away as AWS does it: with its notice first, or without one.

AWS sends a notice two minutes before it takes a Spot instance, as an EventBridge event; a rule of the cluster's
infrastructure puts it on the interruption queue, where whoever makes nodes reads it and drains the node. Here the
event is put on that queue directly, and the instance terminated when the notice is over. So what is tested is all that
comes after EventBridge; in the lab the notice is shorter, since its nodes and pods are quicker, too.

In production the Fault Injection Service does it (action `aws:ec2:send-spot-instance-interruptions`, with
`durationBeforeInterruption` of two minutes at least): the event then comes from AWS itself, EventBridge's rule
included, and whoever calls it needs no right to terminate instances. That is not built here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from shiftproof.adapters.aws import aws_client, aws_errors
from shiftproof.adapters.ec2.machines import Ec2Machine, Machines
from shiftproof.errors import FaultError
from shiftproof.model.target import Target


class Sqs(Protocol):
    """What we need of boto3's client."""

    def get_queue_url(self, *, QueueName: str) -> Mapping[str, Any]: ...  # noqa: N803 (boto3's own names)

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> Mapping[str, Any]: ...  # noqa: N803


class SpotMarket:
    """The Spot machines of one target. Every call may raise SetupError when AWS refuses or does not answer."""

    def __init__(
        self,
        machines: Machines,
        sqs: Sqs,
        *,
        queue: str,
        region: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._machines = machines
        self._sqs = sqs
        self._queue = queue
        self._region = region
        self._now = now

    def interrupt(self, instance: str, notice_s: float, sleep: Callable[[float], None]) -> None:
        """Give notice, wait it out, and terminate the instance. Raises FaultError as `notify` and `kill` do.

        Whoever was given notice may have let the machine go before: that is what the notice is for, and no error.
        """
        self.notify(instance)
        sleep(notice_s)
        self.kill(instance)

    def notify(self, instance: str) -> None:
        """Put the notice on the interruption queue. Raises FaultError when it is no Spot machine that runs."""
        machine = self._spot(instance)
        if machine.going:
            raise FaultError(f"instance {instance} is {machine.state}: there is nothing to interrupt")
        body = json.dumps(warning(machine, self._region, self._now()))
        with aws_errors(f"put a notice on the queue {self._queue}"):
            url = self._sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
            self._sqs.send_message(QueueUrl=url, MessageBody=body)

    def kill(self, instance: str) -> None:
        """Terminate it at once, unless it is going already. Raises FaultError when it is no Spot machine."""
        if not self._spot(instance).going:
            self._machines.terminate(instance)

    def state(self, instance: str) -> Ec2Machine:
        """As EC2 has it now. Raises FaultError when AWS knows none of that id."""
        return self._machines.one(instance)

    def _spot(self, instance: str) -> Ec2Machine:
        machine = self._machines.one(instance)
        if machine.capacity_type != "spot":
            raise FaultError(f"instance {instance} is {machine.capacity_type}: AWS interrupts Spot instances only")
        return machine


def warning(machine: Ec2Machine, region: str, now: datetime) -> Mapping[str, Any]:
    """EventBridge's event, in the form that Amazon's EC2 user guide gives ("Spot Instance interruption notices")."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "account": machine.account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:ec2:{machine.zone}:instance/{machine.id}"],
        "detail": {"instance-id": machine.id, "instance-action": "terminate"},
    }


def connect_spot(target: Target) -> SpotMarket:
    """The target's machines, and the queue that its file names. Calls nothing yet. Raises SetupError."""
    machines = Machines(aws_client("ec2", target))
    queue = target.events.interruption_queue
    return SpotMarket(machines, aws_client("sqs", target), queue=queue, region=target.region)
