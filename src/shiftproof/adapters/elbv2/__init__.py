"""The load balancer through AWS's elbv2 API: rules, weights, targets; the same in the lab and in production."""

from shiftproof.adapters.elbv2.router import Elbv2Router, connect
from shiftproof.adapters.elbv2.undo import undo_lag, undo_weights
from shiftproof.adapters.elbv2.watcher import LoadBalancerWatcher

__all__ = ["Elbv2Router", "LoadBalancerWatcher", "connect", "undo_lag", "undo_weights"]
