"""A node as a machine of its own: its mounts and its processes, which a loss of power takes away all at once.

Process 1 of its pid namespace only sleeps; killing it kills the kubelet, containerd, every shim and container in one
blow, and the machine's mounts go with the last of them. What a real machine keeps on its disk (images) stays in its
folder.
"""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from shiftproof.errors import LabError
from shiftproof.lab import cgroups, namespaces, procfs
from shiftproof.lab.network import LAB_DIR
from shiftproof.lab.supervisor import PartFailed, base_environment
from shiftproof.lab.waiting import NotInTime, until

# Takes tenths of a second; but a host that stood still for ten seconds is no machine that does not boot.
_ON_WITHIN_S = 60.0
_ON = "on"

# A kubelet sets these on its machine. Its node is not the machine: it finds them set already, on copies of the files.
KERNEL_SETTINGS: Mapping[str, str] = {
    "/proc/sys/vm/overcommit_memory": "1",
    "/proc/sys/vm/panic_on_oom": "0",
    "/proc/sys/kernel/panic": "10",
    "/proc/sys/kernel/panic_on_oops": "1",
    "/proc/sys/kernel/keys/root_maxkeys": "1000000",
    "/proc/sys/kernel/keys/root_maxbytes": "25000000",
}
BOOT_ID = "/proc/sys/kernel/random/boot_id"

# Some paths of a kubelet and of containerd's shims cannot be set (/var/lib/kubelet/device-plugins, /var/log/containers,
# /run/containerd/s), so each node gets its own of them. LAB_DIR lies below /run and is brought along.
_SET_UP = """
mount -n -t proc proc /proc
mount -n -t overlay overlay -o "lowerdir=/var/lib,upperdir=$DISK/upper,workdir=$DISK/work" /var/lib
mount -n -t tmpfs tmpfs /var/log
mount -n -t tmpfs -o mode=755 tmpfs "$DISK/run"
mkdir -p "$DISK$LAB" "$DISK/run/netns" "$DISK/run/lock"
mount -n --bind "$LAB" "$DISK$LAB"
mount -n --move "$DISK/run" /run
for file in "$DISK"/proc/*; do
    target=$(printf %s "${file##*/}" | tr : /)
    if [ -e "$target" ]; then mount -n --bind "$file" "$target"; fi
done
touch "$DISK/on"
exec env --ignore-signal=CHLD sleep infinity
"""


class Machine:
    """One node's mounts and processes; its network is namespaces.py's. Not safe for use by two threads at once."""

    def __init__(self, name: str, disk: Path | None = None) -> None:
        self.name = name
        self.disk = disk or LAB_DIR / "nodes" / name
        self._process: subprocess.Popen[bytes] | None = None
        self._init_pid: int | None = None

    def power_on(self) -> None:
        """Returns once its mounts are made. Raises PartFailed."""
        self._write_disk()
        log = self.disk / "machine.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *cgroups.entering(self.name, node=True),
                    *namespaces.inside(self.name),
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", _SET_UP),
                ],
                env={**base_environment(), "DISK": str(self.disk), "LAB": str(LAB_DIR)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        try:
            until(self._not_on, _ON_WITHIN_S)
        except NotInTime as error:
            raise PartFailed(self.name, str(error), log.read_text().splitlines()) from error
        self._init_pid = self._find_init()

    def power_off(self) -> None:
        """Kill everything on it at once. Returns when all of it is dead. Raises LabError when it does not die."""
        if self._process is None:
            return
        init = procfs.read_process(self._init_pid) if self._init_pid is not None else None
        if init is not None:
            # Its pid in our namespace. `unshare` waits for it, and it can be waited for once all others there are dead.
            os.kill(init.ns_pids[1], signal.SIGKILL)
        try:
            self._process.wait(timeout=_ON_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name} does not die within {_ON_WITHIN_S:g} s", hint="shiftproof lab down") from error
        self._process = self._init_pid = None

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def init_pid(self) -> int | None:
        """Pid of its process 1 as the machine outside sees it; None when it is off."""
        return self._init_pid if self.is_on else None

    def prefix(self) -> tuple[str, ...]:
        """Words to put before a command to run it there. Raises LabError when it is off."""
        if self.init_pid is None:
            raise LabError(f"{self.name} is off")
        into = ("nsenter", "-t", str(self.init_pid), "-m", "-n", "-p", "--")
        return (*cgroups.entering(self.name, node=True), *into)

    def path(self, inside: str) -> Path:
        """Where a path of its own file system can be read from outside of it."""
        if self.init_pid is None:
            raise LabError(f"{self.name} is off")
        return Path(f"/proc/{self.init_pid}/root") / inside.lstrip("/")

    def _write_disk(self) -> None:
        for folder in ("upper", "work", "run", "proc"):
            (self.disk / folder).mkdir(parents=True, exist_ok=True)
        (self.disk / _ON).unlink(missing_ok=True)
        # A new boot id each time: that is how Kubernetes learns that a node has rebooted.
        for path, value in {**KERNEL_SETTINGS, BOOT_ID: str(uuid.uuid4())}.items():
            (self.disk / "proc" / path.replace("/", ":")).write_text(value + "\n")

    def _not_on(self) -> str | None:
        if self._process is None or self._process.poll() is not None:
            log = (self.disk / "machine.log").read_text().splitlines()
            raise PartFailed(self.name, "its mounts could not be made", log[-5:])
        return None if (self.disk / _ON).exists() else "its mounts are not made yet"

    def _find_init(self) -> int:
        assert self._process is not None
        found = procfs.children(procfs.outer_pid(self._process.pid))
        if len(found) != 1:
            raise PartFailed(self.name, f"its process 1 was not found among {found}")
        return found[0]
