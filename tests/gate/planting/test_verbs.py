"""legacy, network, nodes and queue against a made-up lab: order, what is recorded before, and what an undo restores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from shiftproof.adapters import embedded_lab, sqs
from shiftproof.adapters.embedded_lab import undo_boot_delay, undo_legacy, undo_network
from shiftproof.adapters.kubernetes.objects import Objects
from shiftproof.adapters.sqs import QueueDelay, undo_queue
from shiftproof.errors import ConfigError, FaultError, LabError, SetupError, UndoError
from shiftproof.gate.config import read_platform, service
from shiftproof.gate.planting import Planting, read_defect
from shiftproof.gate.planting.planting import NOT_KNOWN
from shiftproof.gate.planting.site import Site
from shiftproof.lab.control import LabControl
from shiftproof.lab.setup.paths import project_root
from shiftproof.model.platform import Service
from shiftproof.model.target import Target
from shiftproof.model.verdict import Verdict
from shiftproof.safety.journal import Journal

TARGET = Target(
    name="lab", kind="lab", aws_endpoint="http://127.0.0.1:1", kubeconfig="none", entry="http://127.0.0.1:1"
)


class FakeLab:
    """Two legacy machines and a network. `broken`: hosts that do not answer; `deaf`: hosts that keep their settings."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.state: dict[str, dict[str, Any]] = {
            "legacy-1": {"running": True, "env": {}},
            "legacy-2": {"running": True, "env": {"A": "old"}},
        }
        self.network: dict[str, Mapping[str, Any]] = {}
        self.broken: set[str] = set()
        self.deaf: set[str] = set()
        self.changed: list[tuple[str, int]] = []
        self.can_delay = False
        self.dropped = 0
        self.boot_s = 40.0

    def legacy_state(self) -> dict[str, dict[str, Any]]:
        return {host: {"running": one["running"], "env": dict(one["env"])} for host, one in self.state.items()}

    def change_legacy(self, host: str, env: Mapping[str, str | None], *, running: bool = True) -> Mapping[str, Any]:
        self.changed.append((host, len(self._journal.pending())))
        if host not in self.deaf:
            self.state[host] = {"running": running, "env": dict(env)}
        return {"problem": "it ended with exit code 1" if host in self.broken else None, "in_rotation": True}

    def check_network(self, fault: Mapping[str, Any]) -> None:
        if fault["kind"] == "delay" and not self.can_delay:
            raise LabError("this machine's kernel cannot delay packets", hint="another kernel")

    def add_network(self, fault_id: str, fault: Mapping[str, Any], for_s: float) -> None:
        assert self._journal.pending()[-1].undo["id"] == fault_id, "it is journalled first"
        assert self._journal.pending()[-1].lease_s == for_s, "and ends by itself"
        if "network" not in self.deaf:
            self.network[fault_id] = fault

    def remove_network(self, fault_id: str) -> None:
        if "network" not in self.deaf:
            self.network.pop(fault_id, None)

    def set_boot_delay(self, seconds: float, for_s: float) -> float:
        """As the lab does: what it was is returned, and after `for_s` the ordinary one holds again."""
        assert [entry.kind for entry in self._journal.pending()] == ["boot-delay"], "it is journalled first"
        assert for_s > 0, "and ends by itself"
        former_s, self.boot_s = self.boot_s, self.boot_s if "boot" in self.deaf else seconds
        return former_s

    def status(self) -> Mapping[str, Any]:
        return {"network": [{"id": fault_id, "dropped": self.dropped} for fault_id in self.network]}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
def lab(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    made = FakeLab(journal)
    monkeypatch.setattr(embedded_lab, "LabControl", lambda: made)
    monkeypatch.setenv("SHIFTPROOF_INFRA", str(project_root() / "infra"))
    return made


@pytest.fixture
def plant(tmp_path: Path, journal: Journal, lab: FakeLab) -> Any:
    def make(steps: str, of: Service | None = None) -> Planting:
        file = tmp_path / "defect.yaml"
        file.write_text(
            f"id: d\ntitle: t\nevidence: e\nservice: payments\nplant:\n{steps}\nexpect: {{claim: outage}}\n"
        )
        control = cast("LabControl", lab)
        site = Site(TARGET, "payments", "payments", journal, cast("Objects", None), control, of=of)
        undo = {
            "legacy": undo_legacy,
            "network": undo_network,
            "boot-delay": undo_boot_delay,
            "queue": undo_queue,
        }
        return Planting(read_defect(file), site, undo=undo)

    return make


def test_settings_come_on_top_of_those_that_are_there_and_go_again(plant: Any, lab: FakeLab, journal: Journal) -> None:
    before = lab.legacy_state()
    planting = plant("  - legacy: {env: {POOL_SIZE: 1, PGHOST: null}}")
    planting.begin()
    assert lab.state["legacy-2"] == {"running": True, "env": {"A": "old", "POOL_SIZE": "1", "PGHOST": None}}
    assert sorted(lab.changed) == [("legacy-1", 1), ("legacy-2", 1)], "each after the journal"
    planting.unplant()
    assert lab.legacy_state() == before
    assert journal.pending() == ()


def test_steps_on_one_machine_are_taken_back_one_by_one(plant: Any, lab: FakeLab) -> None:
    before = lab.legacy_state()
    planting = plant(
        "  - legacy: {hosts: [legacy-1], env: {A: 1}}\n"
        "  - legacy: {hosts: [legacy-1], env: {A: 2}}\n"
        "  - {legacy: {stop: true}, when: rollback}"
    )
    planting.begin()
    assert lab.state["legacy-1"]["env"] == {"A": "2"}
    planting.phase_started("rollback")
    assert [one["running"] for one in lab.state.values()] == [False, False]
    assert [host for host, _ in lab.changed[-2:]] == ["legacy-1", "legacy-2"], "under load one after another"
    planting.unplant()
    assert lab.legacy_state() == before


def test_a_process_that_cannot_start_is_noted_and_no_error(plant: Any, lab: FakeLab) -> None:
    lab.broken = {"legacy-1"}
    planting = plant("  - legacy: {env: {A: 1}}")
    planting.begin()
    assert planting.notes == ("legacy-1 does not answer: it ended with exit code 1",)
    with pytest.raises(UndoError, match="legacy-1 does not answer"):
        planting.unplant()


def test_a_change_that_was_not_taken_plants_nothing(plant: Any, lab: FakeLab) -> None:
    lab.deaf = {"legacy-2"}
    with pytest.raises(FaultError, match="legacy-2 did not take the change"):
        plant("  - legacy: {env: {A: 1}}").begin()


def test_what_is_so_already_is_refused_with_its_line(plant: Any, lab: FakeLab, journal: Journal) -> None:
    with pytest.raises(ConfigError, match="legacy: the legacy machines are so already") as wrong:
        plant("  - legacy: {hosts: [legacy-2], env: {A: old}}").begin()
    assert wrong.value.line == 6
    assert journal.pending() == ()


def test_a_network_fault_is_journalled_made_looked_for_and_taken_away(plant: Any, lab: FakeLab) -> None:
    planting = plant("  - network: {drop_idle: {from: cluster, to: database, after_s: 5}}")
    planting.begin()
    (fault,) = lab.network.values()
    assert (fault["kind"], fault["source"], fault["destination"], fault["after_s"]) == (
        "drop_idle",
        "cluster",
        "database",
        5,
    )
    planting.unplant()
    assert lab.network == {}


def test_what_the_kernel_cannot_do_is_refused_before_anything_is_made(plant: Any, lab: FakeLab) -> None:
    steps = "  - legacy: {env: {A: 1}}\n  - network: {delay: {from: legacy, to: database, ms: 5}}"
    with pytest.raises(ConfigError, match="network: this machine's kernel cannot delay packets") as wrong:
        plant(steps).begin()
    assert (wrong.value.line, wrong.value.hint) == (7, "another kernel")
    assert lab.changed == []


def test_a_lab_that_says_yes_and_does_nothing_is_not_believed(plant: Any, lab: FakeLab) -> None:
    planting = plant("  - network: {deny: {from: cluster, to: database}}")
    lab.deaf = {"network"}
    with pytest.raises(FaultError, match="although it took it"):
        planting.begin()
    lab.deaf = set()
    planting.unplant()
    other = plant("  - network: {deny: {from: cluster, to: database}}")
    other.begin()
    lab.deaf = {"network"}
    with pytest.raises(UndoError, match="still in force"):
        other.unplant()


DENY = "network: {deny: {from: cluster, to: database}}"
DROP_IDLE = "network: {drop_idle: {from: cluster, to: database, after_s: 5}}"


@pytest.mark.parametrize("step", [DENY, DROP_IDLE])
def test_a_fault_that_dropped_no_packet_was_as_good_as_not_there(plant: Any, lab: FakeLab, step: str) -> None:
    planting = plant(f"  - {step}\n  - {{legacy: {{env: {{A: 1}}}}}}")
    planting.begin()
    (finding,) = planting.findings()
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.reason.startswith("defect d was planted, but dropped no packet")
    assert len(finding.data["not_planted"]) == 1, "the other step took hold"
    lab.dropped = 1
    assert planting.findings() == []
    lab.network.clear()
    assert "no longer in force" in planting.findings()[0].reason
    planting.unplant()


def test_a_delay_drops_nothing_and_need_not(plant: Any, lab: FakeLab) -> None:
    lab.can_delay = True
    planting = plant("  - network: {delay: {from: cluster, to: database, ms: 40}}")
    planting.begin()
    assert planting.findings() == []


def test_a_lab_that_does_not_say_what_it_dropped_lets_nothing_pass(
    plant: Any, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.can_delay = True
    planting = plant(f"  - {DENY}\n  - network: {{delay: {{from: cluster, to: database, ms: 40}}}}")
    planting.begin()

    def fail() -> Any:
        raise LabError("gone")

    monkeypatch.setattr(lab, "status", fail)
    (finding,) = planting.findings()
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.data["not_planted"] == [f"network: deny cluster -> database: {NOT_KNOWN}"], "a delay drops nothing"
    assert "is not known: gone" in finding.reason


@pytest.mark.parametrize(("after_s", "notes"), [(5.9, 0), (6, 1)])
def test_a_silence_longer_than_our_pause_is_noted(plant: Any, lab: FakeLab, after_s: float, notes: int) -> None:
    payments = service(read_platform(project_root() / "infra"), "payments")
    planting = plant(f"  - {DROP_IDLE}".replace("5", f"{after_s}"), payments)
    planting.begin()
    assert payments.load.quiet_s == 6
    assert len(planting.notes) == notes
    assert not notes or "after_s 6 is not below quiet_s 6" in planting.notes[0]


def test_machines_boot_slowly_and_then_as_before(plant: Any, lab: FakeLab, journal: Journal) -> None:
    planting = plant("  - nodes: {boot_s: 220}")
    planting.begin()
    assert lab.boot_s == 220
    planting.unplant()
    assert lab.boot_s == TARGET.events.node_boot_s
    assert journal.pending() == ()


def test_a_boot_that_is_no_slower_is_no_defect(plant: Any, lab: FakeLab, journal: Journal) -> None:
    with pytest.raises(ConfigError, match="40 s to boot as it is"):
        plant("  - nodes: {boot_s: 40}").begin()
    assert journal.pending() == ()
    lab.deaf = {"boot"}
    with pytest.raises(FaultError, match="take 40 s to boot, not 220 s"):
        plant("  - nodes: {boot_s: 220}").begin()


class FakeSqs:
    """One queue; `deaf`: it keeps its delay."""

    def __init__(self) -> None:
        self.delay_s, self.deaf = "3", False

    def get_queue_url(self, **asked: str) -> dict[str, str]:
        if asked["QueueName"] != "notices":
            raise ClientError({"Error": {"Code": "QueueDoesNotExist", "Message": "not there"}}, "GetQueueUrl")
        return {"QueueUrl": "http://q/notices"}

    def get_queue_attributes(self, **asked: Any) -> dict[str, Any]:
        return {"Attributes": dict.fromkeys(asked["AttributeNames"], self.delay_s)}

    def set_queue_attributes(self, **asked: Any) -> None:
        self.delay_s = self.delay_s if self.deaf else asked["Attributes"]["DelaySeconds"]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> FakeSqs:
    made = FakeSqs()

    def delay(target: Target, name: str) -> QueueDelay:
        return QueueDelay(made, name)

    monkeypatch.setattr(sqs, "queue_delay", delay)
    monkeypatch.setattr("shiftproof.gate.planting.verbs.queue.queue_delay", delay)
    return made


def test_messages_come_late_and_then_as_before(plant: Any, queue: FakeSqs, journal: Journal) -> None:
    planting = plant("  - queue: {name: notices, delay_s: 900}")
    planting.begin()
    assert queue.delay_s == "900"
    (entry,) = journal.pending()
    assert (entry.subject, entry.undo["delay_s"]) == ("queue/notices", 3)
    planting.unplant()
    assert queue.delay_s == "3"
    assert journal.pending() == ()


def test_a_queue_that_is_not_changed_is_no_defect(plant: Any, queue: FakeSqs) -> None:
    with pytest.raises(ConfigError, match="delays by 3 s already"):
        plant("  - queue: {name: notices, delay_s: 3}").begin()
    with pytest.raises(SetupError, match="queue nowhere"):
        plant("  - queue: {name: nowhere, delay_s: 9}").begin()
    queue.deaf = True
    with pytest.raises(FaultError, match="delays by 3 s, so no defect"):
        plant("  - queue: {name: notices, delay_s: 9}").begin()


def test_a_queue_that_keeps_its_delay_is_not_undone(plant: Any, queue: FakeSqs, journal: Journal) -> None:
    planting = plant("  - queue: {name: notices, delay_s: 900}")
    planting.begin()
    queue.deaf = True
    with pytest.raises(UndoError, match="still delays by 900 s, not by 3 s"):
        planting.unplant()
    assert [entry.kind for entry in journal.pending()] == ["queue"]
