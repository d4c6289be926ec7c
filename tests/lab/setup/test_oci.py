from __future__ import annotations

import hashlib
import json
import os
import tarfile
import time
from pathlib import Path

from shiftproof.lab.setup import oci

CONFIG = oci.ImageConfig(["python3", "-m", "payments"], {"B": "2", "A": "1"}, "10001:10001", "/app", ["8080"])
NAMES = ["lab.shiftproof.local/payments:abc", "lab.shiftproof.local/payments:lab"]


def tree(folder: Path, *, reverse: bool = False) -> Path:
    """The same contents, created in another order and at another time."""
    names = ["a.txt", "b/c.txt", "b/d.txt", "z"]
    for name in reversed(names) if reverse else names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "link").symlink_to("a.txt")
    if reverse:
        os.utime(folder / "a.txt", (time.time() - 5000, time.time() - 5000))
    return folder


def blobs(image: Path) -> dict[str, bytes]:
    with tarfile.open(image) as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar}
        return {name: handle.read() for name, handle in files.items() if handle is not None}


def test_the_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name, reverse in (("one", False), ("two", True)):
        layer = oci.write_layer(tree(tmp_path / name, reverse=reverse), tmp_path / f"{name}.layer", inside="app")
        image = tmp_path / f"{name}.tar"
        digests.append((oci.write_image(image, NAMES, [layer], CONFIG), image.read_bytes()))
    assert digests[0] == digests[1]


def test_other_contents_give_another_digest(tmp_path: Path) -> None:
    one = oci.write_layer(tree(tmp_path / "one"), tmp_path / "one.layer")
    (tmp_path / "one" / "a.txt").write_text("changed")
    assert oci.write_layer(tmp_path / "one", tmp_path / "two.layer").sha256 != one.sha256


def test_the_layout_is_valid_every_blob_is_what_its_digest_says(tmp_path: Path) -> None:
    layer = oci.write_layer(tree(tmp_path / "app"), tmp_path / "layer.tar", inside="app")
    digest = oci.write_image(tmp_path / "image.tar", NAMES, [layer], CONFIG)
    files = blobs(tmp_path / "image.tar")
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    for name, contents in files.items():
        if name.startswith("blobs/"):
            assert hashlib.sha256(contents).hexdigest() == name.rpartition("/")[2]

    index = json.loads(files["index.json"])
    assert [it["annotations"]["io.containerd.image.name"] for it in index["manifests"]] == NAMES
    assert {it["digest"] for it in index["manifests"]} == {digest}
    manifest = json.loads(files["blobs/sha256/" + digest.removeprefix("sha256:")])
    for descriptor in (manifest["config"], *manifest["layers"]):
        assert len(files["blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")]) == descriptor["size"]
    config = json.loads(files["blobs/sha256/" + manifest["config"]["digest"].removeprefix("sha256:")])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{layer.sha256}"]
    assert config["config"]["Cmd"] == ["python3", "-m", "payments"]
    assert config["config"]["Env"] == ["A=1", "B=2"]
    assert config["config"]["User"] == "10001:10001"
    assert config["config"]["ExposedPorts"] == {"8080/tcp": {}}


def test_a_layer_holds_the_tree_below_its_folder_owned_by_root(tmp_path: Path) -> None:
    layer = oci.write_layer(tree(tmp_path / "app"), tmp_path / "layer.tar", inside="opt/app")
    with tarfile.open(layer.path) as tar:
        entries = {entry.name: entry for entry in tar}
    below = ["a.txt", "b", "b/c.txt", "b/d.txt", "link", "z"]
    assert list(entries) == ["opt", "opt/app", *(f"opt/app/{name}" for name in below)]
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries.values()} == {(0, 0, oci.EPOCH_S)}
    assert entries["opt/app/link"].linkname == "a.txt"


def test_images_that_share_a_base_share_its_blob(tmp_path: Path) -> None:
    base = oci.write_layer(tree(tmp_path / "base"), tmp_path / "base.layer")
    shared = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        own = oci.write_layer(tmp_path / name, tmp_path / f"{name}.layer", inside="app")
        oci.write_image(tmp_path / f"{name}.tar", [name], [base, own], CONFIG)
        shared.append({blob for blob in blobs(tmp_path / f"{name}.tar") if blob.startswith("blobs/")})
    assert shared[0] & shared[1] == {f"blobs/sha256/{base.sha256}"}
