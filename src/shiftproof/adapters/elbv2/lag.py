"""The lag of the lab's load balancer: seconds between what its API says and what traffic does. AWS has no such call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from shiftproof.errors import SetupError, UserError
from shiftproof.model.target import Target

TIMEOUT_S = 5.0
LAGS = ("weights_s", "registration_s", "deregistration_s")

Lags = dict[str, float | None]
"""Seconds by name; deregistration_s of None: targets that leave do so after registration_s, as those that come."""


def read_lag(target: Target) -> Lags:
    """In force now. Raises SetupError when the load balancer does not answer, UserError for a target that has none."""
    return _ask("GET", target)


def write_lag(target: Target, lag: Mapping[str, float | None]) -> Lags:
    """Set what is named; returns all. Raises as read_lag does, and UserError for values that cannot be."""
    return _ask("PUT", target, lag)


def _ask(verb: str, target: Target, lag: Mapping[str, float | None] | None = None) -> Lags:
    if target.kind != "lab":
        raise UserError(f"target {target.name} has no lag to set")
    try:
        answer = httpx.request(verb, f"{target.aws_endpoint}/_lab/lag", json=lag, timeout=TIMEOUT_S, trust_env=False)
    except httpx.HTTPError as error:
        raise SetupError(f"the lab's load balancer does not answer: {error}", hint="shiftproof lab status") from error
    if answer.status_code != 200:
        raise UserError(f"the load balancer refuses the lag: {answer.text[:200]}")
    held: dict[str, Any] = answer.json()
    return {name: None if held.get(name) is None else float(held[name]) for name in LAGS}
