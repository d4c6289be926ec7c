"""The names by which the two ends find each other: headers on our requests, tags on load-balancer objects.

The infrastructure code writes the tags (Terraform in production, `lab.lb.estate` in the lab); the elbv2 adapter only
ever looks for them, so no ARN is written down anywhere.
"""

from __future__ import annotations

REHEARSAL_HEADER = "x-shiftproof-rehearsal"
"""On our requests alone: "legacy", "cluster" or "weighted" picks the rehearsal rule of that name."""

ID_HEADER = "x-shiftproof-id"
"""On our requests alone: `model.event.request_id`; the load balancer logs it."""

TAG_SERVICE = "shiftproof:service"
"""On rules and target groups: the service's name."""

TAG_RULE = "shiftproof:rule"
"""On rules: one of RULES."""

TAG_SIDE = "shiftproof:side"
"""On target groups: "legacy" or "cluster"."""

TAG_WRITER = "shiftproof:writer"
"""On the customers' rule: who alone may write it. One writer a rule, or weights are lost."""

WRITER = "shiftproof"

CUSTOMERS_RULE = "customers"
RULES = (CUSTOMERS_RULE, "legacy", "cluster", "weighted")
SIDES = ("legacy", "cluster")
