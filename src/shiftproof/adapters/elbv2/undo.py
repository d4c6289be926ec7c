"""Undo handlers for the journal's kinds "weights" and "router-lag". Idempotent; raise UndoError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from shiftproof.adapters.elbv2.router import connect
from shiftproof.adapters.targets import load_service, load_target
from shiftproof.errors import ShiftproofError, UndoError
from shiftproof.ports import Weights

TIMEOUT_S = 5.0


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
    """Set the lab's load-balancer lag back. Payload: target, weights_s, registration_s. Nothing but a lab has one."""
    try:
        target = load_target(str(payload["target"]))
        if target.kind != "lab" or target.aws_endpoint is None:
            raise UndoError(f"target {target.name} has no lag to set")
        lag = {name: float(payload[name]) for name in ("weights_s", "registration_s")}
        answer = httpx.put(f"{target.aws_endpoint}/_lab/lag", json=lag, timeout=TIMEOUT_S)
    except KeyError as error:
        raise UndoError(f"the journal's entry for the lag lacks {error}") from error
    except httpx.HTTPError as error:
        raise UndoError(f"the load balancer's lag could not be put back: {error}") from error
    if answer.status_code != 200 or answer.json() != lag:
        raise UndoError(f"the load balancer did not take the lag {lag}: {answer.text[:200]}")
