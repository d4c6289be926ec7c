"""A service as a folder that Python can run: its locked dependencies and its own source, compiled.

The folder is the app layer of the service's image, and what the legacy VMs run.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from shiftproof.errors import SetupError
from shiftproof.lab.setup.command import CommandFailed, run
from shiftproof.lab.setup.paths import cache_root, project_root
from shiftproof.lab.setup.progress import Ticker
from shiftproof.lab.setup.rootfs import PYTHON, compile_python

FOLDER = "app"
_SOURCE = "app"
_IGNORED = ("__pycache__", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache")


def recipe(service: Path) -> list[bytes]:
    """All that decides the app's contents, for the cache's key: Containerfile, pins, source, with their paths.

    Raises SetupError when the service is not there.
    """
    files = [service / "Containerfile", *sorted(path for path in (service / _SOURCE).rglob("*") if _counts(path))]
    try:
        return [part for file in files for part in (str(file.relative_to(service)).encode(), file.read_bytes())]
    except OSError as error:
        where = f"{error.filename}: {error.strerror}"
        raise SetupError(f"the service {service.name} cannot be read: {where}", hint="git status infra") from error


def _counts(path: Path) -> bool:
    return path.is_file() and not any(part in _IGNORED for part in path.parts) and "tests" not in path.parts


def make(service: Path, package: str, folder: Path, ticker: Ticker) -> None:
    """Fill `folder` with the app. Raises SetupError: no network, a lock that is out of date, no disk."""
    uv = uv_program()
    requirements = folder.with_name("requirements.txt")
    ticker.update(note="dependencies")
    exporting: list[str | Path] = [
        uv, "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--no-header", "--python", PYTHON,
        "--output-file", requirements,
    ]  # fmt: skip
    installing: list[str | Path] = [
        uv, "pip", "install", "--quiet", "--target", folder, "--python", PYTHON, "--require-hashes", "--only-binary",
        ":all:", "--link-mode", "copy", "--requirements", requirements,
    ]  # fmt: skip
    try:
        run(exporting, folder=service / _SOURCE)
        run(installing)
        ticker.update(note="compiling")
        shutil.copytree(_package_source(service, package), folder / package, ignore=shutil.ignore_patterns(*_IGNORED))
        _drop_clutter(folder)
        compile_python(folder, strip=folder, prefix="/app")
    except CommandFailed as error:
        raise error.as_setup_error(f"making the image of {service.name}", "make setup") from error
    requirements.unlink()


def uv_program() -> Path:
    """The pinned uv that `make setup` put into the cache. Raises SetupError when it is not there."""
    version = uv_version(project_root() / "infra" / "lab" / "uv-requirements.txt")
    program = cache_root() / f"uv-{version}" / "bin" / "uv"
    if not program.is_file():
        raise SetupError(f"uv {version} is not in the cache", hint="make setup")
    return program


def uv_version(pins: Path) -> str:
    """The version in a requirements file whose first pin is "uv==VERSION"."""
    for line in pins.read_text(encoding="utf-8").splitlines():
        if line.startswith("uv=="):
            return line.removeprefix("uv==").split()[0].rstrip("\\")
    raise SetupError(f"{pins} pins no uv", hint="git checkout infra/lab")


def _package_source(service: Path, package: str) -> Path:
    for place in (service / _SOURCE / package, service / _SOURCE / "src" / package):
        if place.is_dir():
            return place
    raise SetupError(f"{service} has no Python package {package}")


def _drop_clutter(folder: Path) -> None:
    """Remove what an installer leaves that differs from run to run, and scripts that nothing starts."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for record in folder.glob("*.dist-info"):
        for name in ("RECORD", "direct_url.json", "uv_cache.json", "REQUESTED"):
            (record / name).unlink(missing_ok=True)
