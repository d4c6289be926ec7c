"""The same event three times: as the service scales, with pods fixed for the peak, and with those of the base.

What autoscaling is worth is what it saves beside the first of the fixed ones, and what it keeps from failing beside
the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shiftproof.gate.identity import new_run_id
from shiftproof.gate.sufficiency import CLAIM as SUFFICIENCY
from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Verdict
from shiftproof.rehearse.evidence import evidence_of, variant_of
from shiftproof.rehearse.judging import DELIVERED
from shiftproof.rehearse.request import EventRequest
from shiftproof.rehearse.run import Done, run_rehearsal
from shiftproof.rehearse.settings import RehearsalSettings, settings_for
from shiftproof.rehearse.verdict import FIXED
from shiftproof.report.event_evidence import Variant
from shiftproof.report.event_page import write_event_page
from shiftproof.report.event_view import event_view_for
from shiftproof.report.words import attributed_of, clean, milliseconds, percent

HEADINGS = ("", "pods", "bad", "p99", "cost", "nodes", "short", "idle")
CAPTION = (
    "bad: failed or late; cost: of pods; nodes: minutes of machines on demand;\n"
    "short, idle: time with fewer or more pods ready than the load needed;\n"
    "experiments, where there are any, strike the autoscaled one only"
)


def ways(request: EventRequest, settings: RehearsalSettings) -> list[tuple[str, EventRequest]]:
    """What is run, and how it is called: each with a folder of its own."""
    most = min(settings.pods_needed, settings.scaling.most_pods)
    base = min(settings.pods_for(settings.demand.rates_per_s[0]), settings.scaling.most_pods)
    return [
        ("autoscaled", request),
        ("fixed for the peak", _fixed(request, most)),
        ("fixed for the base", _fixed(request, base)),
    ]


def compare(request: EventRequest, console: Console) -> RunResult:
    """All three, one after the other, and one table; returns the autoscaled one's result, which is the verdict.

    Raises as `run_rehearsal` does: with one missing there is nothing to compare. What one of them could not measure, or
    met with another load than was planned, stands in the table as not comparable.
    """
    done: dict[str, Done] = {}
    for name, one in ways(request, settings_for(request)):
        done[name] = run_rehearsal(one, event_view_for(console))
    first = next(iter(done.values()))
    variants = variants_of(done)
    console.print(table_of(variants))
    if first.case is not None:
        write_event_page(first.result, evidence_of(first.case, variants))
    return first.result


def variants_of(done: Mapping[str, Done]) -> tuple[Variant, ...]:
    """The figures of each, all over the same time.

    One that has nothing to take back is watched for less long; what it had last is what it goes on paying for.
    """
    looked_ns = [one.case.looked_until_ns - one.case.start_ns for one in done.values() if one.case is not None]
    return tuple(_variant(name, one, max(looked_ns, default=0)) for name, one in done.items())


def _variant(name: str, done: Done, looked_ns: int) -> Variant:
    """Its figures; without a case none at all."""
    doubt, case = doubt_of(done), done.case
    if case is None:
        return Variant(name, pods="-", sent=0, bad=0, doubt=doubt)
    return replace(variant_of(name, replace(case, looked_until_ns=case.start_ns + looked_ns)), doubt=doubt)


def doubt_of(done: Done) -> str | None:
    """Why its figures are none of the event as planned, in the words of what was found; None: they are."""
    findings = done.result.findings
    delivered = [finding for finding in findings if finding.claim == DELIVERED]
    short = [finding for finding in delivered if finding.verdict is not Verdict.PASS]
    short += [finding for finding in findings if finding.claim == SUFFICIENCY and finding.reason != FIXED]
    if done.case is not None and delivered:
        return short[0].reason if short else None
    bad = [finding.reason for finding in findings if finding.verdict is not Verdict.PASS]
    return bad[0] if bad else "nobody judged whether the load was as planned"


def table_of(variants: Sequence[Variant]) -> Table:
    """One line a run. It fits into 80 columns with tens of thousands of requests, unless one is not comparable."""
    table = Table(box=None, pad_edge=False, caption=CAPTION, caption_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if not heading else "right", min_width=18 if not heading else None)
    for one in variants:
        table.add_row(
            one.name if one.doubt is None else f"{one.name} (not comparable: {clean(one.doubt)})",
            one.pods,
            attributed_of(one.bad, one.sent) if one.sent else "-",
            "-" if one.p99_ms is None else milliseconds(one.p99_ms),
            "-" if one.cost is None else f"{one.cost:.4f}",
            "-" if one.machine_s is None else f"{one.machine_s / 60:.1f}",
            "-" if one.under_share is None else percent(one.under_share),
            "-" if one.over_share is None else percent(one.over_share),
        )
    return table


def _fixed(request: EventRequest, pods: int) -> EventRequest:
    folder = request.run_dir
    own = None if folder is None else Path(f"{folder}-fixed-{pods}")
    return replace(request, fixed_pods=pods, run_id=new_run_id(), run_dir=own, experiments=())
