"""What HAProxy's configuration says, and what the API refuses. HAProxy itself reads it in test_balancer."""

from __future__ import annotations

from pathlib import Path

import pytest

from shiftproof.errors import ConfigError, LabError
from shiftproof.lab.lb.api import refusal
from shiftproof.lab.lb.config import Files, render
from shiftproof.lab.lb.desired import Address, Condition, Desired, Group, Rule
from shiftproof.lab.lb.estate import load_platform, service_paths

FILES = Files(Path("/lb"))


def group(name: str = "payments-cluster", *, in_use: bool = True) -> Group:
    return Group(
        arn=f"arn/{name}",
        name=name,
        port=8080,
        check_path="/ready",
        check_codes="200",
        interval_ms=1000,
        timeout_ms=1000,
        rise=2,
        fall=2,
        delay_s=5,
        in_use=in_use,
        targets=frozenset(),
    )


def rule(*conditions: Condition) -> Rule:
    return Rule(key="r1", priority=1, conditions=conditions, weights=(("payments-cluster", 1),))


def lines(*conditions: Condition) -> str:
    return render(Desired((rule(*conditions),), {"payments-cluster": group()}), FILES, "127.0.0.1:80", taken={})


def test_wildcards_of_aws_become_anchored_expressions() -> None:
    text = lines(
        Condition("path-pattern", ("/a.b/*", "/c?")),
        Condition("http-header", ("legacy",), name="x-shiftproof-rehearsal"),
    )
    assert r"path -m reg '^/a\.b/.*$' '^/c.$'" in text
    assert "req.fhdr(x-shiftproof-rehearsal) -m reg -i '^legacy$'" in text


@pytest.mark.parametrize(
    "condition",
    [
        Condition("source-ip", ("10.0.0.0/8",)),
        Condition("path-pattern", ("/it's",)),
        Condition("path-pattern", ("/a\nb",)),
    ],
)
def test_what_cannot_be_followed_is_said(condition: Condition) -> None:
    with pytest.raises(LabError):
        lines(condition)


def test_nothing_is_retried_and_no_group_fails_over() -> None:
    text = lines()
    assert "\n    retries 0\n" in text
    assert "\n    no option redispatch\n" in text
    assert "backup" not in text


def test_addresses_are_written_only_for_a_process_that_takes_over() -> None:
    wanted = Desired((rule(),), {"payments-cluster": group(), "spare": group("spare", in_use=False)})
    text = render(wanted, FILES, "127.0.0.1:80", taken={"payments-cluster": {"s2": Address("198.18.1.7", 8080)}})
    assert text.count("198.18.1.7:8080") == 2, "in the group's backend and in the one that is used when it fails open"
    assert "spare" not in text


@pytest.mark.parametrize(
    ("weight", "refused"), [("0", False), ("999", False), ("1000", True), ("-1", True), ("x", True)]
)
def test_weights_are_bound_as_on_aws(weight: str, refused: bool) -> None:
    key = "Actions.member.1.ForwardConfig.TargetGroups.member.2.Weight"
    assert (refusal({"Action": "ModifyRule", key: weight}) is not None) == refused


PLATFORM = """
version: 1
name: test
services:
  - name: payments
    namespace: payments
    deployment: payments
    manifests: x
    load_balancer: {name: lb, legacy_target_group: a, cluster_target_group: b}
    load:
      operations:
        - {name: create, method: POST, path: /payments}
        - {name: list, method: GET, path: "/accounts/{account}/payments?limit=10"}
"""


def test_service_that_shares_a_balancer_is_found_by_its_paths(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text(PLATFORM)
    service = load_platform(tmp_path / "platform.yaml").services[0]
    assert service_paths(service) == ["/accounts*", "/payments*"]


@pytest.mark.parametrize("text", ["version: [", "version: 2\n", ""])
def test_bad_platform_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "platform.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"platform\.yaml"):
        load_platform(tmp_path / "platform.yaml")
