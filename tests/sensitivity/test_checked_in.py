"""The results that are checked in: sound, of no one's machine, and what the README says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shiftproof.sensitivity.document import JSON_FILE, MARKDOWN_FILE, schema

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def checked_in() -> dict[str, Any]:
    if not (RESULTS / JSON_FILE).is_file():
        pytest.skip("no full run is checked in yet: make qualify")
    loaded: dict[str, Any] = json.loads((RESULTS / JSON_FILE).read_text())
    return loaded


def test_they_hold_to_the_schema_and_are_whole(checked_in: dict[str, Any]) -> None:
    jsonschema.validate(checked_in, schema())
    assert checked_in["complete"] is True
    assert checked_in["machine"]["cores"]


def test_they_name_no_path(checked_in: dict[str, Any]) -> None:
    for name in (JSON_FILE, MARKDOWN_FILE):
        text = (RESULTS / name).read_text()
        for path in ("/home/", "/root/", "/work/", "/tmp/", "/var/"):
            assert path not in text, f"{name} names {path}"


def test_the_readme_says_what_they_say(checked_in: dict[str, Any]) -> None:
    line = next(line for line in (RESULTS / MARKDOWN_FILE).read_text().splitlines() if line.startswith("caught "))
    assert line in (ROOT / "README.md").read_text()
