"""The cache: entries that are either wholly there or not there at all.

An entry is a folder `<cache>/<shelf>/<name>-<key>`, made next to its final place and renamed into it once every byte
is on disk. A manifest of sizes goes in last, so an entry that lost a file, or a file's end, is not taken as ready. One
lock an entry: of two set-ups at once the second waits and then finds the work done. A folder left by a killed set-up
is swept by the next.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shiftproof.errors import SetupError

MANIFEST = "manifest.json"
_PARTIAL = ".partial-"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the cache. `shelf` is its kind (tools, images), `key` the hash of all that it is made from."""

    root: Path
    shelf: str
    name: str
    key: str

    @property
    def path(self) -> Path:
        return self.root / self.shelf / f"{self.name}-{self.key}"


def key_of(*parts: bytes) -> str:
    """12 hexadecimal digits that change when any part does; each is preceded by its length, so that none can blend."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:12]


def is_ready(entry: Entry) -> bool:
    """True when the manifest is there and every file it lists has the size it had when it was made."""
    try:
        sizes = json.loads((entry.path / MANIFEST).read_text(encoding="utf-8"))
        return all((entry.path / name).lstat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def make(entry: Entry, fill: Callable[[Path], None], *, keep: int | None = None) -> Path:
    """Make the entry unless it is ready: `fill` gets an empty folder. Returns the entry's final folder.

    With `keep`, only that many of the newest entries of the same name stay once a new one was made.

    Raises SetupError with one line when the disk is full or the cache cannot be written.
    """
    try:
        with lock(entry.root, f"{entry.shelf}-{entry.name}"):
            if not is_ready(entry):
                _make_locked(entry, fill)
                _drop_oldest(entry, keep)
    except OSError as error:
        raise storage_error(error, entry.root) from error
    return entry.path


def _make_locked(entry: Entry, fill: Callable[[Path], None]) -> None:
    shelf = entry.path.parent
    shelf.mkdir(parents=True, exist_ok=True)
    for left_over in shelf.glob(f"{_PARTIAL}{entry.name}-*"):
        _remove(left_over)
    # A new name each time: a builder that outlived its killed parent must not write into ours.
    partial = Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{entry.name}-", dir=shelf))
    partial.chmod(0o755)
    try:
        fill(partial)
        _seal(partial)
        if entry.path.exists():
            _remove(entry.path)
        partial.rename(entry.path)
        _sync(shelf)
    finally:
        _remove(partial)


def _drop_oldest(entry: Entry, keep: int | None) -> None:
    if keep is None:
        return
    shelf = entry.path.parent
    same_name = [path for path in shelf.glob(f"{entry.name}-*") if len(path.name) == len(entry.path.name)]
    newest_first = sorted(same_name, key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[keep:]:
        _remove(path)


def _seal(folder: Path) -> None:
    """Write the manifest once all contents are on disk: a power cut must leave no manifest that vouches for holes."""
    os.sync()
    sizes = {str(file.relative_to(folder)): file.lstat().st_size for file in _files(folder)}
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(sizes, sort_keys=True), encoding="utf-8")
    _sync(manifest)
    _sync(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(Path(base) / name for base, _, names in os.walk(folder) for name in names)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


@contextmanager
def lock(root: Path, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold `<cache>/lock/<name>` while the body runs; the kernel lets go of it when the holder dies.

    Raises BlockingIOError when `wait` is False and somebody else holds it.
    """
    folder = root / "lock"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("a") as handle:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        yield


def storage_error(error: OSError, root: Path) -> SetupError:
    """The one line for an OSError met while writing the cache."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SetupError(
            f"the disk that holds {root} is full", hint="free some space, or set SHIFTPROOF_CACHE to a larger disk"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return SetupError(
            f"cannot write to the cache {root}: {error.strerror}", hint="set SHIFTPROOF_CACHE to a folder of yours"
        )
    return SetupError(f"set-up failed in {root}: {error}")
