"""What one rehearsal was asked to do: everything known before the first request."""

from __future__ import annotations

import getpass
import secrets
from dataclasses import dataclass
from pathlib import Path

from shiftproof.errors import UserError
from shiftproof.gate.config import config_hash, experiments_dir, read_platform, service
from shiftproof.gate.request import target_of
from shiftproof.gate.settings import RunSettings
from shiftproof.model.demand import Demand
from shiftproof.model.load_event import Hold, LoadEvent
from shiftproof.model.scaling import Scaling
from shiftproof.rehearse.profiles import find_profile, profiles_dir, read_profile
from shiftproof.rehearse.request import EventRequest, check_request

PAIRS_PER_S = 5.0
"""The control: pairs that go on throughout; their legacy side needs no scaling. Few, so that they ask for no pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalSettings(RunSettings):
    """One rehearsal. demand: the event's rates as they are to be sent, the target's scale and all."""

    scaling: Scaling
    profile: Path
    event: LoadEvent
    demand: Demand
    experiments: tuple[str, ...]
    fixed_pods: int | None

    @property
    def of_workers(self) -> tuple[str, ...]:
        """Experiments that workers have to bear, where the event has a time for them; none of fixed capacity."""
        if self.fixed_pods is not None or highest_plateau(self.event) is None:
            return ()
        named = [name for worker in self.platform.workers for name in worker.experiments]
        return tuple(name for name in dict.fromkeys(named) if name not in self.experiments)

    @property
    def pods_needed(self) -> int:
        """At the event's highest rate."""
        return self.pods_for(self.demand.peak_per_s)

    def pods_for(self, rate_per_s: float) -> int:
        """That this rate of the event asks for, with the control's pairs, whose treatment comes to the same pods."""
        return self.scaling.pods_for(rate_per_s + PAIRS_PER_S)

    @property
    def worker_base(self) -> dict[str, int]:
        """Pods of each worker while nothing is asked of it, by name."""
        return {worker.name: worker.least_pods for worker in self.platform.workers}

    @property
    def base_pods(self) -> int:
        """That the service has while nothing is asked of it."""
        return self.fixed_pods if self.fixed_pods is not None else self.scaling.least_pods


def settings_for(request: EventRequest) -> RehearsalSettings:
    """Read and check everything a person wrote. Raises UserError or ConfigError; makes nothing."""
    check_request(request)
    platform = read_platform(request.infra_dir)
    target = target_of(request)
    chosen = service(platform, request.service)
    scaling, peak_per_s = chosen.scaling, chosen.load.peak_per_s
    assert scaling is not None, "checked"
    assert peak_per_s is not None, "checked"
    profile = find_profile(profiles_dir(request.infra_dir), request.event)
    event = read_profile(profile)
    demand = event.demand(peak_per_s).scaled(target.events.demand_scale)
    named = {*request.experiments, *(name for worker in platform.workers for name in worker.experiments)}
    files = [profile, *(experiments_dir(request.infra_dir) / f"{name}.yaml" for name in sorted(named))]
    found = RehearsalSettings(
        platform=platform,
        service=chosen,
        scaling=scaling,
        target=target,
        infra_dir=request.infra_dir,
        profile=profile,
        event=event,
        demand=demand,
        experiments=request.experiments,
        fixed_pods=request.fixed_pods,
        run_id=request.run_id,
        run_dir=request.folder.resolve(),
        seed=secrets.randbelow(2**31) if request.seed is None else request.seed,
        operator=request.operator or getpass.getuser(),
        ticket=request.ticket,
        config_hash=config_hash(platform, target, files),
        defect=request.defect,
    )
    _refuse_what_cannot_be(found)
    return found


def _refuse_what_cannot_be(settings: RehearsalSettings) -> None:
    """An experiment needs a plateau to happen on: on a ramp nobody could tell its effect from the load's."""
    if settings.experiments and highest_plateau(settings.event) is None:
        raise UserError(
            f"{settings.event.name} has no plateau, so no experiment fits into it",
            hint="leave out --experiment, or choose an event that holds its peak",
        )


EXPERIMENT_AFTER_SHARE = 0.3
"""Of the plateau: by then pods that the rise asked for have come, where they come in time."""


@dataclass(frozen=True, slots=True)
class Plateau:
    """Seconds of the event between which its load is highest and stays so."""

    begin_s: float
    end_s: float

    @property
    def strike_s(self) -> float:
        """When experiments begin."""
        return self.begin_s + EXPERIMENT_AFTER_SHARE * (self.end_s - self.begin_s)


def highest_plateau(event: LoadEvent) -> Plateau | None:
    """The first on which the load is at its very highest. None: it only passes there."""
    at_s, share = 0.0, event.begin
    highest = max([event.begin, *(piece.to for piece in event.pieces if not isinstance(piece, Hold))])
    for piece in event.pieces:
        if isinstance(piece, Hold) and share == highest:
            return Plateau(at_s, at_s + piece.seconds)
        share = share if isinstance(piece, Hold) else piece.to
        at_s += piece.seconds
    return None
