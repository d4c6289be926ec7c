"""What is a job and what is none: the queue takes any text from anybody."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import pytest

from shiftproof.lab.setup.paths import service_folder

GOOD = {"account": "test-1", "id": "6e0f5c53-5e5c-4bd7-8c31-5b5f3b7f5f11", "period": "2026-11", "synthetic": True}


@pytest.fixture(scope="module")
def jobs() -> Any:
    """The worker's own module: it needs none of the worker's dependencies."""
    sys.path.insert(0, str(service_folder("statements") / "app"))
    try:
        return importlib.import_module("statements.jobs")
    finally:
        sys.path.pop(0)


def test_a_job_reads_back_as_it_was_written(jobs: Any) -> None:
    job = jobs.read(json.dumps(GOOD))
    assert (job.account, str(job.id), job.period, job.synthetic) == tuple(GOOD.values())
    assert jobs.read(job.to_text()) == job


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("not json", "no JSON"),
        ("[]", "an object of account, id, period, synthetic"),
        (json.dumps(GOOD | {"more": 1}), "an object of"),
        (json.dumps({"account": "test-1"}), "an object of"),
        (json.dumps(GOOD | {"account": ""}), "account must"),
        (json.dumps(GOOD | {"account": "a'; --"}), "account must"),
        (json.dumps(GOOD | {"account": 7}), "account must"),
        (json.dumps(GOOD | {"period": "2026-13"}), "period must"),
        (json.dumps(GOOD | {"period": "2026-11-01"}), "period must"),
        (json.dumps(GOOD | {"synthetic": "true"}), "synthetic must"),
        (json.dumps(GOOD | {"synthetic": 1}), "synthetic must"),
        (json.dumps(GOOD | {"id": "1"}), "id must"),
        (json.dumps(GOOD | {"id": None}), "id must"),
    ],
)
def test_what_is_no_job_is_refused_in_words(jobs: Any, body: str, said: str) -> None:
    with pytest.raises(jobs.BadJob, match=said):
        jobs.read(body)
