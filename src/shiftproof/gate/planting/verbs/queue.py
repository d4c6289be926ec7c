"""queue: an SQS queue whose messages come late."""

from __future__ import annotations

from shiftproof.adapters.sqs import queue_delay
from shiftproof.errors import FaultError, UserError
from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs.verb import Verb
from shiftproof.model.defect import Step
from shiftproof.model.defect_events import QueueChange


class QueueVerb(Verb):
    """Through AWS's API: whoever reads the queue asks it as before, and gets nothing in time."""

    def check(self, step: Step, site: Site) -> None:
        change = _change(step)
        if queue_delay(site.target, change.name).read() == change.delay_s:
            raise UserError(f"the queue {change.name} delays by {change.delay_s} s already: no defect would be planted")

    def plant(self, step: Step, site: Site) -> None:
        change = _change(step)
        delay = queue_delay(site.target, change.name)
        site.record("queue", f"queue/{change.name}", {"queue": change.name, "delay_s": delay.read()})
        held_s = delay.write(change.delay_s)
        if held_s != change.delay_s:
            raise FaultError(f"the queue {change.name} delays by {held_s} s, so no defect was planted")


def _change(step: Step) -> QueueChange:
    assert step.queue is not None
    return step.queue
