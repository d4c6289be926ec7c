"""The Kubernetes side: its state, its rolling updates, and all that happens in it."""

from shiftproof.adapters.kubernetes.api import Api, KubernetesError, connect
from shiftproof.adapters.kubernetes.cleanup import undo_synthetic
from shiftproof.adapters.kubernetes.cluster import KubernetesCluster
from shiftproof.adapters.kubernetes.objects import restore_object
from shiftproof.adapters.kubernetes.watch import KubernetesWatcher

__all__ = [
    "Api",
    "KubernetesCluster",
    "KubernetesError",
    "KubernetesWatcher",
    "connect",
    "restore_object",
    "undo_synthetic",
]
