"""The outside world as one gate holds it: a port each. Real ones come from `wiring`, tests hand in their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shiftproof.ports import AccessLog, Cluster, Customers, Faults, Load, LoadPlan, Router, Watcher


class CustomersLoad(Customers, Protocol):
    """The observer of customers' traffic, with a beginning and an end."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a gate touches."""

    router: Router
    cluster: Cluster
    load: Load
    load_plan: LoadPlan
    customers: CustomersLoad
    faults: Faults
    watchers: Sequence[Watcher]
    access_log: AccessLog
