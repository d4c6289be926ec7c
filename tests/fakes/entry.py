"""A load balancer and both sides in one process of its own, so that nothing a test does can slow it.

python -m fakes.entry      # says its URL; then takes the cluster's share of weighted requests, a number a line
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from zlib import crc32

from fakes.load_target import Arrival, serving
from fakes.probe_target import ProbeTarget


@dataclass
class Both(ProbeTarget):
    """Weighted requests go by the share that was told."""

    cluster_pct: int = 0

    def server_of(self, arrival: Arrival) -> str:
        if arrival.side == "weighted":
            drawn = crc32(arrival.headers["x-shiftproof-id"].encode()) % 100
            return "cluster-1" if drawn < self.cluster_pct else "legacy-1"
        return f"{arrival.side}-1"


class Entry:
    """Seen from a test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lock = threading.Lock()
        self.url = self._line()

    def send_to_cluster(self, pct: int) -> None:
        """Returns once it holds."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(f"{pct}\n")
            self._process.stdin.flush()
            assert self._line() == str(pct)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def entry() -> Iterator[Entry]:
    """Up, and ended at the end."""
    command = [sys.executable, "-c", f"import sys; sys.path = {sys.path!r}; from fakes.entry import main; main()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Entry(process)
        finally:
            process.kill()


def main() -> None:
    with serving(Both()) as both:
        assert isinstance(both, Both)
        print(both.url, flush=True)
        for line in sys.stdin:
            both.cluster_pct = int(line)
            print(both.cluster_pct, flush=True)
