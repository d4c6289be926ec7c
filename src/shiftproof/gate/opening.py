"""Opening a gate: read what was asked, take the lock, undo what an earlier run left, plant, connect."""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shiftproof.adapters.targets import INFRA_ENV
from shiftproof.errors import SetupError
from shiftproof.gate.clock import RunClock, take_anchor
from shiftproof.gate.config import config_hash, experiments_dir, read_platform, service
from shiftproof.gate.planting import planted, read_defect
from shiftproof.gate.request import Request, check_request, target_of
from shiftproof.gate.session import GateSession
from shiftproof.gate.settings import FULL, QUICK, GateSettings
from shiftproof.gate.undo import recover_all
from shiftproof.gate.wiring import connect
from shiftproof.gate.world import require_whole, scope_of
from shiftproof.model.platform import Service
from shiftproof.model.target import Target
from shiftproof.ports import Experiment
from shiftproof.report.live_view import View
from shiftproof.safety.journal import Journal, journal_dir
from shiftproof.safety.lock import exclusive
from shiftproof.safety.windows import refuse_in_peak


@dataclass(frozen=True, slots=True)
class Opened:
    """A gate that is open for drills."""

    settings: GateSettings
    session: GateSession
    experiments: list[Experiment]


def settings_for(request: Request) -> GateSettings:
    """Read and check everything a person wrote. Raises UserError or ConfigError; makes the run's folder."""
    check_request(request)
    platform = read_platform(request.infra_dir)
    target = target_of(request)
    chosen = service(platform, request.service)
    return GateSettings(
        platform=platform,
        service=chosen,
        target=target,
        infra_dir=request.infra_dir,
        to_pct=request.to_pct,
        depth=QUICK if request.quick else FULL,
        run_id=request.run_id,
        run_dir=make_folder(request.folder),
        seed=secrets.randbelow(2**31) if request.seed is None else request.seed,
        operator=request.operator or getpass.getuser(),
        ticket=request.ticket,
        config_hash=config_hash(platform, target, _experiment_files(request, chosen)),
        defect=request.defect,
    )


@contextmanager
def open_gate(request: Request, view: View) -> Iterator[Opened]:
    """Everything from the lock to the first drill; undoes it all in reverse, whatever happens in between."""
    settings = settings_for(request)
    # Undo handlers find the same files by this, from whatever folder they are run.
    os.environ[INFRA_ENV] = str(request.infra_dir.resolve())
    refuse_in_peak(settings.platform, settings.target, datetime.now(UTC))
    defect = read_defect(request.defect) if request.defect is not None else None
    with tidy(settings.run_dir), exclusive(f"gate {request.service} --to {request.to_pct}"):
        journal = take_up(settings.target, settings.run_id, view.note)
        anchor_ns = take_anchor()
        clock = RunClock(anchor_ns)
        parts = connect(settings, journal, clock, anchor_ns)
        experiments = [parts.faults.experiment(name) for name in settings.service.experiments]
        with put_back(settings.target), planted(defect, settings.target, journal, settings.service) as planting:
            if planting is not None:
                for note in planting.notes:
                    view.note(f"planted {planting.defect.id}: {note}")
            with GateSession(settings, parts, clock, journal, view, planting) as session:
                yield Opened(settings, session, experiments)


def take_up(target: Target, run_id: str, note: Callable[[str], None]) -> Journal:
    """Undo what an earlier run left, see that the target is whole, and open this run's journal. Needs the lock."""
    say_recovered(target, note)
    require_whole(target)
    scope = scope_of(target)
    # Children (chaos experiments) write to the same journal in the name of the same run.
    os.environ.update(SHIFTPROOF_RUN=run_id, SHIFTPROOF_SCOPE=scope)
    return Journal(journal_dir(), run_id=run_id, scope=scope)


@contextmanager
def tidy(run_dir: Path) -> Iterator[None]:
    """A run that left nothing leaves no folder either."""
    try:
        yield
    finally:
        with suppress(OSError):  # it is not empty, as usual
            run_dir.rmdir()


@contextmanager
def put_back(target: Target) -> Iterator[None]:
    """Last of all, once no defect is planted any more: whatever is still in the journal, our own traffic above all."""
    try:
        yield
    finally:
        recover_all(target)


def _experiment_files(request: Request, chosen: Service) -> list[Path]:
    return [experiments_dir(request.infra_dir) / f"{name}.yaml" for name in chosen.experiments]


def make_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"cannot write to {path}: {error.strerror}", hint="free some disk space") from error
    return path.resolve()


def say_recovered(target: Target, note: Callable[[str], None]) -> None:
    """Undo what an earlier run left, and name it. Call it with the lock held."""
    recovery = recover_all(target)
    for entry in recovery.undone:
        note(f"put back what an earlier run left: {entry.kind} of {entry.subject} (run {entry.run_id or '?'})")
