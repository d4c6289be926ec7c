"""What a lab is to be made of, decided outside before anything starts, and handed to the lab's init as JSON.

The init stays small this way: it imports neither pydantic nor the set-up's code, and starts in a fraction of a second.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service of the platform. Paths are absolute; `legacy_env` is what a legacy VM sets for its process.

    `command` starts the service (argv), `migrate` prepares its database, both with `app_folder` on PYTHONPATH.
    """

    name: str
    namespace: str
    deployment: str
    manifests: str
    image_tar: str
    app_folder: str
    command: tuple[str, ...]
    migrate: tuple[str, ...]
    legacy_env: Mapping[str, str]
    health_path: str
    legacy_target_group: str
    cluster_target_group: str


@dataclass(frozen=True, slots=True)
class LabPlan:
    """The whole lab. `programs` maps a program's name to its path; `logs_kept` is where logs go when a start fails."""

    python: str
    project: str
    programs: Mapping[str, str]
    pause_tar: str
    pause_reference: str
    logs_kept: str
    services: tuple[ServicePlan, ...] = field(default=())

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LabPlan:
        raw: dict[str, Any] = json.loads(text)
        services = tuple(_service(item) for item in raw.pop("services"))
        return cls(**raw, services=services)


def _service(raw: dict[str, Any]) -> ServicePlan:
    return ServicePlan(**raw | {"command": tuple(raw["command"]), "migrate": tuple(raw["migrate"])})
