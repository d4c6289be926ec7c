"""Read `infra/platform.yaml` and `infra/targets/*.yaml`, and check what no single part of them can know."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from shiftproof.adapters.documents import Problem, read_document
from shiftproof.errors import ConfigError, UserError
from shiftproof.model.platform import Platform, Service
from shiftproof.model.target import Target
from shiftproof.safety.windows import next_allowed

#: Windows repeat, so whether they leave any time at all does not depend on the day that one asks.
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def read_platform(path: Path) -> Platform:
    """The platform file; `path` is the file itself, or the `infra` folder that it is in.

    Beyond the model: names are unique, waves name services that exist, experiments and manifests are there, time
    zones are real, and the windows leave some time to move in. Raises ConfigError with file and line.
    """
    file = path / "platform.yaml" if path.is_dir() else path
    document = read_document(file, Platform)
    platform = document.value
    document.refuse(
        [
            *_duplicates(platform),
            *_wave_problems(platform),
            *_service_problems(platform, file.parent),
            *_worker_problems(platform, file.parent),
            *_window_problems(platform, file.parent),
        ]
    )
    return platform


def read_target(path: Path) -> Target:
    """One target's file. Raises ConfigError with file and line, also when its name is not the file's."""
    document = read_document(path, Target)
    target = document.value
    if target.name != path.stem:
        document.refuse([Problem(("name",), f"name is {target.name!r}, and the file is called {path.name}")])
    return target


def find_target(infra_dir: Path, name: str) -> Target:
    """The target of that name. Raises UserError that lists the known ones."""
    known = sorted(path.stem for path in (infra_dir / "targets").glob("*.yaml"))
    if name not in known:
        raise UserError(f"there is no target {name!r}", hint=f"known targets: {', '.join(known) or 'none'}")
    return read_target(infra_dir / "targets" / f"{name}.yaml")


def service(platform: Platform, name: str) -> Service:
    """The service of that name. Raises UserError that lists the known ones."""
    for candidate in platform.services:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in platform.services)
    raise UserError(f"there is no service {name!r} in the platform", hint=f"known services: {known}")


def config_hash(platform: Platform, target: Target, files: Iterable[Path] = ()) -> str:
    """sha256 (hex) over what was configured: comments, layout and written-out defaults do not change it.

    files: further files that decide what is tried, by name and bytes (e.g. the experiments). Raises ConfigError
    when one cannot be read.
    """
    digest = hashlib.sha256()
    for value in (platform, target):
        digest.update(_canonical(value))
    for file in sorted(files, key=lambda path: path.name):
        try:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", file=file) from None
        digest.update(f"{file.name} {content}\n".encode())
    return digest.hexdigest()


def experiments_dir(infra_dir: Path) -> Path:
    """`experiments/` stands beside `infra/`."""
    return infra_dir.parent / "experiments"


def _canonical(value: BaseModel) -> bytes:
    return json.dumps(value.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _duplicates(platform: Platform) -> Iterator[Problem]:
    for part in ("services", "waves", "windows"):
        yield from _repeated((part,), [item.name for item in getattr(platform, part)], ("name",))
    for number, candidate in enumerate(platform.services):
        loc = ("services", number)
        yield from _repeated((*loc, "load", "operations"), [one.name for one in candidate.load.operations], ("name",))
        yield from _repeated((*loc, "experiments"), candidate.experiments, ())


def _repeated(loc: tuple[str | int, ...], names: Iterable[str], key: tuple[str, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            yield Problem((*loc, number, *key), f"{loc[-1]}: the name {name!r} is used twice")
        seen.add(name)


def _wave_problems(platform: Platform) -> Iterator[Problem]:
    known = {candidate.name for candidate in platform.services}
    for number, wave in enumerate(platform.waves):
        for index, name in enumerate(wave.services):
            if name not in known:
                said = f"wave {wave.name!r}: there is no service {name!r}; known are {', '.join(sorted(known))}"
                yield Problem(("waves", number, "services", index), said)


def _service_problems(platform: Platform, infra_dir: Path) -> Iterator[Problem]:
    for number, candidate in enumerate(platform.services):
        loc = ("services", number)
        keyed = next((one.name for one in candidate.load.operations if "key" in one.placeholders()), None)
        if keyed is not None and candidate.duplicates.not_applicable is not None:
            said = f"operation {keyed!r} takes a {{key}}, so it can be sent twice and must be"
            yield Problem((*loc, "duplicates", "not_applicable"), said)
        manifests = infra_dir / candidate.manifests
        if not (manifests / "kustomization.yaml").is_file():
            yield Problem((*loc, "manifests"), f"there is no kustomization.yaml in {manifests}")
        yield from _experiment_problems(loc, candidate.experiments, infra_dir)


def _worker_problems(platform: Platform, infra_dir: Path) -> Iterator[Problem]:
    yield from _repeated(("workers",), [worker.name for worker in platform.workers], ("name",))
    for number, worker in enumerate(platform.workers):
        manifests = infra_dir / worker.manifests
        if not (manifests / "kustomization.yaml").is_file():
            yield Problem(("workers", number, "manifests"), f"there is no kustomization.yaml in {manifests}")
        yield from _experiment_problems(("workers", number), worker.experiments, infra_dir)


def _experiment_problems(loc: tuple[str | int, ...], names: Iterable[str], infra_dir: Path) -> Iterator[Problem]:
    for index, name in enumerate(names):
        file = experiments_dir(infra_dir) / f"{name}.yaml"
        if not file.is_file():
            yield Problem((*loc, "experiments", index), f"there is no experiment {name!r}: {file} is not there")


def _window_problems(platform: Platform, infra_dir: Path) -> Iterator[Problem]:
    targets = {path.stem for path in (infra_dir / "targets").glob("*.yaml")}
    sound = True
    for number, window in enumerate(platform.windows):
        loc = ("windows", number)
        try:
            ZoneInfo(window.timezone)
        except (KeyError, ValueError, OSError):  # ZoneInfo raises each of these, by how wrong the name is
            sound = False
            yield Problem((*loc, "timezone"), f"{window.timezone!r} is not a time zone (e.g. Europe/Berlin)")
        for index, name in enumerate(window.targets):
            if targets and name not in targets:
                yield Problem((*loc, "targets", index), f"there is no target {name!r}")
    if sound and platform.windows:
        names = sorted({name for window in platform.windows for name in window.targets} | {""})
        for name in names:
            if next_allowed(platform.windows, name, lab=name == "lab", now=_ANY_DAY) is None:
                whose = f"target {name!r}" if name else "any target but the lab"
                yield Problem(("windows",), f"windows leave no time in which {whose} could move")
