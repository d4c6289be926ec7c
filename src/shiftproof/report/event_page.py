"""A load event's rehearsal as one self-contained HTML page, as a gate's is: the verdict in words, then the evidence."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from shiftproof.model.result import RunResult
from shiftproof.report import words
from shiftproof.report.event_evidence import EventEvidence
from shiftproof.report.event_figure import event_figure
from shiftproof.report.event_tables import STAGE_MEANS, capacity_data, provisioned_rows, rise_bars, variant_rows
from shiftproof.report.event_words import facts, tiles
from shiftproof.report.page import environment, files_beside, frame
from shiftproof.report.verdict_file import PAGE_FILE, write_atomic


def write_event_page(result: RunResult, evidence: EventEvidence | None = None) -> Path:
    """Write the page into the run's folder and return its path; other files there are linked. Raises SetupError.

    result.event must be there (ValueError). evidence: None leaves the figure and all that is drawn from it out.
    """
    path = result.run_dir / PAGE_FILE
    write_atomic(path, render_event_page(result, evidence, raw_files=files_beside(result.run_dir)))
    return path


def render_event_page(
    result: RunResult,
    evidence: EventEvidence | None = None,
    *,
    raw_files: Sequence[str] = (),
    nonce: Callable[[], str] = lambda: secrets.token_urlsafe(12),
) -> str:
    """The page as text. raw_files: names next to the page, to link. Raises ValueError for the result of a gate."""
    event = result.event
    if event is None:
        raise ValueError("the result of a gate has no event; its page is write_page's")
    figure = None if evidence is None or not len(evidence.curves.seconds) else event_figure(evidence)
    return (
        environment()
        .get_template("event.html.j2")
        .render(
            **frame(result, figure, raw_files, nonce),
            title=words.clean(f"{result.verdict.value}: {event.name} on {result.service}, {result.target}"),
            event=event,
            facts=facts(event, result),
            tiles=tiles(result, event, evidence),
            phases=result.phases,
            chart_px=None if figure is None else figure["layout"]["height"],
            bars=rise_bars(capacity_data(result)),
            stage_means=STAGE_MEANS,
            provisioned=provisioned_rows(result),
            variants=() if evidence is None else evidence.variants,
            variant_rows=[] if evidence is None else variant_rows(evidence.variants),
        )
    )
