"""What autoscaling is to be made of, decided outside and handed to the lab's init as JSON, as its LabPlan is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """Work on a queue. `migrate` prepares its database, with `app_folder` on PYTHONPATH; `env` says which that is."""

    name: str
    image_tar: str
    app_folder: str
    queue: str
    migrate: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AutoscalingPlan:
    """`programs` maps a program's name to its path; `crds`: folders of custom resource definitions; `node_pools`:
    kustomize folder; `boot_s`: from the launch of a machine until its kubelet starts; `scraped`: namespaces whose pods
    Prometheus asks.
    """

    programs: Mapping[str, str]
    crds: tuple[str, ...]
    node_pools: str
    boot_s: float
    interruption_queue: str
    scraped: tuple[str, ...]
    workers: tuple[WorkerPlan, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> AutoscalingPlan:
        """Raises TypeError for what is no plan."""
        workers = tuple(WorkerPlan(**{**one, "migrate": tuple(one["migrate"])}) for one in raw["workers"])
        lists = {"crds": tuple(raw["crds"]), "scraped": tuple(raw["scraped"]), "workers": workers}
        return cls(**{**raw, **lists})
