"""Priority is given back by a load that runs wild."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
import os, time
from shiftproof.load.priority import ask_for_priority
ask_for_priority()
begun = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
while os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK != os.SCHED_OTHER and time.process_time() < 3.5:
    pass
print(begun, os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
"""


def test_a_core_is_not_kept_for_long() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    begun, ended = map(int, done.stdout.split())
    assert begun in (os.SCHED_RR, os.SCHED_OTHER)  # the second where real-time scheduling is not allowed
    assert ended == os.SCHED_OTHER
