"""Whose address it was: pods come, go, and come back under another address."""

from __future__ import annotations

from typing import Any

from shiftproof.judge.lives import read_lives
from shiftproof.model.history import Happening, Source

S = 1_000_000_000


def seen(t_s: float, kind: str, subject: str, **data: Any) -> Happening:
    return Happening(round(t_s * S), Source.KUBERNETES, kind, subject, "", data)


RETURNED = (
    seen(10, "pod.ready", "pod/a", ip="198.18.2.7", node="node-2"),
    seen(100, "pod.not-ready", "pod/a", ip="198.18.2.7", node="node-2"),
    seen(140, "pod.stopped", "pod/a", ip="198.18.2.7", exit_code=255),
    seen(150, "pod.ready", "pod/a", ip="198.18.2.9", node="node-2"),
    seen(151, "endpoint.removed", "pod/a", ip="198.18.2.7"),
    seen(160, "pod.ready", "pod/b", ip="198.18.2.7", node="node-2"),
    seen(300, "pod.stopped", "pod/a", ip="198.18.2.9", exit_code=0),
    seen(301, "pod.gone", "pod/a", ip="198.18.2.9"),
)


def test_a_pod_whose_node_came_back_is_found_by_each_of_its_addresses() -> None:
    lives = read_lives(RETURNED)

    def whose(ip: str, t_s: float) -> str | None:
        pod = lives.pod_at(ip, round(t_s * S))
        return pod.name if pod else None

    assert whose("198.18.2.7", 50) == "a"
    assert whose("198.18.2.9", 200) == "a"
    assert whose("198.18.2.7", 200) == "b", "its first address is another pod's by then"
    assert whose("198.18.2.200", 50) is None


def test_the_last_stop_is_the_one_that_counts() -> None:
    assert read_lives(RETURNED).pods["a"].stopped_ns == 300 * S


def test_the_load_balancer_speaks_of_the_address_that_the_pod_has_then() -> None:
    timeline = (
        *RETURNED,
        Happening(155 * S, Source.LOAD_BALANCER, "target.healthy", "target/198.18.2.9:8080"),
        seen(290, "pod.terminating", "pod/a", ip="198.18.2.9"),
        Happening(291 * S, Source.LOAD_BALANCER, "target.draining", "target/198.18.2.9:8080"),
    )
    pod = read_lives(timeline).pods["a"]
    assert (pod.healthy_ns, pod.left_balancer_ns) == (155 * S, 291 * S)
