"""What a drill does to the two sides: each call marks itself on the clock and notes what it measured.

Thin on purpose: a drill in suites/ reads as the drill it is, and the systems stay behind the ports.
"""

from __future__ import annotations

from shiftproof.errors import FaultError, ServiceFault
from shiftproof.gate.phases import Phases
from shiftproof.gate.settings import GateSettings
from shiftproof.gate.traffic import TrafficShare
from shiftproof.ports import Clock, Cluster, Experiment, Faults, Router, Weights

STEADY_WITHIN_S = 60.0
LEAD_S = 1.0  # of traffic before weights change


class ClusterDrills:
    """The Kubernetes side of the service under test."""

    def __init__(self, cluster: Cluster, phases: Phases, settings: GateSettings) -> None:
        self._cluster = cluster
        self._phases = phases
        self._deadline_s = settings.service.objectives.deploy_within_s

    def roll(self) -> None:
        """A rolling update, as a deploy makes it. Raises ServiceFault when it does not end by the deadline."""
        with self._phases.action("roll") as phase:
            rollout = self._cluster.roll(self._deadline_s)
            if phase is not None:
                phase.facts.update(
                    rollout_s=rollout.seconds,
                    complete=rollout.complete,
                    replicas=rollout.replicas,
                    problem=rollout.problem,
                )
        if not rollout.complete:
            raise ServiceFault(f"the rollout did not end: {rollout.problem}")

    def settle(self) -> None:
        """Wait until the Deployment is whole, so that the next phase starts clean.

        Raises ServiceFault when it is not, FaultError when that is for want of a node.
        """
        if self._cluster.wait_steady(STEADY_WITHIN_S):
            return
        said = f"the cluster side was not whole again within {STEADY_WITHIN_S:.0f} s"
        nodes = self._cluster.workload().hindered_by
        if nodes:
            # A node that comes back slowly says nothing about the service: its replicas are reported, not awaited.
            raise FaultError(f"{said}, because {' and '.join(nodes)}")
        raise ServiceFault(said)


class RouterDrills:
    """The weights of the `weighted` rehearsal rule. The customers' rule is never written here."""

    def __init__(
        self, router: Router, phases: Phases, traffic: TrafficShare, settings: GateSettings, clock: Clock, from_pct: int
    ) -> None:
        self._router = router
        self._phases = phases
        self._traffic = traffic
        self._clock = clock
        self._deadline_s = settings.service.objectives.rollback_within_s
        self.from_pct = from_pct
        self.to_pct = settings.to_pct
        self._left_behind = False

    def shift(self) -> None:
        """To the step's target weight; ends when traffic was seen to follow. Raises ServiceFault when it never does."""
        if self._phases.current is not None:
            self._clock.sleep(LEAD_S)  # of clients who are somewhere already: a shift has to move those, too
        self._write("shift", self.from_pct, self.to_pct)

    def roll_back(self) -> None:
        """Back to where the step started, timed by the last request that still went to the new side."""
        if self._phases.current is not None:
            # A way back is proven only from where traffic really is.
            self._traffic.wait_for_any(self._clock.now_ns(), LEAD_S, self._deadline_s)
        self._write("rollback", self.to_pct, self.from_pct)

    def reset(self) -> None:
        """To where the step started, between repeats: not a rollback drill, so not timed."""
        self._router.set_weights("weighted", Weights(legacy_pct=100 - self.from_pct, cluster_pct=self.from_pct))

    def _write(self, what: str, from_pct: int, to_pct: int) -> None:
        with self._phases.action(what, from_pct=from_pct, to_pct=to_pct) as phase:
            began_ns = self._clock.now_ns()
            self._router.set_weights("weighted", Weights(legacy_pct=100 - to_pct, cluster_pct=to_pct))
            if phase is None:
                return  # triples run only inside a phase: outside one there is no traffic to watch
            followed = self._traffic.wait_for(from_pct, to_pct, began_ns, self._deadline_s)
            if followed.seconds is not None or followed.stayed:
                # None says that it was seen not to follow; where nobody could tell, there is no such fact.
                phase.facts.update(seconds=followed.seconds, from_pct=from_pct, to_pct=to_pct)
        if followed.seconds is not None:
            ended_ns = self._clock.now_ns()
            self._await_clients(to_pct, began_ns)
            # The judges ask the traffic after the action; a phase that had its pairs before may end without any.
            self._traffic.wait_for_answer(ended_ns, self._deadline_s)
            return
        seen = f"{followed.cluster} of {followed.answered} weighted requests went to the cluster side"
        if not followed.stayed:
            raise FaultError(
                f"{what}: {seen} within {self._deadline_s:.0f} s: too few to tell {from_pct}% from {to_pct}%"
            )
        raise ServiceFault(
            f"{what}: the weights were written and read back as {to_pct}%, but traffic did not follow within "
            f"{self._deadline_s:.0f} s: {seen}"
        )

    def _await_clients(self, to_pct: int, began_ns: int) -> None:
        """Where clients carry cookies, watch until they have followed too, or have not in time; judges say which."""
        if self._left_behind or not self._traffic.cookies_since(began_ns):
            return  # seen once, it need not be waited for again
        self._left_behind = not self._traffic.wait_for_clients(to_pct, began_ns, self._deadline_s + LEAD_S)


class ChaosDrills:
    """Chaos Toolkit experiments, audited."""

    def __init__(self, faults: Faults, phases: Phases, settings: GateSettings) -> None:
        self._faults = faults
        self._phases = phases
        self._settings = settings

    def run(self, experiment: Experiment) -> None:
        """One experiment in the phase that is open. Raises FaultError when it proved nothing."""
        phase = self._phases.current
        repeat = phase.repeat if phase is not None else 1
        with self._phases.action(experiment.name):
            result = self._faults.run(experiment.name, self._settings.run_dir, repeat)
        if phase is not None:
            # The child's own span is tighter than ours, which includes its start-up.
            phase.action_start_ns = result.action_start_ns
            phase.action_end_ns = result.action_end_ns
            phase.facts.update(result.facts, victims=list(result.victims))
            phase.facts["effect"] = "confirmed" if result.problem is None else "not confirmed"
            if result.service_problem is not None:
                phase.facts["not_borne"] = result.service_problem  # for the recovery claim
        if result.problem is not None:
            raise FaultError(f"{experiment.name}: {result.problem}")
        if result.service_problem is not None:
            raise ServiceFault(f"{experiment.name}: {result.service_problem}")
        if not result.victims:
            raise FaultError(f"{experiment.name}: it names no victim, so nothing shows that anything was broken")
