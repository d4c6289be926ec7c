"""What was done so far, on disk: one line of JSON a step, fsynced, so that a kill or a power cut loses at most the
line that was being written, and with it one gate or rehearsal."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from shiftproof.errors import SetupError
from shiftproof.safety.state import fsync_dir
from shiftproof.sensitivity.attempts import Attempt, OtherRule, attempt_json, read_attempt, read_others

STATE_FILE = "state.jsonl"
FOLDERS = "sensitivity-*"
FRESH = "to start anew: --fresh"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The platform as it was before the first defect. scope: the life of the lab that this is true of."""

    scope: str
    facts: Mapping[str, str]


@dataclass(slots=True)
class Campaign:
    """One run of `sensitivity`, from its first turn to its last, with as many stops between as there were.

    asked: what was asked for; the same words find it again. fingerprint: digests of what decides the results.
    """

    folder: Path
    asked: Mapping[str, Any]
    fingerprint: Mapping[str, str]
    started_at: str
    attempts: list[Attempt] = field(default_factory=list)
    baseline: Baseline | None = None
    cut_short: int = 0  # turns that were started and have no end: killed, interrupted
    check_s: float = 0.0  # spent looking whether the platform was back to normal
    finished: bool = False

    @property
    def seconds(self) -> float:
        """At work; stops between are not counted."""
        return sum(attempt.process_s for attempt in self.attempts) + self.check_s

    def results(self) -> dict[str, Attempt]:
        """The result of each turn that has one, by its key. The first counts: a result is never tried again."""
        found: dict[str, Attempt] = {}
        for attempt in self.attempts:
            if attempt.is_result:
                found.setdefault(attempt.key, attempt)
        return found

    def last(self) -> dict[str, Attempt]:
        """What is to be shown of each turn that was tried: its result, or else why there is none."""
        return {attempt.key: attempt for attempt in self.attempts} | self.results()

    # --- each writes a line before it returns; all raise SetupError when the disk does not take it -------------------

    def begin_turn(self, key: str, at: str) -> None:
        self._append({"type": "start", "key": key, "at": at})

    def end_turn(self, attempt: Attempt) -> None:
        self._append({"type": "attempt", **attempt_json(attempt)})
        self.attempts.append(attempt)

    def set_others(self, others: tuple[OtherRule, ...]) -> None:
        """Of the turn that ended last. A line of their own: what they say must not keep a gate's own result waiting."""
        last = self.attempts[-1]
        self._append({"type": "others", "key": last.key, "others": [asdict(one) for one in others]})
        self.attempts[-1] = replace(last, others=others)

    def checked(self, key: str, check_s: float) -> None:
        """The platform was looked at after this turn, and was back to normal."""
        self._append({"type": "checked", "key": key, "check_s": round(check_s, 2)})
        self.check_s += check_s

    def set_baseline(self, baseline: Baseline) -> None:
        self._append({"type": "baseline", "scope": baseline.scope, "facts": dict(baseline.facts)})
        self.baseline = baseline

    def finish(self, at: str) -> None:
        self._append({"type": "finished", "at": at})
        self.finished = True

    def _append(self, line: Mapping[str, Any]) -> None:
        _write_line(self.folder / STATE_FILE, line)


def start_campaign(folder: Path, asked: Mapping[str, Any], fingerprint: Mapping[str, str], started_at: str) -> Campaign:
    """Make the folder and the first line. Raises SetupError."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise SetupError(f"cannot make {folder}: {error.strerror}", hint="free some disk space") from error
    first = {"type": "campaign", "version": 1, "asked": asked, "fingerprint": fingerprint, "started_at": started_at}
    _write_line(folder / STATE_FILE, first)
    fsync_dir(folder)
    fsync_dir(folder.parent)
    return Campaign(folder, asked, fingerprint, started_at)


def latest_campaign(reports: Path, asked: Mapping[str, Any]) -> Campaign | None:
    """The newest one that was asked for in the same words, finished or not. Raises SetupError when it is damaged."""
    for folder in sorted(reports.glob(FOLDERS), reverse=True):
        if _asked_in(folder / STATE_FILE) == asked:
            return read_campaign(folder)
    return None


def first_baseline(reports: Path, asked: Mapping[str, Any], infra: str, scope: str) -> Baseline | None:
    """What the first campaign in this lab saw, of the same service and configuration; None in a new lab.

    Whatever its defects and its end: what an earlier campaign left changed must not become normal in the next one.
    """
    for campaign in _readable(reports):
        same = campaign.asked.get("service") == asked["service"] and campaign.fingerprint.get("infra") == infra
        if same and campaign.baseline is not None and campaign.baseline.scope == scope:
            return campaign.baseline
    return None


def past_seconds(reports: Path, event: str | None = None) -> dict[str, list[float]]:
    """Seconds that turns took in all earlier campaigns of gates, or of this event, by name; what cannot be read is
    left out."""
    took_s: dict[str, list[float]] = {}
    alike = (campaign for campaign in _readable(reports) if campaign.asked.get("event") == event)
    for attempt in (attempt for campaign in alike for attempt in campaign.attempts):
        if attempt.is_result:
            took_s.setdefault(attempt.name, []).append(attempt.process_s)
    return took_s


def _readable(reports: Path) -> Iterator[Campaign]:
    """All campaigns, the oldest first; a damaged one is left out."""
    for folder in sorted(reports.glob(FOLDERS)):
        with suppress(SetupError):
            yield read_campaign(folder)


def read_campaign(folder: Path) -> Campaign:
    """What the state file holds; half a line at its end, of a kill or a full disk, is cut off.

    Raises SetupError when it cannot be read, or is damaged elsewhere.
    """
    path = folder / STATE_FILE
    lines = _whole_lines(path)
    number = 1
    try:
        first = json.loads(lines[0])
        campaign = Campaign(folder, first["asked"], first["fingerprint"], first["started_at"])
        open_turn: str | None = None
        for number, text in enumerate(lines[1:], start=2):  # noqa: B007 (said below)
            open_turn = _take_in(campaign, json.loads(text), open_turn)
    except (LookupError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
        raise SetupError(f"{path}:{number}: is no line of a state file: {said}", hint=FRESH) from error
    campaign.cut_short += open_turn is not None
    return campaign


def _take_in(campaign: Campaign, line: Mapping[str, Any], open_turn: str | None) -> str | None:
    """Add one line to the campaign; returns the turn that is open after it."""
    kind = line["type"]
    if kind == "start":
        campaign.cut_short += open_turn is not None
        return str(line["key"])
    if kind == "attempt":
        campaign.attempts.append(read_attempt({key: value for key, value in line.items() if key != "type"}))
    elif kind == "others":
        campaign.attempts[-1] = replace(campaign.attempts[-1], others=read_others(line["others"]))
    elif kind == "checked":
        campaign.check_s += line["check_s"]
    elif kind == "baseline":
        campaign.baseline = Baseline(line["scope"], line["facts"])
    elif kind == "finished":
        campaign.finished = True
    else:
        raise ValueError(f"unknown type {kind!r}")
    return None if kind == "attempt" else open_turn


def _asked_in(path: Path) -> Any:
    """What the first line says; None for a folder whose state was never written."""
    try:
        with path.open(encoding="utf-8") as file:
            return json.loads(file.readline()).get("asked")
    except (OSError, ValueError, AttributeError):
        return None


def _whole_lines(path: Path) -> list[bytes]:
    """Less half a line at the end. Raises SetupError when the file cannot be read."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SetupError(f"cannot read {path}: {error.strerror}", hint=FRESH) from error
    return text[: text.rfind(b"\n") + 1].splitlines()


def _write_line(path: Path, line: Mapping[str, Any]) -> None:
    data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
    try:
        with path.open("ab", buffering=0) as file:  # a buffer would try once more when it is closed
            _cut_half_line(path)
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
    except OSError as error:
        raise SetupError(
            f"cannot write {path}: {error.strerror}", hint="free some disk space, then run the same command again"
        ) from error


def _cut_half_line(path: Path) -> None:
    """An earlier write may have ended in the middle of its line."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 1))
        if size and file.read(1) != b"\n":
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
