"""How many pairs a second the load holds, and how late it is: `python benchmarks/load.py [--url URL] [--triples]`.

Without --url it loads a small server of its own, so that what is measured is the load and little else. With the URL of
the lab's load balancer it runs inside the lab (`shiftproof lab exec`). Aim: at least 150 pairs/s with fewer than 1% of
sends later than 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from shiftproof.adapters.locust import LocustLoad, plan_for, read_events
from shiftproof.model.event import Failure, Side
from shiftproof.model.platform import Platform
from shiftproof.ports import LoadPlan

PLATFORM = Path(__file__).parent.parent / "infra" / "platform.yaml"
PARTNER_S = 0.05  # the tiny server answers after this long, as payments does
RATES = (100, 150, 200, 250)


@dataclass(frozen=True, slots=True)
class Row:
    """One rate of the sweep. Times in milliseconds, late as a share of requests sent later than 20 ms."""

    pairs_per_s: float
    requests: int
    failed: dict[str, int]
    late_pct: float
    lateness_p50_ms: float
    lateness_p99_ms: float
    lateness_max_ms: float
    latency_p99_ms: dict[str, float]
    cpu_us_per_request: float
    rss_mib: float
    problem: str | None


class TinyServer(asyncio.Protocol):
    """Answers like payments, at next to no cost, and keeps its connections."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        post = data.startswith(b"POST")
        fields = {"id": "p1", "account": "a", "amount": "1.00", "currency": "EUR", "status": "accepted"}
        body = json.dumps(fields).encode()
        status = b"201 Created" if post else b"200 OK"
        head = b"HTTP/1.1 " + status + b"\r\nx-served-by: tiny\r\ncontent-length: " + str(len(body)).encode()
        asyncio.get_running_loop().call_later(PARTNER_S, self._answer, head + b"\r\n\r\n" + body)

    def _answer(self, answer: bytes) -> None:
        if isinstance(self._transport, asyncio.Transport) and not self._transport.is_closing():
            self._transport.write(answer)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(TinyServer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def tiny_server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def plan(url: str, rate: float) -> LoadPlan:
    service = Platform.model_validate(yaml.safe_load(PLATFORM.read_text(encoding="utf-8"))).services[0]
    load = service.load.model_copy(update={"pairs_per_s": rate})
    anchor_ns = time.time_ns() - time.monotonic_ns()
    changed = service.model_copy(update={"load": load})
    return plan_for(changed, url, seed=1, anchor_ns=anchor_ns, max_seconds=600)


def measure(url: str, rate: float, seconds: float, *, triples: bool, run_dir: Path) -> Row:
    name = f"rate-{rate:g}"
    running = LocustLoad().start(plan(url, rate), run_dir, name)
    try:
        running.triples(triples)
        time.sleep(seconds)
    finally:
        report = running.stop()
    own = json.loads((run_dir / f"load-{name}.json").read_text(encoding="utf-8"))
    events = read_events(running.events_path, operations=255, servers=65_536)
    late_ms = (events["sent_ns"] - events["intended_ns"]) / 1e6
    good = events[events["failure"] == Failure.NONE]
    latency = {side.name.lower(): (good["ended_ns"] - good["intended_ns"])[good["side"] == side] / 1e6 for side in Side}
    return Row(
        pairs_per_s=rate,
        requests=len(events),
        failed={kind.name.lower(): int(n) for kind in Failure if kind and (n := (events["failure"] == kind).sum())},
        late_pct=100 * report.late / len(events),
        lateness_p50_ms=float(np.percentile(late_ms, 50)),
        lateness_p99_ms=float(np.percentile(late_ms, 99)),
        lateness_max_ms=float(late_ms.max()),
        latency_p99_ms={side: float(np.percentile(ms, 99)) for side, ms in latency.items() if len(ms)},
        cpu_us_per_request=1e6 * own["loop_cpu_s"] / len(events),
        rss_mib=own["max_rss_kib"] / 1024,
        problem=report.problem,
    )


def machine() -> dict[str, Any]:
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "?",
    )
    versions = {name: version(name) for name in ("locust", "gevent", "geventhttpclient")}
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **versions,
    }


def show(row: Row) -> str:
    latency = " ".join(f"{side} {ms:.0f}" for side, ms in row.latency_p99_ms.items())
    return (
        f"{row.pairs_per_s:6.0f} pairs/s {row.requests:7d} requests  failed {row.failed or 0}  "
        f"late {row.late_pct:.2f}%  "
        f"lateness p50 {row.lateness_p50_ms:.2f} p99 {row.lateness_p99_ms:.1f} max {row.lateness_max_ms:.0f} ms  "
        f"latency p99 {latency} ms  {row.cpu_us_per_request:.0f} us CPU a request  {row.rss_mib:.0f} MiB"
        + (f"  PROBLEM {row.problem}" if row.problem else "")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="what to load; default: a small server of its own")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="pairs a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--triples", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(_serve())
        return
    print(json.dumps(machine()))
    with tempfile.TemporaryDirectory() as folder, tiny_server() as own_url:
        for rate in given.rates:
            row = measure(given.url or own_url, rate, given.seconds, triples=given.triples, run_dir=Path(folder))
            print(show(row), flush=True)


if __name__ == "__main__":
    main()
