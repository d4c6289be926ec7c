"""What a person asked for, and what can be known to be wrong with it before there is a lab. Quick to import."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from shiftproof.errors import UserError
from shiftproof.gate.config import experiments_dir, find_target, read_platform, service
from shiftproof.gate.identity import new_run_id
from shiftproof.model.target import Target
from shiftproof.rehearse.profiles import find_profile, profiles_dir


@dataclass(frozen=True, slots=True)
class EventRequest:
    """A load event to rehearse. fixed_pods: with so many pods and no autoscaling; None: as the service scales."""

    event: str
    service: str = "payments"
    target: str = "lab"
    infra_dir: Path = Path("infra")
    run_dir: Path | None = None  # None: a new folder below reports/
    experiments: tuple[str, ...] = ()
    fixed_pods: int | None = None
    seed: int | None = None
    operator: str = ""
    ticket: str = ""
    defect: Path | None = None
    run_id: str = field(default_factory=new_run_id)
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def folder(self) -> Path:
        """Where this run leaves its files."""
        return self.run_dir or Path("reports") / f"{self.asked_at:%Y%m%d-%H%M%S}-{self.event}-{self.run_id}"

    @property
    def command(self) -> str:
        """What was typed, as far as it decides what is done."""
        more = "" if self.fixed_pods is None else f" --fixed-pods {self.fixed_pods}"
        return f"rehearse {self.event} --service {self.service}{more}"


def target_of(request: EventRequest) -> Target:
    """The target's file; raises UserError for an unknown one."""
    return find_target(request.infra_dir, request.target)


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
    if request.fixed_pods is not None and request.fixed_pods < 1:
        raise UserError(f"--fixed-pods {request.fixed_pods}: at least one pod has to serve")
    for name in request.experiments:
        _check_experiment(request, name)
    if request.defect is not None:
        from shiftproof.gate.planting import read_defect

        known = [one.name for one in platform.services]
        if read_defect(request.defect, known, of=request.service).event is None:
            read_defect(request.defect, known, of=request.service, run=f"rehearse {request.event}")  # says where


def _check_experiment(request: EventRequest, name: str) -> None:
    folder = experiments_dir(request.infra_dir)
    if not (folder / f"{name}.yaml").is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        raise UserError(f"there is no experiment {name!r}", hint=f"known experiments: {known or 'none'}")
