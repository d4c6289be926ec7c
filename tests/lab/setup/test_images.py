from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from shiftproof.errors import SetupError
from shiftproof.lab.setup import app, images, paths, rootfs
from shiftproof.lab.setup.command import run
from shiftproof.lab.setup.progress import SilentTicker


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A copy of the reference service that a test may change."""
    copy = tmp_path / "payments"
    shutil.copytree(paths.service_folder("payments"), copy, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    return copy


def test_the_recipe_changes_with_source_pins_and_containerfile(service: Path) -> None:
    seen = [app.recipe(service)]
    for name in ("app/payments/__init__.py", "app/uv.lock", "Containerfile"):
        with (service / name).open("a") as handle:
            handle.write("\n# another\n")
        seen.append(app.recipe(service))
    assert len({repr(recipe) for recipe in seen}) == 4


def test_the_recipe_ignores_what_running_leaves_behind(service: Path) -> None:
    before = app.recipe(service)
    for name in ("app/payments/__pycache__/x.pyc", "app/.venv/bin/python"):
        (service / name).parent.mkdir(parents=True, exist_ok=True)
        (service / name).write_text("x")
    assert app.recipe(service) == before


def test_a_service_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="the service absent cannot be read"):
        app.recipe(tmp_path / "absent")


def test_the_version_of_uv_is_pinned_in_one_file(tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("# why\nuv==1.2.3 \\\n    --hash=sha256:00\n")
    assert app.uv_version(pins) == "1.2.3"
    pins.write_text("# none\n")
    with pytest.raises(SetupError, match="pins no uv"):
        app.uv_version(pins)


class TestDebianSources:
    MIRROR = "Debian|http://mirror.test/debian/|bookworm|main"

    def test_only_debians_own_for_this_release(self) -> None:
        listing = [
            self.MIRROR,
            "Debian|http://mirror.test/debian/|bookworm-updates|main",
            "Debian|http://mirror.test/debian/|bookworm|contrib",
            "Debian|http://mirror.test/debian/|trixie|main",
            "Others|http://others.test/apt/|bookworm|main",
            "apt said something else",
        ]
        lines = [line.split("] ")[-1].removeprefix("deb ") for line in rootfs.debian_sources(listing)]
        assert lines == [
            "http://mirror.test/debian/ bookworm main",
            "http://mirror.test/debian/ bookworm-updates main",
        ]

    def test_sources_that_apt_never_fetched_have_no_origin_yet(self) -> None:
        assert len(rootfs.debian_sources(["$(ORIGIN)|http://mirror.test/debian/|bookworm|main"])) == 1

    @pytest.mark.parametrize("listing", [[], ["Others|http://others.test/|bookworm|main"]])
    def test_none_is_one_clear_line(self, listing: list[str]) -> None:
        with pytest.raises(SetupError, match="apt knows no source"):
            rootfs.debian_sources(listing)


@pytest.mark.component
def test_pause_is_one_small_layer_and_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name in ("one", "two"):
        monkeypatch.setenv("SHIFTPROOF_CACHE", str(tmp_path / name))
        images.make("pause", SilentTicker())
        tar = images.image_tar("pause")
        found.append((images.digest("pause"), tar.read_bytes()))
        assert tar.stat().st_size < 4_000_000
    assert found[0] == found[1]


LIBRARIES = [("payments", "starlette"), ("statements", "boto3")]


def blob(service: str, digest: str) -> dict[str, Any]:
    """A JSON blob of a service's image."""
    with tarfile.open(images.image_tar(service)) as tar:
        handle = tar.extractfile("blobs/sha256/" + digest.removeprefix("sha256:"))
        assert handle is not None
        return dict(json.loads(handle.read()))


@pytest.mark.component
@pytest.mark.parametrize(("service", "library"), LIBRARIES)
def test_an_image_holds_base_and_app_and_starts_as_its_containerfile_says(service: str, library: str) -> None:
    for name in ("base", service):
        images.make(name, SilentTicker())
    manifest = blob(service, images.digest(service))
    assert len(manifest["layers"]) == 2
    start = blob(service, manifest["config"]["digest"])["config"]
    spec = images.start_spec(service)
    assert start["Cmd"] == list(spec.command)
    assert start["User"] == spec.user
    assert "PYTHONPATH=/app" in start["Env"]
    folder = images.app_folder(service)
    assert (folder / service / "__main__.py").is_file()
    assert (folder / library / "__pycache__").is_dir(), "compiled, so that a pod's start is not spent on it"


@pytest.mark.component
@pytest.mark.parametrize(("service", "library"), LIBRARIES)
def test_the_app_folder_runs_with_the_machines_own_python(service: str, library: str) -> None:
    images.make(service, SilentTicker())
    folder = images.app_folder(service)
    said = run(
        [rootfs.PYTHON, "-B", "-c", f"import {service}, {library}, psycopg; print({service}.__file__)"],
        environment={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
    )
    assert said == [str(folder / service / "__init__.py")]
