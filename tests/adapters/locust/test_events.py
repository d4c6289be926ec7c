"""Events on disk: what is written comes back, and what no load writes is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shiftproof.adapters.customers import outages_of
from shiftproof.adapters.locust import EventTable, read_events, read_parquet, read_servers, write_parquet
from shiftproof.adapters.locust.events import Tail
from shiftproof.errors import LoadError
from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side, no_events

START_NS = 1_700_000_000_000_000_000
OPERATIONS = ("create", "read")
SERVERS = ("", "legacy-1", "payments-7d4")

outcomes = st.tuples(
    st.sampled_from(list(Failure)),
    st.integers(100, 599),
    st.integers(0, len(OPERATIONS) - 1),
    st.integers(0, len(SERVERS) - 1),
    st.integers(0, 10**9),
    st.integers(0, 3 * 10**9),
)


@st.composite
def event_arrays(draw: st.DrawFn) -> Events:
    """Plausible events of pairs, in any order."""
    rows = draw(st.lists(st.tuples(outcomes, outcomes), max_size=30))
    events = np.zeros(2 * len(rows), dtype=EVENT_DTYPE)
    for pair, outcome in enumerate(rows):
        for side, (failure, status, operation, server, late, took) in zip(
            (Side.LEGACY, Side.CLUSTER), outcome, strict=True
        ):
            intended = START_NS + pair * 6_666_667
            sent = intended + late
            times = (intended, sent, sent + took)
            events[2 * pair + side] = (
                pair,
                status,
                side,
                operation,
                *times,
                server,
                failure,
                late % 2,
                took % 9,
                (0, 0),
            )
    return events[draw(st.permutations(range(len(events))))] if len(events) else events


quiet = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quiet
@given(events=event_arrays())
def test_a_round_trip_through_parquet_changes_nothing(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "events.parquet"
    write_parquet(path, EventTable(events, OPERATIONS, SERVERS))
    back = read_parquet(path)
    assert np.array_equal(back.events, events)
    assert back.operations == OPERATIONS
    assert back.servers == SERVERS


@quiet
@given(events=event_arrays())
def test_a_round_trip_through_the_binary_file_only_sorts(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "events.bin"
    path.write_bytes(events.tobytes())
    back = read_events(path, operations=len(OPERATIONS), servers=len(SERVERS))
    assert (np.diff(back["intended_ns"]) >= 0).all()
    assert sorted(row.tobytes() for row in back) == sorted(row.tobytes() for row in events)


@quiet
@given(events=event_arrays(), cuts=st.lists(st.integers(0, 3_000), max_size=20))
def test_a_tail_never_gives_half_a_record_and_loses_none(tmp_path: Path, events: Events, cuts: list[int]) -> None:
    path, data = tmp_path / "growing.bin", events.tobytes()
    path.write_bytes(b"")
    tail = Tail(path)
    parts = []
    for cut in [*sorted(cuts), len(data)]:
        path.write_bytes(data[:cut])
        parts.append(tail.new())
    assert np.array_equal(np.concatenate(parts), events)


def good(count: int = 4) -> Events:
    events = np.zeros(count, dtype=EVENT_DTYPE)
    events["pair"] = np.arange(count) // 2
    events["side"] = np.arange(count) % 2
    events["status"] = 200
    events["intended_ns"] = START_NS + events["pair"].astype(np.int64) * 10_000_000
    events["sent_ns"] = events["intended_ns"] + 1_000
    events["ended_ns"] = events["sent_ns"] + 50_000_000
    return events


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("side", 9, "a side that does not exist"),
        ("failure", 99, "a failure that does not exist"),
        ("operation", 2, "an operation that does not exist"),
        ("served_by", 3, "a server without a name"),
        ("intended_ns", 5, "a time before 2020"),
        ("sent_ns", START_NS - 1, "sent before its time"),
        ("ended_ns", START_NS, "ended before it was sent"),
        ("status", 0, "a success without a status"),
        ("spare", 1, "bytes where none belong"),
        ("side", 0, "the same pair and side twice"),
        ("pair", 7, "a later pair with an earlier intended time"),
    ],
)
def test_what_no_load_writes_is_refused(tmp_path: Path, column: str, value: int, said: str) -> None:
    events = good()
    events[column][1] = value
    path = tmp_path / "events.bin"
    path.write_bytes(events.tobytes())
    with pytest.raises(LoadError, match=said):
        read_events(path, operations=len(OPERATIONS), servers=len(SERVERS))


def test_sides_of_one_pair_share_their_time(tmp_path: Path) -> None:
    events = good()
    for column in ("intended_ns", "sent_ns", "ended_ns"):
        events[column][1] += 1
    path = tmp_path / "events.bin"
    path.write_bytes(events.tobytes())
    with pytest.raises(LoadError, match="different intended times"):
        read_events(path, operations=len(OPERATIONS), servers=len(SERVERS))


@pytest.mark.parametrize("missing", [1, 20, 39])
def test_a_file_cut_short_is_refused(tmp_path: Path, missing: int) -> None:
    path = tmp_path / "events.bin"
    path.write_bytes(good().tobytes()[:-missing])
    with pytest.raises(LoadError, match="cut short"):
        read_events(path, operations=2, servers=3)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="cannot be read"):
        read_events(tmp_path / "none.bin", operations=1, servers=1)
    assert len(Tail(tmp_path / "none.bin").new()) == 0


def test_parquet_opens_for_everybody_with_names(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    events = good()
    events["failure"][1], events["served_by"] = Failure.RESET, 2
    write_parquet(path, EventTable(events, OPERATIONS, SERVERS))
    rows = pq.read_table(path).to_pylist()
    assert rows[1]["side"] == "cluster"
    assert rows[1]["failure"] == "reset"
    assert rows[1]["served_by"] == "payments-7d4"
    assert rows[1]["operation"] == "create"
    assert rows[1]["intended_ns"] == START_NS
    assert not list(tmp_path.glob("*.partial"))


def test_what_is_no_file_of_events_is_refused(tmp_path: Path) -> None:
    (tmp_path / "not.parquet").write_bytes(b"no parquet")
    with pytest.raises(LoadError, match="no file of events"):
        read_parquet(tmp_path / "not.parquet")


def test_a_disk_that_takes_no_more_is_a_load_error(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="cannot be written"):
        write_parquet(tmp_path / "no-such-folder" / "events.parquet", EventTable(good(), OPERATIONS, SERVERS))


def test_half_a_name_is_no_server(tmp_path: Path) -> None:
    path = tmp_path / "servers.txt"
    assert read_servers(path) == ("",)
    path.write_text("legacy-1\npayments-7d")
    assert read_servers(path) == ("", "legacy-1")


def customers(*failed_at_ms: int, every_ms: int = 100, count: int = 100) -> Events:
    events = np.zeros(count, dtype=EVENT_DTYPE)
    events["side"], events["pair"] = Side.CUSTOMER, np.arange(count)
    events["intended_ns"] = START_NS + np.arange(count) * every_ms * 1_000_000
    events["ended_ns"] = events["intended_ns"] + 10_000_000
    events["failure"] = np.isin(np.arange(count) * every_ms, failed_at_ms) * int(Failure.RESET)
    return events


def test_failures_less_than_a_second_apart_are_one_outage() -> None:
    ms = 1_000_000
    assert outages_of(no_events()) == ()
    assert outages_of(customers()) == ()
    assert outages_of(customers(500)) == ((START_NS + 500 * ms, START_NS + 510 * ms, 1),)
    assert outages_of(customers(500, 600, 1500, 2600)) == (
        (START_NS + 500 * ms, START_NS + 1510 * ms, 3),
        (START_NS + 2600 * ms, START_NS + 2610 * ms, 1),
    )


def test_a_long_time_out_holds_an_outage_together() -> None:
    events = customers(500, 3000)
    events["ended_ns"][5] += 2_000_000_000
    assert [lost for _, _, lost in outages_of(events)] == [2]
