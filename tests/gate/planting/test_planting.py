"""A defect is read with its line, planted so that it is there, and undone so that nothing of it is left."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes.ports import free_port
from servers.kube_api import kube_api, observe

from shiftproof.adapters.elbv2 import undo_lag
from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.kubernetes.objects import Objects, cleaned, restore_with
from shiftproof.errors import ConfigError, RefusedError, UndoError
from shiftproof.gate.config import read_platform
from shiftproof.gate.planting import Planting, planted, read_defect
from shiftproof.gate.planting.site import Site
from shiftproof.gate.request import Request, check_request
from shiftproof.lab.control import LabControl
from shiftproof.lab.lb.api import LabApi, serve
from shiftproof.lab.lb.lag import Lag, SharedLag
from shiftproof.lab.setup.paths import project_root
from shiftproof.model.defect import Defect
from shiftproof.model.platform import Target
from shiftproof.model.verdict import Verdict
from shiftproof.safety.journal import Journal

_numbers = itertools.count(1)
OWN = sorted((project_root() / "experiments/defects").glob("*.yaml"))

DEFECT = """\
id: test-defect
title: A test
evidence: nowhere#1
service: payments
plant:
{plant}
expect: {{claim: outage}}
"""


def defect_file(folder: Path, plant: str) -> Path:
    file = folder / "defect.yaml"
    file.write_text(DEFECT.format(plant=plant))
    return file


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.stem)
def test_the_projects_own_defects_are_sound(file: Path) -> None:
    defect = read_defect(file)
    assert defect.id == file.stem
    assert defect.service == "payments"


def test_there_are_own_defects() -> None:
    assert {"no-graceful-shutdown", "missing-secret-key"} <= {file.stem for file in OWN}


@pytest.mark.parametrize(
    ("plant", "line", "said"),
    [
        ("  - patch: {kind: Secret, nam: x, body: {a: 1}}", 6, "plant[0].patch.name is missing"),
        ("  - patch: {kind: Secret, name: x}", 6, "plant[0].patch.body is missing"),
        ("  - patch: {kind: Secret, name: x, type: json, body: {a: 1}}", 6, "a list of operations for type json"),
        (
            "  - patch: {kind: Secret, name: x, type: merge, body: [{op: remove}]}",
            6,
            "a mapping for strategic and merge",
        ),
        ("  - delete: {kind: secret, name: x}", 6, "string should match pattern"),
        ("  - delete: {kind: A, name: x}\n  - delete: {kind: Node, name: node-1}", 7, "a Node cannot be put back"),
        ("  - create: {kind: NetworkPolicy, metadata: {name: x}}", 6, "use network, e.g. network: {deny:"),
        ("  - patch: {kind: NetworkPolicy, name: x, body: {a: b}}", 6, "enforces no NetworkPolicy"),
        ("  - delete: {kind: Ingress, name: x}", 6, "nothing in the lab follows an Ingress"),
        ("  - create: {kind: Secret}", 6, "a manifest needs kind and metadata.name"),
        (
            "  - create: {kind: configMap, metadata: {name: x}}",
            6,
            "kind: 'configMap' is none: kinds look like Deployment",
        ),
        ("  - create: {kind: ConfigMap, metadata: {name: 12}}", 6, "metadata.name: 12 is none"),
        ("  - create: {kind: ConfigMap, metadata: {name: x, namespace: 12}}", 6, "metadata.namespace: 12 is none"),
        ("  - create: {kind: ConfigMap, metadata: {name: a/b}}", 6, "metadata.name: 'a/b' is none"),
        ("  - create: {kind: ConfigMap, apiVersion: 1, metadata: {name: x}}", 6, "apiVersion: 1 is none"),
        (
            "  - create: {kind: ConfigMap, name: x, data: {a: b}}",
            6,
            "data is not known beside name: it belongs into body",
        ),
        ("  - create: {kind: ConfigMap, name: x, body: [1]}", 6, "body: the rest of the manifest, a mapping"),
        ("  - create: {kind: ConfigMap, name: 12, body: {}}", 6, "metadata.name: 12 is none"),
        ("  - router: {}", 6, "say one of weights_s, registration_s, deregistration_s, stickiness_s"),
        ("  - router: {registration_s: 9999}", 6, "between 0 and 300"),
        ("  - router: {stickiness_s: 604801}", 6, "less than or equal to 604800"),
        ("  - router: {weights_s: -1}", 6, "greater than or equal to 0"),
        ("  - {sql: 'DROP TABLE x'}", 6, "sql needs undo beside it"),
        ("  - {router: {weights_s: 1}, undo: x}", 6, "undo is only for sql"),
        ("  - {}", 6, "exactly one of patch, create, delete, router, legacy, sql, network; this one has none"),
        ("  - {delete: {kind: A, name: x}, router: {weights_s: 1}}", 6, "this one has delete and router"),
        ("  - explode: everything", 6, "plant[0].explode is not a key that is known here"),
        ("  - {delete: {kind: A, name: x}, when: Roll Back}", 6, "string should match pattern"),
        ("  - delete: {kind: A, name: x}\n  - legacy: {host: legacy-1}", 7, "is hosts meant?"),
        ("  - legacy: {hosts: [vm-1], stop: true}", 6, "no legacy machine 'vm-1': there are legacy-1, legacy-2"),
        ("  - legacy: {hosts: all}", 6, "say env, or stop: true"),
        ("  - legacy: {hosts: [], stop: true}", 6, "plant[0].legacy.hosts"),
        ("  - legacy: {env: {DEBUG: [true]}}", 6, "valid string"),
        (
            "  - legacy: {hosts: {a: b}, stop: true}",
            6,
            "hosts: all, or the name of a legacy machine, or a list of names",
        ),
        ("  - legacy: {hosts: [1], stop: true}", 6, "hosts: all, or the name of a legacy machine, or a list of names"),
        ("  - legacy: {hosts: vm-1, stop: true}", 6, "no legacy machine 'vm-1'"),
        ("  - legacy: {process: restart}", 6, "process: stop is all that can be done to it"),
        ("  - router: {weight_s: 5}", 6, "has no weight_s: it has weights_s, registration_s, deregistration_s"),
        ("  - legacy: {env: {A-B: x}}", 6, "string should match pattern"),
        ("  - network: {}", 6, "say exactly one of deny, drop_idle, delay"),
        ("  - network: {deny: {from: legacy}}", 6, "plant[0].network.deny.to is missing"),
        ("  - network: {deny: {from: legacy, to: databas}}", 6, "the lab has no 'databas': there are legacy, cluster"),
        ("  - network: {deny: {from: legacy, to: 8.8.8.8}}", 6, "8.8.8.8 is no address of the lab"),
        ("  - network: {deny: {from: legacy, to: database, port: 0}}", 6, "greater than 0"),
        ("  - network: {drop_idle: {from: node-1, to: cluster, after_s: 9}}", 6, "share addresses"),
        ("  - network: {drop_idle: {from: cluster, to: database}}", 6, "plant[0].network.drop_idle.after_s is missing"),
        ("  []", 5, "at least 1 item"),
    ],
)
def test_a_bad_file_names_the_line(tmp_path: Path, plant: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        read_defect(defect_file(tmp_path, plant))
    assert said in str(wrong.value)
    assert wrong.value.line == line, str(wrong.value)
    assert len(str(wrong.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("named", "manifest"),
    [
        ("name: x, body: {data: {a: b}}", {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}}),
        ("name: x", {"kind": "ConfigMap", "metadata": {"name": "x"}}),
        (
            "name: x, namespace: y, api_version: v1, body: {metadata: {labels: {c: d}}}",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"labels": {"c": "d"}, "name": "x", "namespace": "y"},
            },
        ),
    ],
)
def test_what_is_made_may_be_named_as_what_is_patched(tmp_path: Path, named: str, manifest: Any) -> None:
    (step,) = read_defect(defect_file(tmp_path, f"  - create: {{kind: ConfigMap, {named}}}")).plant
    assert step.create is not None
    assert step.create.body == manifest
    assert (step.create.object.kind, step.create.object.name) == ("ConfigMap", "x")


def test_what_is_meant_may_be_written_in_several_ways(tmp_path: Path) -> None:
    file = defect_file(
        tmp_path,
        """\
  - legacy: {hosts: legacy-1, env: {DEBUG: true, TLS: off, RATE: 0.5}}
  - legacy: {process: stop}
  - patch: {kind: Secret, name: x, body: [{op: remove, path: /data/a}]}
  - network: {deny: {from: pods, to: lb}}""",
    )
    file.write_text(file.read_text().replace("evidence: nowhere#1", "evidence: [nowhere#1, elsewhere#2]"))
    defect = read_defect(file)
    set_up, stop, patch, network = defect.plant
    assert set_up.legacy is not None
    assert (set_up.legacy.hosts, set_up.legacy.env) == (
        ("legacy-1",),
        {"DEBUG": "true", "TLS": "off", "RATE": "0.5"},
    )
    assert stop.legacy is not None
    assert (stop.legacy.hosts, stop.legacy.stop) == ("all", True)
    assert patch.patch is not None
    assert patch.patch.type == "json"
    assert network.network is not None
    assert network.network.deny is not None
    assert (network.network.deny.source, network.network.deny.destination) == ("cluster", "load-balancer")
    assert defect.evidence == "nowhere#1, elsewhere#2"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        (
            "claim: outage",
            "claim: outages",
            7,
            "expect.claim: nobody judges 'outages' (is outage meant?): there are avail",
        ),
        ("claim: outage", "claim: everything", 7, "expect.claim: nobody judges 'everything': there are availability"),
        (
            "service: payments",
            "service: payment",
            4,
            "the platform has no 'payment' (is payments meant?): it has ledger",
        ),
        ("service: payments", "service: ledger", 4, "this defect is one of ledger, and the gate is one of payments"),
    ],
)
def test_a_claim_or_service_that_is_none_names_the_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    file = defect_file(tmp_path, "  - router: {weights_s: 1}")
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ConfigError) as wrong:
        read_defect(file, ["payments", "ledger"], of="payments")
    assert said in str(wrong.value)
    assert wrong.value.line == line


def test_preflight_may_be_what_catches_it(tmp_path: Path) -> None:
    file = defect_file(tmp_path, "  - router: {weights_s: 1}")
    file.write_text(file.read_text().replace("claim: outage", "claim: preflight"))
    assert read_defect(file).expect.claim == "preflight"


def test_a_gate_takes_no_defect_of_another_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = read_platform(project_root() / "infra")
    services = (*platform.services, platform.services[0].model_copy(update={"name": "statements"}))
    monkeypatch.setattr(
        "shiftproof.gate.request.read_platform", lambda _: platform.model_copy(update={"services": services})
    )
    file = defect_file(tmp_path, "  - router: {weights_s: 1}")
    request = Request("payments", 25, infra_dir=project_root() / "infra", defect=file)
    check_request(request)
    file.write_text(file.read_text().replace("service: payments", "service: statements"))
    with pytest.raises(ConfigError, match="this defect is one of statements, and the gate is one of payments"):
        check_request(request)


def test_nothing_is_planted_anywhere_but_in_the_lab(tmp_path: Path) -> None:
    production = Target(name="eks-prod", kind="eks", entry="https://example.org", faults_allowed=True)
    journal = Journal(tmp_path / "journal")
    with (
        pytest.raises(RefusedError, match="defects are planted in the lab only, and eks-prod is not one"),
        planted(read_defect(OWN[0]), production, journal),
    ):
        pytest.fail("it was planted")
    assert journal.pending() == ()


def test_no_defect_plants_nothing(tmp_path: Path) -> None:
    production = Target(name="eks-prod", kind="eks", entry="https://example.org")
    with planted(None, production, Journal(tmp_path / "journal")) as nothing:
        assert nothing is None


# --- planting, on a real API server -----------------------------------------------------------------------------------


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
