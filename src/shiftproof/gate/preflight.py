"""Preflight: seconds, and changes nothing. Each check is a function that returns a sentence, or raises.

ServiceFault: the service is not fit, FAIL. SetupError: our own set-up is not, exit 3. A team adds a check with
`@check("name")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import httpx

from shiftproof.errors import FaultError, RefusedError, ServiceFault, SetupError
from shiftproof.gate.settings import GateSettings
from shiftproof.model.event import Side
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.ports import Clock, Cluster, Router, TargetState
from shiftproof.safety.journal import Journal

CLAIM = "preflight"
CHANGING = ("way-back",)  # writes a rule to what it is; a dry run leaves it out
PROBE_TIMEOUT_S = 3.0
SETTLED_WITHIN_S = 30.0  # for targets that were registered just now


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a check may look at."""

    settings: GateSettings
    router: Router
    cluster: Cluster
    journal: Journal
    clock: Clock


Check = Callable[[Preflight], str]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Register a preflight check; it returns what it saw, in a few words."""

    def register(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return register


def run_check(name: str, preflight: Preflight) -> Finding:
    """One check as a finding. Raises what is not about the service (SetupError, UserError)."""
    try:
        seen = CHECKS[name](preflight)
    except ServiceFault as error:
        return Finding(CLAIM, name, Verdict.FAIL, str(error), {"hint": error.hint} if error.hint else {})
    except FaultError as error:
        raise SetupError(f"preflight {name}: {error}", hint=error.hint) from error
    return Finding(CLAIM, name, Verdict.PASS, seen)


@check("step")
def _step(preflight: Preflight) -> str:
    """There is a step to prove."""
    weights = preflight.router.weights("customers")
    to_pct = preflight.settings.to_pct
    if weights.cluster_pct == to_pct:
        raise RefusedError(
            f"{preflight.settings.service.name} is at {to_pct}% already, so there is no step to prove",
            hint="name another weight with --to",
        )
    return f"{weights.cluster_pct}% to {to_pct}%"


@check("legacy-healthy")
def _legacy_healthy(preflight: Preflight) -> str:
    return _all_healthy(preflight, Side.LEGACY, "legacy")


@check("cluster-healthy")
def _cluster_healthy(preflight: Preflight) -> str:
    return _all_healthy(preflight, Side.CLUSTER, "cluster")


@check("workload-whole")
def _workload_whole(preflight: Preflight) -> str:
    """All replicas that the Deployment wants are ready."""
    workload = preflight.cluster.workload()
    if workload.replicas == 0 or workload.ready < workload.replicas:
        reasons = sorted({pod.waiting_reason for pod in workload.pods if pod.waiting_reason})
        why = f" ({', '.join(reasons)})" if reasons else ""
        raise ServiceFault(f"{workload.ready} of {workload.replicas} pods are ready{why}")
    return f"{workload.ready} pods ready, up to {workload.max_replicas}"


@check("drains")
def _drains(preflight: Preflight) -> str:
    """Nodes can be drained: a budget that lets no pod go stops every upgrade of a node, and shows only then."""
    blocked = preflight.cluster.workload().undrainable
    if blocked:
        raise ServiceFault(
            f"no pod can ever be evicted, so no node can be drained: {'; '.join(blocked)}",
            hint="let the PodDisruptionBudget spare one pod, e.g. maxUnavailable: 1, and keep more than one replica",
        )
    return "evictions are possible"


@check("capacity-back")
def _capacity_back(preflight: Preflight) -> str:
    """The old side can take everything back; without that there is no way back."""
    wanted = preflight.settings.service.legacy_hosts_for_peak
    healthy = sum(target.state == "healthy" for target in preflight.router.targets(Side.LEGACY))
    if wanted is None:
        return f"{healthy} legacy hosts healthy; how many a peak takes is not declared (legacy_hosts_for_peak)"
    if healthy < wanted:
        raise ServiceFault(
            f"the legacy side has {healthy} healthy hosts and needs {wanted} to take all traffic back",
            hint="bring the missing legacy hosts back before any traffic moves",
        )
    return f"{healthy} legacy hosts healthy, {wanted} needed"


@check("connections")
def _connections(preflight: Preflight) -> str:
    """Connection budgets add up at the worst moment: all replicas, and the surge of a rollout."""
    budget = preflight.settings.service.connections
    if budget is None:
        return "no database declared"
    workload = preflight.cluster.workload()
    pods = workload.max_replicas + workload.max_surge
    needed = budget.legacy_total + pods * budget.per_pod
    allowed = budget.database_limit - budget.reserved
    if needed > allowed:
        raise ServiceFault(
            f"the pools can take {needed} connections (legacy {budget.legacy_total} + {pods} pods x {budget.per_pod}), "
            f"and the database allows {allowed}",
            hint="lower the pool size or the most replicas, or raise the database's limit",
        )
    return f"{needed} of {allowed} connections at most"


@check("one-writer")
def _one_writer(preflight: Preflight) -> str:
    return one_writer(preflight.router)


def one_writer(router: Router) -> str:
    """Nothing else writes the customers' rule: two writers undo each other's weights. Raises ServiceFault."""
    others = router.other_writers()
    if others:
        raise ServiceFault(
            f"the customers' rule is also written by {', '.join(others)}", hint="leave the rule to one writer"
        )
    return "the rule has one writer"


@check("rules-pinned")
def _rules_pinned(preflight: Preflight) -> str:
    return rules_pinned(preflight.router)


def rules_pinned(router: Router) -> str:
    """The two pinned rehearsal rules send everything to their own side. Raises SetupError."""
    pinned = {"legacy": 0, "cluster": 100}
    for rule, wanted in pinned.items():
        found = router.weights(rule).cluster_pct
        if found != wanted:
            raise SetupError(f"rehearsal rule {rule!r} sends {found}% to the cluster, not {wanted}%")
    return "legacy and cluster are pinned"


@check("entry-answers")
def _entry_answers(preflight: Preflight) -> str:
    """A request by each rehearsal rule comes back well, and from different servers."""
    servers = {side: _probe(preflight.settings, side) for side in ("legacy", "cluster")}
    if servers["legacy"] and servers["legacy"] == servers["cluster"]:
        raise SetupError(f"both rehearsal rules were answered by {servers['legacy']}: the rules do not part the sides")
    return " and ".join(name or "?" for name in servers.values())


@check("way-back")
def _way_back(preflight: Preflight) -> str:
    """The undo path works: journal on disk, and the weighted rule can be written to what it is."""
    weights = preflight.router.weights("weighted")
    with preflight.journal.undoing(
        kind="weights",
        subject=f"rule/{preflight.settings.service.name}-weighted",
        undo=weights_undo(preflight.settings, weights.cluster_pct),
        lease_s=60,
    ):
        preflight.router.set_weights("weighted", weights)
    return "journal written, weights written and read back"


def weights_undo(settings: GateSettings, cluster_pct: int) -> dict[str, object]:
    """The undo journal's payload that puts the weighted rehearsal rule back."""
    return {
        "target": settings.target.name,
        "service": settings.service.name,
        "rule": "weighted",
        "legacy_pct": 100 - cluster_pct,
        "cluster_pct": cluster_pct,
    }


def _all_healthy(preflight: Preflight, side: Side, name: str) -> str:
    targets = _settled_targets(preflight, side)
    sick = [target for target in targets if target.state not in ("healthy", "draining")]
    if not any(target.state == "healthy" for target in targets):
        raise ServiceFault(f"the {name} side has no healthy target{_described(sick)}")
    if sick:
        raise ServiceFault(
            f"{len(sick)} of {len(targets)} targets of the {name} side are not healthy{_described(sick)}"
        )
    return f"{len(targets)} targets healthy"


def _settled_targets(preflight: Preflight, side: Side) -> Sequence[TargetState]:
    """The targets once none is being checked for the first time: a new pod is neither healthy nor sick yet."""
    give_up_ns = preflight.clock.now_ns() + int(SETTLED_WITHIN_S * 1e9)
    while True:
        targets = preflight.router.targets(side)
        if all(target.state != "initial" for target in targets) or preflight.clock.now_ns() > give_up_ns:
            return targets
        preflight.clock.sleep(0.5)


def _described(targets: Iterable[TargetState]) -> str:
    words = [f"{target.address} {target.state} {target.reason}".strip() for target in targets]
    return f": {'; '.join(words)}" if words else ""


def _probe(settings: GateSettings, side: str) -> str:
    url = settings.target.entry + settings.service.health_path
    try:
        answer = httpx.get(url, headers={"x-shiftproof-rehearsal": side}, timeout=PROBE_TIMEOUT_S)
    except httpx.HTTPError as error:
        raise ServiceFault(f"a request to the {side} side failed: {str(error) or type(error).__name__}") from error
    if answer.status_code >= 400:
        raise ServiceFault(f"a request to the {side} side was answered with {answer.status_code}")
    return str(answer.headers.get("x-served-by", ""))
