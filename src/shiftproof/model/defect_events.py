"""Verbs of a planted defect that only load events have a use for, as people write them (see model.defect)."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveFloat

from shiftproof.model.strict import Strict


class NodesChange(Strict):
    """Nodes to come: boot_s seconds from the launch of a machine until its kubelet starts."""

    boot_s: PositiveFloat = Field(le=600, description="the lab's longest; in production 30 to 240 s are seen")


class QueueChange(Strict):
    """An SQS queue: each message that is put on it from now on is delivered `delay_s` later (AWS's DelaySeconds)."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")
    delay_s: NonNegativeInt = Field(le=900, description="SQS's own most")
