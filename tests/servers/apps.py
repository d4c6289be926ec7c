"""A service of ours as a process of its own, from the very files that its image holds."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from shiftproof.lab.setup import app, images
from shiftproof.lab.setup.paths import service_folder
from shiftproof.lab.setup.progress import SilentTicker
from shiftproof.lab.setup.rootfs import PYTHON


@functools.cache
def app_folder(service: str) -> Path:
    """What the image holds, from the cache; made into a temporary folder when the source is newer than the image."""
    if images.is_made(service):
        return images.app_folder(service)
    scratch = tempfile.TemporaryDirectory(prefix=f"shiftproof-{service}-")
    _kept.append(scratch)
    folder = Path(scratch.name) / app.FOLDER
    app.make(service_folder(service), service, folder, SilentTicker())
    return folder


_kept: list[tempfile.TemporaryDirectory[str]] = []  # removed when the interpreter ends


def command(service: str, *arguments: str) -> list[str]:
    return [str(PYTHON), "-m", service, *arguments]


def environment(service: str, env: Mapping[str, str]) -> dict[str, str]:
    """Nothing but `env` and what Python needs."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(app_folder(service)), "PYTHONDONTWRITEBYTECODE": "1", **env}


def run(service: str, *arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python3 -m SERVICE ARGUMENTS` to its end."""
    return subprocess.run(
        command(service, *arguments),
        env=environment(service, env),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
