"""An SQS queue's own delay: messages that are put on it are delivered that much later. For planted defects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shiftproof.adapters.aws import aws_client, aws_errors
from shiftproof.adapters.targets import load_target
from shiftproof.errors import ShiftproofError, UndoError
from shiftproof.model.target import Target

_DELAY = "DelaySeconds"


class QueueDelay:
    """Of one queue. Every call may raise SetupError, also when the queue is not there."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def read(self) -> int:
        """Seconds; SQS's default is 0."""
        with aws_errors(f"read the delay of the queue {self._name}"):
            found = self._client.get_queue_attributes(QueueUrl=self._url(), AttributeNames=[_DELAY])
        return int(found.get("Attributes", {}).get(_DELAY, 0))

    def write(self, delay_s: int) -> int:
        """For messages from now on; those on the queue keep theirs, as in a standard queue. Returns what holds."""
        with aws_errors(f"set the delay of the queue {self._name}"):
            self._client.set_queue_attributes(QueueUrl=self._url(), Attributes={_DELAY: str(delay_s)})
        return self.read()

    def _url(self) -> str:
        return str(self._client.get_queue_url(QueueName=self._name)["QueueUrl"])


def queue_delay(target: Target, name: str) -> QueueDelay:
    """Calls nothing yet. Raises SetupError."""
    return QueueDelay(aws_client("sqs", target), name)


def undo_queue(payload: Mapping[str, Any]) -> None:
    """Give a queue the delay that it had, and read it back. Payload: target, queue, delay_s. Raises UndoError."""
    name, wanted_s = str(payload["queue"]), int(payload["delay_s"])
    try:
        held_s = queue_delay(load_target(str(payload["target"])), name).write(wanted_s)
    except ShiftproofError as error:
        raise UndoError(f"the queue {name} has not its old delay: {error}", hint=error.hint) from error
    if held_s != wanted_s:
        raise UndoError(f"the queue {name} still delays by {held_s} s, not by {wanted_s} s")
