"""A finding gets the line of the manifest that decides it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shiftproof.gate.config import read_platform, service
from shiftproof.gate.where import with_place
from shiftproof.model.verdict import Finding, Verdict

INFRA = Path(__file__).parents[2] / "infra"


@pytest.mark.parametrize(
    ("finding", "starts"),
    [
        (Finding("availability", "deploy", Verdict.FAIL, "lost", {"pattern": "pod-leaving"}), "lifecycle:"),
        (Finding("deploy", "deploy", Verdict.FAIL, "CreateContainerConfigError: no key"), "env:"),
    ],
)
def test_the_line_is_the_one_to_mend(finding: Finding, starts: str) -> None:
    payments = service(read_platform(INFRA), "payments")
    where = str(with_place(finding, payments, INFRA).data["where"])
    path, _, line = where.rpartition(":")
    assert Path(path).read_text().splitlines()[int(line) - 1].strip().startswith(starts)


def test_what_passed_or_has_no_place_is_left_as_it_is() -> None:
    payments = service(read_platform(INFRA), "payments")
    for finding in (
        Finding("availability", "deploy", Verdict.PASS, "none", {"pattern": "pod-leaving"}),
        Finding("latency", "run", Verdict.FAIL, "slow"),
    ):
        assert with_place(finding, payments, INFRA) is finding
