"""One rehearsal from its first check to its findings: preflight, base, event, return."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType

from shiftproof.errors import MeasureError, ServiceFault, ShiftproofError
from shiftproof.gate.clock import RunClock
from shiftproof.gate.notes import Notes
from shiftproof.gate.planting import Planting
from shiftproof.gate.sufficiency import insufficient, moved_rules, what_ran
from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.claims.experiment import not_borne
from shiftproof.judge.elasticity.hindsight import Prices
from shiftproof.model.history import PhaseKind
from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.ports import SupplyState, WorkloadState
from shiftproof.rehearse import preflight
from shiftproof.rehearse.errands import Errands
from shiftproof.rehearse.interruptions import interruptions
from shiftproof.rehearse.judging import less_ours
from shiftproof.rehearse.parts import EventParts
from shiftproof.rehearse.settings import RehearsalSettings, highest_plateau
from shiftproof.rehearse.showing import Showing
from shiftproof.rehearse.strikes import Strikes
from shiftproof.rehearse.underway import EventUnderway
from shiftproof.rehearse.verdict import conclude
from shiftproof.rehearse.waiting import BASE_WITHIN_S, Base, Waited, wait_for_base, wait_until_back
from shiftproof.report.event_live import EventHeader, EventView
from shiftproof.safety.journal import Journal

EVENT = "event"
LEAD_S = 1.0  # between the order to begin and the first request
ASK_AFTER_S = 3.0  # of the event: workers need machines of their own, which take a minute to come
RETURN_SPARE_S = 15.0  # looked on beyond the limit: a return that misses it by a moment shows by how much


class RehearsalSession:
    """Open it with `with`; `run` and then `finish`. The load is stopped at the end, whatever happened."""

    def __init__(
        self, settings: RehearsalSettings, parts: EventParts, clock: RunClock, journal: Journal, view: EventView
    ) -> None:
        self.settings = settings
        self._parts = parts
        self._clock = clock
        self._journal = journal
        self._view = view
        self._began = datetime.now(UTC)
        self._notes = Notes(clock.now_ns)
        self._findings: list[Finding] = []
        self._underway: EventUnderway | None = None
        self._base: Base | None = None
        self._since_ns: int | None = None
        self._start_ns: int | None = None
        self._end_ns: int | None = None
        self._looked_until_ns: int | None = None
        self._workload: WorkloadState | None = None
        self._errands = Errands(parts.jobs, self._notes, view)
        self._strikes = Strikes(settings, parts, clock, view)
        self._showing = Showing(settings, clock, view)

    def __enter__(self) -> RehearsalSession:
        settings, limits = self.settings, self.settings.scaling.limits
        self._view.begin(
            EventHeader(
                event=settings.event.name,
                title=settings.event.title,
                service=settings.service.name,
                target=settings.target.name,
                run_id=settings.run_id,
                demand=settings.demand,
                scale=settings.target.events.demand_scale,
                after_s=limits.return_within_s + RETURN_SPARE_S,
                pods=(settings.scaling.least_pods, settings.scaling.most_pods),
            )
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._clock.watch(None)
        if self._underway is not None:
            self._underway.close()

    # --- the stages -------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Preflight. The first check changes nothing; then the target is put into its size for events.

        Raises UserError and SetupError (exit 3), ServiceFault (FAIL), LoadError (INCONCLUSIVE).
        """
        settings, parts = self.settings, self._parts
        self._since_ns = self._clock.now_ns()
        self._view.stage("preflight")
        self._findings.append(preflight.can_send(settings, parts))
        self._findings.append(preflight.rules_lead(parts))
        for note in parts.elastic.resize():
            self._view.note(note)
        self._promise_removal()
        self._findings.append(preflight.scales(settings, parts, self._clock))
        self._findings.append(preflight.most_suffices(settings))
        if settings.fixed_pods is not None:
            for note in preflight.fix_pods(settings, parts, self._clock, settings.fixed_pods):
                self._view.note(note)

    def rehearse(self, planting: Planting | None) -> None:
        """Base, event and return. Raises MeasureError when the event could not be measured to its end.

        What is raised before the base was reached is about the set-up, or FAIL by ServiceFault.
        """
        settings = self.settings
        self._view.stage("base")
        self._workload = self._parts.cluster.workload()
        self._underway = underway = EventUnderway(settings, self._parts, self._clock, self._notes, self._showing.show)
        self._clock.watch(underway.collector.checkpoint)
        with underway.phase("base"):
            self._base = self._wait_for_base()
            self._plant(planting, "base")
            start_ns = self._clock.now_ns() + int(LEAD_S * 1e9)
            underway.begin_event(start_ns)
            self._sleep_until(start_ns)
        self._rehearse_event(underway, start_ns, planting)
        self._return(underway, planting)

    def _rehearse_event(self, underway: EventUnderway, start_ns: int, planting: Planting | None) -> None:
        settings = self.settings
        end_ns = start_ns + int(settings.demand.seconds * 1e9)
        self._start_ns = self._showing.start_ns = start_ns
        self._view.stage(EVENT)
        with underway.phase(EVENT, PhaseKind.LOAD, start_ns) as phase:
            self._plant(planting, EVENT)
            self._sleep_until(start_ns + int(ASK_AFTER_S * 1e9))
            self._errands.ask(underway)
            plateau = highest_plateau(settings.event)
            if plateau is not None and (settings.experiments or settings.of_workers):
                phase.facts["experiments"] = self._strikes.strike_all(start_ns, plateau)
            self._sleep_until(end_ns)
        self._end_ns = end_ns

    def _return(self, underway: EventUnderway, planting: Planting | None) -> None:
        self._view.stage("return")
        assert self._end_ns is not None
        assert self._base is not None
        with underway.phase("return") as phase:
            self._plant(planting, "return")
            underway.wait_for_accounts()
            until_ns = self._end_ns + int((self.settings.scaling.limits.return_within_s + RETURN_SPARE_S) * 1e9)
            waited = wait_until_back(self._parts.elastic, self._clock, self._base, until_ns)
            if waited.missing is not None:
                phase.facts["missing"] = waited.missing
                self._view.note(f"not back at the base: {waited.missing}")
        self._looked_until_ns = self._clock.now_ns()

    # --- the end ----------------------------------------------------------------------------------------------------

    def failed(self, error: ServiceFault | MeasureError) -> None:
        """What ended the stages early, as a finding: the service's fault, or something that could not be measured."""
        at = EVENT if self._start_ns is not None else "base" if self._underway is not None else preflight.CLAIM
        if isinstance(error, ServiceFault):
            hint = {"hint": error.hint} if error.hint else {}
            self._findings.append(Finding(preflight.CLAIM, at, Verdict.FAIL, str(error), hint))
        else:
            self._findings.append(insufficient(str(error), at))

    def finish(self, of_defect: Callable[[], list[Finding]]) -> tuple[RunResult, EventCase | None]:
        """Stop the load, judge, conclude. of_defect: asked then. Call it inside the `with`; writes no file."""
        self._view.stage("judge")
        self._clock.watch(None)
        trouble = self._trouble()
        case = self._whole_case()
        self._findings += self._judged(case)
        if trouble is not None:
            self._findings = less_ours(self._findings, trouble)
        if self._workload is not None:
            self._findings += what_ran(self._parts.cluster, self._workload, "rehearsal")[1]
        if self._underway is not None:
            self._findings += moved_rules(self._parts.router, self._parts.cluster_pct)
        self._findings += of_defect()
        result = conclude(self.settings, self._parts.cluster_pct, self._began, self._findings, case, self._workload)
        return result, case

    def _judged(self, case: EventCase | None) -> list[Finding]:
        """The claims; of an event that was not rehearsed to its end only what the service did not bear."""
        if case is not None and self._looked_until_ns is not None:
            found = list(self._parts.judge(case))
        else:
            found = not_borne(self._strikes.struck)
        if case is not None and self._looked_until_ns is None:
            found.append(insufficient("the event was not rehearsed to its end, so no claim about scaling was judged"))
        return found

    def _trouble(self) -> str | None:
        """What our own set-up did to capacity, noted whether or not it excuses anything; None: nothing.

        Not to know whether there was any counts as much.
        """
        if self._since_ns is None:
            return None
        try:
            problem = self._parts.ours(self._since_ns)
        except ShiftproofError as error:
            problem = f"whether the lab kept capacity away is not known: {error}"
        if problem is not None:
            self._notes.add("lab.trouble", "lab/capacity", problem)
            self._view.note(problem)
        return problem

    def _whole_case(self) -> EventCase | None:
        """None, with a finding, when what was recorded cannot be believed."""
        try:
            return self._case()
        except MeasureError as error:
            self.failed(error)
            return None

    def _case(self) -> EventCase | None:
        """None when the event never began."""
        underway = self._underway
        if underway is None:
            return None
        underway.close()
        if self._start_ns is None:
            return None
        settings, history = self.settings, underway.history()
        end_ns = self._end_ns or self._clock.now_ns()
        prices = settings.target.events
        return EventCase(
            history=history,
            event=settings.event,
            demand=settings.demand,
            start_ns=self._start_ns,
            end_ns=end_ns,
            looked_until_ns=self._looked_until_ns or end_ns,
            deployment=settings.service.deployment,
            scaling=settings.scaling,
            objectives=settings.service.objectives,
            prices=Prices(prices.price_pod_h / 3600, prices.price_start, prices.node_boot_s),
            event_load=underway.event_report(),
            lost_share=underway.lost_share(),
            jobs=self._errands.reports(),
            interruptions=interruptions(self._strikes.struck, history.timeline, settings),
            strikes=tuple(self._strikes.struck),
            critical=tuple(sorted({service.namespace for service in settings.platform.services})),
            facts={
                "declared_peak_per_s": settings.service.load.peak_per_s,
                "demand_scale": settings.target.events.demand_scale,
                "base_nodes": self._base.nodes if self._base is not None else None,
                "fixed_pods": settings.fixed_pods,
            },
            namespace=settings.service.namespace,
            watchers=self._parts.heard,
        )

    # --- inside -----------------------------------------------------------------------------------------------------

    def _promise_removal(self) -> None:
        """Our traffic writes: the journal holds the promise to remove it, kept at the end or by `recover`."""
        service = self.settings.service
        if service.cleanup:
            payload = {"target": self.settings.target.name, "service": service.name}
            self._journal.record(kind="synthetic", subject=f"service/{service.name}", undo=payload, lease_s=0)
        self._errands.promise_removal()

    def _wait_for_base(self) -> Base:
        """Raises ServiceFault when fewer pods than the least are ready; more than that is for a claim to judge."""
        settings = self.settings
        fixed = settings.fixed_pods is not None  # pods for the peak need machines for it
        waited = wait_for_base(
            self._parts.elastic,
            self._clock,
            settings.base_pods,
            settings.worker_base,
            BASE_WITHIN_S,
            may_have_machines=fixed,
        )
        state = waited.last
        assert state is not None
        if waited.at_ns is None:
            self._refuse_base(waited, state)
        # Not what happens to be there: a machine that stayed is none of the base, and is to be seen as that.
        nodes = state.nodes if fixed else state.nodes - state.machines
        return Base(settings.base_pods, len(nodes), settings.worker_base)

    def _refuse_base(self, waited: Waited, state: SupplyState) -> None:
        if state.ready < self.settings.base_pods:
            raise ServiceFault(
                f"{state.ready} of {self.settings.base_pods} pods are ready before the event, after"
                f" {BASE_WITHIN_S:.0f} s",
                hint=f"look at the pods of {self.settings.service.namespace}",
            )
        self._view.note(f"the base was not reached: {waited.missing}")

    def _plant(self, planting: Planting | None, phase: str) -> None:
        if planting is not None:
            for note in planting.phase_started(phase):
                self._view.note(f"planted {planting.defect.id}: {note}")

    def _sleep_until(self, t_ns: int) -> None:
        self._clock.sleep(max(0.0, (t_ns - self._clock.now_ns()) / 1e9))
