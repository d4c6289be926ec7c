from __future__ import annotations

from pathlib import Path

import pytest

from shiftproof.errors import SetupError
from shiftproof.lab.setup import packages


def test_missing_are_those_unknown_removed_or_half_configured() -> None:
    def fake_dpkg(names: list[str]) -> str:
        assert names == ["runc", "haproxy", "nftables", "git"]
        return "runc ii \nhaproxy rc \nnftables iF \n"  # git: dpkg does not know it

    assert packages.missing(["runc", "haproxy", "nftables", "git"], fake_dpkg) == ["haproxy", "nftables", "git"]


def test_nothing_is_missing_when_all_are_installed() -> None:
    assert packages.missing(["runc"], lambda _: "runc ii \n") == []


def test_the_list_is_read_without_its_comments(tmp_path: Path) -> None:
    listing = tmp_path / "packages.txt"
    listing.write_text("# why\nrunc   # starts containers\n\nhaproxy\n")
    assert packages.wanted(listing) == ["runc", "haproxy"]


def test_a_list_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="list of Debian packages"):
        packages.wanted(tmp_path / "none.txt")


def test_the_projects_own_list_names_what_the_lab_runs() -> None:
    assert {"containerd", "haproxy", "pgbouncer", "postgresql-15", "mmdebstrap", "nftables"} <= set(packages.wanted())


def test_a_machine_without_dpkg_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="no dpkg"):
        packages.missing(["runc"])
