"""`python -m shiftproof.lab.autoscaling.estate --queue NAME…`: what Karpenter and the workers need in the lab's AWS.

In production Terraform makes it: tagged subnets and security group, a role for nodes, an image, the queues. A process
of its own, because boto3 is heavy and the lab's init stays small. Run again, it changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from shiftproof.lab import network
from shiftproof.lab.autoscaling.commands import CLUSTER_NAME

DISCOVERY = {"Key": "karpenter.sh/discovery", "Value": CLUSTER_NAME}
NODE_ROLE = "lab-node"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_THERE = frozenset({"EntityAlreadyExists", "ResourceInUseException"})


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m shiftproof.lab.autoscaling.estate")
    parser.add_argument("--queue", action="append", default=[])
    queues = parser.parse_args(argv).queue
    build(queues)
    return 0


def build(queues: Sequence[str]) -> None:
    """Make it all. Raises ClientError when the stand-in refuses."""
    ec2, iam, sqs, eks = (_client(name) for name in ("ec2", "iam", "sqs", "eks"))
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    ec2.create_tags(Resources=[*subnets, group], Tags=[DISCOVERY])
    role = _once(lambda: iam.create_role(RoleName=NODE_ROLE, AssumeRolePolicyDocument=json.dumps(_TRUST)))
    arn = role["Role"]["Arn"] if role else iam.get_role(RoleName=NODE_ROLE)["Role"]["Arn"]
    places = {"subnetIds": subnets[:2], "securityGroupIds": [group]}
    _once(lambda: eks.create_cluster(name=CLUSTER_NAME, roleArn=arn, resourcesVpcConfig=places))
    ec2.create_tags(Resources=[_image(ec2)], Tags=[DISCOVERY])
    for name in queues:
        sqs.create_queue(QueueName=name)


def _image(ec2: Any) -> str:
    """One of the stand-in's own: those registered with it lose their architecture, and Karpenter takes none without."""
    wanted = {"architecture": "x86_64", "virtualization-type": "hvm", "state": "available"}
    found = ec2.describe_images(Filters=[{"Name": name, "Values": [value]} for name, value in wanted.items()])
    return min(str(image["ImageId"]) for image in found["Images"] if "Platform" not in image)


def _once(make: Any) -> Any:
    """None when it is there already."""
    try:
        return make()
    except ClientError as error:
        if error.response["Error"]["Code"] not in _THERE:
            raise
        return None


def _client(name: Any) -> Any:
    return boto3.client(
        name,
        region_name=network.AWS_REGION,
        endpoint_url=network.AWS_ENDPOINT,
        aws_access_key_id="lab",
        aws_secret_access_key="lab",
        config=Config(connect_timeout=2, read_timeout=30, retries={"total_max_attempts": 1}),
    )


if __name__ == "__main__":
    sys.exit(main())
