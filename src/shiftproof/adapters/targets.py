"""Targets and services by name, for handlers that undo: they run from a journal, where a name is all there is.

The gate reads the same files through gate.config, which checks more.
"""

from __future__ import annotations

import os
from pathlib import Path

from shiftproof.adapters.documents import read_document
from shiftproof.errors import UserError
from shiftproof.model.platform import Platform, Service
from shiftproof.model.scaling import Worker
from shiftproof.model.target import Target

INFRA_ENV = "SHIFTPROOF_INFRA"


def infra_dir() -> Path:
    """$SHIFTPROOF_INFRA, else the `infra` folder of the working copy, found upward from here. Raises UserError."""
    given = os.environ.get(INFRA_ENV)
    if given:
        return Path(given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "infra" / "platform.yaml").is_file():
            return folder / "infra"
    raise UserError(
        f"no infra/platform.yaml in {here} or above it", hint=f"run it in the working copy, or set {INFRA_ENV}"
    )


def load_target(name: str) -> Target:
    """The target `infra/targets/NAME.yaml`. Raises UserError that names the known ones, or ConfigError."""
    folder = infra_dir() / "targets"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise UserError(f"there is no target {name!r}; known: {', '.join(known) or 'none'}")
    return read_document(folder / f"{name}.yaml", Target).value


def load_service(name: str) -> Service:
    """The service of the platform file by name. Raises UserError that names the known ones, or ConfigError."""
    services = read_document(infra_dir() / "platform.yaml", Platform).value.services
    for service in services:
        if service.name == name:
            return service
    raise UserError(f"there is no service {name!r}; known: {', '.join(service.name for service in services)}")


def load_worker(name: str) -> Worker:
    """The worker of the platform file by name. Raises UserError that names the known ones, or ConfigError."""
    workers = read_document(infra_dir() / "platform.yaml", Platform).value.workers
    for worker in workers:
        if worker.name == name:
            return worker
    raise UserError(f"there is no worker {name!r}; known: {', '.join(worker.name for worker in workers) or 'none'}")
