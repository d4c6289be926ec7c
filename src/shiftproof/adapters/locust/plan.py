"""From what a person wrote in platform.yaml to what the load child is to send."""

from __future__ import annotations

from shiftproof.errors import UserError
from shiftproof.model.platform import Service
from shiftproof.ports import LoadPlan

CUSTOMERS_PREFIX = "cust-"
CUSTOMERS_IN_FLIGHT = 100


def plan_for(service: Service, entry_url: str, *, seed: int, anchor_ns: int, max_seconds: float) -> LoadPlan:
    """The load of pairs on the rehearsal rules. Raises UserError when the operations cannot be sent."""
    load = service.load
    _check(service)
    if load.accounts_prefix.startswith(CUSTOMERS_PREFIX):
        raise UserError(
            f"{service.name}: accounts_prefix {load.accounts_prefix!r} is the customers' own",
            hint="give our accounts another prefix, for instance test-",
        )
    return LoadPlan(
        base_url=entry_url,
        rate_per_s=load.pairs_per_s,
        timeout_s=load.timeout_s,
        in_flight_per_side=load.most_in_flight,
        accounts_prefix=load.accounts_prefix,
        accounts=load.accounts,
        operations=[operation.model_dump(mode="json") for operation in load.operations],
        seed=seed,
        max_seconds=max_seconds,
        anchor_ns=anchor_ns,
        probes_per_s=load.probes_per_s,
    )


def customers_plan_for(service: Service, entry_url: str, *, seed: int, anchor_ns: int, max_seconds: float) -> LoadPlan:
    """Traffic that stands for customers in the lab: on the customers' rule, with accounts of its own and no mark."""
    load = service.load
    _check(service)
    return LoadPlan(
        base_url=entry_url,
        rate_per_s=load.customers_per_s,
        timeout_s=load.timeout_s,
        in_flight_per_side=CUSTOMERS_IN_FLIGHT,
        accounts_prefix=CUSTOMERS_PREFIX,
        accounts=load.accounts,
        operations=[operation.model_dump(mode="json") for operation in load.operations],
        seed=seed + 1,
        max_seconds=max_seconds,
        anchor_ns=anchor_ns,
        customers=True,
        jitter_share=1.0,
    )


def _check(service: Service) -> None:
    """The first create must need no id: an id can only come from one."""
    makers = [operation for operation in service.load.operations if operation.remember is not None]
    if makers and all("id" in operation.placeholders() for operation in makers):
        raise UserError(
            f"{service.name}: every operation that remembers an id needs one itself",
            hint="let one operation create without {id}",
        )
