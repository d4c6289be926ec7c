"""From platform.yaml to a plan."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from shiftproof.adapters.locust import customers_plan_for, plan_for
from shiftproof.errors import UserError
from shiftproof.model.platform import Platform, Service

PLATFORM = Path(__file__).parents[3] / "infra" / "platform.yaml"


def service(**load: Any) -> Service:
    raw = yaml.safe_load(PLATFORM.read_text(encoding="utf-8"))
    raw["services"][0]["load"].update(load)
    return Platform.model_validate(raw).services[0]


def test_the_plan_of_the_reference_service_can_be_sent_to_the_child() -> None:
    plan = plan_for(service(), "http://198.18.0.10", seed=1, anchor_ns=2, max_seconds=3)
    assert json.loads(json.dumps(asdict(plan)))["operations"][0]["expect_status"] == [201]
    assert plan.rate_per_s == service().load.pairs_per_s
    assert plan.probes_per_s == service().load.probes_per_s > 0
    assert not plan.customers


def test_customers_share_nothing_with_the_pairs() -> None:
    ours = plan_for(service(), "http://198.18.0.10", seed=1, anchor_ns=2, max_seconds=3)
    theirs = customers_plan_for(service(), "http://198.18.0.10", seed=1, anchor_ns=2, max_seconds=3)
    assert theirs.customers
    assert theirs.accounts_prefix != ours.accounts_prefix
    assert theirs.seed != ours.seed
    assert theirs.probes_per_s == 0  # a customer compares nothing
    with pytest.raises(UserError, match="customers' own"):
        plan_for(service(accounts_prefix="cust-"), "http://198.18.0.10", seed=1, anchor_ns=2, max_seconds=3)


def test_a_read_without_anything_to_read_is_refused() -> None:
    read = {"name": "read", "method": "GET", "path": "/payments/{id}"}
    with pytest.raises(UserError, match="needs one itself"):
        plan_for(
            service(operations=[{**read, "remember": "id"}]), "http://198.18.0.10", seed=1, anchor_ns=2, max_seconds=3
        )
