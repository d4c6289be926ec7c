"""A defect's file: read, checked as far as a file can be, and every step given its line."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from pathlib import Path

from shiftproof.adapters.documents import Document, Problem, read_document
from shiftproof.gate.planting.verbs import VERBS
from shiftproof.model.defect import Defect

PREFLIGHT = "preflight"
"""What its checks claim together; no judge has it."""


def read_defect(
    path: Path, services: Collection[str] | None = None, of: str | None = None, run: str | None = None
) -> Defect:
    """Raises ConfigError with file and line, for the first thing that is wrong.

    services: those of the platform, if its service must be one of them. of: the only one that it may be of. run: what
    it is to be planted in ("gate", "rehearse payday"); one of another run is refused, since it would be missed there.
    """
    document = read_document(path, Defect)
    for number, step in enumerate(document.value.plant):
        step.is_at(path, document.line(("plant", number, step.verb)))
    document.refuse(
        [
            *_service_problems(document, services, of),
            *_run_problems(document, run),
            *_step_problems(document),
            *_claim_problems(document),
        ]
    )
    return document.value


def _step_problems(document: Document[Defect]) -> Iterator[Problem]:
    for number, step in enumerate(document.value.plant):
        said = VERBS[step.verb].wrong(step)
        if said is not None:
            yield Problem(("plant", number, step.verb), said)


def _service_problems(
    document: Document[Defect], services: Collection[str] | None, of: str | None
) -> Iterator[Problem]:
    service = document.value.service
    if services is not None and service not in services:
        known = ", ".join(sorted(services))
        yield Problem(
            ("service",), f"service: the platform has no {service!r}{_meant(service, services)}: it has {known}"
        )
    elif of is not None and service != of:
        yield Problem(("service",), f"service: this defect is one of {service}, and the gate is one of {of}")


def _run_problems(document: Document[Defect], run: str | None) -> Iterator[Problem]:
    meant = document.value.run
    if run is not None and run != meant:
        yield Problem(("run",), f"run: this defect is caught by `{meant}`; `{run}` would miss it")


def _claim_problems(document: Document[Defect]) -> Iterator[Problem]:
    """A claim that nobody judges would count each catch as one by another claim."""
    from shiftproof.judge import claim_names, event_claim_names  # what only plants need not wait for the judges

    judged = claim_names() if document.value.event is None else event_claim_names()
    known, claim = (*judged, PREFLIGHT), document.value.expect.claim
    if claim not in known:
        said = f"expect.claim: nobody judges {claim!r}{_meant(claim, known)}: there are {', '.join(known)}"
        yield Problem(("expect", "claim"), said)


def _meant(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" (is {close[0]} meant?)" if close else ""
