"""The whole of `shiftproof sensitivity`: what was asked, all turns in their order, and what is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from shiftproof.errors import LoadError, SetupError, ShiftproofError
from shiftproof.report.verdict_file import moment, write_atomic
from shiftproof.safety.lock import exclusive
from shiftproof.safety.state import state_dir
from shiftproof.sensitivity.attempts import Ended, OtherRule, judged
from shiftproof.sensitivity.document import JSON_FILE, MARKDOWN_FILE, About, as_json, as_markdown
from shiftproof.sensitivity.fingerprint import refuse_mixing
from shiftproof.sensitivity.kind import GATES, Kind
from shiftproof.sensitivity.normal import Look
from shiftproof.sensitivity.page import PAGE_FILE, render_page
from shiftproof.sensitivity.plan import Turn, seconds_left
from shiftproof.sensitivity.platform import Platform
from shiftproof.sensitivity.settling import Settling
from shiftproof.sensitivity.state import (
    Baseline,
    Campaign,
    first_baseline,
    latest_campaign,
    past_seconds,
    start_campaign,
)
from shiftproof.sensitivity.table import Summary, summarise
from shiftproof.sensitivity.view import View


class RunsTurns(Protocol):
    """Runs one gate or rehearsal (runner.Runner)."""

    def run(self, turn: Turn, tick: Callable[[], None]) -> Ended: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person asked for. to_pct: of gates. `reports`: where campaigns and runs lie."""

    service: str
    to_pct: int | None
    turns: tuple[Turn, ...]
    fingerprint: Mapping[str, str]
    reports: Path = Path("reports")
    kind: Kind = GATES

    def words(self) -> dict[str, Any]:
        """By which a campaign that was stopped is found again: no other event's, and none of gates."""
        event = self.kind.event
        of = {"to_pct": self.to_pct} if event is None else {"event": event}
        return {"service": self.service, **of, "turns": [turn.key for turn in self.turns]}


@dataclass(frozen=True, slots=True)
class Parts:
    """The world around it. `runner`: makes what runs turns, given the campaign's folder. `about`: machine, versions.

    `fingerprint`: of what a turn that starts now would run. `prepare`: what all turns need and is to be there before
    the platform is looked at first.
    """

    runner: Callable[[Path], RunsTurns]
    platform: Platform
    others: Callable[[Path], tuple[OtherRule, ...]]
    about: Callable[[], tuple[Mapping[str, str], Mapping[str, str]]]
    fingerprint: Callable[[], Mapping[str, str]]
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Result:
    """Where it lies and what it came to; also of one that was stopped."""

    folder: Path
    summary: Summary
    about: About


def campaign_for(asked: Asked, fresh: bool) -> Campaign | None:
    """The campaign to go on with, None when a new one is to be begun. Raises RefusedError when it may not be."""
    found = None if fresh else latest_campaign(asked.reports, asked.words())
    if found is None or found.finished:
        return None
    refuse_mixing(found.fingerprint, asked.fingerprint, str(found.folder))
    return found


def still_to_run(asked: Asked, fresh: bool) -> tuple[list[tuple[Turn, float]], str | None]:
    """(turn, seconds that it will take) of those without a result, and the folder that this goes on with, if any.

    Raises RefusedError when going on is refused.
    """
    campaign = campaign_for(asked, fresh)
    done = campaign.results() if campaign is not None else {}
    took_s = past_seconds(asked.reports, asked.kind.event)
    left = [(turn, seconds_left([turn], took_s, asked.kind)) for turn in asked.turns if turn.key not in done]
    return left, str(campaign.folder) if campaign is not None else None


class Sensitivity:
    """One campaign, or the rest of one."""

    def __init__(self, asked: Asked, parts: Parts, view: View) -> None:
        self._asked = asked
        self._parts = parts
        self._view = view
        self._settling = Settling(parts.platform, parts.monotonic, parts.sleep, view.note)
        self._took_s = past_seconds(asked.reports, asked.kind.event)

    def run(self, *, fresh: bool, ended: Callable[[Result], None]) -> Result:
        """Run all that has no result yet. `ended` is given what there is, also when it is stopped.

        Raises LockHeldError when another is at work; UndoError when the platform is not back to normal; SetupError,
        UserError, and KeyboardInterrupt, which all leave a state that the same command goes on from.
        """
        with exclusive(f"sensitivity of {self._asked.service}", _lock_dir()):
            campaign = campaign_for(self._asked, fresh)
            seen = self._arrive()
            if campaign is None:
                campaign = self._new_campaign()
            stopped: str | None = "a fault in shiftproof itself"
            self._view.begin(len(self._asked.turns))
            try:
                self._work(campaign, seen)
                stopped = None
            except ShiftproofError as error:
                stopped = error.one_line()
                raise
            except KeyboardInterrupt:
                stopped = "interrupted"
                raise
            finally:
                self._view.close()
                if stopped is not None:
                    with suppress(SetupError):  # the disk may be what stopped it
                        ended(self._leave(campaign, stopped))
            result = self._leave(campaign, None)
            ended(result)
            if result.summary.complete:  # and told: what could not be is told by the same command, run again
                campaign.finish(moment(self._parts.now()))
            return result

    def _arrive(self) -> Look:
        """Before anything is begun: nobody else at work, nothing left of one that died, and a platform to look at."""
        self._parts.platform.wait_free(self._view.note)
        self._parts.platform.recover(self._view.note)
        self._parts.prepare()
        return self._parts.platform.look()

    def _new_campaign(self) -> Campaign:
        now = self._parts.now()
        folder = self._asked.reports / f"sensitivity-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}"
        return start_campaign(folder, self._asked.words(), self._asked.fingerprint, moment(now))

    # --- the work --------------------------------------------------------------------------------------------------

    def _work(self, campaign: Campaign, seen: Look) -> None:
        done = campaign.results()
        left = [turn for turn in self._asked.turns if turn.key not in done]
        if done or campaign.cut_short:
            known = f"{len(done)} of {len(self._asked.turns)} {self._asked.kind.many} are done"
            self._view.note(f"going on with {campaign.folder}: {known}")
        self._see_baseline(campaign, seen)
        runner = self._parts.runner(campaign.folder)
        while left:
            turn = left.pop(0)
            self._parts.platform.wait_free(self._view.note)
            self._take_turn(campaign, runner, turn, left)

    def _take_turn(self, campaign: Campaign, runner: RunsTurns, turn: Turn, then: Sequence[Turn]) -> None:
        self._refuse_edited(campaign)
        at = moment(self._parts.now())
        campaign.begin_turn(turn.key, at)
        self._view.turn_started(self._asked.turns.index(turn) + 1, turn, self._left_s([turn, *then]))
        ended = runner.run(turn, self._view.tick)
        self._refuse_edited(campaign)  # before there is a result: which code it would be of, nobody knows
        run_dir = _run_dir(ended)
        attempt = judged(turn, ended, at, run_dir.name if run_dir else None)
        attempt = replace(attempt, problem=_without_paths(attempt.problem))
        campaign.end_turn(attempt)  # on disk before anything else is tried: a result, a miss above all, is never lost
        if attempt.is_result:
            self._took_s.setdefault(turn.name, []).append(attempt.process_s)
        self._view.turn_ended(attempt, self._left_s(then))
        if run_dir is not None and attempt.is_result:
            campaign.set_others(self._others(run_dir))
        self._view.checking()
        began = self._parts.monotonic()
        self._settling.wait(campaign.baseline, f"after {turn.name}")
        campaign.checked(turn.key, self._parts.monotonic() - began)

    def _left_s(self, turns: Sequence[Turn]) -> float:
        return seconds_left(turns, self._took_s, self._asked.kind)

    def _refuse_edited(self, campaign: Campaign) -> None:
        """Raises RefusedError when somebody changed code or configuration since the campaign began."""
        refuse_mixing(campaign.fingerprint, self._parts.fingerprint(), str(campaign.folder))

    def _others(self, run_dir: Path) -> tuple[OtherRule, ...]:
        """They decide nothing: that they cannot be asked is said, and no more."""
        try:
            return self._parts.others(run_dir)
        except LoadError as error:
            self._view.note(f"others' rules could not be asked: {error}")
            return ()

    # --- back to normal --------------------------------------------------------------------------------------------

    def _see_baseline(self, campaign: Campaign, seen: Look) -> None:
        """The platform before the first defect of any campaign in this lab; only a new lab gets a new normal."""
        infra = campaign.fingerprint["infra"]
        known = first_baseline(self._asked.reports, campaign.asked, infra, seen.scope)
        look = self._settling.wait(known, f"before the first {self._asked.kind.one}")
        if campaign.baseline is None or campaign.baseline.scope != look.scope:
            campaign.set_baseline(Baseline(look.scope, look.facts))

    # --- what is left behind -----------------------------------------------------------------------------------------

    def _leave(self, campaign: Campaign, stopped: str | None) -> Result:
        """Write the table in its three forms. Raises SetupError."""
        summary = summarise(self._asked.turns, campaign.last(), campaign.attempts, campaign.cut_short)
        machine, versions = self._parts.about()
        about = About(
            service=self._asked.service,
            to_pct=self._asked.to_pct,
            started_at=campaign.started_at,
            ended_at=moment(self._parts.now()),
            seconds=round(campaign.seconds, 1),
            machine=machine,
            versions=versions,
            fingerprint=campaign.fingerprint,
            stopped=stopped,
            event=self._asked.kind.event,
        )
        write_atomic(campaign.folder / MARKDOWN_FILE, as_markdown(about, summary))
        write_atomic(campaign.folder / PAGE_FILE, render_page(about, summary, campaign.attempts))
        write_atomic(campaign.folder / JSON_FILE, as_json(about, summary, campaign.attempts))
        return Result(campaign.folder, summary, about)


def _without_paths(said: str | None) -> str | None:
    """Results are checked in: no path of this machine belongs there."""
    return None if said is None else said.replace(f"{Path.cwd()}/", "")


def _lock_dir() -> Path:
    """Of a lock of our own: each turn takes the usual one."""
    folder = state_dir() / "sensitivity"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SetupError(f"cannot make {folder}: {error.strerror}", hint="free some disk space") from error
    return folder


def _run_dir(ended: Ended) -> Path | None:
    found = (ended.verdict or {}).get("run_dir")
    return Path(found) if isinstance(found, str) else None
