"""Who ran what, with which inputs: what makes a verdict one that can be answered for later."""

from __future__ import annotations

import importlib.metadata
import platform
import secrets

from shiftproof.gate.settings import RunSettings
from shiftproof.model.result import RunInfo
from shiftproof.ports import WorkloadState

LIBRARIES = ("shiftproof", "locust", "chaostoolkit-lib", "kubernetes", "boto3", "numpy")


def new_run_id() -> str:
    """Six hex digits: enough to tell runs apart, short enough to say aloud."""
    return secrets.token_hex(3)


def run_info(settings: RunSettings, workload: WorkloadState | None, load_s: float, *, quick: bool = False) -> RunInfo:
    """Digests name what was proven: the images that run, and the live manifests. load_s: of load, until decided."""
    digests = {}
    if workload is not None:
        digests = {f"image {number}": image for number, image in enumerate(workload.image_ids, 1)}
        digests["manifests"] = workload.manifest_digest
    return RunInfo(
        id=settings.run_id,
        operator=settings.operator,
        ticket=settings.ticket or None,
        digests=digests,
        config_hash=settings.config_hash,
        versions=versions(),
        seed=settings.seed,
        quick=quick,
        defect=settings.defect.stem if settings.defect is not None else None,
        load_s=load_s,
    )


def versions() -> dict[str, str]:
    """Of what took the measurements."""
    found = {"python": platform.python_version(), "kernel": platform.release()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found
