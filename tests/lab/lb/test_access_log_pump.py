"""The access log's way from HAProxy's pipe into a file of bounded size."""

from __future__ import annotations

import os
from pathlib import Path

from fakes.balancer import eventually

from shiftproof.lab.lb.access_log import AccessLogPump


def test_lines_of_requests_arrive_and_others_do_not(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    pump = AccessLogPump(log)
    pump.start()
    os.write(pump.write_fd, b'{"id":"1-0"}\nProxy entry stopped.\n{"id":"2-0"}\n')
    pump.stop()
    assert log.read_text() == '{"id":"1-0"}\n{"id":"2-0"}\n'


def test_file_is_bounded_and_no_line_is_lost_between_the_two(tmp_path: Path) -> None:
    log, older = tmp_path / "access.log", tmp_path / "access.log.1"
    pump = AccessLogPump(log, limit_bytes=20)
    pump.start()
    os.write(pump.write_fd, b'{"id":"1-0"}\n{"id":"1-1"}\n')
    eventually(older.exists, "the first file put aside")
    os.write(pump.write_fd, b'{"id":"2-0"}\n')
    pump.stop()
    assert older.read_text() == '{"id":"1-0"}\n{"id":"1-1"}\n'
    assert log.read_text() == '{"id":"2-0"}\n'
