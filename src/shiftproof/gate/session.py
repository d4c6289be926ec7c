"""One gate from its first check to its verdict. The pytest plugin holds one and hands its drills to the suites."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType

from shiftproof.errors import ServiceFault
from shiftproof.gate.clock import RunClock
from shiftproof.gate.drills import ChaosDrills, ClusterDrills, RouterDrills
from shiftproof.gate.identity import run_info
from shiftproof.gate.integrity import Integrity
from shiftproof.gate.judging import gate_case, load_s
from shiftproof.gate.loading import LoadDrills
from shiftproof.gate.notes import Notes
from shiftproof.gate.parts import Parts
from shiftproof.gate.phases import OpenPhase
from shiftproof.gate.planting import Planting
from shiftproof.gate.preflight import CHECKS, Preflight, run_check, weights_undo
from shiftproof.gate.rehearsal import ClaimFailed, Rehearsal
from shiftproof.gate.rows import phase_row, preflight_row
from shiftproof.gate.settings import GateSettings
from shiftproof.gate.sufficiency import moved_rules, what_ran
from shiftproof.gate.traffic import TrafficShare
from shiftproof.gate.underway import Underway
from shiftproof.gate.verdict import conclude
from shiftproof.judge import Case, LiveJudge, PhaseCount, judge_all
from shiftproof.model.history import History
from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.ports import Weights, WorkloadState
from shiftproof.report.allure import record_test
from shiftproof.report.live_view import Header, LiveNumbers, View
from shiftproof.safety.journal import Journal

WEIGHTS_LEASE_S = 900.0


class GateSession:
    """Open it with `with`. Nothing is changed before `rehearsal` is first asked for; all is put back at the end."""

    def __init__(
        self,
        settings: GateSettings,
        parts: Parts,
        clock: RunClock,
        journal: Journal,
        view: View,
        planting: Planting | None = None,
    ) -> None:
        self.settings = settings
        self._planting = planting
        self.integrity = Integrity()
        self._parts = parts
        self._journal = journal
        self._view = view
        self._began = datetime.now(UTC)
        self._clock = clock
        self._notes = Notes(self._clock.now_ns)
        self._live = LiveJudge(settings.service.objectives, ignore=settings.service.parity.ignore)
        self._checks: list[Finding] = []
        self._underway: Underway | None = None
        self._undo = ExitStack()
        self._began_with: WorkloadState | None = None
        self._decided_ns: int | None = None
        self.from_pct = 0

    def __enter__(self) -> GateSession:
        self.from_pct = self._parts.router.weights("customers").cluster_pct
        service = self.settings.service
        self._view.begin(
            Header(
                service.name,
                self.settings.target.name,
                self.from_pct,
                self.settings.to_pct,
                self._parts.load_plan.rate_per_s,
                self.settings.run_id,
            )
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the load and put everything back, whatever happened."""
        self._clock.watch(None)
        try:
            if self._underway is not None:
                self._underway.close()
        finally:
            self._undo.close()

    # --- what the fixtures hand out -------------------------------------------------------------------------------

    def check(self, name: str) -> Finding:
        """One preflight check."""
        if not self._checks:
            self._view.phase_started("preflight")
        preflight = Preflight(self.settings, self._parts.router, self._parts.cluster, self._journal, self._clock)
        finding = run_check(name, preflight)
        self._checks.append(finding)
        record_test(self.settings.service.name, self.from_pct, self.settings.to_pct, [finding])
        if finding.verdict is not Verdict.PASS:
            self._view.phase_ended(preflight_row(self._checks))
            raise ClaimFailed(f"preflight {name}: {finding.reason}")
        return finding

    @cached_property
    def underway(self) -> Underway:
        """The load and its watchers; the first drill starts them."""
        if self._checks:
            self._view.phase_ended(preflight_row(self._checks))
        self._began_with = self._parts.cluster.workload()
        self._promise_cleanup()
        self._guard_weights()
        self._underway = Underway(
            self._parts,
            self._clock,
            self._notes,
            self._live,
            self.settings.depth,
            self.settings.run_dir,
            self._show,
            self._phase_started,
        )
        self._clock.watch(self._checkpoint)
        return self._underway

    @cached_property
    def rehearsal(self) -> Rehearsal:
        return Rehearsal(self.underway.phases, self.settings.depth, self.cluster.settle, self._prove, self._look)

    @cached_property
    def cluster(self) -> ClusterDrills:
        return ClusterDrills(self._parts.cluster, self.underway.phases, self.settings)

    @cached_property
    def router(self) -> RouterDrills:
        traffic = TrafficShare(self.underway.monitor.events_since, self._clock)
        phases = self.underway.phases
        return RouterDrills(self._parts.router, phases, traffic, self.settings, self._clock, self.from_pct)

    @cached_property
    def load(self) -> LoadDrills:
        underway = self.underway
        return LoadDrills(
            underway.load,
            self._parts.customers,
            underway.monitor,
            underway.phases,
            self.settings,
            self._clock,
            self.from_pct,
        )

    @cached_property
    def chaos(self) -> ChaosDrills:
        return ChaosDrills(self._parts.faults, self.underway.phases, self.settings)

    # --- the end ---------------------------------------------------------------------------------------------------

    def finish(self) -> tuple[RunResult, Case | None]:
        """Stop the load, judge everything, and conclude. Call it inside the `with`; writes no file."""
        findings: list[Finding] = list(self._checks)
        case: Case | None = None
        self._note_decided()
        if self._underway is not None:
            self._underway.close()
            case = self._case(self._underway.history())
            findings += judge_all(case)
        workload, changed = what_ran(self._parts.cluster, self._began_with, "gate")
        findings += changed
        if self._underway is not None:
            findings += moved_rules(self._parts.router, self.from_pct)
        findings += self._planting.findings() if self._planting is not None else []
        failed = any(finding.verdict is Verdict.FAIL for finding in findings)
        findings += self._unchecked(failed_early=failed) + self.integrity.closing_findings(failed_early=failed)
        info = run_info(self.settings, workload, load_s(case, self._decided_ns), quick=self.settings.quick)
        result = conclude(self.settings, self.from_pct, self._began, findings, case, info)
        return result, case

    # --- inside ----------------------------------------------------------------------------------------------------

    def _phase_started(self, phase: OpenPhase) -> None:
        """Say so, and plant what waits for it: before its action, and with its load running."""
        self._view.phase_started(phase.name, phase.repeat, phase.of)
        if self._planting is not None:
            for note in self._planting.phase_started(phase.name):
                self._view.note(f"planted {self._planting.defect.id}: {note}")

    def _checkpoint(self) -> None:
        """Raises what the monitor has found."""
        try:
            self.underway.monitor.checkpoint()
        except ServiceFault:
            self._note_decided()
            raise

    def _note_decided(self) -> None:
        """The first call counts: what follows a decision (a fault's undo) took time, but no evidence was needed."""
        self._decided_ns = self._decided_ns or self._clock.now_ns()

    def _promise_cleanup(self) -> None:
        """Our traffic writes: the journal holds the promise to remove it, kept at the end or by `recover`."""
        if self.settings.service.cleanup:
            name = self.settings.service.name
            payload = {"target": self.settings.target.name, "service": name}
            self._journal.record(kind="synthetic", subject=f"service/{name}", undo=payload, lease_s=0)

    def _unchecked(self, *, failed_early: bool) -> list[Finding]:
        """Preflight checks that were not made."""
        missing = sorted(set(CHECKS) - {finding.phase for finding in self._checks})
        if not missing or failed_early:
            return []
        reason = f"not checked: {', '.join(missing)}"
        return [Finding("preflight", "run", Verdict.INCONCLUSIVE, reason)]

    def _guard_weights(self) -> None:
        """The weighted rehearsal rule starts where customers are, and is put back however this ends."""
        router = self._parts.router
        before = router.weights("weighted")
        entry = self._journal.record(
            kind="weights",
            subject=f"rule/{self.settings.service.name}-weighted",
            undo=weights_undo(self.settings, before.cluster_pct),
            lease_s=WEIGHTS_LEASE_S,
        )

        def put_back() -> None:
            router.set_weights("weighted", before)
            self._journal.done(entry)

        self._undo.callback(put_back)
        router.set_weights("weighted", Weights(100 - self.from_pct, self.from_pct))

    def _case(self, history: History) -> Case:
        decided = (self._live.decided,) if self._live.decided is not None else ()
        return gate_case(history, self.settings, self._parts.load_plan, decided)

    def _prove(self, claims: Sequence[str], phases: Sequence[str]) -> tuple[Finding, ...]:
        case, findings = self._judged(claims, phases)
        record_test(self.settings.service.name, self.from_pct, self.settings.to_pct, findings)
        for name in phases:
            self._view.phase_ended(phase_row(name, case, [f for f in findings if f.phase == name]))
        return findings

    def _look(self, claims: Sequence[str], phases: Sequence[str]) -> tuple[Finding, ...]:
        """Nothing where nothing was lost: looking costs the machine some tenths of a second."""
        lost = sum(count.attributed for count in self._live.counts() if count.name in phases)
        return self._judged(claims, phases)[1] if lost else ()

    def _judged(self, claims: Sequence[str], phases: Sequence[str]) -> tuple[Case, tuple[Finding, ...]]:
        underway = self.underway
        underway.wait_for_answers()
        case = self._case(underway.history())
        findings = tuple(finding for finding in judge_all(case, claims) if finding.phase in phases)
        if any(finding.verdict is Verdict.FAIL for finding in findings):
            self._note_decided()
        return case, findings

    def _show(self, counts: Sequence[PhaseCount]) -> None:
        """The open phase, all its repeats together."""
        phases = self._underway.phases if self._underway is not None else None
        if phases is None or phases.current is None:
            return
        name = phases.current.name
        own = [count for count in counts if count.name == name]
        elapsed_s = phases.seconds_of(name)
        pairs = sum(count.pairs for count in own)
        self._view.progress(
            LiveNumbers(
                phase=name,
                pairs=pairs,
                attributed=sum(count.attributed for count in own),
                failed_both=sum(count.both_failed for count in own),
                rate_per_s=pairs / elapsed_s if elapsed_s > 0 else 0.0,
                late_pct=self._underway.monitor.late_pct() if self._underway is not None else 0.0,
                elapsed_s=elapsed_s,
                verdict_so_far=Verdict.FAIL if self._live.decided is not None else None,
                budgeted=phases.current.budget is not None,
            )
        )
