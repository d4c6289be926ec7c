"""A defect is planted so that it is there, and undone so that nothing of it is left."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes.defect_files import defect_file
from fakes.ports import free_port
from servers.kube_api import kube_api, observe

from shiftproof.adapters.elbv2 import undo_lag
from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.kubernetes.objects import Objects, cleaned, restore_with
from shiftproof.errors import ConfigError, UndoError
from shiftproof.gate.planting import Planting, read_defect
from shiftproof.gate.planting.site import Site
from shiftproof.lab.control import LabControl
from shiftproof.lab.lb.api import LabApi, serve
from shiftproof.lab.lb.lag import Lag, SharedLag
from shiftproof.lab.setup.paths import project_root
from shiftproof.model.defect import Defect
from shiftproof.model.target import Target
from shiftproof.model.verdict import Verdict
from shiftproof.safety.journal import Journal

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with kube_api(tmp_path_factory.mktemp("kube")) as started:
        yield started


class World:
    """A namespace with a Deployment, a Secret and a PodDisruptionBudget, a journal, and what undoes."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.folder = folder
        self.namespace = f"test-{next(_numbers)}"
        self.api = Api(connect(target))
        self.objects = Objects(self.api)
        self.journal = Journal(folder / "journal")
        self.undone: list[str] = []
        self.target = target
        self.api.post("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        labels = {"app": "payments"}
        containers = [{"name": "payments", "image": "i", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]
        template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        self.make("Deployment", spec=spec)
        self.make("Secret", data={"database-password": "MQ==", "partner-token": "Mg=="})
        self.make("PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": {"matchLabels": labels}})
        self.before = self.everything()

    def make(self, kind: str, **fields: Any) -> None:
        ref = self.objects.locate(kind, "payments", self.namespace)
        self.objects.create(ref, {"metadata": {"name": "payments"}, **fields})

    def read(self, kind: str, name: str = "payments") -> Any:
        return self.objects.read(self.objects.locate(kind, name, self.namespace))

    def everything(self) -> list[Any]:
        kinds = ("Deployment", "Secret", "PodDisruptionBudget", "ConfigMap", "Service")
        refs = [self.objects.locate(kind, "payments", self.namespace) for kind in kinds]
        found = [thing for ref in refs for thing in self.api.items(ref.collection)]
        return [cleaned(thing) for thing in found]

    def planting(self, defect: Defect) -> Planting:
        return Planting(defect, self.site(), undo={"object": self.undo_object})

    def site(self) -> Site:
        nobody = LabControl(self.folder / "no.sock")
        return Site(self.target, "payments", self.namespace, self.journal, self.objects, nobody)

    def undo_object(self, payload: Mapping[str, Any]) -> None:
        self.undone.append(f"{payload['kind']}/{payload['name']}")
        restore_with(self.objects, payload)

    def plant(self, plant: str) -> Planting:
        planting = self.planting(read_defect(defect_file(self.folder, plant)))
        planting.begin()
        return planting


@pytest.fixture
def world(target: Target, tmp_path: Path) -> Iterator[World]:
    made = World(target, tmp_path)
    with observe(made.api, made.namespace):
        yield made


@pytest.mark.component
@pytest.mark.parametrize("name", ["no-graceful-shutdown", "missing-secret-key"])
def test_the_projects_own_defects_take_hold_and_come_out(world: World, name: str) -> None:
    planting = world.planting(read_defect(project_root() / f"experiments/defects/{name}.yaml"))
    planting.begin()
    assert world.everything() != world.before
    assert len(world.journal.pending()) == len(planting.defect.plant)
    if name == "no-graceful-shutdown":
        container = world.read("Deployment")["spec"]["template"]["spec"]["containers"][0]
        assert "lifecycle" not in container
        assert container["command"][-1].startswith("trap ")
    else:
        assert set(world.read("Secret")["data"]) == {"database-password"}
    planting.unplant()
    assert world.everything() == world.before
    assert world.journal.pending() == ()


@pytest.mark.component
def test_steps_are_undone_in_reverse(world: World) -> None:
    done = world.plant(
        """\
  - delete: {kind: PodDisruptionBudget, name: payments}
  - create: {kind: ConfigMap, apiVersion: v1, metadata: {name: extra}, data: {a: b}}
  - create: {body: {kind: Service, metadata: {name: payments}, spec: {ports: [{port: 80}]}}}
  - patch: {kind: Deployment, name: payments, type: merge, body: {spec: {minReadySeconds: 9}}}
  - patch: {kind: Deployment, name: payments, body: {spec: {minReadySeconds: 11}}}"""
    )
    assert world.read("PodDisruptionBudget") is None
    assert world.read("ConfigMap", "extra")["data"] == {"a": "b"}
    assert world.read("Deployment")["spec"]["minReadySeconds"] == 11
    done.unplant()
    assert world.undone == [
        "Deployment/payments",
        "Deployment/payments",
        "Service/payments",
        "ConfigMap/extra",
        "PodDisruptionBudget/payments",
    ]
    assert world.everything() == world.before


@pytest.mark.component
def test_the_journal_is_written_before_the_change(world: World) -> None:
    """A journal that cannot be written leaves the cluster as it is; and what it holds is enough for another process."""
    blocked = world.folder / "a-file"
    blocked.touch()
    world.journal = Journal(blocked)
    with pytest.raises(Exception, match="nothing was changed"):
        world.plant("  - delete: {kind: Secret, name: payments}")
    assert world.everything() == world.before
    world.journal = Journal(world.folder / "journal")
    world.plant("  - delete: {kind: Secret, name: payments}")
    (entry,) = Journal(world.folder / "journal").pending()
    assert (world.folder / "journal").stat().st_mode & 0o077 == 0, "it holds a Secret: for its owner only"
    restore_with(world.objects, entry.undo)
    assert world.everything() == world.before


@pytest.mark.component
@pytest.mark.parametrize(
    ("plant", "said"),
    [
        ("  - patch: {kind: Secret, name: absent, body: {a: b}}", "there is no secret/absent in namespace"),
        ("  - delete: {kind: Secret, name: absent}", "there is no secret/absent in namespace"),
        ("  - patch: {kind: Secret, name: payments, body: {metadata: {}}}", "changes nothing, so no defect"),
        ("  - patch: {kind: Sekret, name: payments, body: {a: b}}", "the cluster knows no kind 'Sekret'"),
        ("  - create: {kind: Secret, metadata: {name: payments}}", "secret/payments is there already"),
        ("  - create: {kind: Service, metadata: {name: x}, spec: {}}", "creating service/x is refused"),
        ("  - patch: {kind: Deployment, name: payments, body: {spec: {replicas: -1}}}", "is refused"),
    ],
)
def test_a_step_that_cannot_be_made_is_found_before_the_first_is_made(world: World, plant: str, said: str) -> None:
    kind = "PodDisruptionBudget"
    first = f"  - patch: {{kind: {kind}, name: payments, type: merge, body: {{spec: {{maxUnavailable: 2}}}}}}\n"
    with pytest.raises(ConfigError, match=said) as wrong:
        world.plant(first + plant)
    assert wrong.value.line == 7
    assert world.everything() == world.before
    assert world.journal.pending() == (), "nothing was even journalled"


@pytest.mark.component
@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (
            "  - delete: {kind: Secret, name: payments}\n  - patch: {kind: Secret, name: payments, body: {a: b}}",
            "deletes",
        ),
        ("  - delete: {kind: Secret, name: payments}\n  - delete: {kind: Secret, name: payments}", "deletes"),
        (
            "  - create: {kind: Secret, metadata: {name: x}}\n  - create: {kind: Secret, metadata: {name: x}}",
            "is there already",
        ),
    ],
)
def test_a_step_is_checked_against_what_those_before_it_will_do(world: World, plant: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as wrong:
        world.plant(plant)
    assert wrong.value.line == 7
    assert world.everything() == world.before


@pytest.mark.component
def test_a_step_may_need_what_one_before_it_makes(world: World) -> None:
    planting = world.plant(
        """\
  - create: {kind: ConfigMap, apiVersion: v1, metadata: {name: extra}, data: {a: b}}
  - patch: {kind: ConfigMap, name: extra, type: merge, body: {data: {a: c}}}
  - delete: {kind: Secret, name: payments}
  - create: {kind: Secret, metadata: {name: payments}, stringData: {other: x}}"""
    )
    assert world.read("ConfigMap", "extra")["data"] == {"a": "c"}
    assert set(world.read("Secret")["data"]) == {"other"}
    planting.unplant()
    assert world.read("ConfigMap", "extra") is None
    assert world.everything() == world.before


@pytest.mark.component
def test_a_step_waits_for_its_phase_and_no_longer(world: World) -> None:
    planting = world.plant(
        """\
  - {patch: {kind: Deployment, name: payments, type: merge, body: {spec: {minReadySeconds: 9}}}, when: rollback}
  - patch: {kind: Deployment, name: payments, type: merge, body: {spec: {minReadySeconds: 5}}}"""
    )

    def ready_s() -> int:
        found: int = world.read("Deployment")["spec"]["minReadySeconds"]
        return found

    assert ready_s() == 5
    planting.phase_started("steady")
    assert ready_s() == 5
    (finding,) = planting.findings()
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.reason == "defect test-defect was never wholly planted: no phase rollback came (there were steady)"
    planting.phase_started("rollback")
    planting.phase_started("rollback")
    assert ready_s() == 9
    assert len(world.journal.pending()) == 2, "once, though the phase comes three times"
    assert planting.findings() == []
    planting.unplant()
    assert world.everything() == world.before


@pytest.mark.component
def test_one_undo_that_fails_does_not_keep_the_others_back(world: World) -> None:
    done = world.plant(
        """\
  - patch: {kind: Secret, name: payments, type: merge, body: {data: {x: eA==}}}
  - patch: {kind: Deployment, name: payments, type: merge, body: {spec: {minReadySeconds: 9}}}"""
    )

    def undo(payload: Mapping[str, Any]) -> None:
        if payload["kind"] == "Deployment":
            raise UndoError("told to fail")
        world.undo_object(payload)

    done._undo = {"object": undo}
    with pytest.raises(UndoError, match="defect test-defect is not wholly undone: deployment/payments: told to fail"):
        done.unplant()
    assert [entry.subject for entry in world.journal.pending()] == ["deployment/payments"]
    assert set(world.read("Secret")["data"]) == {"database-password", "partner-token"}


# --- the load balancer's lag ------------------------------------------------------------------------------------------


@pytest.mark.component
def test_the_routers_lag_is_set_and_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets/lab.yaml").write_text(
        f"name: lab\nkind: lab\naws_endpoint: http://127.0.0.1:{port}\nkubeconfig: none\nentry: http://127.0.0.1:1\n"
    )
    monkeypatch.setenv("SHIFTPROOF_INFRA", str(tmp_path))
    target = Target(
        name="lab", kind="lab", aws_endpoint=f"http://127.0.0.1:{port}", kubeconfig="none", entry="http://127.0.0.1:1"
    )
    lag = SharedLag()
    lag.set(Lag(weights_s=0.5))
    api = LabApi(lambda environ, start: [], lag, dict, lambda name, asked: (), lambda: {"ready": True})
    server = serve(api, "127.0.0.1", port)
    try:
        journal = Journal(tmp_path / "journal")

        def planting(plant: str) -> Planting:
            site = Site(target, "payments", "payments", journal, _no_cluster(), LabControl(tmp_path / "no.sock"))
            return Planting(read_defect(defect_file(tmp_path, plant)), site, undo={"router-lag": undo_lag})

        done = planting("  - router: {registration_s: 10}\n  - router: {deregistration_s: 0}")
        done.begin()
        assert lag.get() == Lag(weights_s=0.5, registration_s=10, deregistration_s=0)
        with pytest.raises(ConfigError, match="is so already"):
            planting("  - router: {registration_s: 10}").begin()
        done.unplant()
        assert lag.get() == Lag(weights_s=0.5)
        assert journal.pending() == ()
    finally:
        server.shutdown()
        server.server_close()


def _no_cluster() -> Objects:
    """For steps that touch no object: any use of it would fail."""
    return Objects(None)  # type: ignore[arg-type]
