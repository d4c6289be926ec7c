"""The built-in claims, one module each; importing this registers them, in this order. No gate passes without them."""

from shiftproof.judge.claims import (  # noqa: F401  (imported to be registered)
    availability,
    capacity,
    customers,
    deploy,
    duplicates,
    latency,
    outage,
    parity,
    recovery,
    rollback,
    stickiness,
    sufficiency,
)
from shiftproof.judge.registry import require_claims

require_claims()
