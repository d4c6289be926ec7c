"""Network faults as nft and tc are told of them, and on a bridge of our own in namespaces of our own."""

from __future__ import annotations

import pytest

from shiftproof.errors import LabError, UserError
from shiftproof.lab import endpoints, network_rules
from shiftproof.lab.network import LEGACY_IPS, POD_CIDRS
from shiftproof.lab.network_rules import NetworkFault


@pytest.mark.parametrize(
    ("name", "stands_for"),
    [
        ("legacy", ("198.18.0.31", "198.18.0.32")),
        ("cluster", ("198.18.1.0/24", "198.18.2.0/24", *(f"198.18.{place}.0/24" for place in range(11, 19)))),
        ("database", ("198.18.0.41",)),
        ("node-2", ("198.18.0.22", "198.18.2.0/24")),
        ("legacy-1", ("198.18.0.31",)),
        ("198.18.2.7", ("198.18.2.7/32",)),
        ("198.18.2.0/25", ("198.18.2.0/25",)),
    ],
)
def test_names_stand_for_addresses(name: str, stands_for: tuple[str, ...]) -> None:
    assert endpoints.cidrs(name) == stands_for


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vm-1", "the lab has no 'vm-1': there are legacy, cluster"),
        ("10.0.0.1", "is no address of the lab"),
        ("198.18.0.0/14", "the lab has no"),
        ("0.0.0.0/0", "is no address of the lab"),
        ("198.19.0.10", "an address of Services"),
        ("198.18.0.0/15", "an address of Services"),
        ("::1", "the lab has no"),
    ],
)
def test_what_is_no_end_of_a_fault(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        endpoints.cidrs(name)


@pytest.mark.parametrize(
    ("source", "destination"), [("cluster", "node-1"), ("legacy", "legacy-2"), ("node-1", "node-1")]
)
def test_ends_that_share_addresses_would_be_half_a_fault(source: str, destination: str) -> None:
    with pytest.raises(UserError, match="share addresses"):
        NetworkFault("deny", source, destination).ends()


def test_deny_says_what_where_and_until_when() -> None:
    text = network_rules.script("a1", NetworkFault("deny", "cluster", "database", port=5432), for_s=60)
    assert "table bridge shiftproof_a1 {" in text
    assert "elements = { ip timeout 60000ms }" in text
    pods = ", ".join(POD_CIDRS.values())
    rule = f"ip saddr {{ {pods} }} ip daddr {{ 198.18.0.41 }} meta l4proto {{ tcp, udp }} th dport 5432"
    assert f"{rule} counter drop" in text


def test_idle_flows_are_the_same_flow_in_both_directions() -> None:
    text = network_rules.script("a1", NetworkFault("drop_idle", "legacy", "database", after_s=2.5), for_s=60)
    assert text.count("timeout 2500ms") == 2, "how long it learns, and how long a flow is remembered"
    assert "ip saddr { 198.18.0.41 } ip daddr { 198.18.0.31, 198.18.0.32 } goto back" in text
    assert "ip daddr . tcp dport . ip saddr . tcp sport @live update" in text


@pytest.mark.parametrize("fault_id", ["", "a b", "x; flush ruleset", "../x", "A", "a" * 33])
def test_an_id_cannot_smuggle_in_a_command(fault_id: str) -> None:
    with pytest.raises(LabError, match="is no id of a fault"):
        network_rules.table(fault_id)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"kind": "drop_idle", "after_s": 0}, "after 0.1 to 3600 s"),
        ({"kind": "drop_idle", "after_s": float("nan")}, "after 0.1 to 3600 s"),
        ({"kind": "delay", "delay_ms": 0}, "by 1 to 60000 ms"),
        ({"kind": "deny", "port": "x"}, "no network fault"),
    ],
)
def test_nonsense_is_refused(raw: dict[str, object], said: str) -> None:
    with pytest.raises(LabError, match=said):
        network_rules.parse({"source": "legacy", "destination": "database", **raw})


def test_a_delay_hits_each_pair_of_ends_and_nothing_else() -> None:
    fault = NetworkFault("delay", "legacy", "cluster", delay_ms=40)
    commands = [" ".join(words) for words in network_rules.delay_commands("v-node-1", fault)]
    assert "qdisc add dev v-node-1 parent 1:1 netem delay 40ms limit 100000" in commands
    filters = [line for line in commands if line.startswith("filter")]
    assert len(filters) == len(LEGACY_IPS) * len(POD_CIDRS)
    assert all("match ip src 198.18.0.3" in line and "/24 flowid 1:1" in line for line in filters)
