"""Against moto, in this process: what boto3 really sends and gets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shiftproof.adapters.ec2 import Machines, SpotMarket
from shiftproof.errors import FaultError, SetupError

QUEUE, REGION = "karpenter-interruptions", "eu-west-1"


KEYS: Any = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture(scope="module")
def aws() -> Iterator[tuple[Any, Any]]:
    """One for all tests: moto takes seconds to learn its images."""
    with mock_aws():
        ec2: Any = boto3.client("ec2", region_name=REGION, **KEYS)
        sqs: Any = boto3.client("sqs", region_name=REGION, **KEYS)
        sqs.create_queue(QueueName=QUEUE)
        yield ec2, sqs


def launch(ec2: Any, *, spot: bool) -> str:
    image = ec2.describe_images()["Images"][0]["ImageId"]
    market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "karpenter.sh/nodepool", "Value": "spot"}]}]
    answer = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tags, **market)
    return str(answer["Instances"][0]["InstanceId"])


def market(aws: tuple[Any, Any], queue: str = QUEUE) -> SpotMarket:
    ec2, sqs = aws
    return SpotMarket(Machines(ec2), sqs, queue=queue, region=REGION)


def notices(sqs: Any, instance: str) -> list[Any]:
    found = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MaxNumberOfMessages=10)
    events = [json.loads(message["Body"]) for message in found.get("Messages", ())]
    return [event for event in events if event["detail"]["instance-id"] == instance]


def test_an_instance_is_read_as_aws_tells_it(aws: tuple[Any, Any]) -> None:
    instance = launch(aws[0], spot=True)
    launch(aws[0], spot=False)
    machines = Machines(aws[0])
    found = {machine.id: machine for machine in machines.nodes()}
    assert sorted({machine.capacity_type for machine in found.values()}) == ["on-demand", "spot"]
    mine = found[instance]
    assert (mine.capacity_type, mine.zone, mine.going) == ("spot", "eu-west-1a", False)
    assert abs(mine.launched_s - time.time()) < 60
    assert mine.account
    assert machines.one(instance) == mine


def test_a_notice_comes_first_and_the_end_when_it_is_over(aws: tuple[Any, Any]) -> None:
    instance = launch(aws[0], spot=True)
    spot, asleep = market(aws), []

    def sleep(seconds: float) -> None:
        asleep.append(seconds)
        (event,) = notices(aws[1], instance)
        assert event["source"] == "aws.ec2"
        assert event["detail-type"] == "EC2 Spot Instance Interruption Warning"
        assert event["detail"] == {"instance-id": instance, "instance-action": "terminate"}
        assert event["resources"] == [f"arn:aws:ec2:eu-west-1a:instance/{instance}"]
        assert (event["region"], event["time"][-1]) == (REGION, "Z")
        assert not spot.state(instance).going

    spot.interrupt(instance, 30, sleep)
    assert asleep == [30]
    assert spot.state(instance).going
    with pytest.raises(FaultError, match="nothing to interrupt"):
        spot.notify(instance)


def test_one_that_was_let_go_during_its_notice_is_no_error(aws: tuple[Any, Any]) -> None:
    instance = launch(aws[0], spot=True)
    market(aws).interrupt(instance, 30, lambda _: aws[0].terminate_instances(InstanceIds=[instance]))
    assert market(aws).state(instance).going


def test_a_kill_says_nothing(aws: tuple[Any, Any]) -> None:
    instance = launch(aws[0], spot=True)
    market(aws).kill(instance)
    assert market(aws).state(instance).going
    assert notices(aws[1], instance) == []


def test_only_spot_is_interrupted(aws: tuple[Any, Any]) -> None:
    instance = launch(aws[0], spot=False)
    with pytest.raises(FaultError, match="on-demand"):
        market(aws).notify(instance)
    with pytest.raises(FaultError, match="on-demand"):
        market(aws).kill(instance)
    assert not market(aws).state(instance).going


def test_a_queue_that_is_not_there_is_our_set_up(aws: tuple[Any, Any]) -> None:
    instance = launch(aws[0], spot=True)
    with pytest.raises(SetupError, match="queue nowhere"):
        market(aws, "nowhere").interrupt(instance, 1, lambda _: None)
    assert not market(aws).state(instance).going, "without a notice it is not an interruption"
