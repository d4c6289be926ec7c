"""A service for probes to talk to: idempotent by key, with a list by account; each side may be given a fault."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from fakes.load_target import Arrival, LoadTarget

Payment = dict[str, Any]


@dataclass
class ProbeTarget(LoadTarget):
    """As payments. keys_of: which store of keys a side uses; shown, listed: what a side makes of payments it sends."""

    keys_of: Callable[[str], str] = lambda side: ""
    shown: Callable[[str, Payment], Payment] = lambda side, payment: payment
    listed: Callable[[str, list[Payment]], list[Payment]] = lambda side, payments: payments
    keys: dict[tuple[str, str], Payment] = field(default_factory=dict)
    made: list[Payment] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _business(self, arrival: Arrival) -> tuple[int, bytes]:
        status, answer = self._answered(arrival)
        return status, json.dumps(answer).encode()

    def _answered(self, arrival: Arrival) -> tuple[int, Any]:
        side = arrival.side
        if arrival.method == "POST":
            return 201, self.shown(side, self._create(arrival))
        parts = arrival.path.partition("?")[0].split("/")
        if arrival.path.startswith("/payments/"):
            found = self.payments.get(parts[2])
            return (200, self.shown(side, found)) if found else (404, {"detail": "no such payment"})
        listed = [self.shown(side, payment) for payment in self.made if payment["account"] == parts[2]]
        return 200, {"account": parts[2], "payments": self.listed(side, listed)}

    def _create(self, arrival: Arrival) -> Payment:
        key = (self.keys_of(arrival.side), arrival.headers["idempotency-key"])
        with self.lock:
            if key in self.keys:
                return self.keys[key]
            now = datetime.now(UTC).isoformat()
            payment = {"id": str(uuid4()), **json.loads(arrival.body), "status": "accepted", "created_at": now}
            self.keys[key] = self.payments[payment["id"]] = payment
            self.made.append(payment)
            return payment
