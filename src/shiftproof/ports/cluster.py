"""The Kubernetes side of one service: what runs there, and its rolling update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rolling update as it ended. `problem` says why it did not end by its deadline (e.g. the pods' own reasons)."""

    seconds: float
    complete: bool
    replicas: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PodState:
    name: str
    ip: str
    node: str
    ready: bool
    terminating: bool
    waiting_reason: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """The cluster side's Deployment: what preflight checks and the proof names."""

    replicas: int
    ready: int
    max_replicas: int  # of the HPA, or replicas when there is none
    max_surge: int
    images: tuple[str, ...]
    manifest_digest: str  # sha256 over the live objects of the service, less status and what servers fill in
    pods: tuple[PodState, ...] = ()
    hindered_by: tuple[str, ...] = ()  # nodes that keep its pods from serving, in words: "node-2 is not ready"
    image_ids: tuple[
        str, ...
    ] = ()  # what really runs in the ready pods: digests, where a tag may point elsewhere later
    undrainable: tuple[str, ...] = ()  # why none of its pods could ever be evicted, in words; empty when they could


class Cluster(Protocol):
    """The Kubernetes side of one service."""

    def workload(self) -> WorkloadState: ...

    def roll(self, deadline_s: float) -> Rollout:
        """A real rolling update (the pod template changes), waited for until done or the deadline."""
        ...

    def wait_steady(self, deadline_s: float) -> bool:
        """True once all wanted pods are ready, none is leaving, and the Deployment has settled."""
        ...
