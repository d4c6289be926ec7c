"""Undo handlers for the journal's kinds "weights", "router-lag" and "stickiness". Idempotent; raise UndoError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shiftproof.adapters.elbv2.lag import LAGS, write_lag
from shiftproof.adapters.elbv2.router import connect
from shiftproof.adapters.targets import load_service, load_target
from shiftproof.errors import ShiftproofError, UndoError
from shiftproof.ports import Weights


def undo_weights(payload: Mapping[str, Any]) -> None:
    """Write the weights back. Payload: target, service, rule, legacy_pct, cluster_pct."""
    try:
        weights = Weights(legacy_pct=int(payload["legacy_pct"]), cluster_pct=int(payload["cluster_pct"]))
        router = connect(load_target(str(payload["target"])), load_service(str(payload["service"])))
        rule = str(payload["rule"])
        if router.weights(rule) != weights:
            router.set_weights(rule, weights)
    except KeyError as error:
        raise UndoError(f"the journal's entry for weights lacks {error}") from error
    except ShiftproofError as error:
        raise UndoError(f"weights not put back: {error}", hint=error.hint) from error


def undo_lag(payload: Mapping[str, Any]) -> None:
    """Set the lab's load-balancer lag back. Payload: target, weights_s, registration_s, deregistration_s (or null)."""
    lag = {name: payload.get(name) for name in LAGS}
    try:
        target = load_target(str(payload["target"]))
        found = write_lag(target, lag)
    except KeyError as error:
        raise UndoError(f"the journal's entry for the lag lacks {error}") from error
    except ShiftproofError as error:
        raise UndoError(f"the load balancer's lag could not be put back: {error}", hint=error.hint) from error
    if found != lag:
        raise UndoError(f"the load balancer did not take the lag {lag}: it is {found}")


def undo_stickiness(payload: Mapping[str, Any]) -> None:
    """Make clients stick to a side as long as before. Payload: target, service, rule, stickiness_s (0: not at all)."""
    try:
        router = connect(load_target(str(payload["target"])), load_service(str(payload["service"])))
        router.set_stickiness(str(payload["rule"]), int(payload["stickiness_s"]))
    except KeyError as error:
        raise UndoError(f"the journal's entry for stickiness lacks {error}") from error
    except ShiftproofError as error:
        raise UndoError(f"stickiness not put back: {error}", hint=error.hint) from error
