"""What every process that sends our load does alike: Locust's own count of it, and its memory."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable

from locust.env import Environment

from shiftproof.load.lane import Operation
from shiftproof.model.event import Failure


class RequestFailed(Exception):
    """What Locust counts; one instance a cause, since its list of errors must stay short."""


FAILED: dict[Failure, RequestFailed] = {
    failure: RequestFailed(failure.name) for failure in Failure if failure is not Failure.NONE
}


def counter(environment: Environment) -> Callable[[Operation, Failure, int, int], None]:
    """Locust's own event for every request, so that its totals can be held against our records."""
    fire: Callable[..., None] = environment.events.request.fire

    def count(operation: Operation, failure: Failure, latency_ns: int, length: int) -> None:
        fire(
            request_type=operation.template.method,
            name=operation.name,
            response_time=latency_ns / 1e6,
            response_length=length,
            exception=FAILED[failure] if failure else None,
            context={},
        )

    return count


def settle_memory() -> None:
    """Keep the collector from walking Locust's own objects and from stopping us for long; leave room for sockets."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536, hard))
