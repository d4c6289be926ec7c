"""Every verb in the lab: its effect is seen from outside, and is gone when undone, also after a kill -9."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from servers.lab import SHIFTPROOF, lab_up, python_in_lab

from shiftproof.lab.enter import present_lab
from shiftproof.lab.network_faults import NetworkFaults
from shiftproof.lab.waiting import until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]
WITHIN_S = 90

PLANTER = """
import sys
from pathlib import Path
from shiftproof.adapters.targets import load_service, load_target
from shiftproof.gate.planting import planted, read_defect
from shiftproof.gate.world import scope_of
from shiftproof.safety.journal import Journal, journal_dir

target = load_target("lab")
journal = Journal(journal_dir(), run_id="test", scope=scope_of(target))
with planted(read_defect(Path(sys.argv[1])), target, journal, load_service("payments")) as planting:
    planting.phase_started("rollback")
    print("planted", planting.findings(), flush=True)
    sys.stdin.read()
print("out", flush=True)
"""

LOOK = """
import json
from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.kubernetes.objects import Objects, cleaned
from shiftproof.adapters.targets import load_service, load_target
from shiftproof.gate.planting import platform_problems
from shiftproof.safety.journal import Journal, journal_dir

target, service = load_target("lab"), load_service("payments")
api = Api(connect(target))
objects = Objects(api)
refs = [objects.locate(kind, "payments", service.namespace) for kind in ("Deployment", "Secret", "PodDisruptionBudget")]
pods = api.items("/api/v1/namespaces/payments/pods")
print(json.dumps({
    "objects": [(found := objects.read(ref)) and cleaned(found) for ref in refs],
    "extra": objects.read(objects.locate("ConfigMap", "extra", service.namespace)) is not None,
    "unsettled": str(objects.unsettled(refs[0]) or ""),
    "commands": sorted({str(pod["spec"]["containers"][0].get("command")) for pod in pods}),
    "problems": platform_problems(service, target),
    "pending": [entry.kind for entry in Journal(journal_dir()).pending()],
}))
"""

ASK = """
import json, sys, urllib.request
request = urllib.request.Request("http://198.18.0.10" + sys.argv[2], headers={"x-shiftproof-rehearsal": sys.argv[1]})
try:
    with urllib.request.urlopen(request, timeout=4) as answer:
        print(json.dumps([answer.status, dict(answer.headers)]))
except OSError as error:
    print(json.dumps([getattr(error, "code", 0), {"error": str(error)}]))
"""

TRY = """
import sys
from pathlib import Path
from shiftproof.adapters.targets import load_service, load_target
from shiftproof.errors import ConfigError
from shiftproof.gate.planting import planted, read_defect
from shiftproof.gate.world import scope_of
from shiftproof.safety.journal import Journal, journal_dir

target = load_target("lab")
journal = Journal(journal_dir(), run_id="test", scope=scope_of(target))
for file in sys.argv[1:]:
    try:
        with planted(read_defect(Path(file)), target, journal, load_service("payments")):
            print("it was planted")
    except ConfigError as error:
        print(error)
"""

GENERATION = """
from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.targets import load_target
found = Api(connect(load_target("lab"))).get("/apis/apps/v1/namespaces/payments/deployments/payments")
print(found["metadata"]["generation"])
"""

SQL = """
import sys
import psycopg
from shiftproof.lab.control import LabControl
where = LabControl().database("payments")
with psycopg.connect(host=where["host"], port=int(sys.argv[1]), dbname=where["name"], user=where["role"],
                     password=where["password"], connect_timeout=4) as connection:
    for row in connection.execute(sys.argv[2]):
        print(*row)
"""


def defect(folder: Path, plant: str) -> str:
    file = folder / "defect.yaml"
    file.write_text(f"id: d\ntitle: t\nevidence: e\nservice: payments\nplant:\n{plant}\nexpect: {{claim: outage}}\n")
    return str(file)


class Lab:
    """The lab as seen from outside the gate."""

    def __init__(self, state: Path) -> None:
        self.env = {"SHIFTPROOF_STATE": str(state)}

    def run(self, code: str, *words: str) -> str:
        with python_in_lab(code, *words, env=self.env) as child:
            said, _ = child.communicate(timeout=WITHIN_S)
            assert child.returncode == 0, said
        return said.strip()

    def look(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(LOOK))
        return found

    def ask(self, rule: str, path: str = "/accounts/test-1/payments") -> tuple[int, dict[str, str]]:
        """Status (0: no answer) and headers of one request through the load balancer."""
        status, headers = json.loads(self.run(ASK, rule, path).splitlines()[-1])
        return status, {name.lower(): value for name, value in headers.items()}

    def silent(self, rule: str) -> str | None:
        """None once a request is answered as it should be."""
        status, _ = self.ask(rule)
        return None if status == 200 else f"{rule} answers {status}"

    def sql(self, statement: str, port: int = 5432) -> list[str]:
        return self.run(SQL, str(port), statement).splitlines()

    def legacy(self, host: str) -> dict[str, Any]:
        parts = present_lab().control().status()["parts"]
        return next(part for part in parts if part["name"] == f"{host}/payments")

    def environment(self, host: str) -> list[str]:
        return Path(f"/proc/{self.legacy(host)['pid']}/environ").read_text().split("\0")

    def plant(self, file: str) -> Planted:
        return Planted(self, file)

    def recover(self) -> None:
        words = [str(SHIFTPROOF), "recover"]
        subprocess.run(words, check=True, timeout=2 * WITHIN_S, env={**os.environ, **self.env})


class Planted:
    """A process that has planted and waits: as a gate does while it goes on."""

    def __init__(self, lab: Lab, file: str) -> None:
        reading, self._writing = os.pipe()
        self.process = python_in_lab(PLANTER, file, env=lab.env, stdin=reading)
        os.close(reading)
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        if not self.said.startswith("planted"):
            pytest.fail(self.said + self.process.stdout.read())

    def end(self) -> None:
        """As a gate ends: undone before it is gone."""
        os.close(self._writing)
        said, _ = self.process.communicate(timeout=2 * WITHIN_S)
        assert (said, self.process.returncode) == ("out\n", 0)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._writing)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab_up()
    made = Lab(tmp_path / "state")
    before = made.look()
    assert (before["problems"], before["unsettled"], before["pending"]) == ([], "", []), (
        "the lab is not as it should be"
    )
    yield made
    after = made.look()
    if after != before:
        made.recover()
    assert after == before
    for rule in ("legacy", "cluster", "weighted"):
        # A way that was cut leaves connections to the database that are dead: each costs the request that finds it.
        until(partial(made.silent, rule), WITHIN_S)


def recovered(lab: Lab, planted: Planted) -> None:
    """The gate is killed, and somebody says `recover`."""
    planted.kill()
    assert lab.look()["pending"] != []
    lab.recover()


EVERYTHING_BUT_NETWORK = """\
  - patch: {kind: Deployment, name: payments, body: {spec: {minReadySeconds: 1}}}
  - create: {kind: ConfigMap, apiVersion: v1, metadata: {name: extra}, data: {a: b}}
  - delete: {kind: PodDisruptionBudget, name: payments}
  - router: {registration_s: 2, deregistration_s: 3, stickiness_s: 60}
  - legacy: {hosts: [legacy-1], env: {SERVED_BY: planted, POOL_SIZE: 3, QUEUE_LIMIT: null}}
  - sql: ALTER TABLE payments ADD COLUMN planted int
    undo: ALTER TABLE payments DROP COLUMN planted
  - sql: CREATE INDEX CONCURRENTLY planted ON payments (status)
    undo: DROP INDEX CONCURRENTLY planted
  - {legacy: {hosts: [legacy-2], stop: true}, when: rollback}"""


def test_objects_router_legacy_and_sql_after_a_kill(lab: Lab, tmp_path: Path) -> None:
    before, settings_before = lab.look(), sorted(lab.environment("legacy-1"))
    assert any(setting.startswith("QUEUE_LIMIT=") for setting in settings_before)
    assert "set-cookie" not in lab.ask("weighted")[1]
    planted = lab.plant(defect(tmp_path, EVERYTHING_BUT_NETWORK))
    assert planted.said == "planted []\n"
    found = lab.look()
    assert found["objects"][0]["spec"]["minReadySeconds"] == 1
    assert (found["objects"][2], found["extra"], found["unsettled"]) == (None, True, "")
    assert found["problems"] == [
        "legacy-1 has other settings: SERVED_BY, POOL_SIZE, QUEUE_LIMIT",
        "legacy-2 is stopped",
        "the lab's legacy-2/payments is stopped: it was stopped",
        "2 planted statements on the database of payments are not undone",
        "the load balancer's registration_s is 2",
        "the load balancer's deregistration_s is 3",
        "clients stick for 60 s on rule weighted",
    ]
    settings = lab.environment("legacy-1")
    assert {"SERVED_BY=planted", "POOL_SIZE=3"} <= set(settings)
    assert not any(setting.startswith("QUEUE_LIMIT=") for setting in settings)
    assert lab.legacy("legacy-2")["pid"] is None
    assert lab.ask("legacy")[1]["x-served-by"] == "planted", "the load balancer sends to the one that is left"
    assert lab.ask("weighted")[1]["set-cookie"].startswith("AWSALBTG=")
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'payments'"
    assert "planted" in lab.sql(columns)
    assert lab.sql("SELECT indexname FROM pg_indexes WHERE indexname = 'planted'") == ["planted"]

    recovered(lab, planted)
    assert lab.look() == before
    assert "planted" not in lab.sql(columns)
    assert sorted(lab.environment("legacy-1")) == settings_before
    assert lab.legacy("legacy-2")["state"] == "ready"


def test_a_way_that_is_cut(lab: Lab, tmp_path: Path) -> None:
    """The pods' open connections to the database die without a word; the legacy machines' go on."""
    assert lab.ask("cluster")[0] == 200
    planted = lab.plant(defect(tmp_path, "  - network: {deny: {from: cluster, to: database, port: 5432}}"))
    assert lab.ask("cluster")[0] != 200
    assert lab.ask("legacy")[0] == 200
    assert lab.look()["problems"] == ["a network fault is in force: deny cluster -> database:5432"]
    (fault,) = present_lab().control().status()["network"]
    assert fault["dropped"] > 0
    assert 0 < fault["ends_in_s"] <= 1800
    planted.end()
    until(lambda: None if lab.ask("cluster")[0] == 200 else "the pods are still cut off", WITHIN_S)


def test_connections_that_were_idle_are_dead_until_after_a_kill(lab: Lab, tmp_path: Path) -> None:
    """Pods that asked just before are well; a while later nobody answers them."""
    planted = lab.plant(defect(tmp_path, "  - network: {drop_idle: {from: cluster, to: database, after_s: 3}}"))

    def alive() -> str | None:
        status = lab.ask("cluster")[0]
        return "it is answered" if status == 200 else None

    # Each question takes longer to ask than a connection may be idle, and each pod has several of them.
    until(alive, WITHIN_S)
    assert lab.ask("legacy")[0] == 200
    assert present_lab().control().status()["network"][0]["dropped"] > 0
    recovered(lab, planted)
    until(lambda: None if all(lab.ask("cluster")[0] == 200 for _ in range(5)) else "pods still hang", WITHIN_S)


def test_a_legacy_machine_that_cannot_start_is_the_defect(lab: Lab, tmp_path: Path) -> None:
    planted = lab.plant(defect(tmp_path, "  - legacy: {hosts: [legacy-2], env: {PARTNER_TOKEN: null}}"))
    assert lab.legacy("legacy-2")["state"] == "dead"
    assert lab.look()["problems"][0] == "legacy-2 has other settings: PARTNER_TOKEN"
    planted.end()
    assert lab.legacy("legacy-2")["state"] == "ready"


WRONG = (
    ("  - network: {delay: {from: cluster, to: database, ms: 5}}", 7, "cannot delay packets"),
    ("  - {sql: 'SELEC 1', undo: 'SELECT 1'}", 7, 'sql: syntax error at or near "SELEC" (42601)'),
    ("  - {sql: 'SELECT 1', undo: 'SELEC 1'}", 7, 'sql: its undo: syntax error at or near "SELEC" (42601)'),
    ("  - legacy: {hosts: [legacy-1], env: {SERVED_BY: x}}\n  - delete: {kind: Secret, name: x}", 8, "there is no"),
    ("  - {delete: {kind: Secret, name: nothing}, when: rollback}", 7, "there is no secret/nothing"),
)


def test_what_cannot_be_is_said_with_its_line_before_anything_is_made(lab: Lab, tmp_path: Path) -> None:
    first = "  - patch: {kind: Deployment, name: payments, body: {spec: {minReadySeconds: 1}}}\n"
    tried = [one for one in WRONG if "delay" not in one[0] or not NetworkFaults().can_delay()]
    folders = [tmp_path / str(number) for number in range(len(tried))]
    for folder in folders:
        folder.mkdir()
    files = [defect(folder, first + plant) for folder, (plant, _, _) in zip(folders, tried, strict=True)]
    generation = lab.run(GENERATION)
    said = lab.run(TRY, *files).splitlines()
    for told, (_, line, why) in zip(said, tried, strict=True):
        assert f"defect.yaml:{line}: " in told
        assert why in told
    assert lab.run(GENERATION) == generation, "not even the first step was made"


def test_an_sql_step_that_fails_leaves_nothing_of_those_before(lab: Lab, tmp_path: Path) -> None:
    """What only running it tells: the earlier steps are undone, the line is named."""
    plant = "  - router: {weights_s: 1}\n  - {sql: ALTER TABLE nothing ADD COLUMN a int, undo: SELECT 1}"
    told = lab.run(TRY, defect(tmp_path, plant))
    assert told.endswith('defect.yaml:7: sql: PostgreSQL: relation "nothing" does not exist (42P01)')


def test_behind_the_pooler_a_prepared_statement_meets_another_connection(lab: Lab) -> None:
    code = """
import psycopg
from shiftproof.lab.control import LabControl
where = LabControl().database("payments")
def connect():
    return psycopg.connect(host=where["host"], port=6432, dbname=where["name"], user=where["role"],
                           password=where["password"], autocommit=True, prepare_threshold=1, connect_timeout=4)
states = set()
one, other = connect(), connect()
for number in range(20):
    for connection in (one, other):
        try:
            connection.execute("SELECT %s::int", (number,))
        except psycopg.Error as error:
            states.add(error.sqlstate)
print(*sorted(states))
"""
    assert lab.sql("SELECT 41 + 1", port=6432) == ["42"], "it works for whoever needs no session"
    assert set(lab.run(code).split()) & {"26000", "42P05"}
