"""Helpers for tests of your own claims: made-up runs with failures exactly where you want them.

    run = clean_run()                                     # every phase of a gate, nothing lost
    run.fail(Side.CLUSTER, "deploy", repeat=2, after_s=1.0, seconds=0.1)
    case = make_case(run.build(), Objectives())

Nothing here measures anything: times are made up, and the same seed gives the same run, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shiftproof.model.event import Failure, Side
from shiftproof.model.history import (
    Budget,
    CustomersReport,
    Happening,
    History,
    LoadReport,
    Phase,
    PhaseKind,
    Source,
)
from shiftproof.model.probe import Difference, Kind, ProbeKind, ProbeRecord
from shiftproof.testing_events import LEGACY, PODS, Change, EventScript
from shiftproof.testing_probes import ProbeChange, made_up_probes

_S = 1_000_000_000


@dataclass(slots=True)
class RunBuilder:
    """Makes a History phase by phase; see `clean_run` for one with all the phases of a gate.

    pairs_per_s: the open-loop rate. probes_per_s: conversations of each kind. latency_ms: the median of both sides.
    late_ms: mean lateness of sends. logged: the load balancer keeps a log, which has what `fail` gives a cause.
    """

    pairs_per_s: float = 150.0
    seed: int = 7
    latency_ms: float = 60.0
    late_ms: float = 0.3
    started_ns: int = 1_767_225_600 * _S
    gap_s: float = 0.5
    probes_per_s: float = 2.0
    logged: bool = False
    _now_ns: int = field(init=False)
    _phases: list[Phase] = field(init=False, default_factory=list)
    _changes: list[Change] = field(init=False, default_factory=list)
    _silent: list[tuple[int, int]] = field(init=False, default_factory=list)
    _sticky: dict[tuple[str, int], float] = field(init=False, default_factory=dict)
    _extra: list[tuple[int, int, float]] = field(init=False, default_factory=list)
    _happenings: list[Happening] = field(init=False, default_factory=list)
    _probe_changes: list[ProbeChange] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._now_ns = self.started_ns
        for pod, ip in PODS.items():
            data = {"ip": ip, "node": "node-1" if ip.startswith("198.18.1.") else "node-2"}
            self._happenings.append(Happening(self.started_ns, Source.KUBERNETES, "pod.ready", f"pod/{pod}", "", data))
            subject = f"target/{ip}:8080"
            self._happenings.append(
                Happening(self.started_ns, Source.LOAD_BALANCER, "target.healthy", subject, "", {"group": "cluster"})
            )

    def phase(
        self,
        name: str,
        kind: PhaseKind,
        seconds: float,
        *,
        repeat: int = 1,
        budget: Budget | None = None,
        facts: Mapping[str, Any] | None = None,
        problem: str | None = None,
    ) -> RunBuilder:
        """Append a phase; its action runs from 10% to 70% of it."""
        start, span = self._now_ns, round(seconds * _S)
        action = (start + span // 10, start + span * 7 // 10)
        self._phases.append(
            Phase(name, kind, repeat, start, start + span, *action, budget=budget, facts=facts or {}, problem=problem)
        )
        self._now_ns = start + span + round(self.gap_s * _S)
        return self

    def repeats(self, name: str, kind: PhaseKind, seconds: float, times: int = 3, **more: Any) -> RunBuilder:
        """The same phase `times` over, numbered from 1."""
        for repeat in range(1, times + 1):
            self.phase(name, kind, seconds, repeat=repeat, **more)
        return self

    def pause(self, name: str, *, quiet_s: float, after_s: float) -> RunBuilder:
        """A phase that begins with a pause of our own load, and goes on for after_s."""
        self.phase(name, PhaseKind.LOAD, quiet_s + after_s, facts={"quiet_s": quiet_s})
        start = self.find(name).start_ns
        self.change(name, action_start_ns=start, action_end_ns=start + round(quiet_s * _S))
        return self.silent(start, start + round(quiet_s * _S))

    def peak(
        self, name: str, *, required_per_s: float = 300.0, delivered: float = 1.0, stopped: str | None = None
    ) -> RunBuilder:
        """A phase of 7 s in which single requests raise legacy to required_per_s for 6 s; customers send 10 a second.

        delivered: the share of the extra requests that are really sent.
        """
        extra_per_s = required_per_s - self.pairs_per_s - 10
        self.phase(name, PhaseKind.LOAD, 7)
        start = self.find(name).start_ns
        facts = {"side": "legacy", "required_per_s": required_per_s, "extra_per_s": extra_per_s, "customers_per_s": 10}
        span = {"share_pct": 100, "from_ns": start, "to_ns": start + 6 * _S, "stopped": stopped}
        self._extra.append((start, start + 6 * _S, extra_per_s * delivered))
        return self.change(name, facts={"peak": {**facts, **span}})

    def left_with(self, name: str, share_pct: int, *, required_per_s: float = 100.0) -> RunBuilder:
        """In the crash of that name the cluster side has to carry required_per_s, which pairs alone are."""
        phase = self.find(name)
        peak = {"side": "cluster", "required_per_s": required_per_s, "extra_per_s": 0.0, "customers_per_s": 0.0}
        span = {"share_pct": share_pct, "from_ns": phase.start_ns, "to_ns": phase.end_ns, "stopped": None}
        return self.change(name, facts={**phase.facts, "peak": {**peak, **span}})

    def silent(self, start_ns: int, end_ns: int) -> RunBuilder:
        """Nothing is sent from start_ns to end_ns."""
        self._silent.append((start_ns, end_ns))
        return self

    def sticky(self, name: str, *, repeat: int = 1, holds_s: float) -> RunBuilder:
        """Four of five clients carry cookies, which keep them where they were for holds_s after weights change."""
        self._sticky[name, repeat] = holds_s
        return self

    def find(self, name: str, repeat: int = 1) -> Phase:
        """The phase of that name and repeat; KeyError when there is none."""
        for phase in self._phases:
            if (phase.name, phase.repeat) == (name, repeat):
                return phase
        raise KeyError(f"no phase {name} {repeat}")

    def change(self, name: str, repeat: int = 1, **fields: Any) -> RunBuilder:
        """Replace fields of a phase, e.g. change("deploy", 2, facts={...})."""
        index = self._phases.index(self.find(name, repeat))
        self._phases[index] = replace(self._phases[index], **fields)
        return self

    def fail(  # noqa: PLR0913  all by keyword: a test names only what it changes
        self,
        side: Side,
        name: str,
        *,
        repeat: int = 1,
        after_s: float = 1.0,
        seconds: float,
        share: float = 1.0,
        at_most: int | None = None,
        failure: Failure = Failure.RESET,
        status: int = 0,
        target: str = "",
        cause: str = "",
    ) -> RunBuilder:
        """Requests of `side` sent from after_s into the phase on fail; at_most: the first few of them only.

        target, cause: what the load balancer logs of them (nothing without a cause).
        """
        start = self.find(name, repeat).start_ns + round(after_s * _S)
        end = start + round(seconds * _S)
        self._changes.append(Change(side, start, end, share, failure, status, None, target, cause, at_most))
        return self

    def slow(
        self,
        side: Side,
        name: str,
        *,
        repeat: int = 1,
        after_s: float = 0.0,
        seconds: float,
        latency_ms: float,
        share: float = 1.0,
    ) -> RunBuilder:
        """Requests of `side` take latency_ms, and still succeed."""
        start = self.find(name, repeat).start_ns + round(after_s * _S)
        end = start + round(seconds * _S)
        self._changes.append(Change(side, start, end, share, latency_ms=latency_ms))
        return self

    def happen(
        self, name: str, kind: str, subject: str, *, repeat: int = 1, after_s: float, source: Source, **data: Any
    ) -> RunBuilder:
        """Put something on the timeline, after_s into the phase."""
        t_ns = self.find(name, repeat).start_ns + round(after_s * _S)
        self._happenings.append(Happening(t_ns, source, kind, subject, "", data))
        return self

    def differ(  # noqa: PLR0913  all by keyword: a test names only what it changes
        self,
        path: str,
        kind: Kind = Kind.VALUE,
        *,
        operation: str = "create",
        name: str | None = None,
        share: float = 1.0,
        at_most: int | None = None,
        in_control: bool = False,
        about: ProbeKind = ProbeKind.PARITY,
        via: str = "",
        detail: str = "",
    ) -> RunBuilder:
        """Conversations (of phase `name`, or all) in which the two sides, or legacy and itself, differ at `path`."""
        phase = self.find(name) if name is not None else None
        difference = Difference(operation, path, kind, via, detail)
        self._probe_changes.append(ProbeChange(phase, about, share, at_most, difference, in_control))
        return self

    def double(
        self, *, name: str | None = None, share: float = 1.0, at_most: int | None = None, legacy: bool = False
    ) -> RunBuilder:
        """One key takes effect twice; legacy: on legacy by itself too."""
        phase = self.find(name) if name is not None else None
        for in_control in (False, True) if legacy else (False,):
            change = ProbeChange(phase, ProbeKind.DUPLICATE, share, at_most, in_control=in_control, applied=2)
            self._probe_changes.append(change)
        return self

    def void(self, kind: ProbeKind, why: str = "timeout", *, name: str | None = None, share: float = 1.0) -> RunBuilder:
        """Conversations that say nothing."""
        phase = self.find(name) if name is not None else None
        self._probe_changes.append(ProbeChange(phase, kind, share, void=why))
        return self

    def build(self) -> History:
        """The history so far, with load until the end of the last phase and reports that agree with it."""
        rng = np.random.default_rng(self.seed)
        script = self._script()
        events = script.events(rng)
        failed = int((events["failure"] != 0).sum())
        load = LoadReport(
            scheduled=len(events),
            recorded=len(events),
            locust_requests=len(events),
            locust_failures=failed,
            late=int((events["sent_ns"] - events["intended_ns"] > 20_000_000).sum()),
            finished=True,
        )
        records = script.lb_records(events)
        return History(
            started_ns=self.started_ns,
            phases=tuple(self._phases),
            events=events,
            operations=("create", "read"),
            servers=("", *LEGACY, *PODS),
            timeline=tuple(sorted([*self._happenings, *self._seen()], key=lambda happening: happening.t_ns)),
            lb_records=records,
            logged=self.logged or bool(records),
            load=load,
            customers=CustomersReport(requests=max(1, len(events) // 15), failed=0),
            probes=self._probes(),
        )

    def _script(self) -> EventScript:
        return EventScript(
            pairs_per_s=self.pairs_per_s,
            latency_ms=self.latency_ms,
            late_ms=self.late_ms,
            started_ns=self.started_ns,
            phases=self._phases,
            changes=self._changes,
            silent=self._silent,
            sticky=self._sticky,
            extra=self._extra,
        )

    def _probes(self) -> tuple[ProbeRecord, ...]:
        return made_up_probes(
            self._phases,
            self._probe_changes,
            np.random.default_rng(self.seed),
            per_s=self.probes_per_s,
            operations=("create", "read"),
            silent=lambda t_ns: any(start_ns <= t_ns < end_ns for start_ns, end_ns in self._silent),
        )

    def _seen(self) -> list[Happening]:
        """What Kubernetes tells of each rollout and of each pod that is a victim: without it nobody saw that it was."""
        seen = []
        for phase in self._phases:
            pods = [victim for victim in phase.facts.get("victims", ()) if victim.startswith("pod/")]
            pods += ["pod/payments-d4"] if phase.facts.get("complete") else []
            t_ns = phase.action_start_ns
            seen += [Happening(t_ns, Source.KUBERNETES, "pod.scheduled", pod) for pod in pods]
        return seen


def clean_run(*, pairs_per_s: float = 150.0, seed: int = 7, to_pct: int = 25) -> RunBuilder:
    """A gate that loses nothing: steady, deploy, pod-delete, shift, rollback, node-loss (a crash), quiet, capacity."""
    run = RunBuilder(pairs_per_s=pairs_per_s, seed=seed)
    run.phase("steady", PhaseKind.STEADY, 15)
    run.repeats("deploy", PhaseKind.GRACEFUL, 7, facts={"rollout_s": 6.1, "complete": True, "problem": None})
    run.repeats("pod-delete", PhaseKind.GRACEFUL, 7, facts={"victims": ["pod/payments-a1"], "effect": "confirmed"})
    run.repeats("shift", PhaseKind.SHIFT, 7, facts={"seconds": 0.4, "from_pct": 0, "to_pct": to_pct})
    run.repeats("rollback", PhaseKind.ROLLBACK, 7, facts={"seconds": 0.4, "from_pct": to_pct, "to_pct": 0})
    budget = Budget(outage_ms=5000, lost_requests=400, recover_s=8)
    facts = {"victims": ["node/node-2"], "effect": "confirmed"}
    run.phase("node-loss", PhaseKind.CRASH, 15, budget=budget, facts=facts).left_with("node-loss", to_pct)
    run.pause("quiet", quiet_s=8.0, after_s=3.0)
    return run.peak("capacity")
