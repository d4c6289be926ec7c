"""The lab's outer parent: `python -m shiftproof.lab.keeper`. Makes the namespaces, and removes what a dead lab leaves.

It stays in the machine's own namespaces and only waits. Either end that is killed ends the other: the kernel kills
`unshare` with us, and the lab's init with `unshare`; when the init dies, we remove its (by then empty) cgroups and
end too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from shiftproof.lab import cgroups
from shiftproof.lab.procfs import INIT_MODULE


def unshare_command(python: str, progress: int) -> list[str]:
    """The words that start the lab's init in pid, mount, network and ipc namespaces of its own.

    ipc, because PostgreSQL's shared memory would otherwise stay behind in the machine's.
    """
    return [
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *("unshare", "--pid", "--mount", "--net", "--ipc", "--fork", "--kill-child=KILL", "--"),
        *(python, "-m", INIT_MODULE, "--progress", str(progress)),
    ]


def main(argv: Sequence[str]) -> int:
    """argv: the progress file descriptor; standard input (the lab's plan) goes on to the init."""
    progress = int(argv[0])
    # Ctrl-C and a closed terminal are for whoever started us; they end the lab by no longer reading its progress.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process = subprocess.Popen(unshare_command(sys.executable, progress), pass_fds=[progress], cwd="/")
    os.close(progress)
    code = process.wait()
    cgroups.remove()
    return code if code >= 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
