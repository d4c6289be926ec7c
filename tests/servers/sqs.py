"""A real SQS API on loopback: moto's server, in a thread of the test's process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from fakes.ports import free_port
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "for-tests", "AWS_SECRET_ACCESS_KEY": "for-tests"}


@dataclass(frozen=True)
class SqsQueue:
    """One queue, as somebody else on it sees it."""

    name: str
    endpoint: str
    url: str
    client: Any

    @property
    def env(self) -> dict[str, str]:
        """What a program of ours needs to find it."""
        return {"QUEUE_NAME": self.name, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": self.endpoint, **KEYS}

    def send(self, body: str) -> None:
        self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def take(self, hidden_s: int = 600) -> list[dict[str, Any]]:
        """Up to ten messages, hidden from all others for so long."""
        answer = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=hidden_s)
        return list(answer.get("Messages", ()))

    def delete(self, message: dict[str, Any]) -> None:
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def depth(self) -> tuple[int, int]:
        """(waiting, in somebody's hand)."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])


@dataclass(frozen=True)
class SqsServer:
    endpoint: str
    client: Any

    def create(self, name: str) -> SqsQueue:
        url = self.client.create_queue(QueueName=name)["QueueUrl"]
        return SqsQueue(name, self.endpoint, url, self.client)


@contextmanager
def sqs_server() -> Iterator[SqsServer]:
    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    try:
        endpoint = f"http://127.0.0.1:{port}"
        client = boto3.client(
            "sqs",
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id="for-tests",
            aws_secret_access_key="for-tests",
        )
        yield SqsServer(endpoint, client)
    finally:
        server.stop()
