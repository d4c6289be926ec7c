"""The one place where ports meet their adapters."""

from __future__ import annotations

from pathlib import Path

from shiftproof.adapters import elbv2, haproxy, kubernetes
from shiftproof.adapters.chaostoolkit import ChaosToolkitFaults
from shiftproof.adapters.customers import CustomersLoad
from shiftproof.adapters.locust import LocustLoad, customers_plan_for, plan_for
from shiftproof.errors import RefusedError, UserError
from shiftproof.gate.clock import RunClock
from shiftproof.gate.config import experiments_dir
from shiftproof.gate.parts import Parts
from shiftproof.gate.settings import GateSettings, RunSettings
from shiftproof.model.target import Target
from shiftproof.safety.journal import Journal

LONGEST_RUN_S = 1800.0  # the load ends itself after this, whatever became of us


def connect(settings: GateSettings, journal: Journal, clock: RunClock, anchor_ns: int) -> Parts:
    """Adapters for this target. `clock` may cut a drill short; threads get one that never does."""
    service, target = settings.service, settings.target
    if target.kind != "lab":
        # Traffic that stands for customers is made up in the lab; elsewhere it would be real writes on the real rule.
        raise RefusedError(
            f"target {target.name} is no lab: a gate there needs an observer of real customers, which is not built yet"
        )
    access_log = access_log_of(target)
    plain_clock = RunClock(anchor_ns)
    client = kubernetes.connect(target)
    router = elbv2.connect(target, service)
    load = LocustLoad()
    pairs_plan = plan_for(service, target.entry, seed=settings.seed, anchor_ns=anchor_ns, max_seconds=LONGEST_RUN_S)
    customers_plan = customers_plan_for(
        service, target.entry, seed=settings.seed, anchor_ns=anchor_ns, max_seconds=LONGEST_RUN_S
    )
    faults = faults_of(settings, clock)
    return Parts(
        router=router,
        cluster=kubernetes.KubernetesCluster(client, service, clock, target=target.name, journal=journal),
        load=load,
        load_plan=pairs_plan,
        customers=CustomersLoad(load, customers_plan, settings.run_dir),
        faults=faults,
        watchers=(
            kubernetes.KubernetesWatcher(kubernetes.connect(target), service.namespace, plain_clock),
            elbv2.LoadBalancerWatcher(elbv2.connect(target, service), plain_clock),
            faults,  # tells when its faults began and ended
        ),
        access_log=access_log,
    )


def faults_of(settings: RunSettings, clock: RunClock) -> ChaosToolkitFaults:
    """Experiments against this run's service."""
    return ChaosToolkitFaults(
        target=settings.target,
        service=settings.service,
        clock=clock,
        experiments_dir=experiments_dir(settings.infra_dir),
        infra_dir=settings.infra_dir,
        seed=settings.seed,
    )


def access_log_of(target: Target) -> haproxy.HaproxyAccessLog:
    """Raises UserError where the target names none."""
    if target.access_log is None:
        raise UserError(f"target {target.name} names no access_log", hint=f"add it to infra/targets/{target.name}.yaml")
    return haproxy.HaproxyAccessLog(Path(target.access_log))
