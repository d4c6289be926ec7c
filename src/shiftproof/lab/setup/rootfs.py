"""The root file system under every service image: Python 3.11 and a busybox, from Debian's own packages.

mmdebstrap unpacks the packages without running their install scripts: what those would set up (perl, debconf, a dpkg
database) no container of ours uses. 50 MB, in about 10 s.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from shiftproof.errors import SetupError
from shiftproof.lab.setup import oci
from shiftproof.lab.setup.command import CommandFailed, run
from shiftproof.lab.setup.progress import Ticker

SUITE = "bookworm"
PACKAGES = ("busybox-static", "ca-certificates", "libpython3.11-stdlib", "netbase", "python3.11", "tzdata")
PYTHON = Path("/usr/bin/python3.11")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_BUSYBOX = Path("/bin/busybox")
APP_ID = 10001
"""User and group of services inside their containers."""

_FOLDERS = {
    "app": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "proc": 0o555,
    "run": 0o755,
    "sys": 0o555,
    "tmp": 0o1777,
    "var/tmp": 0o1777,
}
_FILES = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/:/bin/false\n"
        f"app:x:{APP_ID}:{APP_ID}:app:/app:/bin/sh\n"
    ),
    "etc/group": f"root:x:0:\nnogroup:x:65534:\napp:x:{APP_ID}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
}
# Nothing at run time reads these: documents, install-time helpers, Python's own tests and editors.
_DROPPED = (
    "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/perl5", "usr/share/debconf",
    "usr/share/pixmaps", "usr/share/applications", "usr/share/bug", "usr/share/binfmts", "usr/share/python3",
    "usr/lib/x86_64-linux-gnu/perl-base", "usr/lib/python3.11/test", "usr/lib/python3.11/idlelib",
    "usr/lib/python3.11/tkinter", "usr/lib/python3.11/lib2to3", "usr/lib/python3.11/ensurepip",
    "usr/lib/python3.11/pydoc_data", "usr/lib/python3.11/__pycache__", "usr/share/zoneinfo/right",
    "usr/share/zoneinfo/posix", "var/cache", "var/lib/dpkg", "var/lib/apt", "etc/apt", "etc/dpkg", "etc/cron.daily",
    "etc/logrotate.d", "boot", "media", "mnt", "srv",
)  # fmt: skip


def recipe() -> bytes:
    """All that decides the contents, for the cache's key: packages, what is added, and what is dropped."""
    return repr((SUITE, PACKAGES, _FOLDERS, _FILES, _DROPPED, APP_ID, oci.architecture())).encode()


def make(folder: Path, ticker: Ticker) -> None:
    """Fill `folder`, which must not exist, with the root file system. Raises SetupError: no network, source or disk."""
    sources = folder.with_name("debian.list")
    sources.write_text("".join(f"{line}\n" for line in debian_sources()), encoding="utf-8")
    words: list[str | Path] = [
        "mmdebstrap", "--variant=extract", "--mode=root", "--format=directory", f"--include={','.join(PACKAGES)}",
        SUITE, folder, sources,
    ]  # fmt: skip
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(oci.EPOCH_S)}
    try:
        run(
            words, environment=environment, on_line=lambda line: ticker.update(note="Debian packages", detail=line[:60])
        )
        ticker.update(note="trimming and compiling")
        _finish(folder)
    except CommandFailed as error:
        raise error.as_setup_error("making the base image", "make setup") from error
    sources.unlink()


def debian_sources(listing: list[str] | None = None) -> list[str]:
    """The machine's own apt sources for Debian 12, as one-line entries, so that a mirror set there is used here too.

    `listing` has a line "ORIGIN|URI|SUITE|COMPONENT" an index; "$(ORIGIN)" or "" where apt has not fetched it yet.
    """
    if listing is None:
        listing = run(
            [
                "apt-get",
                "indextargets",
                "--format",
                "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)",
                "Created-By: Packages",
            ]
        )
    rows = [tuple(line.split("|")) for line in listing if line.count("|") == 3]
    suites = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
    fitting = [row for row in rows if row[2] in suites and row[3] == "main"]
    # Other people's archives may call themselves "bookworm main" too; Debian's key does not vouch for those.
    chosen = [row for row in fitting if row[0] == "Debian"] or [row for row in fitting if row[0] in ("", "$(ORIGIN)")]
    if not any(row[2] == SUITE for row in chosen):
        raise SetupError(
            f"apt knows no source of Debian's {SUITE} packages", hint="add Debian 12's main archive to apt's sources"
        )
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.is_file() else ""
    return list(dict.fromkeys(f"deb {signed}{uri} {suite} {component}" for _, uri, suite, component in chosen))


def _finish(folder: Path) -> None:
    for name in _DROPPED:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name, mode in _FOLDERS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name).chmod(mode)
    for name, text in _FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "usr/bin/python3").symlink_to(PYTHON.name)
    link_busybox(folder)
    compile_python(folder / "usr/lib/python3.11", strip=folder)


def link_busybox(folder: Path) -> None:
    """Give every busybox command that the file system lacks a name in /bin."""
    for name in run([_BUSYBOX, "--list"]):
        taken = (folder / place / name for place in ("bin", "sbin", "usr/bin", "usr/sbin"))
        if not any(path.is_symlink() or path.exists() for path in taken):
            (folder / "bin" / name).symlink_to("busybox")


def compile_python(folder: Path, *, strip: Path, prefix: str = "/") -> None:
    """Compile all below `folder` once, so that no pod spends its start on it.

    Checked by nobody afterwards (`unchecked-hash`): no time stamp gets into the files, so the layer stays
    deterministic.
    """
    words: list[str | Path] = [
        PYTHON, "-m", "compileall", "-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash",
        "-s", strip, "-p", prefix, folder,
    ]  # fmt: skip
    run(words)
