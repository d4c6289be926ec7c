"""Whether something that a defect's verbs can change is still changed, seen from outside the journal that undid it.

Objects of the cluster are not here: what was in them before, only whoever looked before knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shiftproof.adapters import elbv2
from shiftproof.lab.control import LabControl
from shiftproof.lab.network import PLACE_IPS
from shiftproof.model.platform import Service
from shiftproof.model.target import Target

_RULES = ("customers", "weighted")


def platform_problems(service: Service, target: Target, control: LabControl | None = None) -> tuple[str, ...]:
    """What is not as it is in a lab without a defect, each in a few words; () when all is. Run it inside the lab.

    Network faults in force, legacy machines with other settings or stopped, statements not undone, a lag, clients that
    stick, parts that are not ready, machines that autoscaling asked for and did not get. The parts of machines that are
    on their way or leave are no problem. Raises SetupError when it cannot be looked at.
    """
    asked = control or LabControl()
    status = asked.status()
    return (*lab_problems(status), *_statements(service, asked), *_router(service, target))


def lab_problems(status: Mapping[str, Any]) -> list[str]:
    """Of what the lab says of itself (LabControl.status). Pure."""
    found = [f"a network fault is in force: {fault['fault']}" for fault in status["network"]]
    found += [
        f"{host} {'has other settings: ' + ', '.join(state['env']) if state['env'] else 'is stopped'}"
        for host, state in status["legacy"].items()
        if state["env"] or not state["running"]
    ]
    found += [
        f"the lab's {part['name']} is {part['state']}: {part['problem'] or 'no reason given'}"
        for part in status["parts"]
        if part["state"] != "ready" and part["where"] not in PLACE_IPS
    ]
    stuck = status["autoscaling"]["problem"]
    return found if stuck is None else [*found, f"the lab's autoscaling: {stuck} (if it stays: `shiftproof lab down`)"]


def database_facts(service: Service, control: LabControl | None = None) -> dict[str, str]:
    """Digests of what the service's database looks like, for whoever looked before. Raises SetupError."""
    from shiftproof.adapters.postgres import Place
    from shiftproof.adapters.postgres_shape import shape

    found = shape(Place.of((control or LabControl()).database(service.name)))
    return {f"the database's {name}": digest for name, digest in found.items()}


def _statements(service: Service, control: LabControl) -> Iterator[str]:
    from shiftproof.adapters import postgres  # 0.2 s of imports

    left = postgres.marks(postgres.Place.of(control.database(service.name)))
    if left:
        yield f"{len(left)} planted statements on the database of {service.name} are not undone"


def _router(service: Service, target: Target) -> Iterator[str]:
    for name, seconds in elbv2.read_lag(target).items():
        if seconds:
            yield f"the load balancer's {name} is {seconds:g}"
    router = elbv2.connect(target, service)
    for rule in _RULES:
        if seconds := router.stickiness_s(rule):
            yield f"clients stick for {seconds} s on rule {rule}"
