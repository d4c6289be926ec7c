"""How long a warm `lab up` takes, and how much memory the lab takes. Run: python -m benchmarks.lab_up

It starts and ends the lab `--times` times, so none may be up. Aim: 25 s, at most 45 s, on 2 cores; 6 GiB with load.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shiftproof.lab.enter import find_lab
from shiftproof.lab.memory import memory
from shiftproof.lab.setup import program

PROGRAM = (sys.executable, "-c", "from shiftproof.cli import main; main()", "lab")
AIM_S, LIMIT_S = 25.0, 45.0


@dataclass(frozen=True, slots=True)
class Start:
    """One start: wall-clock seconds of the whole command, of each part, and bytes of memory right after it."""

    seconds: float
    parts_s: Mapping[str, float]
    memory: Mapping[str, int]


def start() -> Start:
    begin_s = time.monotonic()
    done = subprocess.run([*PROGRAM, "up", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    took_s = time.monotonic() - begin_s
    lab = find_lab()
    assert lab is not None
    return Start(took_s, json.loads(done.stdout)["parts_s"], memory(lab.init, lab.root))


def machine() -> str:
    total_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} cores, {total_gib:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"
    )


def versions() -> str:
    commands = ([str(program("kubelet")), "--version"], ["containerd", "--version"], ["haproxy", "-v"])
    lines = [
        subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[0] for words in commands
    ]
    return "; ".join(lines)


def report(starts: Sequence[Start]) -> None:
    seconds = [one.seconds for one in starts]
    print(f"machine   {machine()}, load average {os.getloadavg()[0]:.1f}")
    print(f"versions  {versions()}")
    print(f"lab up    {', '.join(f'{value:.1f}' for value in seconds)} s; median {statistics.median(seconds):.1f} s")
    print(f"          aim {AIM_S:.0f} s, limit {LIMIT_S:.0f} s: {'held' if max(seconds) <= LIMIT_S else 'NOT HELD'}")
    mib = {name: statistics.median(one.memory[name] for one in starts) / 2**20 for name in starts[0].memory}
    print(f"memory    {mib['total']:,.0f} MiB: processes {mib['pss']:,.0f}, tmpfs {mib['tmpfs']:,.0f}")
    for name in sorted(starts[0].parts_s, key=lambda part: -starts[0].parts_s[part]):
        print(f"  {name:<24}{statistics.median(one.parts_s[name] for one in starts):6.1f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    if find_lab() is not None:
        print("a lab is up: end it first (shiftproof lab down)", file=sys.stderr)
        return 3
    starts = []
    for _ in range(arguments.times):
        try:
            starts.append(start())
        finally:
            subprocess.run([*PROGRAM, "down"], stdout=subprocess.DEVNULL, check=True)
    report(starts)
    return 0 if max(one.seconds for one in starts) <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
