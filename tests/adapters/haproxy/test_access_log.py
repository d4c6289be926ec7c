"""Lines of the load balancer's log as records, and their causes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shiftproof.adapters.haproxy import HaproxyAccessLog
from shiftproof.adapters.haproxy.access_log import cause, parse_line
from shiftproof.errors import MeasureError
from shiftproof.model.event import Side
from shiftproof.model.history import LbRecord


def line(identity: str, t_us: int = 1_000, **other: Any) -> str:
    fields: dict[str, Any] = {
        "t_us": t_us,
        "id": identity,
        "rehearsal": "cluster",
        "method": "GET",
        "path": "/payments",
        "backend": "payments-cluster",
        "target": "198.18.1.7:8080",
        "status": 502,
        "end": "SH",
    }
    return json.dumps(fields | other, separators=(",", ":")) + "\n"


@pytest.mark.parametrize(
    ("end", "target", "expected"),
    [
        ("SC", "198.18.1.7:8080", "connect-refused"),
        ("SC", "", "no-target"),
        ("sC", "198.18.1.7:8080", "connect-timeout"),
        ("SH", "198.18.1.7:8080", "reset-by-target"),
        ("SD", "198.18.1.7:8080", "reset-by-target"),
        ("SL", "198.18.1.7:8080", "reset-by-target"),
        ("sH", "198.18.1.7:8080", "target-timeout"),
        ("sD", "198.18.1.7:8080", "target-timeout"),
        ("CH", "198.18.1.7:8080", "client-abort"),
        ("cD", "198.18.1.7:8080", "client-abort"),
        ("CR", "", "client-abort"),
        ("--", "198.18.1.7:8080", "target-status"),
        ("KD", "198.18.1.7:8080", "other"),
        ("PH", "198.18.1.7:8080", "other"),
    ],
)
def test_cause(end: str, target: str, expected: str) -> None:
    assert cause(end, target) == expected


def test_line_becomes_a_record() -> None:
    found = parse_line(line("17-1", t_us=1_795_395_228_603_897).encode())
    assert found == LbRecord(1_795_395_228_603_897_000, 17, Side.CLUSTER, "198.18.1.7:8080", 502, "reset-by-target")


def test_only_the_requests_asked_for_and_only_since_then(tmp_path: Path) -> None:
    (tmp_path / "access.log.1").write_text(line("1-1", t_us=10) + line("7-1", t_us=2_000))
    (tmp_path / "access.log").write_text(
        line("-")
        + line("7-0", t_us=4_000)
        + line("7-1", t_us=3_000, target="-:-", status=503, end="SC")
        + '{"t_us":5,"id":"7-1'
    )
    found = HaproxyAccessLog(tmp_path / "access.log").failed(["1-1", "7-1"], since_ns=1_000_000)
    assert [(record.t_ns, record.target, record.cause) for record in found] == [
        (2_000_000, "198.18.1.7:8080", "reset-by-target"),
        (3_000_000, "", "no-target"),
    ]


def test_log_that_is_not_there_is_said(tmp_path: Path) -> None:
    log = HaproxyAccessLog(tmp_path / "access.log")
    assert log.failed([], since_ns=0) == ()
    with pytest.raises(MeasureError, match="cannot be read"):
        log.failed(["1-1"], since_ns=0)


def test_broken_line_of_a_request_asked_for_is_said(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text('{"t_us":5,"id":"7-1","target":\n')
    with pytest.raises(MeasureError, match="cannot be understood"):
        HaproxyAccessLog(tmp_path / "access.log").failed(["7-1"], since_ns=0)
