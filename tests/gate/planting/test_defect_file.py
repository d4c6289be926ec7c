"""A defect's file is read with its line, and refused for a reason before anything is planted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.defect_files import defect_file

from shiftproof.errors import ConfigError, RefusedError
from shiftproof.gate.config import read_platform
from shiftproof.gate.planting import planted, read_defect
from shiftproof.gate.request import Request, check_request
from shiftproof.judge import EventCase, event_claim, forget_event_claim
from shiftproof.lab.setup.paths import project_root
from shiftproof.model.target import Target
from shiftproof.model.verdict import Finding
from shiftproof.safety.journal import Journal

OWN = sorted((project_root() / "experiments/defects").glob("*.yaml"))


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.stem)
def test_the_projects_own_defects_are_sound(file: Path) -> None:
    defect = read_defect(file)
    assert defect.id == file.stem
    assert defect.service == "payments"


def test_those_for_load_events_expect_one_of_its_claims() -> None:
    events = {file.stem: read_defect(file) for file in OWN if read_defect(file).event is not None}
    assert {name: (defect.event, defect.expect.claim) for name, defect in events.items()} == {
        "autoscaler-paused": ("payday", "time-to-capacity"),
        "hpa-without-request": ("payday", "time-to-capacity"),
        "hpa-metric-blind": ("payday", "time-to-capacity"),
        "hpa-flaps": ("payday", "stability"),
        "nodes-join-late": ("payday", "time-to-capacity"),
        "spot-without-drain": ("payday", "spot"),
    }


def _with_run(tmp_path: Path, run: str, claim: str) -> Path:
    file = defect_file(tmp_path, "  - nodes: {boot_s: 220}")
    text = file.read_text().replace("plant:", f"run: {run}\nplant:").replace("claim: outage", f"claim: {claim}")
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("run", "claim", "line", "said"),
    [
        ("rehearse payday", "outage", 8, "nobody judges 'outage'"),
        ("gate", "time-to-capacity", 8, "nobody judges 'time-to-capacity'"),
        ("rehearse Payday", "stability", 5, "run"),
        ("payday", "stability", 5, "run"),
    ],
)
def test_a_run_has_claims_of_its_own(tmp_path: Path, run: str, claim: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as wrong:
        read_defect(_with_run(tmp_path, run, claim))
    assert wrong.value.line == line


def test_a_claim_of_a_teams_own_may_be_expected_of_a_load_event(tmp_path: Path) -> None:
    @event_claim("ready-before-nine")
    def judge(_: EventCase) -> list[Finding]:
        return []

    try:
        assert read_defect(_with_run(tmp_path, "rehearse payday", "ready-before-nine")).event == "payday"
        with pytest.raises(ConfigError, match="nobody judges 'ready-before-nine'"):
            read_defect(_with_run(tmp_path, "gate", "ready-before-nine"))
    finally:
        forget_event_claim("ready-before-nine")


def test_one_of_a_load_event_is_refused_by_a_gate_which_would_miss_it(tmp_path: Path) -> None:
    file = _with_run(tmp_path, "rehearse payday", "stability")
    infra = project_root() / "infra"
    with pytest.raises(ConfigError, match="is caught by `rehearse payday`; `gate` would miss it") as refused:
        check_request(Request(service="payments", to_pct=25, infra_dir=infra, defect=file))
    assert refused.value.line == 5
    assert read_defect(file, run="rehearse payday").event == "payday"
    with pytest.raises(ConfigError, match="`rehearse payday` would miss it"):
        read_defect(defect_file(tmp_path, "  - delete: {kind: Secret, name: x}"), run="rehearse payday")


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
        ("  - {}", 6, "exactly one of patch, create, delete, router, legacy, sql, network, nodes, queue; this one"),
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
        ("  - nodes: {boot_s: 0}", 6, "greater than 0"),
        ("  - nodes: {boot_s: 601}", 6, "less than or equal to 600"),
        ("  - queue: {name: notices, delay_s: 901}", 6, "less than or equal to 900"),
        ("  - queue: {name: a/b, delay_s: 1}", 6, "string should match pattern"),
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
