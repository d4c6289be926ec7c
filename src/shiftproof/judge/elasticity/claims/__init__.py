"""The built-in claims of a load event, one module each; importing this registers them, in this order."""

from shiftproof.judge.elasticity.claims import (  # noqa: F401  (imported to be registered)
    cost,
    experiment,
    headroom,
    load_delivered,
    pre_provisioning,
    return_to_base,
    shortfall,
    spot,
    stability,
    time_to_capacity,
)
from shiftproof.judge.elasticity.registry import EVENT_CLAIMS

EVENT_CLAIMS.require_all()
