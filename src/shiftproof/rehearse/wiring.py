"""Where a rehearsal's ports meet their adapters."""

from __future__ import annotations

from dataclasses import replace

from shiftproof.adapters import ec2, elbv2, kubernetes
from shiftproof.adapters.locust import LocustLoad, plan_for
from shiftproof.adapters.locust.event import LocustEventLoad
from shiftproof.errors import RefusedError
from shiftproof.gate.clock import RunClock
from shiftproof.gate.wiring import access_log_of, faults_of
from shiftproof.model.history import Source
from shiftproof.ports import EventPlan, LoadPlan, Watcher
from shiftproof.rehearse.judging import judge_scaling
from shiftproof.rehearse.lab_ready import lab_problem
from shiftproof.rehearse.parts import EventParts
from shiftproof.rehearse.settings import PAIRS_PER_S, RehearsalSettings
from shiftproof.safety.journal import Journal

SPARE_S = 600.0  # the loads end themselves this long after the event and its return, whatever became of us
PILE_UP = 2.0
"""Times what a pause until the time-out piles up may be in flight at once: what only waits is not lost."""


def connect(settings: RehearsalSettings, journal: Journal, clock: RunClock, anchor_ns: int) -> EventParts:
    """Adapters for this target. `clock` may cut a stage short; threads get one that never does."""
    service, target, platform = settings.service, settings.target, settings.platform
    if target.kind != "lab":
        # The page and the claims are the same there; what sends from pods (infra/load) is not joined to it yet.
        raise RefusedError(f"target {target.name} is no lab: events are rehearsed in the lab only for now")
    access_log = access_log_of(target)
    plain_clock = RunClock(anchor_ns)
    client = kubernetes.connect(target)
    pairs = replace(
        plan_for(service, target.entry, seed=settings.seed, anchor_ns=anchor_ns, max_seconds=_longest_s(settings)),
        rate_per_s=PAIRS_PER_S,
        probes_per_s=0.0,
    )
    faults = faults_of(settings, clock)
    overlays = kubernetes.overlays_for(target, service, platform.workers, str(settings.infra_dir), journal, client)
    router = elbv2.connect(target, service)
    return EventParts(
        router=router,
        cluster=kubernetes.KubernetesCluster(client, service, clock, target=target.name, journal=journal),
        elastic=kubernetes.KubernetesElastic(client, target, service, platform.workers, journal, overlays),
        load=LocustLoad(),
        pairs_plan=pairs,
        event_load=LocustEventLoad(),
        event_plan=event_plan(settings, pairs),
        faults=faults,
        watchers=(*_watchers(settings, plain_clock), faults),
        access_log=access_log,
        jobs=[kubernetes.WorkerJobs(client, target, worker, journal, clock.sleep) for worker in platform.workers],
        judge=judge_scaling,
        cluster_pct=router.weights("customers").cluster_pct,
        # Of EC2 there is nothing to hear where no machine comes or goes.
        heard=(Source.KUBERNETES, Source.LOAD_BALANCER),
        ours=lambda since_ns: lab_problem(target, (since_ns - anchor_ns) / 1e9),
    )


def event_plan(settings: RehearsalSettings, pairs: LoadPlan) -> EventPlan:
    """The event's load: the operations and accounts of the pairs, at rates of its own."""
    demand, workers = settings.demand, settings.target.events.workers
    at_once = max(pairs.in_flight_per_side, int(PILE_UP * demand.peak_per_s * pairs.timeout_s / workers) + 1)
    load = replace(pairs, rate_per_s=demand.peak_per_s, in_flight_per_side=at_once, seed=settings.seed + 2)
    points = tuple(zip(demand.times_s, demand.rates_per_s, strict=True))
    return EventPlan(load, points, str(settings.profile.resolve()), workers)


def _watchers(settings: RehearsalSettings, clock: RunClock) -> list[Watcher]:
    """Pods, nodes and autoscalers of everything that scales; the load balancer; machines, where there are any.

    Pods of the other services, too: none of them may be on Spot.
    """
    target, service = settings.target, settings.service
    workers = [worker.namespace for worker in settings.platform.workers]
    others = [one.namespace for one in settings.platform.services if one.namespace != service.namespace]
    also = list(dict.fromkeys([*workers, *others]))
    found: list[Watcher] = [
        kubernetes.KubernetesWatcher(kubernetes.connect(target), service.namespace, clock, also),
        kubernetes.ScaleWatcher(kubernetes.connect(target), [service.namespace, *workers], clock),
        elbv2.LoadBalancerWatcher(elbv2.connect(target, service), clock),
        ec2.MachineWatcher(ec2.connect(target), clock),
    ]
    return found


def _longest_s(settings: RehearsalSettings) -> float:
    return settings.demand.seconds + settings.scaling.limits.return_within_s + SPARE_S
