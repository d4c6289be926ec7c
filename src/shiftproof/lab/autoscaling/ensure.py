"""From outside: build what load events need, once, and bring it up in the lab that runs. Quick when all is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console

from shiftproof.errors import LabError
from shiftproof.lab.autoscaling.plan import AutoscalingPlan, WorkerPlan
from shiftproof.lab.control import LabControl
from shiftproof.lab.enter import require_lab
from shiftproof.lab.network import POSTGRES_IP, POSTGRES_PORT
from shiftproof.lab.planning import SERVICE_PYTHON, load_platform
from shiftproof.lab.setup import app_folder, image_tar, kept_files, program, project_root, steps, tools
from shiftproof.lab.setup.progress import shown
from shiftproof.model.scaling import Worker
from shiftproof.model.target import Target

_PROGRAMS = ("prometheus", "keda-operator", "keda-adapter", "karpenter")
_LOOK_EVERY_S = 1.0
_PASSWORD = "lab-only-not-a-secret"


def build_tools(console: Console) -> None:
    """Build what is missing, with progress. Needs the network, so not from inside the lab. Raises SetupError."""
    steps.build(console, steps.event_steps())


def bring_up(target: Target, console: Console) -> Mapping[str, float]:
    """Start it in the lab unless it runs; returns seconds by part. Raises SetupError, LabError, ConfigError."""
    control = require_lab().control()
    plan = make_plan(target)
    if control.status()["autoscaling"]["up"]:
        return control.autoscale(plan.to_dict())
    with shown("autoscaling", console) as ticker, _looking(control, lambda up: ticker.update(note=up)):
        return control.autoscale(plan.to_dict())


def make_plan(target: Target) -> AutoscalingPlan:
    """Raises SetupError or ConfigError: a tool or an image that is missing, a broken platform file."""
    project = project_root()
    platform = load_platform(project / "infra" / "platform.yaml")
    namespaces = [service.namespace for service in platform.services]
    namespaces += [worker.namespace for worker in platform.workers]
    return AutoscalingPlan(
        programs={name: str(program(name)) for name in _PROGRAMS},
        crds=tuple(str(kept_files(tool, "crds")) for tool in (tools.KARPENTER, tools.KEDA)),
        node_pools=str(project / "infra" / "lab" / "autoscaling"),
        boot_s=target.events.node_boot_s,
        interruption_queue=target.events.interruption_queue,
        scraped=tuple(dict.fromkeys(namespaces)),
        workers=tuple(_worker(worker) for worker in platform.workers),
    )


def _worker(worker: Worker) -> WorkerPlan:
    name = worker.name
    where = {"PGHOST": POSTGRES_IP, "PGPORT": str(POSTGRES_PORT)}
    return WorkerPlan(
        name=name,
        image_tar=str(image_tar(name)),
        app_folder=str(app_folder(name)),
        queue=worker.queue,
        migrate=(SERVICE_PYTHON, "-m", name, "migrate"),
        env={**where, "PGDATABASE": name, "PGUSER": name, "PGPASSWORD": _PASSWORD},
    )


@contextmanager
def _looking(control: LabControl, say: Callable[[str], None]) -> Iterator[None]:
    """Say which parts are up, while the body waits for all of them."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_EVERY_S):
            try:
                up = control.autoscaling_progress()
            except LabError:
                return  # the body gets the same, and says it
            say(f"ready: {', '.join(up)}" if up else "")

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    try:
        yield
    finally:
        ended.set()
        looker.join()
