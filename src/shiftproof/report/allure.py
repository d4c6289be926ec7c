"""What Allure shows of a gate. allure-pytest writes the results (`pytest --alluredir DIR`); this says what goes in.

A claim becomes a step, coloured as Allure colours its own: FAIL is "failed", and INCONCLUSIVE is "broken", Allure's
word for what could not be tested. Everything here does nothing while Allure is not writing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import allure as _allure
from allure_commons import plugin_manager

from shiftproof.errors import UserError
from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.verdict_file import dump, plain, write_atomic
from shiftproof.report.words import CULPRIT, HINT, WHERE, clean, said, step

allure: Any = _allure  # half of it is untyped
ENVIRONMENT_FILE = "environment.properties"
CATEGORIES_FILE = "categories.json"

#: Sorts Allure's "Categories" tab; the expressions are of its Java side, against a whole message.
CATEGORIES = (
    {"name": "FAIL: the service", "matchedStatuses": ["failed"]},
    {"name": "INCONCLUSIVE: not proven", "matchedStatuses": ["broken", "unknown"]},
    {"name": "INCONCLUSIVE: drills that were skipped", "matchedStatuses": ["skipped"]},
)


class _ClaimFailed(AssertionError):
    """Colours a step red and goes no further."""


class _ClaimUnproven(Exception):
    """Colours a step as broken and goes no further."""


def writing() -> bool:
    """Whether allure-pytest is writing results in this process."""
    return any(type(plugin).__name__ == "AllureFileLogger" for plugin in plugin_manager.get_plugins())


def record_test(service: str, from_pct: int, to_pct: int, findings: Sequence[Finding]) -> None:
    """Call within a drill once its claims are judged: labels, and a step a finding with its figures attached."""
    if not writing():
        return
    allure.dynamic.epic("Shiftproof")
    allure.dynamic.feature(f"{service}: {step(from_pct, to_pct)}")
    for claim in dict.fromkeys(finding.claim for finding in findings):
        allure.dynamic.tag(claim)
    for finding in findings:
        _record(finding)


def write_environment(folder: Path, result: RunResult) -> None:
    """environment.properties and categories.json beside Allure's results. Raises SetupError if it cannot."""
    facts: dict[str, str] = {
        "service": result.service,
        "step": step(result.from_pct, result.to_pct),
        "target": result.target,
        "verdict": result.verdict.value,
        "run": result.run.id,
        "seed": str(result.run.seed),
        **{f"version.{name}": version for name, version in result.run.versions.items()},
        **{f"digest.{name}": digest for name, digest in result.run.digests.items()},
    }
    lines = [f"{_property(name)}={clean(value).replace(chr(92), chr(92) * 2)}" for name, value in facts.items()]
    write_atomic(folder / ENVIRONMENT_FILE, "\n".join(lines) + "\n")
    write_atomic(folder / CATEGORIES_FILE, json.dumps(CATEGORIES, indent=2) + "\n")


def read_results(folder: Path) -> list[Mapping[str, Any]]:
    """Allure's results read back, all attachments there. Raises UserError for what is missing or broken."""
    results: list[Mapping[str, Any]] = []
    for path in sorted(folder.glob("*-result.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            missing = [name for name in _sources(result) if not (folder / name).is_file()]
            if "name" not in result or "status" not in result or "uuid" not in result:
                raise UserError(f"{path} has no name, status or uuid")
        except (OSError, ValueError, AttributeError, KeyError) as error:
            raise UserError(f"{path} is not a result of Allure: {error}") from error
        if missing:
            raise UserError(f"{path} names an attachment that is not there: {missing[0]}")
        results.append(result)
    if not results:
        raise UserError(f"no Allure results in {folder}", hint="pytest --alluredir DIR")
    return results


def _sources(item: Mapping[str, Any]) -> list[str]:
    """File names of all attachments, those of nested steps too."""
    own = [str(one["source"]) for one in item.get("attachments", ())]
    return own + [name for inner in item.get("steps", ()) for name in _sources(inner)]


def _record(finding: Finding) -> None:
    title = clean(f"{finding.claim} in {finding.phase}: {finding.verdict.value}: {finding.reason}")
    with suppress(_ClaimFailed, _ClaimUnproven), allure.step(title):
        words = [line for key in (CULPRIT, HINT, WHERE) for line in said(finding, key)]
        if words:
            allure.attach("\n".join(words), "what happened", allure.attachment_type.TEXT)
        if finding.data:
            allure.attach(dump(plain(finding.data)), "figures", allure.attachment_type.JSON)
        if finding.verdict is Verdict.FAIL:
            raise _ClaimFailed(finding.reason)
        if finding.verdict is Verdict.INCONCLUSIVE:
            raise _ClaimUnproven(finding.reason)


def _property(name: str) -> str:
    """Names of Java properties end at a space, "=" or ":"."""
    return "".join("_" if c in " =:#!\\" else c for c in clean(name))
