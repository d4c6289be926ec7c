"""The SQS queue: jobs are put on it, leased from it, and acknowledged or given back.

SQS delivers at least once. A message that was taken is only hidden, for the visibility time; whoever has it renews
that while he works and deletes it when the work is done. A worker that dies says nothing, and the job comes back by
itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from statements.jobs import Job
from statements.settings import QueueSettings

BATCH = 10  # SQS takes and gives ten messages at most

_CONNECT_S, _ANSWER_S = 5, 10
_GONE = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class QueueError(Exception):
    """The queue did not do what was asked; `str()` is one line, `code` AWS's name for why ("" when it had no say)."""

    def __init__(self, why: str, code: str = "") -> None:
        super().__init__(why)
        self.code = code


class LeaseLost(QueueError):
    """The job is no longer ours: it was hidden no longer, and somebody else may have it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is ours for the visibility time. `receipt` proves that it is."""

    body: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages there are, by SQS's own count (it calls it approximate). in_hand: taken, not yet deleted."""

    waiting: int
    in_hand: int

    @property
    def all(self) -> int:
        return self.waiting + self.in_hand


class Queue:
    """One queue. Usable from several threads, as boto3's clients are."""

    def __init__(self, settings: QueueSettings) -> None:
        self._settings = settings
        self._client: Any = boto3.client(
            "sqs",
            region_name=settings.region,
            endpoint_url=settings.endpoint,
            config=Config(
                connect_timeout=_CONNECT_S,
                read_timeout=settings.wait_s + _ANSWER_S,
                # Twice at most: a worker that waits long for its queue cannot leave meanwhile.
                retries={"mode": "standard", "total_max_attempts": 2},
            ),
        )
        self._url = ""

    def find(self) -> None:
        """Ask where the queue is. Call it once, before all else. Raises QueueError."""
        found = self._call("get_queue_url", QueueName=self._settings.name)
        self._url = str(found["QueueUrl"])

    def send(self, jobs: Sequence[Job]) -> list[Job]:
        """Put up to ten jobs on the queue; returns those that it took. Raises QueueError when it took none."""
        entries = [{"Id": str(number), "MessageBody": job.to_text()} for number, job in enumerate(jobs)]
        answer = self._call("send_message_batch", QueueUrl=self._url, Entries=entries)
        return [jobs[int(taken["Id"])] for taken in answer.get("Successful", ())]

    def take(self, most: int = 1, wait_s: int | None = None) -> list[Message]:
        """Lease up to `most` messages; waits for one for as long as the settings say. Raises QueueError."""
        answer = self._call(
            "receive_message",
            QueueUrl=self._url,
            MaxNumberOfMessages=most,
            VisibilityTimeout=self._settings.visibility_s,
            WaitTimeSeconds=self._settings.wait_s if wait_s is None else wait_s,
        )
        return [Message(one["Body"], one["ReceiptHandle"]) for one in answer.get("Messages", ())]

    def lease(self, message: Message) -> Lease:
        return Lease(self, message, self._settings.visibility_s)

    def hide(self, message: Message, seconds: int) -> None:
        """Nobody else gets it for so long from now on. Raises LeaseLost or QueueError."""
        self._by_receipt("change_message_visibility", message, VisibilityTimeout=seconds)

    def delete(self, message: Message) -> None:
        """It is done and never comes back. Raises LeaseLost or QueueError."""
        self._by_receipt("delete_message", message)

    def depth(self) -> Depth:
        """Raises QueueError."""
        found = self._call("get_queue_attributes", QueueUrl=self._url, AttributeNames=list(_COUNTS))["Attributes"]
        waiting, in_hand, delayed = (int(found[name]) for name in _COUNTS)
        return Depth(waiting + delayed, in_hand)

    def _by_receipt(self, action: str, message: Message, **words: object) -> None:
        try:
            self._call(action, QueueUrl=self._url, ReceiptHandle=message.receipt, **words)
        except QueueError as error:
            if error.code in _GONE:
                raise LeaseLost(str(error), error.code) from None
            raise

    def _call(self, action: str, **words: object) -> dict[str, Any]:
        try:
            return dict(getattr(self._client, action)(**words))
        except (ClientError, BotoCoreError) as error:
            answer = error.response if isinstance(error, ClientError) else {}
            # Older answers carry a prefix: AWS.SimpleQueueService.NonExistentQueue.
            code = str(answer.get("Error", {}).get("Code", "")).rpartition(".")[2]
            raise QueueError(f"queue {self._settings.name}: {' '.join(str(error).split())}", code) from None


class Lease:
    """A job in hand: kept from others while its holder goes on saying so, and given up in one of two ways."""

    def __init__(self, queue: Queue, message: Message, visibility_s: int) -> None:
        self._queue = queue
        self._message = message
        self._visibility_s = visibility_s
        self._renew_at_s = time.monotonic() + visibility_s / 3

    def keep(self) -> None:
        """Call it often: it renews the lease each third of the visibility time. Raises LeaseLost or QueueError."""
        now_s = time.monotonic()
        if now_s >= self._renew_at_s:
            self._queue.hide(self._message, self._visibility_s)
            self._renew_at_s = now_s + self._visibility_s / 3

    def acknowledge(self) -> None:
        """The work is done. Raises LeaseLost or QueueError; the job comes back then, and is found done already."""
        self._queue.delete(self._message)

    def give_back(self, after_s: int = 0) -> None:
        """Somebody else is to do it. Raises LeaseLost or QueueError; it comes back by itself then, only later."""
        self._queue.hide(self._message, after_s)
