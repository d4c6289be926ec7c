"""Write OCI image layouts, byte for byte the same for the same contents.

Entries are sorted, owners and times fixed, nothing is compressed: an unpacked layer imports faster, and its digest
does not hang on the version of a compressor. Layouts: https://github.com/opencontainers/image-spec (image-layout,
manifest, config).
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shiftproof.errors import SetupError

EPOCH_S = 1_700_000_000
"""The time stamp of every file and image we make: any constant will do."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_NAME = "io.containerd.image.name"


@dataclass(frozen=True, slots=True)
class Layer:
    """An uncompressed layer on disk; `sha256` in hexadecimal, `size` in bytes."""

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """How containers of the image start; empty fields are left out of the image."""

    command: Sequence[str]
    environment: Mapping[str, str]
    user: str = ""
    work_folder: str = "/"
    ports: Sequence[str] = ()


def write_layer(folder: Path, layer: Path, *, inside: str = "") -> Layer:
    """Pack `folder` into the tar `layer`, below the path `inside` of the image ("app", or "" for its root).

    Devices and sockets are left out. Raises OSError when the disk is full.
    """
    with layer.open("wb") as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        parts = Path(inside).parts
        for depth in range(1, len(parts) + 1):
            tar.addfile(_folder_entry("/".join(parts[:depth])))
        for path in sorted(folder.rglob("*")):
            _add(tar, path, "/".join([*parts, path.relative_to(folder).as_posix()]))
    return open_layer(layer)


def open_layer(layer: Path) -> Layer:
    """The layer in this file, measured anew."""
    with layer.open("rb") as raw:
        return Layer(layer, hashlib.file_digest(raw, "sha256").hexdigest(), layer.stat().st_size)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tar.gettarinfo(path, name)
    if not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
        return
    _fix(entry)
    if entry.isreg():
        with path.open("rb") as contents:
            tar.addfile(entry, contents)
    else:
        tar.addfile(entry)


def _folder_entry(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    _fix(entry)
    return entry


def _fix(entry: tarfile.TarInfo) -> None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = EPOCH_S


def write_image(image: Path, names: Sequence[str], layers: Sequence[Layer], config: ImageConfig) -> str:
    """Write the layout as the tar `image`, known under `names`; returns the manifest's digest ("sha256:…").

    Raises OSError when the disk is full, SetupError on a processor that we make no images for.
    """
    config_blob = _json(_config(layers, config))
    manifest_blob = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config_blob),
            "layers": [{"mediaType": _LAYER, "digest": f"sha256:{it.sha256}", "size": it.size} for it in layers],
        }
    )
    manifest = _descriptor(_MANIFEST, manifest_blob)
    index = {
        "schemaVersion": 2,
        "mediaType": _INDEX,
        "manifests": [manifest | {"annotations": {_NAME: name}} for name in names],
    }
    with image.open("wb") as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add_bytes(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add_bytes(tar, "index.json", _json(index))
        for blob in (config_blob, manifest_blob):
            _add_bytes(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        for layer in layers:
            with layer.path.open("rb") as contents:
                _add_file(tar, f"blobs/sha256/{layer.sha256}", layer.size, contents)
    return str(manifest["digest"])


def architecture() -> str:
    """This machine's processor in OCI's words. Raises SetupError for one that we make no images for."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise SetupError(f"no images can be made for this processor: {machine}", hint="use x86_64 or aarch64")
    return _ARCHITECTURES[machine]


def _config(layers: Sequence[Layer], config: ImageConfig) -> dict[str, object]:
    start: dict[str, object] = {
        "Cmd": list(config.command),
        "Env": [f"{name}={value}" for name, value in sorted(config.environment.items())],
        "WorkingDir": config.work_folder,
    }
    if config.user:
        start["User"] = config.user
    if config.ports:
        start["ExposedPorts"] = {port if "/" in port else f"{port}/tcp": {} for port in config.ports}
    return {
        "architecture": architecture(),
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": start,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.sha256}" for layer in layers]},
    }


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _add_bytes(tar: tarfile.TarFile, name: str, contents: bytes) -> None:
    _add_file(tar, name, len(contents), io.BytesIO(contents))


def _add_file(tar: tarfile.TarFile, name: str, size: int, contents: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    _fix(entry)
    tar.addfile(entry, contents)
