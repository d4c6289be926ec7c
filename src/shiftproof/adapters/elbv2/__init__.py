"""The load balancer through AWS's elbv2 API: rules, weights, targets; the same in the lab and in production."""

from shiftproof.adapters.elbv2.lag import read_lag, write_lag
from shiftproof.adapters.elbv2.router import Elbv2Router, connect
from shiftproof.adapters.elbv2.undo import undo_lag, undo_stickiness, undo_weights
from shiftproof.adapters.elbv2.watcher import LoadBalancerWatcher

__all__ = [
    "Elbv2Router",
    "LoadBalancerWatcher",
    "connect",
    "read_lag",
    "undo_lag",
    "undo_stickiness",
    "undo_weights",
    "write_lag",
]
