"""What an action or a probe works on, from the environment that the gate (or a person) gives to Chaos Toolkit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from shiftproof.adapters.kubernetes import Api, connect, paths
from shiftproof.adapters.kubernetes.patience import Patience
from shiftproof.adapters.kubernetes.pods import is_ready, is_terminating, name_of
from shiftproof.adapters.targets import load_service, load_target
from shiftproof.errors import FaultError, RefusedError
from shiftproof.model.platform import Service
from shiftproof.model.target import Target
from shiftproof.safety.journal import Journal, journal_dir

Json = dict[str, Any]
Report = dict[str, Any]
"""What an action returns, and the audit reads: "victims" (names with their kind), "effect" ("confirmed"), "facts",
"begun" and "ended" (when the fault of each victim did, in ns of CLOCK_MONOTONIC); and "service_problem" where the fault
did take effect and the service did not bear it."""

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Scene:
    """One run of one experiment. `random` is seeded by run, experiment and repeat, so that a run can be had again."""

    target: Target
    service: Service
    api: Api
    journal: Journal
    random: Random
    faults_allowed: bool
    run_id: str

    def may_break(self) -> None:
        """Raises RefusedError where faults are not allowed: outside the lab they are asked for each time."""
        if self.target.kind != "lab" and not (self.target.faults_allowed and self.faults_allowed):
            raise RefusedError(
                f"faults on {self.target.name} are not allowed",
                hint="they need faults_allowed in the target's file, and --allow-faults",
            )

    def pods(self) -> Sequence[Json]:
        """The service's pods, by name."""
        deployment = self.api.get(paths.deployment(self.service.namespace, self.service.deployment))
        selector = paths.selector_text(deployment["spec"]["selector"])
        return sorted(self.api.items(paths.pods(self.service.namespace), labelSelector=selector), key=name_of)

    def serving_pods(self) -> Sequence[Json]:
        """Those that are ready and not leaving. Raises FaultError when there is none: nothing to break."""
        found = [pod for pod in self.pods() if is_ready(pod) and not is_terminating(pod)]
        if not found:
            raise FaultError(f"{self.service.name} has no ready pod in namespace {self.service.namespace}")
        return found


def scene() -> Scene:
    """From SHIFTPROOF_TARGET, _SERVICE, _SEED, _REPEAT, _ALLOW_FAULTS; for the journal also _RUN, _SCOPE, _STATE."""
    env = os.environ
    target, service, api = _connected(env.get("SHIFTPROOF_TARGET", "lab"), env.get("SHIFTPROOF_SERVICE", "payments"))
    words = ("SHIFTPROOF_SEED", "SHIFTPROOF_EXPERIMENT", "SHIFTPROOF_REPEAT")
    return Scene(
        target=target,
        service=service,
        api=api,
        journal=Journal(journal_dir()),
        random=Random(":".join(env.get(word, "") for word in words)),
        faults_allowed=env.get("SHIFTPROOF_ALLOW_FAULTS") == "1",
        run_id=env.get("SHIFTPROOF_RUN", ""),
    )


@cache
def _connected(target_name: str, service_name: str) -> tuple[Target, Service, Api]:
    """Kept from run to run: a process serves one target and service, and reading the files again costs 0.1 s."""
    target = load_target(target_name)
    return target, load_service(service_name), Api(connect(target))


def wait_for(condition: Callable[[], bool], within_s: float) -> bool:
    """Look again and again until it holds; False when it did not in time.

    Raises KubernetesError when the API server refuses, or is silent for longer than a waiting loop bears.
    """
    give_up = time.monotonic() + within_s
    patience = Patience(time.monotonic_ns)
    while True:
        holds = patience.ask(condition)
        if holds:
            return True
        if holds is not None and time.monotonic() >= give_up:
            return False
        time.sleep(POLL_S)


def confirmed(begun: Mapping[str, int], **facts: object) -> Report:
    """The report of a fault that was seen to take effect; `begun`: when, by victim, in ns of CLOCK_MONOTONIC.

    Raises FaultError for a fault without a victim.
    """
    if not begun:
        raise FaultError("a fault without a victim proves nothing")
    return {"victims": list(begun), "effect": "confirmed", "begun": dict(begun), "facts": facts}
