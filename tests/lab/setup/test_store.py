from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shiftproof.errors import SetupError
from shiftproof.lab.setup import store


def entry(root: Path, key: str = "0123456789ab") -> store.Entry:
    return store.Entry(root, "tools", "etcd", key)


def fill(folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "etcd").write_bytes(b"program")


def test_what_was_made_is_ready_and_is_not_made_again(tmp_path: Path) -> None:
    made = store.make(entry(tmp_path), fill)
    assert (made / "bin" / "etcd").read_bytes() == b"program"
    assert store.is_ready(entry(tmp_path))

    def never(_: Path) -> None:
        pytest.fail("a ready entry was made again")

    assert store.make(entry(tmp_path), never) == made


def test_a_folder_without_its_manifest_is_not_ready_and_is_made_anew(tmp_path: Path) -> None:
    half = entry(tmp_path).path
    fill_partly = half / "bin"
    fill_partly.mkdir(parents=True)
    (fill_partly / "etcd").write_bytes(b"half")
    assert not store.is_ready(entry(tmp_path))
    store.make(entry(tmp_path), fill)
    assert (half / "bin" / "etcd").read_bytes() == b"program"


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"pro")])
def test_an_entry_that_lost_a_file_or_its_end_is_not_ready(tmp_path: Path, damage: object) -> None:
    made = store.make(entry(tmp_path), fill)
    assert callable(damage)
    damage(made / "bin" / "etcd")
    assert not store.is_ready(entry(tmp_path))


def test_a_fill_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        fill(folder)
        raise SetupError("the build failed")

    with pytest.raises(SetupError, match="the build failed"):
        store.make(entry(tmp_path), broken)
    assert list((tmp_path / "tools").iterdir()) == []


def test_a_set_up_killed_while_it_builds_leaves_nothing_that_counts_and_the_next_sweeps_it(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from shiftproof.lab.setup import store
def fill(folder):
    (folder / "bin").mkdir()
    (folder / "bin" / "etcd").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
store.make(store.Entry(Path({str(tmp_path)!r}), "tools", "etcd", "0123456789ab"), fill)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -9
    assert len(list((tmp_path / "tools").iterdir())) == 1, "the half-built folder is there"
    assert not store.is_ready(entry(tmp_path))
    store.make(entry(tmp_path), fill)
    assert [path.name for path in (tmp_path / "tools").iterdir()] == ["etcd-0123456789ab"]


def test_of_two_set_ups_at_once_one_builds_and_the_other_finds_it_done(tmp_path: Path) -> None:
    calls: list[str] = []
    first_is_in, may_go_on = threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        calls.append("first")
        first_is_in.set()
        assert may_go_on.wait(60)
        fill(folder)

    def second(folder: Path) -> None:
        calls.append("second")
        fill(folder)

    one = threading.Thread(target=store.make, args=(entry(tmp_path), slow))
    two = threading.Thread(target=store.make, args=(entry(tmp_path), second))
    one.start()
    assert first_is_in.wait(60)
    two.start()
    may_go_on.set()
    one.join(60)
    two.join(60)
    assert calls == ["first"]
    assert store.is_ready(entry(tmp_path))


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "full"), (errno.EROFS, "cannot write"), (errno.EIO, "set-up failed")],
)
def test_a_storage_error_becomes_one_line(tmp_path: Path, number: int, words: str) -> None:
    def failing(_: Path) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(SetupError, match=words) as caught:
        store.make(entry(tmp_path), failing)
    assert "\n" not in caught.value.one_line()


def test_a_real_full_disk_while_an_image_is_written(tmp_path: Path) -> None:
    def fill_up(folder: Path) -> None:
        assert folder.is_dir()
        with Path("/dev/full").open("wb") as full:
            full.write(b"x" * 100_000)

    with pytest.raises(SetupError, match=r"the disk that holds .* is full"):
        store.make(entry(tmp_path), fill_up)


def test_keys_differ_when_parts_only_shift() -> None:
    assert store.key_of(b"ab", b"c") != store.key_of(b"a", b"bc")
    assert store.key_of(b"ab", b"c") == store.key_of(b"ab", b"c")


def test_only_the_newest_of_a_name_are_kept(tmp_path: Path) -> None:
    for number in range(4):
        one = entry(tmp_path, f"{number:012d}")
        store.make(one, fill, keep=2)
        os.utime(one.path, (number, number))
    other = store.Entry(tmp_path, "tools", "etcd-extra", "0123456789ab")
    store.make(other, fill)
    store.make(entry(tmp_path, f"{9:012d}"), fill, keep=2)
    left = sorted(path.name for path in (tmp_path / "tools").iterdir())
    assert left == ["etcd-000000000003", "etcd-000000000009", "etcd-extra-0123456789ab"]


def test_a_lock_that_is_held_refuses_one_who_would_not_wait(tmp_path: Path) -> None:
    with store.lock(tmp_path, "x", shared=True):
        with pytest.raises(BlockingIOError), store.lock(tmp_path, "x", wait=False):
            pytest.fail("two held it")
        with store.lock(tmp_path, "x", shared=True, wait=False):
            pass
