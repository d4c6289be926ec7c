"""What a person asked for, and what can be known to be wrong with it before there is a lab. Quick to import."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from shiftproof.errors import UserError
from shiftproof.gate.config import find_target, read_platform, service
from shiftproof.gate.identity import new_run_id
from shiftproof.model.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What may be asked of any run, before anything was read."""

    target: str = "lab"
    infra_dir: Path = Path("infra")
    run_dir: Path | None = None  # None: a new folder below reports/
    seed: int | None = None
    operator: str = ""
    ticket: str = ""
    defect: Path | None = None
    run_id: str = field(default_factory=new_run_id)
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def folder_for(self, name: str) -> Path:
        """Where a run of that name leaves its files."""
        return self.run_dir or Path("reports") / f"{self.asked_at:%Y%m%d-%H%M%S}-{name}-{self.run_id}"


@dataclass(frozen=True, slots=True)
class Request(RunRequest):
    """A gate: whether `to_pct` of the service's traffic may go to the cluster."""

    service: str
    to_pct: int
    quick: bool = False

    @property
    def folder(self) -> Path:
        return self.folder_for(self.service)


def target_of(request: RunRequest) -> Target:
    """The target's file; raises UserError for an unknown one."""
    return find_target(request.infra_dir, request.target)


def check_dry_run(request: RunRequest, json: str | None) -> None:
    """Raises UserError for what a dry run has no use for."""
    if request.defect is not None or json is not None:
        raise UserError("--dry-run takes neither --defect nor --json: it plants nothing and comes to no verdict")


def check_request(request: Request) -> None:
    """What can be known to be wrong without a lab: raises UserError or ConfigError."""
    if not 0 <= request.to_pct <= 100:
        raise UserError(f"--to {request.to_pct}: a weight is 0 to 100 percent")
    platform = read_platform(request.infra_dir)
    service(platform, request.service)
    target_of(request)
    if request.defect is not None:
        from shiftproof.gate.planting import read_defect
        from shiftproof.model.defect import GATE

        known = [one.name for one in platform.services]
        read_defect(request.defect, known, of=request.service, run=GATE)
