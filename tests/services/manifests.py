"""The manifests of a service as the cluster would get them: an overlay, built by the lab's own kubectl."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from shiftproof.lab.setup.paths import service_folder
from shiftproof.lab.setup.toolchain import program

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Overlay:
    """Its objects, in kustomize's order."""

    service: str
    objects: Sequence[Json]

    def of_kind(self, kind: str) -> list[Json]:
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, name: str) -> Json:
        (found,) = [found for found in self.of_kind(kind) if found["metadata"]["name"] == name]
        return found

    @property
    def deployment(self) -> Json:
        return self.one("Deployment", self.service)

    @property
    def pod(self) -> Json:
        spec: Json = self.deployment["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Json:
        (found,) = self.pod["containers"]
        return dict(found)

    @property
    def config(self) -> dict[str, str]:
        return dict(self.one("ConfigMap", self.service)["data"])


@functools.cache
def build(service: str, overlay: str) -> Overlay:
    """Raises CalledProcessError when kustomize refuses it."""
    folder = service_folder(service) / "overlays" / overlay
    done = subprocess.run([str(program("kubectl")), "kustomize", str(folder)], check=True, capture_output=True)
    return Overlay(service, tuple(yaml.safe_load_all(done.stdout)))


def known_settings(service: str) -> set[str]:
    """Names that the service's settings.py says it reads, and those that its libraries read by themselves."""
    text = (service_folder(service) / "app" / service / "settings.py").read_text(encoding="utf-8")
    named = set(re.findall(r"^([A-Z][A-Z_]+)\s{2,}", text, re.MULTILINE))
    return named | {"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"}


def cpu_m(quantity: str) -> int:
    """Thousandths of a core of "400m" or "2"."""
    return int(quantity[:-1]) if quantity.endswith("m") else int(float(quantity) * 1000)
