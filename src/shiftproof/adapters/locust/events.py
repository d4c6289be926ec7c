"""Events: the child's binary records, checked and brought into order; and Parquet, which DuckDB and pandas open."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shiftproof.errors import LoadError
from shiftproof.model.event import EVENT_DTYPE, EXTRA, WITH_COOKIES, Events, Failure, Side, no_events

_NAMES_KEY = b"shiftproof"  # of the file's metadata: names by index, so that a round trip keeps every index
_TIMES = ("intended_ns", "sent_ns", "ended_ns")
_LATER = ("flags", "client")  # columns that older files do not have: 0


class EventTable(NamedTuple):
    """Events with the names of what they index."""

    events: Events
    operations: tuple[str, ...]
    servers: tuple[str, ...]


class Tail:
    """Reads a file of records that somebody is still writing; never half a record."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Events:
        """Records since the last call, in the order written. A file that is not there yet has none.

        Raises LoadError when it lost what was read before: what comes next would be read at the wrong place.
        """
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size < self._offset:
                    raise LoadError(
                        f"the events of the load were cut short: {self._path.name} is {size} bytes long now"
                    )
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            if self._offset:
                raise LoadError(f"the events of the load are gone: {self._path.name}") from None
            return no_events()
        whole = len(data) - len(data) % EVENT_DTYPE.itemsize
        self._offset += whole
        return np.frombuffer(data[:whole], dtype=EVENT_DTYPE).copy()


def read_servers(path: Path) -> tuple[str, ...]:
    """Names by the index `served_by`; index 0 is unknown. Half a line at the end is not yet a name."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ("",)
    return ("", *text.split("\n")[:-1])


def read_events(path: Path, *, operations: int, servers: int) -> Events:
    """All records of a finished load, by intended time.

    operations, servers: how many names there are to index. Raises LoadError when the file is missing, cut short, or
    holds what no load of ours writes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadError(f"the events of the load cannot be read: {path}: {error.strerror}") from error
    extra = len(data) % EVENT_DTYPE.itemsize
    if extra:
        raise LoadError(f"the events of the load are cut short: {path.name} ends with {extra} bytes of a record")
    events = np.frombuffer(data, dtype=EVENT_DTYPE)
    problem = implausible(events, operations=operations, servers=servers)
    if problem is not None:
        raise LoadError(f"the events of the load are damaged: {path.name}: {problem}")
    return events[np.argsort(events["intended_ns"], kind="stable")]


def implausible(events: Events, *, operations: int, servers: int) -> str | None:
    """Why these cannot be the records of a load, in any order; None when they can."""
    if len(events) == 0:
        return None
    checks = (
        ("a side that does not exist", events["side"] > max(Side)),
        ("a failure that does not exist", events["failure"] > max(Failure)),
        ("an operation that does not exist", events["operation"] >= operations),
        ("a server without a name", events["served_by"] >= servers),
        ("a time before 2020", events["intended_ns"] < 1_577_836_800_000_000_000),
        ("a request sent before its time", events["sent_ns"] < events["intended_ns"]),
        ("a request that ended before it was sent", events["ended_ns"] < events["sent_ns"]),
        ("a success without a status", (events["failure"] == Failure.NONE) & (events["status"] == 0)),
        ("a flag that does not exist", events["flags"] > WITH_COOKIES),
        ("bytes where none belong", events["spare"].any(axis=1)),
    )
    for what, wrong in checks:
        if wrong.any():
            return f"record {int(wrong.argmax())} of {len(events)} has {what}"
    return _out_of_step(events)


def _out_of_step(events: Events) -> str | None:
    """Pairs, and the extra requests of a side, are numbered each for themselves."""
    extra = np.isin(events["side"], list(EXTRA.values()))
    groups = (events[~extra], *(events[events["side"] == side] for side in EXTRA.values()))
    return next((problem for group in groups if (problem := _disordered(group))), None)


def _disordered(events: Events) -> str | None:
    """A pair has one intended time, pairs follow each other in time, and each side has one record of each."""
    identity = events["pair"].astype(np.int64) * len(Side) + events["side"]
    order = np.argsort(identity, kind="stable")
    if (np.diff(identity[order]) == 0).any():
        return "the same pair and side twice"
    pairs, intended = np.diff(events["pair"][order].astype(np.int64)), np.diff(events["intended_ns"][order])
    if ((pairs == 0) & (intended != 0)).any():
        return "sides of one pair with different intended times"
    if ((pairs > 0) & (intended < 0)).any():
        return "a later pair with an earlier intended time"
    return None


def write_parquet(path: Path, table: EventTable) -> None:
    """Write all of it or nothing. Names are dictionary columns, times are int64 nanoseconds since the epoch.

    Raises LoadError when the disk does not take it.
    """
    events = table.events
    columns = {
        "pair": pa.array(events["pair"]),
        "side": _named(events["side"], [side.name.lower() for side in Side]),
        "operation": _named(events["operation"], table.operations),
        **{name: pa.array(events[name]) for name in _TIMES},
        "status": pa.array(events["status"]),
        "failure": _named(events["failure"], [failure.name.lower() for failure in Failure]),
        "served_by": _named(events["served_by"], table.servers),
        **{name: pa.array(events[name]) for name in _LATER},
    }
    names = json.dumps({"operations": table.operations, "servers": table.servers}).encode()
    partial = path.with_suffix(path.suffix + ".partial")
    try:
        pq.write_table(pa.table(columns).replace_schema_metadata({_NAMES_KEY: names}), partial, compression="zstd")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise LoadError(f"the events cannot be written to {path}: {error}", hint="make room on that disk") from error


def read_parquet(path: Path) -> EventTable:
    """What write_parquet wrote, index for index. Raises LoadError when it is no such file."""
    try:
        table = pq.read_table(path)
        names = json.loads((table.schema.metadata or {})[_NAMES_KEY])
        operations, servers = tuple(names["operations"]), tuple(names["servers"])
        events = np.zeros(table.num_rows, dtype=EVENT_DTYPE)
        for name in ("pair", "status", *_TIMES):
            events[name] = table.column(name).to_numpy()
        for name in set(_LATER) & set(table.column_names):
            events[name] = table.column(name).to_numpy()
        events["side"] = _indices(table, "side", [side.name.lower() for side in Side])
        events["failure"] = _indices(table, "failure", [failure.name.lower() for failure in Failure])
        events["operation"] = _indices(table, "operation", operations)
        events["served_by"] = _indices(table, "served_by", servers)
    except (OSError, KeyError, ValueError, pa.ArrowInvalid) as error:
        raise LoadError(f"{path} is no file of events: {error}") from error
    return EventTable(events, operations, servers)


def _named(indices: Events, names: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), pa.array(list(names), pa.string()))


def _indices(table: pa.Table, column: str, names: Sequence[str]) -> Events:
    """Indices into `names`, whatever order the file's own dictionaries are in."""
    index_of = {name: index for index, name in enumerate(names)}
    combined = table.column(column).combine_chunks()
    values = combined.dictionary.to_pylist()
    own = np.array([index_of[value] for value in values], dtype=np.int64)
    return own[combined.indices.to_numpy()] if len(own) else np.empty(0, dtype=np.int64)
