"""The results that are checked in: sound, of no one's machine, and what the README says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fakes.defects import for_event, for_gates

from shiftproof.sensitivity.attempts import Outcome
from shiftproof.sensitivity.document import JSON_FILE, MARKDOWN_FILE, published_names, schema

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"

#: Of gates, and of each event whose rehearsals were published, too.
PUBLISHED = [RESULTS / JSON_FILE, *sorted(RESULTS.glob("sensitivity-*.json"))]

#: An absolute path of two parts or more; none of an address, of a link within the project, or of a tag.
PATH = re.compile(r"(?<![\w./])/\w[\w.-]*/")

#: What is promised: seconds are means, of load.
FAIL_WITHIN_S, PASS_WITHIN_S = 60, 180
TIMES_EACH, CLEAN_GATES = 3, 20

#: Defects for gates added to the catalogue since the last full run: named here, so that none is left out unnoticed.
NOT_YET_RUN: frozenset[str] = frozenset()


@pytest.fixture
def checked_in() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((RESULTS / JSON_FILE).read_text())
    return loaded


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.name)
def test_they_hold_to_the_schema_and_are_whole(file: Path) -> None:
    found = json.loads(file.read_text())
    jsonschema.validate(found, schema())
    assert found["complete"] is True
    assert found["machine"]["cores"]
    assert file.name == published_names(found.get("event"))[0]


def test_nothing_was_missed_and_nobody_stopped_for_nothing(checked_in: dict[str, Any]) -> None:
    totals = checked_in["totals"]
    assert checked_in["exit_code"] == 0
    assert checked_in["stopped"] is None
    assert totals["missed"]["k"] == 0
    assert totals["again"]["passed"] == 0, "nor was a PASS with a defect planted thrown away"
    assert totals["false_fail"]["k"] == 0
    assert checked_in["clean"]["tries"] >= CLEAN_GATES
    assert totals["clean_inconclusive"]["k"] <= 1


def test_each_defect_was_caught_each_time_by_its_claim(checked_in: dict[str, Any]) -> None:
    catalogue = {file.stem for file in for_gates()}
    assert {row["name"] for row in checked_in["defects"]} == catalogue - NOT_YET_RUN
    assert {row["name"]: row["outcomes"] for row in checked_in["defects"]} == {
        row["name"]: {Outcome.CAUGHT.value: TIMES_EACH} for row in checked_in["defects"]
    }


@pytest.mark.parametrize("file", PUBLISHED[1:], ids=lambda file: file.name)
def test_each_defect_of_an_event_was_caught_by_its_claim(file: Path) -> None:
    found = json.loads(file.read_text())
    assert found["exit_code"] == 0
    assert found["clean"]["outcomes"].keys() == {Outcome.PASSED.value}
    assert {row["name"] for row in found["defects"]} == {path.stem for path in for_event(found["event"])}
    assert all(row["outcomes"].keys() == {Outcome.CAUGHT.value} for row in found["defects"])


def test_a_verdict_does_not_keep_people_waiting(checked_in: dict[str, Any]) -> None:
    assert checked_in["totals"]["mean_fail_load_s"] <= FAIL_WITHIN_S
    assert checked_in["totals"]["mean_pass_load_s"] <= PASS_WITHIN_S


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.name)
def test_they_name_no_path(file: Path) -> None:
    for form in (file, file.with_suffix(".md")):
        assert PATH.findall(form.read_text()) == [], f"{form.name} names a path of some machine"


def test_a_path_of_a_machine_is_seen(tmp_path: Path) -> None:
    for path in (tmp_path / "verdict.json", Path.home() / "reports", ROOT / "src"):
        assert PATH.search(f'"problem": "cannot read {path}"')
    assert not PATH.search("[defects](experiments/defects/README.md), https://example.org/a/b, 3/77, </td>")


def test_the_readme_says_what_they_say(checked_in: dict[str, Any]) -> None:
    line = next(line for line in (RESULTS / MARKDOWN_FILE).read_text().splitlines() if line.startswith("caught "))
    assert line in (ROOT / "README.md").read_text()
