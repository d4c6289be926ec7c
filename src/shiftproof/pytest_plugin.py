"""The pytest plugin: `pytest suites --shiftproof-service payments --shiftproof-to 25` is what `gate` runs.

It does nothing without --shiftproof-service, so it may be installed beside anything. With it, the run is a gate: the
exit code is the verdict's (0 PASS, 1 FAIL, 2 INCONCLUSIVE, 3 could not run), whatever pytest would have said.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shiftproof.errors import ShiftproofError

if TYPE_CHECKING:
    from shiftproof.gate.drills import ChaosDrills, ClusterDrills, RouterDrills
    from shiftproof.gate.hooks import GatePlugin, PreflightDrills
    from shiftproof.gate.loading import LoadDrills
    from shiftproof.gate.rehearsal import Rehearsal
    from shiftproof.model.platform import Service


COULD_NOT_RUN = 3

MARKERS = {
    "preflight": "before anything moves; changes nothing",
    "steady": "nothing is done: what all that follows is held against",
    "cutover": "deploys and shifts that may cost no request",
    "rollback": "the way back",
    "load": "our own load alone: paused, and at the declared peak",
    "chaos": "experiments, each with its own budget",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("shiftproof", "Shiftproof: prove the cutover before the traffic moves")
    group.addoption("--shiftproof-service", metavar="NAME", help="the service under test, from platform.yaml")
    group.addoption("--shiftproof-to", metavar="PCT", type=int, help="the cluster's weight to prove, 0 to 100")
    group.addoption("--shiftproof-target", metavar="NAME", default="lab", help="infra/targets/NAME.yaml (lab)")
    group.addoption(
        "--shiftproof-infra", metavar="DIR", type=Path, default=Path("infra"), help="folder of platform.yaml"
    )
    group.addoption("--shiftproof-run-dir", metavar="DIR", type=Path, help="where this run leaves its files")
    group.addoption("--shiftproof-quick", action="store_true", help="a PASS rules out 1%% instead of 0.1%%")
    group.addoption("--shiftproof-seed", metavar="N", type=int, help="repeat a run's random choices")
    group.addoption("--shiftproof-operator", metavar="WHO", default="", help="who answers for this run")
    group.addoption("--shiftproof-ticket", metavar="ID", default="", help="the change ticket")
    group.addoption("--shiftproof-defect", metavar="FILE", type=Path, help="plant this defect first (lab only)")


def pytest_configure(config: pytest.Config) -> None:
    for name, what in {**MARKERS, "optional": "a drill of your own that may be left out"}.items():
        config.addinivalue_line("markers", f"{name}: {what}")
    if config.getoption("--shiftproof-service") and not config.option.collectonly:
        _become_gate(config)


def _become_gate(config: pytest.Config) -> None:
    """Register the gate, unless `shiftproof gate` did already with a view of its own."""
    from shiftproof.gate.hooks import GatePlugin
    from shiftproof.gate.request import Request, target_of
    from shiftproof.gate.world import enter

    if config.pluginmanager.has_plugin(GatePlugin.NAME):
        return
    option = config.getoption
    to_pct = option("--shiftproof-to")
    if to_pct is None:
        raise pytest.exit.Exception("--shiftproof-service needs --shiftproof-to PCT", returncode=COULD_NOT_RUN)
    request = Request(
        service=option("--shiftproof-service"),
        to_pct=to_pct,
        target=option("--shiftproof-target"),
        infra_dir=option("--shiftproof-infra"),
        run_dir=option("--shiftproof-run-dir"),
        quick=option("--shiftproof-quick"),
        seed=option("--shiftproof-seed"),
        operator=option("--shiftproof-operator"),
        ticket=option("--shiftproof-ticket"),
        defect=option("--shiftproof-defect"),
    )
    try:
        enter(target_of(request), [sys.executable, "-m", "pytest", *map(str, config.invocation_params.args)])
    except ShiftproofError as error:
        raise pytest.exit.Exception(error.one_line(), returncode=COULD_NOT_RUN) from error
    config.pluginmanager.register(GatePlugin(request), GatePlugin.NAME)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One drill for each preflight check, and one for each experiment of the service."""
    plugin = _plugin(metafunc.config)
    if "check" in metafunc.fixturenames:
        from shiftproof.gate.preflight import CHECKS

        metafunc.parametrize("check", list(CHECKS) if plugin else [])
    if "experiment" in metafunc.fixturenames:
        experiments = plugin.experiments() if plugin else []
        metafunc.parametrize("experiment", experiments, ids=[experiment.name for experiment in experiments])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Preflight first; then in the order of MARKERS, so that the cheap and the telling come early."""
    order = {name: place for place, name in enumerate(MARKERS)}

    def place(item: pytest.Item) -> int:
        return min((order[mark.name] for mark in item.iter_markers() if mark.name in order), default=order["cutover"])

    items.sort(key=place)


@pytest.fixture
def preflight(request: pytest.FixtureRequest) -> PreflightDrills:
    """`preflight.prove("legacy-healthy")`."""
    from shiftproof.gate.hooks import PreflightDrills

    return PreflightDrills(_required(request).session)


@pytest.fixture
def rehearsal(request: pytest.FixtureRequest) -> Rehearsal:
    """Phases under the load of pairs, and the claims about them."""
    return _required(request).session.rehearsal


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> ClusterDrills:
    """The Kubernetes side: `cluster.roll()`."""
    return _required(request).session.cluster


@pytest.fixture
def router(request: pytest.FixtureRequest) -> RouterDrills:
    """The weighted rehearsal rule: `router.shift()`, `router.roll_back()`."""
    return _required(request).session.router


@pytest.fixture
def chaos(request: pytest.FixtureRequest) -> ChaosDrills:
    """Chaos Toolkit experiments: `chaos.run(experiment)`."""
    return _required(request).session.chaos


@pytest.fixture
def load(request: pytest.FixtureRequest) -> LoadDrills:
    """Our own load: `load.pause()`, `load.everything_back()`."""
    return _required(request).session.load


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    """The service under test, as platform.yaml describes it."""
    return _required(request).session.settings.service


def _plugin(config: pytest.Config) -> GatePlugin | None:
    from shiftproof.gate.hooks import GatePlugin

    found = config.pluginmanager.get_plugin(GatePlugin.NAME)
    return found if isinstance(found, GatePlugin) else None


def _required(request: pytest.FixtureRequest) -> GatePlugin:
    plugin = _plugin(request.config)
    if plugin is None:
        pytest.fail("this is a drill of a gate: run it with --shiftproof-service NAME --shiftproof-to PCT")
    return plugin
