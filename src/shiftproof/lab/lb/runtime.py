"""HAProxy's runtime API over its unix socket: the commands that the reconciler needs, and their answers as values."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shiftproof.errors import LabError
from shiftproof.lab.lb.desired import Address

TIMEOUT_S = 5.0
_STAT_COLUMNS = ("svname", "status", "check_status", "check_code", "check_health")


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server as `show stat` gives it. passed: checks passed in a row; check: the last one's result, e.g. L7OK."""

    status: str
    check: str
    check_code: str
    passed: int

    @property
    def up(self) -> bool:
        return self.status.startswith("UP")


class Runtime:
    """One connection a call: HAProxy closes it after the answer. Raises LabError when it does not answer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def run(self, command: str) -> str:
        """Send one command line (several with `;`, or one with a payload) and return all that comes back."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
                channel.settimeout(TIMEOUT_S)
                channel.connect(str(self._path))
                channel.sendall(command.encode() + b"\n")
                chunks = []
                while chunk := channel.recv(65536):
                    chunks.append(chunk)
        except OSError as error:
            raise LabError(f"HAProxy does not answer on {self._path}: {error}") from error
        return b"".join(chunks).decode()

    def pid(self) -> int:
        """Of the process that answers now."""
        for line in self.run("show info").splitlines():
            if line.startswith("Pid:"):
                return int(line.split(":", 1)[1])
        raise LabError(f"HAProxy's answer on {self._path} names no process")

    def fill(self, place: str, address: Address) -> None:
        """Give a place in maintenance to a new target, with its health unknown: it takes nothing until checks say so.

        A server that leaves maintenance counts as healthy at once; so it leaves it into drain, is declared down there,
        and only then stands ready. Its checks run from then on.
        """
        self._quiet(f"set server {place} addr {address.ip} port {address.port}")
        self.restart(place)

    def restart(self, place: str) -> None:
        """Forget the health of a place, as for a target that registers again. Its requests in flight go on."""
        self._quiet(
            f"set server {place} state drain",
            f"set server {place} health down",
            f"set server {place} state ready",
        )

    def declare_up(self, place: str) -> None:
        """A new target needs one passed check, and not the threshold of one that recovers."""
        self._quiet(f"set server {place} health up")

    def open(self, place: str, address: Address) -> None:
        """Fill a place that has no checks; it takes requests at once."""
        self._quiet(f"set server {place} addr {address.ip} port {address.port}", f"set server {place} state ready")

    def drain(self, place: str) -> None:
        self._quiet(f"set server {place} state drain")

    def close(self, place: str) -> None:
        """Into maintenance; what is still in flight is cut, as at the end of a deregistration delay."""
        self._quiet(f"set server {place} state maint", f"shutdown sessions server {place}")

    def replace_map(self, path: Path, entries: Sequence[tuple[str, str]]) -> None:
        """All entries of a map in one step: no request sees half of the old and half of the new."""
        answer = self.run(f"prepare map {path}")
        version = answer.strip().rpartition(":")[2].strip()
        if not version.isdigit():
            raise LabError(f"HAProxy would not prepare the map {path}: {answer.strip()}")
        lines = [f"{key} {value}" for key, value in entries]
        for chunk in _chunks(lines, size=300):
            payload = "\n".join(chunk)
            self._quiet(f"add map @{version} {path} <<\n{payload}\n")
        self._quiet(f"commit map @{version} {path}")

    def servers(self, backend: str) -> dict[str, ServerStatus]:
        """The servers of a backend by name. Split by hand: it is asked several times a second, and csv is slow."""
        head, *rows = self.run(f"show stat {backend} 4 -1").rstrip().split("\n")
        columns = head.lstrip("# ").split(",")
        if "svname" not in columns:
            raise LabError(f"HAProxy knows no backend {backend}: {head}")
        name, status, check, code, passed = (columns.index(column) for column in _STAT_COLUMNS)
        return {
            cells[name]: ServerStatus(cells[status], cells[check].lstrip("* "), cells[code], int(cells[passed] or 0))
            for cells in (row.split(",") for row in rows)
        }

    def save_state(self, path: Path) -> None:
        """For the next process: it starts with these addresses and this health."""
        path.write_text(self.run("show servers state"), encoding="utf-8")

    def _quiet(self, *commands: str) -> None:
        """Commands that say nothing when they succeed, or only what changed."""
        for command in commands:
            answer = self.run(command).strip()
            if answer and not answer.startswith(("IP changed", "port changed", "no need to change", "nothing changed")):
                first = command.splitlines()[0]
                raise LabError(f"HAProxy refused {first!r}: {answer}")


def _chunks(lines: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    """HAProxy reads a command and its payload into one buffer of 16 KiB."""
    for start in range(0, len(lines), size):
        yield lines[start : start + size]
