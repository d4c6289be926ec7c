"""The load of pairs in its real child process, against a real server: what leaves, how marked and how counted."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes.load_target import LoadTarget, Start, until

from shiftproof.adapters.locust import EventTable, read_events, read_parquet, write_parquet
from shiftproof.model.event import WITH_COOKIES, Events, Failure, Side, no_events, request_id

pytestmark = pytest.mark.component


def gathered(load: object) -> Callable[[], Events]:
    """All events so far, taken in as the gate does: from one call to the next."""
    parts = [no_events()]

    def take() -> Events:
        parts.append(load.new_events())  # type: ignore[attr-defined]
        return np.concatenate(parts)

    return take


def test_each_pair_goes_to_both_sides_and_all_counts_agree(service: LoadTarget, start: Start) -> None:
    load = start()
    events = gathered(load)
    until(lambda: len(events()) >= 200, "200 events")
    report = load.stop()
    seen = events()
    assert report.problem is None
    assert report.finished
    assert len(seen) == report.recorded == report.scheduled == report.locust_requests == len(service.arrivals)
    assert report.locust_failures == 0
    assert (seen["failure"] == Failure.NONE).all()
    legacy, cluster = (np.sort(seen[seen["side"] == side], order="pair") for side in (Side.LEGACY, Side.CLUSTER))
    assert np.array_equal(legacy["pair"], np.arange(len(legacy)))
    for column in ("pair", "intended_ns", "operation"):
        assert np.array_equal(legacy[column], cluster[column]), column
    intended = np.diff(legacy["intended_ns"])
    assert np.abs(intended - 20_000_000).max() <= 1  # 50 a second, by index


def test_requests_are_marked_and_sides_share_neither_accounts_keys_nor_connections(
    service: LoadTarget, start: Start
) -> None:
    load = start()
    until(lambda: len(service.arrivals) >= 200, "200 arrivals")
    load.stop()
    by_side = {side: service.of(side) for side in ("legacy", "cluster")}
    ids = Counter(arrival.headers["x-shiftproof-id"] for arrival in service.arrivals)
    expected = {request_id(pair, side) for pair in range(len(by_side["legacy"])) for side in (0, 1)}
    assert set(ids) == expected
    assert set(ids.values()) == {1}
    assert all(arrival.headers["x-shiftproof-synthetic"] == "1" for arrival in service.arrivals)
    keys = [arrival.headers["idempotency-key"] for arrival in service.arrivals if arrival.method == "POST"]
    assert len(keys) == len(set(keys)) > 0
    accounts = {side: {json.loads(a.body)["account"] for a in of if a.body} for side, of in by_side.items()}
    assert accounts["legacy"]
    assert accounts["legacy"].isdisjoint(accounts["cluster"])
    assert all(account.startswith("test-") for account in accounts["legacy"] | accounts["cluster"])
    connections = {side: {arrival.connection for arrival in of} for side, of in by_side.items()}
    assert connections["legacy"].isdisjoint(connections["cluster"])
    assert len(connections["legacy"]) < len(by_side["legacy"]) / 2  # kept, as real clients do


def test_a_side_reads_only_what_it_created_itself(service: LoadTarget, start: Start) -> None:
    load = start()
    until(lambda: sum(a.path.startswith("/payments/") for a in list(service.arrivals)) >= 40, "40 reads")
    load.stop()
    reads = [arrival for arrival in service.arrivals if arrival.path.startswith("/payments/")]
    for read in reads:
        payment = service.payments[read.path.removeprefix("/payments/")]
        assert payment["account"].startswith(f"test-{read.side}-")


def test_the_order_of_sides_varies(service: LoadTarget, start: Start) -> None:
    load = start(operations=[{"name": "list", "method": "GET", "path": "/accounts/{account}/payments"}], rate_per_s=20)
    events = gathered(load)
    until(lambda: len(events()) >= 100, "100 events")
    load.stop()
    seen = events()
    sent = {side: seen[seen["side"] == side]["sent_ns"] for side in (Side.LEGACY, Side.CLUSTER)}
    count = min(len(sent[Side.LEGACY]), len(sent[Side.CLUSTER]))
    legacy_first = int((sent[Side.LEGACY][:count] < sent[Side.CLUSTER][:count]).sum())
    assert 0.2 * count < legacy_first < 0.8 * count


def test_triples_come_and_go_on_order(service: LoadTarget, start: Start) -> None:
    load = start()
    events = gathered(load)
    assert service.of("weighted") == []
    load.triples(True)
    until(lambda: (events()["side"] == Side.WEIGHTED).sum() >= 50, "50 weighted requests")
    load.triples(False)
    until(
        lambda: not np.isin(events()["pair"][-20:], _pairs_of(events(), Side.WEIGHTED)).any(), "pairs without a third"
    )
    report = load.stop()
    assert report.problem is None
    seen = events()
    weighted = _pairs_of(seen, Side.WEIGHTED)
    assert np.array_equal(weighted, np.arange(weighted[0], weighted[-1] + 1))  # from one order to the next, no gaps
    assert np.isin(weighted, _pairs_of(seen, Side.LEGACY)).all()
    assert {a.headers["x-shiftproof-rehearsal"] for a in service.arrivals} == {"legacy", "cluster", "weighted"}


def _pairs_of(events: Events, side: Side) -> Events:
    return np.sort(events[events["side"] == side]["pair"])


def test_events_name_the_server_that_answered_and_go_through_parquet(
    service: LoadTarget, start: Start, tmp_path: Path
) -> None:
    load = start()
    until(lambda: len(service.arrivals) >= 40, "40 arrivals")
    load.stop()
    servers = load.servers()
    events = read_events(load.events_path, operations=3, servers=len(servers))
    for side in (Side.LEGACY, Side.CLUSTER):
        names = {servers[index] for index in events[events["side"] == side]["served_by"]}
        assert names == {f"{side.name.lower()}-1"}
    table = EventTable(events, ("create", "read", "list"), servers)
    write_parquet(tmp_path / "events.parquet", table)
    back = read_parquet(tmp_path / "events.parquet")
    assert np.array_equal(back.events, events)
    assert back[1:] == table[1:]


def test_the_same_seed_sends_the_same_operations(service: LoadTarget, start: Start) -> None:
    # None of these needs an id, since what may be read depends on what was answered by then.
    operations = [{"name": name, "method": "GET", "path": f"/accounts/{name}/payments"} for name in "abc"]
    sequences = []
    for name in ("first", "second"):
        load = start(name, rate_per_s=100, operations=operations)
        events = gathered(load)
        until(lambda: len(events()) >= 300, "300 events")  # noqa: B023 - waited for within the turn
        load.stop()
        seen = events()
        sequences.append(np.sort(seen[seen["side"] == Side.LEGACY], order="pair")["operation"][:140])
    assert np.array_equal(sequences[0], sequences[1])
    assert len(set(sequences[0])) == 3


def test_a_pause_leaves_a_hole_in_time_and_none_in_the_count(service: LoadTarget, start: Start) -> None:
    load = start(rate_per_s=100)
    events = gathered(load)
    until(lambda: len(events()) >= 60, "60 events")
    load.pause()
    arrived = len(service.arrivals)
    until(lambda: len(events()) == len(service.arrivals), "what was in flight")
    time.sleep(1.0)  # the pause itself, whose length is what is tested
    assert len(service.arrivals) - arrived <= 4  # what was under way
    load.resume()
    until(lambda: len(events()) >= 160, "events after the pause")
    report = load.stop()
    seen = events()
    assert report.problem is None
    assert len(seen) == report.recorded == report.scheduled
    legacy = np.sort(seen[seen["side"] == Side.LEGACY], order="pair")
    assert np.array_equal(legacy["pair"], np.arange(len(legacy)))
    gaps_ms = np.diff(legacy["intended_ns"]) / 1e6
    assert (gaps_ms > 900).sum() == 1
    assert np.sort(gaps_ms)[-2] < 20  # beside the pause the schedule is what it was
    assert (seen["sent_ns"] - seen["intended_ns"] < 500_000_000).all()  # nothing that was due in the pause is sent late


def test_a_boost_adds_single_requests_of_its_own_and_leaves_the_pairs_alone(service: LoadTarget, start: Start) -> None:
    load = start(rate_per_s=50)
    events = gathered(load)
    load.boost(Side.LEGACY, 100)
    until(lambda: (events()["side"] == Side.EXTRA_LEGACY).sum() >= 100, "100 extra requests")
    load.boost(Side.CLUSTER, 50)
    until(lambda: (events()["side"] == Side.EXTRA_CLUSTER).sum() >= 20, "extra requests on the other side")
    load.boost(Side.CLUSTER, 0)
    load.boost(Side.LEGACY, 100)  # once more: numbers go on
    until(lambda: (events()["side"] == Side.EXTRA_LEGACY).sum() >= 150, "50 more")
    report = load.stop()
    seen = events()
    assert report.problem is None
    assert len(seen) == report.recorded == report.scheduled == report.locust_requests
    extra = seen[seen["side"] == Side.EXTRA_LEGACY]
    assert np.array_equal(np.sort(extra["pair"]), np.arange(len(extra)))
    legacy, cluster = (seen[seen["side"] == side]["pair"] for side in (Side.LEGACY, Side.CLUSTER))
    assert np.array_equal(np.sort(legacy), np.sort(cluster))
    marks = {a.headers["x-shiftproof-id"].rpartition("-")[2]: a.side for a in service.arrivals}
    assert marks == {"0": "legacy", "1": "cluster", "4": "legacy", "5": "cluster"}
    accounts = {json.loads(a.body)["account"] for a in service.arrivals if a.body}
    assert all(account.startswith("test-") for account in accounts)


def test_a_pause_ends_a_boost(service: LoadTarget, start: Start) -> None:
    load = start(rate_per_s=50)
    events = gathered(load)
    load.boost(Side.CLUSTER, 100)
    until(lambda: (events()["side"] == Side.EXTRA_CLUSTER).sum() >= 50, "50 extra requests")
    load.pause()
    load.resume()
    until(lambda: len(events()) == len(service.arrivals), "what was in flight")
    extra = int((events()["side"] == Side.EXTRA_CLUSTER).sum())
    until(lambda: (events()["side"] == Side.CLUSTER).sum() >= 100, "pairs")
    assert int((events()["side"] == Side.EXTRA_CLUSTER).sum()) == extra


def test_an_order_that_cannot_be_followed_ends_the_load_with_a_problem(start: Start) -> None:
    load = start()
    load.boost(Side.WEIGHTED, 10)
    assert "boost weighted" in (load.stop().problem or "")


def test_clients_where_weights_choose_keep_cookies_and_some_do_not(service: LoadTarget, start: Start) -> None:
    service.set_cookie = "AWSALBTG=left; Max-Age=3600; Path=/"
    load = start(rate_per_s=100)
    events = gathered(load)
    load.triples(True)
    until(lambda: (events()["side"] == Side.WEIGHTED).sum() >= 150, "150 weighted requests")
    load.stop()
    seen = events()
    weighted = seen[seen["side"] == Side.WEIGHTED]
    held = (weighted["flags"] & WITH_COOKIES) > 0
    assert not (seen[seen["side"] != Side.WEIGHTED]["flags"]).any()
    assert set(weighted["client"][held]) <= {2, 3, 4, 5, 7, 8, 9, 10}  # of ten, the first and the sixth keep none
    assert len(set(weighted["client"][held])) >= 6
    sent = {a.headers.get("cookie") for a in service.of("weighted")}
    assert sent == {None, "AWSALBTG=left"}
    assert {a.headers.get("cookie") for a in service.of("cluster")} == {None}
