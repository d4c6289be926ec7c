"""From the clone and the cache to a LabPlan: everything that can be found missing is found before anything starts."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import yaml
from pydantic import ValidationError

from shiftproof.errors import ConfigError, SetupError
from shiftproof.lab import setup
from shiftproof.lab.plan import LabPlan, ServicePlan
from shiftproof.lab.setup import images, packages
from shiftproof.model.platform import Platform, Service

PROGRAMS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
    "coredns", "metrics-server",
)  # fmt: skip
COMMANDS = ("unshare", "nsenter", "setpriv", "mount", "ip", "nft", "containerd", "ctr", "runc", "haproxy", "pgbouncer")
_DOCTOR = "shiftproof doctor"
_FREE_MEMORY_MIB = 3072
SERVICE_PYTHON = "/usr/bin/python3"  # what the image's python3 is; our own environment is not the service's


def make_plan() -> LabPlan:
    """Raises SetupError or ConfigError: not root, a tool missing, images not made, a broken platform file."""
    check_machine()
    project = setup.project_root()
    platform = load_platform(project / "infra" / "platform.yaml")
    stamp = time.strftime("%Y-%m-%dT%H-%M-%S")
    return LabPlan(
        python=sys.executable,
        project=str(project),
        programs={name: str(setup.program(name)) for name in PROGRAMS},
        pause_tar=str(setup.image_tar(images.PAUSE)),
        pause_reference=setup.lab_reference(images.PAUSE),
        logs_kept=str(project / "reports" / "lab-logs" / stamp),
        services=tuple(_service(service, project) for service in platform.services),
    )


def load_platform(file: Path) -> Platform:
    """Raises ConfigError for the first thing that is wrong. (The gate's reader names lines; the lab imports none.)"""
    try:
        return Platform.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}", file=file) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError(f"no YAML: {error.problem}", file=file, line=line) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file) from error


def _service(service: Service, project: Path) -> ServicePlan:
    folder = project / "infra" / "services" / service.name
    manifests = project / "infra" / service.manifests
    if not (manifests / "kustomization.yaml").is_file():
        raise ConfigError(
            f"{service.name}: no kustomization.yaml in {manifests}", file=project / "infra" / "platform.yaml"
        )
    command = setup.start_spec(service.name).command
    python = tuple(SERVICE_PYTHON if word in ("python3", "python") else word for word in command)
    return ServicePlan(
        name=service.name,
        namespace=service.namespace,
        deployment=service.deployment,
        manifests=str(manifests),
        image_tar=str(setup.image_tar(service.name)),
        app_folder=str(setup.app_folder(service.name)),
        command=python,
        migrate=(SERVICE_PYTHON, "-m", service.name, "migrate"),
        legacy_env=read_env(folder / "legacy.env"),
        health_path=service.health_path,
        legacy_target_group=service.load_balancer.legacy_target_group,
        cluster_target_group=service.load_balancer.cluster_target_group,
    )


def read_env(file: Path) -> dict[str, str]:
    """NAME=value lines, as a systemd EnvironmentFile without quotes. Raises ConfigError with the line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file) from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(f"NAME=value is wanted, not {line!r}", file=file, line=number)
        found[name.strip()] = value.strip()
    return found


def check_machine(meminfo: Path = Path("/proc/meminfo")) -> None:
    """Raises SetupError for the first thing that the lab cannot do without."""
    if os.geteuid() != 0:
        raise SetupError("the lab makes namespaces, so it needs root", hint="run it with sudo -E")
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if missing:
        raise SetupError(f"not on this machine: {', '.join(missing)}", hint=packages.MEND)
    if not Path("/usr/lib/cni/bridge").is_file():
        raise SetupError("not on this machine: containernetworking-plugins", hint=packages.MEND)
    available_mib = _available_mib(meminfo)
    if available_mib < _FREE_MEMORY_MIB:
        raise SetupError(f"{available_mib} MiB of memory are free, the lab needs {_FREE_MEMORY_MIB} MiB", hint=_DOCTOR)


def _available_mib(meminfo: Path) -> int:
    fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) // 1024
