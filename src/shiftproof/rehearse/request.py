"""What a person asked for, and what can be known to be wrong with it before there is a lab. Quick to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shiftproof.errors import UserError
from shiftproof.gate.config import experiments_dir, read_platform, service
from shiftproof.gate.request import RunRequest, target_of
from shiftproof.rehearse.profiles import find_profile, profiles_dir


@dataclass(frozen=True, slots=True)
class EventRequest(RunRequest):
    """A load event to rehearse. fixed_pods: with so many pods and no autoscaling; None: as the service scales."""

    event: str
    service: str = "payments"
    experiments: tuple[str, ...] = ()
    fixed_pods: int | None = None

    @property
    def folder(self) -> Path:
        return self.folder_for(self.event)

    @property
    def command(self) -> str:
        """What was typed, as far as it decides what is done."""
        more = "" if self.fixed_pods is None else f" --fixed-pods {self.fixed_pods}"
        return f"rehearse {self.event} --service {self.service}{more}"


def check_request(request: EventRequest) -> None:
    """What can be known to be wrong without a lab: raises UserError or ConfigError."""
    platform = read_platform(request.infra_dir)
    chosen = service(platform, request.service)
    target_of(request)
    find_profile(profiles_dir(request.infra_dir), request.event)
    if chosen.scaling is None:
        raise UserError(
            f"{chosen.name} does not scale, so there is no event to rehearse",
            hint=f"say how its pods scale: `scaling` of {chosen.name} in {request.infra_dir}/platform.yaml",
        )
    if chosen.load.peak_per_s is None:
        raise UserError(
            f"{chosen.name} declares no peak, and the rates of an event are shares of it",
            hint=f"set load.peak_per_s of {chosen.name} in {request.infra_dir}/platform.yaml",
        )
    if request.fixed_pods is not None and not 1 <= request.fixed_pods <= chosen.scaling.most_pods:
        most = chosen.scaling.most_pods
        raise UserError(f"--fixed-pods {request.fixed_pods}: from 1 to {most}, the most that {chosen.name} may have")
    named = [*request.experiments, *(name for worker in platform.workers for name in worker.experiments)]
    twice = sorted({name for name in request.experiments if request.experiments.count(name) > 1})
    if twice:
        raise UserError(f"--experiment {', '.join(twice)}: each may be named once, since it is done once in an event")
    if named:
        from shiftproof.adapters.chaostoolkit import read_experiment

        for name in named:
            read_experiment(experiments_dir(request.infra_dir), name)
    if request.defect is not None:
        from shiftproof.gate.planting import read_defect

        known = [one.name for one in platform.services]
        if read_defect(request.defect, known, of=request.service).event is None:
            read_defect(request.defect, known, of=request.service, run=f"rehearse {request.event}")  # says where
