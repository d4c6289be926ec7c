from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fakes.clock import RealClock, wait_until
from fakes.kubernetes_api import FakeKubernetes, node, pod

from shiftproof.adapters.kubernetes import KubernetesWatcher
from shiftproof.errors import MeasureError
from shiftproof.model.history import WATCH_GAP

PODS = "/api/v1/namespaces/payments/pods"


@pytest.fixture
def watched(fake_and_client: tuple[FakeKubernetes, Any]) -> Iterator[tuple[FakeKubernetes, KubernetesWatcher]]:
    fake, client = fake_and_client
    fake.put(f"{PODS}/there", pod("there"))
    fake.put("/api/v1/nodes/node-1", node("node-1"))
    watcher = KubernetesWatcher(client, "payments", RealClock())
    watcher.start()
    wait_until(lambda: fake.watching("pods") == 1 and fake.watching("nodes") == 1)
    yield fake, watcher
    watcher.stop()


def seen(watcher: KubernetesWatcher) -> list[tuple[str, str]]:
    return [(happening.kind, happening.subject) for happening in watcher.happenings()]


def test_changes_are_recorded_by_receipt(watched: tuple[FakeKubernetes, KubernetesWatcher]) -> None:
    fake, watcher = watched
    before_ns = time.time_ns()
    fake.put(f"{PODS}/there", pod("there", ready=False))
    wait_until(lambda: ("pod.not-ready", "pod/there") in seen(watcher))
    happening = next(found for found in watcher.happenings() if found.kind == "pod.not-ready")
    assert before_ns < happening.t_ns < before_ns + 500_000_000
    assert ("pod.present", "pod/there") in seen(watcher)
    assert ("node.present", "node/node-1") in seen(watcher)
    watcher.stop()
    assert watcher.problem() is None


def test_a_gate_watches_one_namespace_and_an_event_those_of_workers_too(
    fake_and_client: tuple[FakeKubernetes, Any],
) -> None:
    fake, client = fake_and_client
    fake.put("/api/v1/namespaces/statements/pods/s", pod("s"))
    watcher = KubernetesWatcher(client, "payments", RealClock(), also=["statements", "payments"])
    watcher.start()
    wait_until(lambda: fake.watching("pods") == 2)
    watcher.stop()
    assert ("pod.present", "pod/s") in seen(watcher)
    assert len(watcher._sources) == 7
    assert len(KubernetesWatcher(client, "payments", RealClock())._sources) == 5, "a gate pays for none of it"


def test_a_stream_that_breaks_is_taken_up_where_it_stopped(watched: tuple[FakeKubernetes, KubernetesWatcher]) -> None:
    fake, watcher = watched
    fake.cut_watches("pods")
    wait_until(lambda: fake.watching("pods") == 0)
    wait_until(lambda: fake.watching("pods") == 1)
    fake.put(f"{PODS}/new", pod("new"))
    wait_until(lambda: ("pod.ready", "pod/new") in seen(watcher))
    watcher.stop()
    assert watcher.problem() is None, "away for a tenth of a second, nothing missed"
    lists_of_pods = [call for call in fake.calls if call == ("GET", PODS)]
    assert len(lists_of_pods) == 4, "one list, two watches, and a look for CPU limits at the end"


def test_a_lost_place_is_listed_anew_and_said(watched: tuple[FakeKubernetes, KubernetesWatcher]) -> None:
    fake, watcher = watched
    with fake.lock:  # the pod goes without a word to the stream, as it does while nobody listens
        fake.objects.pop(f"{PODS}/there")
        fake.send("pods", {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}})
    wait_until(lambda: ("pod.gone", "pod/there") in seen(watcher))
    problem = watcher.problem()
    assert problem is not None
    assert "pods" in problem
    assert "gap" in problem


def test_stopping_does_not_wait_for_the_streams_to_end(watched: tuple[FakeKubernetes, KubernetesWatcher]) -> None:
    _, watcher = watched
    started = time.monotonic()
    watcher.stop()
    assert time.monotonic() - started < 1
    watcher.stop()


def test_a_list_that_fails_does_not_start(
    fake_and_client: tuple[FakeKubernetes, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, client = fake_and_client
    fake.lists_fail_with = 403
    monkeypatch.setattr("shiftproof.adapters.kubernetes.streams.START_WITHIN_S", 0.3)
    with pytest.raises(MeasureError, match="403"):
        KubernetesWatcher(client, "payments", RealClock()).start()


def test_a_change_that_trips_its_reader_is_a_gap_and_the_next_is_seen(
    watched: tuple[FakeKubernetes, KubernetesWatcher],
) -> None:
    fake, watcher = watched
    spoiled = pod("spoiled")
    spoiled["status"]["conditions"] = [{"status": "True"}]  # a condition without a type
    fake.put(f"{PODS}/spoiled", spoiled)
    fake.put(f"{PODS}/new", pod("new"))
    wait_until(lambda: ("pod.ready", "pod/new") in seen(watcher))
    assert "pods could not read a change: KeyError" in str(watcher.problem())
    assert (WATCH_GAP, "watcher/kubernetes") in seen(watcher)


def test_a_thread_that_dies_leaves_a_gap(watched: tuple[FakeKubernetes, KubernetesWatcher]) -> None:
    fake, watcher = watched
    fake.send("pods", {"type": "ADDED"})  # no object in it: nothing that a broken connection would explain
    wait_until(lambda: watcher.problem() is not None)
    assert "the watch of pods ended: KeyError" in str(watcher.problem())
    assert (WATCH_GAP, "watcher/kubernetes") in seen(watcher)
