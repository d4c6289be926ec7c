"""A made-up payday on an autoscaled service: 20 to 100 requests a second, pods from 2 to 5 and back. Always the same.

Two pods find room on nodes that are there. Two more wait for a machine, which takes 40 s to boot; meanwhile requests
come late. Later a Spot node, on which only a worker runs, is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakes.report_runs import START_NS, STARTED, run_info
from shiftproof.model.history import Happening, Source
from shiftproof.model.load_event import Hold, LoadEvent, Ramp
from shiftproof.model.rehearsed import Rehearsed
from shiftproof.model.result import CustomerCount, PairCount, PhaseRow, RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.event_evidence import EventEvidence, Variant

SECOND = 1_000_000_000
EVENT_NS = START_NS + 71 * SECOND
PER_POD = 22
PEAK_PER_S, SCALE = 300.0, 1 / 3
PRICE_S = 0.05 / 3600
PAYDAY = LoadEvent(
    "payday",
    "Salaries land: five times the load in under a minute",
    0.2,
    (Hold(40, really_s=3600), Ramp(1.0, 45), Hold(75, really_s=2700), Ramp(0.2, 40), Hold(180, really_s=3600)),
)
STAGES = ("metric lag", "decision", "scheduling", "node", "boot", "ready")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MadeCurves:
    seconds: Ints
    demand_per_s: Floats
    sent_per_s: Ints
    failed_per_s: Ints
    bad_per_s: Ints
    p50_ms: Floats
    p99_ms: Floats
    control_p99_ms: Floats
    pods_needed: Ints
    pods_wanted: Ints
    pods_ready: Ints
    pods_pending: Ints
    nodes_ready: Ints
    nodes_spot: Ints
    hindsight_pods: Ints
    cost: Floats
    hindsight_cost: Floats


def curves(before_s: int = 60, after_s: int = 60, stretch: int = 1) -> MadeCurves:
    """From before the event until after it. stretch: each second so many times, for a long one."""
    random = np.random.default_rng(11)
    demand = PAYDAY.demand(PEAK_PER_S * SCALE)
    t = np.arange(-before_s, int(demand.seconds) + after_s)
    rate = np.array([demand.rate_at(float(s)) for s in t])
    needed = np.maximum(2, np.ceil(rate / PER_POD)).astype(np.int64)
    wanted = _steps(t, 2, (61, 3), (70, 5), (290, 2))
    ready = _steps(t, 2, (66, 3), (118, 5), (293, 3), (294, 2))
    pending = _steps(t, 0, (71, 2), (112, 0))
    spot = _steps(t, 1, (190, 0), (238, 1))
    nodes = _steps(t, 2, (110, 3), (330, 2)) + spot
    short = np.maximum(needed - ready, 0)
    sent = random.poisson(rate).astype(np.int64)
    bad = np.minimum(sent, random.binomial(sent, np.minimum(0.55, 0.11 * short)))
    p50 = 55 + 45 * short + random.normal(0, 2, len(t))
    p99 = np.minimum(1900, (95 + 210 * short**1.6) * random.lognormal(0, 0.08, len(t)))
    p50[sent == 0] = p99[sent == 0] = np.nan
    during = t >= 0
    made = MadeCurves(
        seconds=t,
        demand_per_s=rate,
        sent_per_s=sent,
        failed_per_s=random.binomial(bad, 0.2),
        bad_per_s=bad,
        p50_ms=p50,
        p99_ms=p99,
        control_p99_ms=90 * random.lognormal(0, 0.07, len(t)),
        pods_needed=needed,
        pods_wanted=wanted,
        pods_ready=ready,
        pods_pending=pending,
        nodes_ready=nodes,
        nodes_spot=spot,
        hindsight_pods=needed,
        cost=np.cumsum(np.where(during, ready + pending, 0)) * PRICE_S,
        hindsight_cost=np.cumsum(np.where(during, needed, 0)) * PRICE_S,
    )
    if stretch == 1:
        return made
    columns = {name: np.repeat(getattr(made, name), stretch) for name in MadeCurves.__slots__}
    columns["seconds"] = np.arange(len(t) * stretch) - before_s
    return MadeCurves(**columns)


def _steps(t: Ints, first: int, *changes: tuple[int, int]) -> Ints:
    out = np.full(len(t), first, dtype=np.int64)
    for at, value in changes:
        out[t >= at] = value
    return out


def timeline() -> tuple[Happening, ...]:
    out: list[Happening] = []

    def add(at_s: float, source: Source, kind: str, subject: str, detail: str = "", **data: Any) -> None:
        out.append(Happening(EVENT_NS + round(at_s * SECOND), source, kind, subject, detail, data))

    seen, ours, chaos = Source.KUBERNETES, Source.SHIFTPROOF, Source.CHAOS
    for name, machine, kind in (
        ("node-1", "i-01", "on-demand"),
        ("node-2", "i-02", "on-demand"),
        ("node-s", "i-09", "spot"),
    ):
        add(-65, seen, "node.present", f"node/{name}", ready=True, machine=machine, capacity_type=kind)
    add(0, ours, "event.start", "event/payday", "5 times the load in 45 s")
    add(57, seen, "scale.observed", "autoscaler/payments", metric="requests", ratio=1.4)
    for wanted_s, replicas in ((61, 3), (70, 5), (290, 2)):
        add(wanted_s, seen, "scale.wanted", "deployment/payments", replicas=replicas)
    for at_s, pods in ((61.2, ("x2k8q",)), (70.3, ("m4tzc", "q9w2r"))):
        for pod in pods:
            add(at_s, seen, "pod.created", f"pod/payments-7d4f9-{pod}")
    for pod in ("m4tzc", "q9w2r"):
        add(70.6, seen, "pod.failing", f"pod/payments-7d4f9-{pod}", reason="Unschedulable")
    add(71.4, seen, "machine.launched", "machine/i-0ab12", capacity_type="on-demand", zone="eu-west-1a")
    add(109.2, seen, "node.joined", "node/node-3", machine="i-0ab12", capacity_type="on-demand")
    add(110, seen, "node.ready", "node/node-3")
    add(66, seen, "pod.ready", "pod/payments-7d4f9-x2k8q", ip="198.18.1.9", node="node-2")
    for at_s, pod in ((116.9, "m4tzc"), (118.0, "q9w2r")):
        add(at_s, seen, "pod.ready", f"pod/payments-7d4f9-{pod}", ip="198.18.3.7", node="node-3")
    add(150, chaos, "fault.begin", "node/node-s", "notice: gone in 40 s", experiment="spot-interruption")
    add(190, seen, "machine.ended", "machine/i-09", capacity_type="spot")
    add(190.4, seen, "node.gone", "node/node-s")
    add(196, seen, "machine.launched", "machine/i-0cd34", capacity_type="spot", zone="eu-west-1b")
    add(236, seen, "node.joined", "node/node-t", machine="i-0cd34", capacity_type="spot")
    add(238, seen, "node.ready", "node/node-t")
    for at_s, pod in ((291.0, "x2k8q"), (292.0, "m4tzc"), (292.4, "q9w2r")):
        add(at_s, seen, "pod.terminating", f"pod/payments-7d4f9-{pod}", ip="198.18.1.9")
    add(330, seen, "node.gone", "node/node-3")
    add(331, seen, "machine.ended", "machine/i-0ab12", capacity_type="on-demand")
    return tuple(sorted(out, key=lambda one: one.t_ns))


def evidence(**more: Any) -> EventEvidence:
    made = EventEvidence(
        start_ns=EVENT_NS,
        demand=PAYDAY.demand(PEAK_PER_S * SCALE),
        curves=curves(),
        timeline=timeline(),
        threshold_ms=500,
        variants=(
            Variant("autoscaled", "2 to 5", 17_830, 1_301, 611.0, 0.0172, 0.0139, 0.144, 0.392),
            Variant("fixed for the peak", "5", 17_812, 0, 97.0, 0.0306, 0.0139, 0.0, 0.61),
            Variant("fixed for the base", "2", 17_790, 6_204, 1_890.0, 0.0122, 0.0139, 0.41, 0.0),
        ),
    )
    return replace(made, **more)


def rehearsed() -> Rehearsed:
    drawn = curves()
    sent, bad, failed = (int(one.sum()) for one in (drawn.sent_per_s, drawn.bad_per_s, drawn.failed_per_s))
    return replace(Rehearsed.of(PAYDAY, PEAK_PER_S, SCALE), sent=sent, bad=bad, failed=failed)


def result(verdict: Verdict, findings: tuple[Finding, ...], run_dir: Path, **changes: Any) -> RunResult:
    base: dict[str, Any] = {
        "verdict": verdict,
        "service": "payments",
        "target": "lab",
        "from_pct": 0,
        "to_pct": 0,
        "started_at": STARTED,
        "seconds": 521.0,
        "findings": findings,
        "requests": PairCount(5210, 0, 0),
        "customers": CustomerCount(10_420, 0),
        "outages": (),
        "run": run_info(),
        "run_dir": run_dir,
        "event": rehearsed(),
        "phases": (
            PhaseRow("preflight", Verdict.PASS, "17 checks"),
            PhaseRow("payday", None, "17,830 requests, pods 2 to 5"),
            PhaseRow("back to base", None, "after 51 s"),
        ),
    }
    return RunResult(**{**base, **changes})


def capacity(*rows: tuple[float, int, float | None, tuple[float, ...]], limit_s: float = 90) -> Finding:
    """rows: (second of the event, pods, seconds until they were ready, seconds of each stage)."""
    late = any(seconds is None or seconds > limit_s for _, _, seconds, _ in rows)
    made = [
        {"at_s": at_s, "pods": pods, "seconds": seconds, "last": "pod/payments-7d4f9-q9w2r", "stages": stages}
        for at_s, pods, seconds, parts in rows
        for stages in [dict(zip(STAGES, parts, strict=bool(parts)))]
    ]
    return Finding(
        "time-to-capacity",
        "run",
        Verdict.FAIL if late else Verdict.PASS,
        "3 pods were ready 12 s after the load asked for them, 5 for its peak after 46 s (within 90 s)",
        {"before": 2, "peak": rows[-1][1], "limit_s": limit_s, "rows": made},
    )


_RISE = capacity(
    (53.6, 3, 12.4, (3.4, 4.0, 0.3, 0.0, 0.0, 4.7)),
    (66.0, 4, 50.9, (0.0, 4.0, 0.6, 0.8, 39.6, 5.9)),
    (78.4, 5, 39.6, (0.0, 0.0, 0.0, 0.0, 32.6, 7.0)),
)
_COST = Finding(
    "cost",
    "run",
    Verdict.PASS,
    "1.24 times what perfect foresight would have paid (at most 2); too few pods ready 14% of the time, too many 39%",
    {
        "cost": 0.0172,
        "hindsight_cost": 0.0139,
        "ratio": 1.24,
        "limit": 2,
        "under_accuracy": 0.061,
        "over_accuracy": 0.214,
        "under_share": 0.144,
        "over_share": 0.392,
        "jitter_per_s": -0.004,
        "shortfall_unit_s": 96.0,
    },
)
_FINE = (
    Finding("stability", "run", Verdict.PASS, "2 changes of direction, as many as the load has", {"flaps": 0}),
    Finding(
        "return-to-base", "run", Verdict.PASS, "pods and nodes were back after 51 s (within 300 s)", {"back_s": 51}
    ),
    _COST,
    Finding("load-delivered", "run", Verdict.PASS, "16,707 requests of the event sent as planned", {"planned": 17_000}),
)


def passed(run_dir: Path) -> RunResult:
    quiet = replace(rehearsed(), bad=0, failed=0)
    short = Finding("shortfall", "run", Verdict.PASS, f"0 of {quiet.sent:,} bad (limit 1%)", {"sent": quiet.sent})
    return result(Verdict.PASS, (_RISE, short, *_FINE), run_dir, event=quiet)


def failed(run_dir: Path) -> RunResult:
    event = rehearsed()
    short = Finding(
        "shortfall",
        "run",
        Verdict.FAIL,
        f"{event.bad:,} of {event.sent:,} requests failed or came late ({event.bad / event.sent:.1%}, limit 1%);"
        " the control had 0.1%",
        {
            "sent": event.sent,
            "bad": event.bad,
            "limit_pct": 1.0,
            "culprit": "2 pods waited 40 s for a machine, from 12:03:25.72 on, while the load rose on.",
            "hint": "keep a spare node of low-priority pods, or let pods start on less CPU, or scale on a rising rate.",
        },
    )
    return result(Verdict.FAIL, (short, _RISE, *_FINE), run_dir)


def unproven(run_dir: Path) -> RunResult:
    lost = Finding(
        "load-delivered",
        "run",
        Verdict.INCONCLUSIVE,
        "one of two load workers was lost, and with it 50% of the load",
        {"lost_share": 0.5},
    )
    unknown = Finding("shortfall", "run", Verdict.INCONCLUSIVE, "not judged: half of the load was never sent", {})
    return result(Verdict.INCONCLUSIVE, (lost, unknown, *_FINE[:2]), run_dir)
