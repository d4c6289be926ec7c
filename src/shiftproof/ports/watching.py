"""What sees without touching: watchers, the log of the load balancer, and how customers fare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shiftproof.model.history import CustomersReport, Happening, LbRecord


class Watcher(Protocol):
    """Sees and records what happens, on its own threads, until stopped."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def happenings(self) -> Sequence[Happening]:
        """All seen so far, by time."""
        ...

    def problem(self) -> str | None:
        """Why the record has a gap, if it has one."""
        ...


class AccessLog(Protocol):
    """The load balancer's log of our own requests."""

    def failed(self, request_ids: Sequence[str], since_ns: int) -> Sequence[LbRecord]: ...


class Customers(Protocol):
    """Stands for the observer of customers' traffic: in the lab a load of its own, in production the ALB's metrics."""

    def report(self) -> CustomersReport: ...
