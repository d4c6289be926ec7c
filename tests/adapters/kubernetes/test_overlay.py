"""Into another overlay and back: what was added goes, what was taken away comes back, twice as well as once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from fakes.kubernetes_api import lab_target

from shiftproof.adapters.kubernetes import kubectl, overlay
from shiftproof.adapters.kubernetes.digest import ROLLED
from shiftproof.adapters.kubernetes.kinds import ObjectRef
from shiftproof.adapters.kubernetes.objects import Objects
from shiftproof.adapters.kubernetes.overlay import Folders, Overlays, undo_overlay
from shiftproof.errors import UndoError, UserError
from shiftproof.safety.journal import Journal

Json = dict[str, Any]


def _thing(kind: str, name: str, **more: Any) -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "payments"}, **more}


def _deployment(cpu: str) -> Json:
    return _thing("Deployment", "payments", spec={"template": {"spec": {"cpu": cpu}}})


ORDINARY = [_deployment("200m"), _thing("HorizontalPodAutoscaler", "payments"), _thing("ConfigMap", "payments", n=28)]
EVENTS = [_deployment("800m"), _thing("ScaledObject", "payments"), _thing("ConfigMap", "payments", n=3)]


@dataclass
class FakeObjects:
    """The cluster as a mapping; `apply` is what kubectl does to it."""

    live: dict[str, Json] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    rolled: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    unknown: frozenset[str] = frozenset()

    def locate(self, kind: str, name: str, namespace: str, api_version: str | None = None) -> ObjectRef:
        if kind in self.unknown:
            raise UserError(f"the cluster knows no kind {kind!r}")
        return ObjectRef(api_version or "v1", kind, namespace, name, f"{kind}/{name}")

    def read(self, ref: ObjectRef) -> Json | None:
        return self.live.get(ref.path)

    def delete(self, ref: ObjectRef) -> None:
        if self.live.pop(ref.path, None) is not None:
            self.deleted.append(ref.path)

    def patch(self, ref: ObjectRef, kind: str, body: Any, *, dry_run: bool = False) -> Json:
        assert body["spec"]["template"]["metadata"]["annotations"][ROLLED]
        self.rolled.append(ref.path)
        return {}

    def wait_settled(self, ref: ObjectRef) -> None:
        self.settled.append(ref.path)

    def apply(self, things: list[Json]) -> None:
        for thing in things:
            self.live[f"{thing['kind']}/{thing['metadata']['name']}"] = thing


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    found = Folders.of(tmp_path, "services/payments/overlays/lab", "events")
    for folder in (found.ordinary, found.events):
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text("")
    return found


@pytest.fixture
def objects(folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeObjects:
    fake = FakeObjects()
    contents = {"lab": ORDINARY, "events": EVENTS}
    monkeypatch.setattr(kubectl, "built", lambda folder: contents[folder.name])
    monkeypatch.setattr(kubectl, "apply", lambda folder, target: fake.apply(contents[folder.name]))
    monkeypatch.setattr(overlay, "load_target", lambda name: lab_target(tmp_path / "kubeconfig"))
    monkeypatch.setattr(overlay, "connect", lambda target: None)
    monkeypatch.setattr(overlay, "Objects", lambda api: fake)
    return fake


def _put_in(folders: Folders, objects: FakeObjects, tmp_path: Path) -> tuple[Journal, Mapping[str, Any]]:
    journal = Journal(tmp_path / "journal", run_id="r", scope="lab:1")
    said = Overlays(lab_target(tmp_path / "k"), [folders], journal, cast("Objects", objects)).put_in()
    assert said == ["payments is in its size for events (events)"]
    (entry,) = journal.pending()
    assert entry.kind == "overlay"
    return journal, entry.undo


def test_there_and_back(folders: Folders, objects: FakeObjects, tmp_path: Path) -> None:
    objects.apply(ORDINARY)
    _, undo = _put_in(folders, objects, tmp_path)
    assert objects.deleted == ["HorizontalPodAutoscaler/payments"]
    assert set(objects.live) == {"Deployment/payments", "ScaledObject/payments", "ConfigMap/payments"}
    undo_overlay(undo)
    assert objects.deleted[1:] == ["ScaledObject/payments"]
    assert list(objects.live.values()) == [ORDINARY[0], ORDINARY[2], ORDINARY[1]]
    assert objects.settled == ["Deployment/payments"]


def test_back_twice_is_as_back_once(folders: Folders, objects: FakeObjects, tmp_path: Path) -> None:
    objects.apply(ORDINARY)
    _, undo = _put_in(folders, objects, tmp_path)
    undo_overlay(undo)
    before = dict(objects.live)
    undo_overlay(undo)
    assert objects.live == before


def test_pods_whose_template_stays_are_rolled_for_what_they_read(
    folders: Folders, objects: FakeObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects.apply(ORDINARY)
    _, undo = _put_in(folders, objects, tmp_path)
    assert objects.rolled == []  # another template rolls by itself
    undo_overlay(undo)
    assert objects.rolled == []
    undo_overlay(undo)  # a kill after the ConfigMap was applied, and before pods were rolled, would look like this
    assert objects.rolled == ["Deployment/payments"]


def test_an_autoscaler_that_became_anothers_is_made_anew(
    folders: Folders, objects: FakeObjects, tmp_path: Path
) -> None:
    objects.apply(ORDINARY)
    _, undo = _put_in(folders, objects, tmp_path)
    owned = _thing("HorizontalPodAutoscaler", "payments")
    owned["metadata"] = {**owned["metadata"], "ownerReferences": [{"kind": "ScaledObject"}]}
    objects.apply([owned])
    undo_overlay(undo)
    assert objects.live["HorizontalPodAutoscaler/payments"] is ORDINARY[1]


def test_what_was_not_deployed_before_is_not_left_behind(
    folders: Folders, objects: FakeObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = _thing("Namespace", "payments")
    monkeypatch.setattr(kubectl, "built", lambda folder: [namespace, *EVENTS])
    own = Folders(folders.events, folders.events)
    _, undo = _put_in(own, objects, tmp_path)
    undo_overlay(undo)
    assert objects.live == {}
    objects.apply([namespace, *EVENTS])
    objects.deleted.clear()
    undo_overlay(undo)
    assert objects.deleted[-1] == "Namespace/payments"


def test_kinds_that_are_not_known_are_not_there(folders: Folders, objects: FakeObjects, tmp_path: Path) -> None:
    objects.apply(ORDINARY)
    _, undo = _put_in(folders, objects, tmp_path)
    objects.unknown = frozenset({"ScaledObject"})
    undo_overlay(undo)
    assert "HorizontalPodAutoscaler/payments" in objects.live


def test_an_overlay_that_cannot_be_applied_again_is_said(
    folders: Folders, objects: FakeObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, undo = _put_in(folders, objects, tmp_path)

    def refuse(folder: Path) -> list[Json]:
        raise UserError("no such folder")

    monkeypatch.setattr(kubectl, "built", refuse)
    with pytest.raises(UndoError, match="no such folder"):
        undo_overlay(undo)
