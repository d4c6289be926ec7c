"""Three realistic runs, PASS, FAIL and INCONCLUSIVE, as a gate leaves them. Seeded: always the same."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side
from shiftproof.model.history import (
    Budget,
    CustomersReport,
    Happening,
    History,
    LbRecord,
    LoadReport,
    Phase,
    PhaseKind,
    Source,
)
from shiftproof.model.result import CustomerCount, PairCount, PhaseRow, RunInfo, RunResult
from shiftproof.model.verdict import Finding, Outage, Verdict

STARTED = datetime(2026, 5, 4, 12, 1, 3, 120_000, UTC)
START_NS = int(STARTED.timestamp()) * 1_000_000_000 + 120_000_000
SECOND = 1_000_000_000
RATE = 150
SERVERS = ("", "legacy-1", "legacy-2", "payments-7d4f9-x2k8q", "payments-7d4f9-m4tzc", "payments-5b6c8-q9w2r")

#: (name, kind, seconds a repeat, repeats, seconds of the action)
PLAN = (
    ("steady", PhaseKind.STEADY, 12, 1, 0),
    ("deploy", PhaseKind.GRACEFUL, 8, 3, 6.1),
    ("pod-delete", PhaseKind.GRACEFUL, 7, 3, 1.5),
    ("node-loss", PhaseKind.CRASH, 14, 1, 8),
    ("shift", PhaseKind.SHIFT, 7, 3, 0.9),
    ("rollback", PhaseKind.ROLLBACK, 7, 3, 0.8),
)


def phases(upto: int = len(PLAN)) -> tuple[Phase, ...]:
    out, at = [], START_NS + 9 * SECOND
    for name, kind, seconds, repeats, action_s in PLAN[:upto]:
        for repeat in range(1, repeats + 1):
            end = at + seconds * SECOND
            begun = at + SECOND // 2
            budget = Budget(outage_ms=5000, lost_requests=400, recover_s=20) if kind is PhaseKind.CRASH else None
            acted = begun + int(action_s * SECOND)
            out.append(Phase(name, kind, repeat, at, end, begun, acted, budget))
            at = end + SECOND // 2
    return tuple(out)


def events(run: tuple[Phase, ...], seed: int = 7) -> Events:
    """A pair (in shift and rollback a triple) each 1/150 s; none fails yet."""
    random = np.random.default_rng(seed)
    span = np.arange(run[0].start_ns, run[-1].end_ns, SECOND // RATE)
    triple = np.zeros(len(span), dtype=bool)
    for phase in run:
        if phase.kind.treatment is Side.WEIGHTED:
            triple |= (span >= phase.start_ns) & (span < phase.end_ns)
    parts = []
    for side, sent in ((Side.LEGACY, span), (Side.CLUSTER, span), (Side.WEIGHTED, span[triple])):
        part = np.zeros(len(sent), dtype=EVENT_DTYPE)
        part["pair"] = np.searchsorted(span, sent)
        part["side"], part["status"], part["operation"] = side, 201, random.integers(0, 3, len(sent))
        part["intended_ns"] = sent
        part["sent_ns"] = sent + random.integers(50_000, 900_000, len(sent))
        latency = random.lognormal(np.log(58 if side is Side.LEGACY else 62), 0.16, len(sent)) * 1e6
        part["ended_ns"] = sent + latency.astype(np.int64)
        part["served_by"] = (
            random.integers(1, 3, len(sent)) if side is Side.LEGACY else random.integers(3, 6, len(sent))
        )
        parts.append(part)
    every = np.concatenate(parts)
    return every[np.argsort(every["intended_ns"], kind="stable")]


def fail(
    every: Events, side: Side, from_ns: int, seconds: float, share: float, how: Failure, seed: int = 3
) -> list[int]:
    """Let a share of a side's requests in a span fail, in place; returns their pairs."""
    random = np.random.default_rng(seed)
    inside = (
        (every["side"] == side)
        & (every["intended_ns"] >= from_ns)
        & (every["intended_ns"] < from_ns + seconds * SECOND)
    )
    hit = np.flatnonzero(inside)[random.random(int(inside.sum())) < share]
    every["failure"][hit] = how
    every["status"][hit] = 503 if how is Failure.STATUS else 0
    every["ended_ns"][hit] = every["intended_ns"][hit] + (2 * SECOND if how is Failure.TIMEOUT else 3_000_000)
    return [int(pair) for pair in every["pair"][hit]]


def timeline(run: tuple[Phase, ...]) -> tuple[Happening, ...]:
    out: list[Happening] = []

    def weights(t_ns: int, rule: str, cluster: int) -> None:
        detail = f"legacy {100 - cluster}%, cluster {cluster}%"
        data = {"legacy_pct": 100 - cluster, "cluster_pct": cluster}
        out.append(Happening(t_ns, Source.LOAD_BALANCER, "weights.set", f"rule/{rule}", detail, data))

    def add(t_ns: int, source: Source, kind: str, subject: str, detail: str = "", **data: Any) -> None:
        out.append(Happening(t_ns, source, kind, subject, detail, data))

    weights(START_NS + SECOND, "weighted", 0)
    weights(START_NS + SECOND, "customers", 0)
    for phase in run:
        t = phase.action_start_ns
        add(phase.start_ns, Source.SHIFTPROOF, "phase.start", phase.name)
        if phase.name in ("deploy", "pod-delete"):
            for pod in range(3 if phase.name == "deploy" else 1):
                at, name = t + pod * 2 * SECOND, f"payments-7d4f9-{phase.repeat}{pod}"
                add(at, Source.KUBERNETES, "pod.ready", f"pod/new-{phase.repeat}{pod}", ip="198.18.2.9", node="node-2")
                add(at + SECOND // 5, Source.LOAD_BALANCER, "target.healthy", "target/198.18.2.9:8080")
                add(
                    at + SECOND // 2,
                    Source.KUBERNETES,
                    "pod.terminating",
                    f"pod/{name}",
                    ip="198.18.1.7",
                    node="node-1",
                )
                add(at + SECOND // 2 + 310_000_000, Source.LOAD_BALANCER, "target.draining", "target/198.18.1.7:8080")
                add(at + SECOND * 3 // 2, Source.KUBERNETES, "pod.gone", f"pod/{name}")
        if phase.kind is PhaseKind.CRASH:
            add(t, Source.CHAOS, "fault.begin", "node/node-2", "power cut for 8 s")
            add(
                t + SECOND * 3 // 2,
                Source.LOAD_BALANCER,
                "target.unhealthy",
                "target/198.18.2.9:8080",
                "connect-timeout",
            )
            add(t + 5 * SECOND, Source.KUBERNETES, "node.not-ready", "node/node-2")
            add(phase.action_end_ns, Source.CHAOS, "fault.end", "node/node-2", "power is back")
            add(phase.action_end_ns + 3 * SECOND, Source.KUBERNETES, "node.ready", "node/node-2")
        if phase.kind is PhaseKind.SHIFT:
            weights(t, "weighted", 25)
        if phase.kind is PhaseKind.ROLLBACK:
            weights(phase.start_ns, "weighted", 25)
        if phase.kind in (PhaseKind.SHIFT, PhaseKind.ROLLBACK):
            back = phase.end_ns - SECOND if phase.kind is PhaseKind.SHIFT else t + SECOND
            weights(back, "weighted", 0)
        add(phase.end_ns, Source.SHIFTPROOF, "phase.end", phase.name)
    return tuple(sorted(out, key=lambda happening: happening.t_ns))


def history(run: tuple[Phase, ...], every: Events, lost: list[int] | None = None) -> History:
    causes = tuple(
        LbRecord(START_NS, pair, Side.CLUSTER, "198.18.1.7:8080", 502, "connect-refused") for pair in lost or []
    )
    return History(
        started_ns=START_NS,
        phases=run,
        events=every,
        operations=("create", "read", "list"),
        servers=SERVERS,
        timeline=timeline(run),
        lb_records=causes,
        load=LoadReport(len(every), len(every), len(every), 0, 3, True),
        customers=CustomersReport(3210, 0),
    )


def run_info() -> RunInfo:
    return RunInfo(
        id="7f3a",
        operator="amina",
        ticket="MIG-412",
        digests={"payments image": "sha256:" + "4be1" * 16, "manifests": "sha256:" + "90ac" * 16},
        config_hash="sha256:" + "77d0" * 16,
        versions={"shiftproof": "0.1.0", "kubernetes": "v1.34.2", "locust": "2.47.0", "python": "3.11.2"},
        seed=20260504,
    )


def result(verdict: Verdict, findings: tuple[Finding, ...], run_dir: Path, **changes: Any) -> RunResult:
    base: dict[str, Any] = {
        "verdict": verdict,
        "service": "payments",
        "target": "lab",
        "from_pct": 0,
        "to_pct": 25,
        "started_at": STARTED,
        "seconds": 161.4,
        "findings": findings,
        "requests": PairCount(14880, 112, 112),
        "customers": CustomerCount(3210, 0),
        "outages": (),
        "run": run_info(),
        "run_dir": run_dir,
    }
    return RunResult(**{**base, **changes})


def passed(run_dir: Path) -> tuple[RunResult, History, list[int]]:
    run = phases()
    every = events(run)
    loss = next(phase for phase in run if phase.name == "node-loss")
    lost = fail(every, Side.CLUSTER, loss.action_start_ns, 1.9, 0.4, Failure.TIMEOUT)
    findings = (
        Finding("preflight", "weights", Verdict.PASS, "legacy 100%, as recorded", {}),
        Finding(
            "availability",
            "run",
            Verdict.PASS,
            "0 of 14,880 graceful pairs attributed: below 0.031% at 99% confidence",
            {
                "graceful_pairs": 14880,
                "attributed": 0,
                "upper_rate": 0.00030944,
                "confidence": 0.99,
                "log_likelihood_ratio": -4.81,
            },
        ),
        Finding("availability", "steady", Verdict.PASS, "0 of 1,800 attributed", {"pairs": 1800, "attributed": 0}),
        Finding(
            "outage",
            "deploy",
            Verdict.PASS,
            "3 of 3 rollouts lost nothing (0 of 3,600 pairs)",
            {"repeats": [0, 0, 0], "pairs": 3600},
        ),
        Finding("outage", "pod-delete", Verdict.PASS, "3 of 3 lost nothing (0 of 3,150 pairs)", {"repeats": [0, 0, 0]}),
        Finding(
            "outage",
            "node-loss",
            Verdict.PASS,
            "outage 1.9 s +- 7 ms (budget 5 s), 112 requests (budget 400)",
            {"outage_ms": 1903.2, "error_ms": 7.0, "budget": {"outage_ms": 5000, "lost_requests": 400}},
        ),
        Finding(
            "latency",
            "run",
            Verdict.PASS,
            "of 148 s none shows the cluster later than legacy beyond the margin of 5%",
            {"threshold_ms": 500, "margin": 0.05, "seconds": 148, "e_value": 0.021},
        ),
        Finding(
            "deploy", "deploy", Verdict.PASS, "3 rollouts, 6.1 s each (deadline 60 s)", {"rollout_s": [6.1, 6.0, 6.2]}
        ),
        Finding(
            "rollback",
            "rollback",
            Verdict.PASS,
            "back on legacy in 0.8 s, 3 of 3 (limit 10 s)",
            {"rollback_s": [0.8, 0.7, 0.8], "limit_s": 10},
        ),
        Finding(
            "recovery", "node-loss", Verdict.PASS, "objective met again after 2.3 s (budget 20 s)", {"recover_s": 2.3}
        ),
        Finding(
            "sufficiency",
            "run",
            Verdict.PASS,
            "22,110 of 22,110 requests sent, 3 later than 20 ms",
            {"late_pct": 0.014},
        ),
    )
    rows = (
        PhaseRow("preflight", Verdict.PASS, "14 checks"),
        PhaseRow("steady", Verdict.PASS, "", 1800, 0),
        PhaseRow("deploy", Verdict.PASS, "3 rollouts, 6.1 s each", 3600, 0),
        PhaseRow("pod-delete", Verdict.PASS, "3 pods", 3150, 0),
        PhaseRow(
            "node-loss",
            Verdict.PASS,
            "outage 1.9 s +- 7 ms (budget 5 s), 112 requests, objective met again after 2.3 s",
        ),
        PhaseRow("shift", Verdict.PASS, "0% to 25%, 3 of 3", 3150, 0),
        PhaseRow("rollback", Verdict.PASS, "back on legacy in 0.8 s, 3 of 3", 3150, 0),
    )
    at_ms = (loss.action_start_ns - START_NS) / 1e6
    made = result(
        Verdict.PASS,
        findings,
        run_dir,
        outages=(Outage("node-loss", at_ms, 1903.2, 7.0, len(lost), 0.4),),
        requests=PairCount(len(np.unique(every["pair"])), len(lost), len(lost)),
        phases=rows,
        proof=run_dir / "proof.dsse.json",
    )
    return made, history(run, every, lost), lost


def failed(run_dir: Path) -> tuple[RunResult, History, list[int]]:
    """No graceful shutdown: each rollout loses a few; stopped early, after the deploys."""
    run = phases(upto=2)
    every = events(run)
    lost: list[int] = []
    for phase in run:
        if phase.name == "deploy":
            for pod in range(3):
                at = phase.action_start_ns + pod * 2 * SECOND + SECOND // 2 + 40_000_000
                lost += fail(
                    every,
                    Side.CLUSTER,
                    at,
                    0.27,
                    0.12,
                    (Failure.RESET, Failure.STATUS)[pod % 2],
                    seed=phase.repeat * 7 + pod,
                )
    fail(every, Side.LEGACY, run[2].start_ns + 5 * SECOND, 0.02, 0.9, Failure.TIMEOUT)
    deploys = [phase for phase in run if phase.name == "deploy"]
    findings = (
        Finding("availability", "steady", Verdict.PASS, "0 of 1,800 attributed", {"pairs": 1800, "attributed": 0}),
        Finding(
            "availability",
            "deploy",
            Verdict.FAIL,
            "3 of 3 rollouts lost requests (14, 12, 14 of 1,200 each; the legacy side lost 2)",
            {
                "repeats": [14, 12, 14],
                "pairs": 3600,
                "legacy_failed": 2,
                "rejected_by": {"refused": 0, "reset": 27, "status": 13},
                "culprit": "12:01:25.66  pod payments-7d4f9-10 stopped listening 40 ms after SIGTERM and left the load "
                "balancer 310 ms later.",
                "hint": "keep serving after SIGTERM until the load balancer has let go (preStop sleep >= 5 s).",
                "where": "infra/services/payments/base/deployment.yaml:31",
            },
        ),
        Finding(
            "outage",
            "deploy",
            Verdict.FAIL,
            "9 outages in 3 repeats, the longest 268 ms ± 6.7 ms (14 requests, 12% of those sent); "
            "a graceful action may cause none",
            {"outages": 9, "longest_ms": 268.4, "error_ms": 6.7},
        ),
        Finding(
            "deploy", "deploy", Verdict.PASS, "3 rollouts, 6.1 s each (deadline 60 s)", {"rollout_s": [6.1, 6.0, 6.2]}
        ),
        Finding("rollback", "run", Verdict.INCONCLUSIVE, "not tried: the run stopped at a clear FAIL", {}),
    )
    rows = (
        PhaseRow("preflight", Verdict.PASS, "14 checks"),
        PhaseRow("steady", Verdict.PASS, "", 1800, 0),
        PhaseRow("deploy", Verdict.FAIL, "3 of 3 rollouts lost requests", 3600, 40),
    )
    outages = tuple(
        Outage("deploy", (phase.action_start_ns - START_NS) / 1e6 + 540, 268.4, 6.7, 14, 0.12) for phase in deploys
    )
    made = result(
        Verdict.FAIL,
        findings,
        run_dir,
        seconds=58.2,
        outages=outages,
        phases=rows,
        requests=PairCount(len(np.unique(every["pair"])), len(lost), len(lost)),
        customers=CustomerCount(1164, 0),
    )
    return made, history(run, every, lost), lost


def unproven(run_dir: Path) -> tuple[RunResult, History, list[int]]:
    """The node's power was cut, but no pod ran there: the fault proved nothing."""
    run = phases(upto=4)
    every = events(run)
    findings = (
        Finding(
            "availability",
            "run",
            Verdict.PASS,
            "0 of 8,550 graceful pairs attributed: below 0.054% at 99%",
            {"pairs": 8550},
        ),
        Finding(
            "sufficiency",
            "node-loss",
            Verdict.INCONCLUSIVE,
            "the fault proved nothing: no pod of payments ran on node-2 when its power was cut, so no request "
            "could be hurt",
            {
                "victims": [],
                "node": "node-2",
                "command": "shiftproof gate payments --to 25 --only node-loss",
                "hint": "spread the pods over both nodes (topologySpreadConstraints).",
            },
        ),
        Finding(
            "recovery", "node-loss", Verdict.INCONCLUSIVE, "nothing was lost, so there was nothing to recover from", {}
        ),
    )
    rows = (
        PhaseRow("preflight", Verdict.PASS, "14 checks"),
        PhaseRow("steady", Verdict.PASS, "", 1800, 0),
        PhaseRow("deploy", Verdict.PASS, "3 rollouts, 6.1 s each", 3600, 0),
        PhaseRow("pod-delete", Verdict.PASS, "3 pods", 3150, 0),
        PhaseRow("node-loss", Verdict.INCONCLUSIVE, "the fault hit nothing"),
    )
    made = result(
        Verdict.INCONCLUSIVE,
        findings,
        run_dir,
        seconds=101.0,
        phases=rows,
        requests=PairCount(len(np.unique(every["pair"])), 0, 0),
    )
    return made, history(run, every), []
