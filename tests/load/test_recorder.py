"""The record on disk is the event's dtype, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from shiftproof.load.answer import Answer
from shiftproof.load.recorder import LATE_NS, RECORD, SERVERS_MAX, FileSink, Recorder
from shiftproof.load.schedule import Slot
from shiftproof.model.event import EVENT_DTYPE, WITH_COOKIES, Failure, Side


def slot(index: int = 5, intended_ns: int = 1_000) -> Slot:
    return Slot(index, intended_ns, operation=2, account=0, amount=1, order=0.0, pick=0.0)


def recorder(folder: Path) -> Recorder:
    return Recorder(FileSink(folder / "events.bin", folder / "servers.txt"))


def test_a_record_is_an_event(tmp_path: Path) -> None:
    assert RECORD.size == EVENT_DTYPE.itemsize
    made = recorder(tmp_path)
    made.add(slot(), Side.WEIGHTED, 1, Answer(Failure.STATUS, 503, b"", "pod-1"), (2_000, 3_000), (9, WITH_COOKIES))
    assert (tmp_path / "events.bin").read_bytes() == b""
    made.flush()
    made.close()
    event = np.fromfile(tmp_path / "events.bin", dtype=EVENT_DTYPE)[0]
    got = {name: int(event[name]) for name in EVENT_DTYPE.names or () if name != "spare"}
    assert got == {
        "pair": 5,
        "status": 503,
        "side": Side.WEIGHTED,
        "operation": 1,
        "intended_ns": 1_000,
        "sent_ns": 2_000,
        "ended_ns": 3_000,
        "served_by": 1,
        "failure": Failure.STATUS,
        "client": 9,
        "flags": WITH_COOKIES,
    }
    assert not event["spare"].any()


def test_late_is_more_than_20_ms_after_the_intended_time(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    for sent_ns in (1_000, 1_000 + LATE_NS, 1_001 + LATE_NS):
        made.add(slot(), Side.LEGACY, 0, Answer(Failure.NONE, 200), (sent_ns, sent_ns))
    assert (made.recorded, made.late) == (3, 1)


def test_names_of_servers_are_on_disk_before_their_records_and_cannot_break_lines(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    for name in ("a", "b\nc", "a", "x" * 500):
        made.add(slot(), Side.LEGACY, 0, Answer(Failure.NONE, 200, b"", name), (2_000, 2_000))
    assert (tmp_path / "servers.txt").read_text().split("\n") == ["a", "bc", "x" * 120, ""]
    made.flush()
    assert np.fromfile(tmp_path / "events.bin", dtype=EVENT_DTYPE)["served_by"].tolist() == [1, 2, 1, 3]


def test_there_are_never_more_names_than_indices(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    for number in range(SERVERS_MAX + 5):
        made.add(slot(), Side.LEGACY, 0, Answer(Failure.NONE, 200, b"", str(number)), (2_000, 2_000))
    made.flush()
    indices = np.fromfile(tmp_path / "events.bin", dtype=EVENT_DTYPE)["served_by"]
    assert indices.max() == SERVERS_MAX
    assert indices[-5:].tolist() == [0] * 5


def test_a_full_disk_is_an_error_and_keeps_what_was_not_written(tmp_path: Path) -> None:
    made = Recorder(FileSink(Path("/dev/full"), tmp_path / "servers.txt"))
    made.add(slot(), Side.LEGACY, 0, Answer(Failure.NONE, 200), (2_000, 2_000))
    for _ in range(2):
        with pytest.raises(OSError, match=os.strerror(28)):
            made.flush()
