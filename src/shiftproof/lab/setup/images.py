"""The lab's container images, made without a container builder and kept in the cache.

`base` is one layer (rootfs.py), `pause` one busybox, and each service is the base layer and an app layer. The unpacked
app folder of a service, `<cache>/images/<service>-<key>/app`, is what the legacy VMs run: the very same files.

A gate needs FOR_GATE, which its set-up makes. What load events need besides is FOR_EVENTS: made when the first one is
rehearsed (steps.event_steps), so that no gate waits for it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from shiftproof.errors import SetupError
from shiftproof.lab.setup import app, containerfile, oci, rootfs, store
from shiftproof.lab.setup.paths import cache_root, service_folder
from shiftproof.lab.setup.progress import Ticker

REGISTRY = "lab.shiftproof.local"
"""A name, not a place: nothing is ever pulled from it."""

BASE, PAUSE = "base", "pause"
SERVICES = ("payments",)
WORKERS = ("statements",)
FOR_GATE = (BASE, PAUSE, *SERVICES)
FOR_EVENTS = WORKERS
ALL = FOR_GATE + FOR_EVENTS

_SHELF = "images"
_IMAGE_TAR = "image.tar"
_LAYER_TAR = "layer.tar"
_ABOUT = "about.json"
_KEPT = 5  # of each name: every edit of a service makes a new image, of 150 MB
_FORMAT = b"1"  # raise when the way images are written changes
_BUSYBOX = Path("/bin/busybox")
# Process 1 of a pod's sandbox: sleeps, reaps what is handed to it, and leaves at once when told to.
_PAUSE_COMMAND = (
    "/bin/busybox",
    "sh",
    "-c",
    "trap 'exit 0' TERM INT; while :; do /bin/busybox sleep 86400 & wait $!; done",
)


def entry(name: str) -> store.Entry:
    """Where the image is, or will be. Raises SetupError for an unknown name or a recipe that cannot be read."""
    if name == BASE:
        recipe = [rootfs.recipe()]
    elif name == PAUSE:
        recipe = [_busybox().read_bytes(), repr(_PAUSE_COMMAND).encode()]
    elif name in ALL:
        recipe = [entry(BASE).key.encode(), *app.recipe(service_folder(name))]
    else:
        raise SetupError(f"no image of the lab is called {name}: there are {', '.join(ALL)}")
    return store.Entry(cache_root(), _SHELF, name, store.key_of(_FORMAT, *recipe))


def is_made(name: str) -> bool:
    return store.is_ready(entry(name))


def image_tar(name: str) -> Path:
    """The OCI layout to import with `ctr -n k8s.io images import`. Raises SetupError when it was not made."""
    return _made(name) / _IMAGE_TAR


def app_folder(service: str) -> Path:
    """The unpacked app: dependencies and source, to put on PYTHONPATH. Raises SetupError when it was not made."""
    return _made(service) / app.FOLDER


def reference(name: str) -> str:
    """The image's name with the tag of its content: never given to other contents."""
    return f"{REGISTRY}/{name}:{entry(name).key}"


def lab_reference(name: str) -> str:
    """The image's name with the tag that stays: what manifests are written with."""
    return f"{REGISTRY}/{name}:lab"


def digest(name: str) -> str:
    """The manifest's digest, "sha256:…". Raises SetupError when the image was not made."""
    return str(json.loads((_made(name) / _ABOUT).read_text(encoding="utf-8"))["digest"])


def start_spec(service: str) -> containerfile.StartSpec:
    """How the service starts, as its Containerfile says."""
    return containerfile.read(service_folder(service) / "Containerfile")


def make(name: str, ticker: Ticker) -> Path:
    """Make the image unless it is there; returns its folder in the cache. Raises SetupError in one line."""
    if name == BASE:
        return store.make(entry(BASE), lambda folder: _fill_base(folder, ticker), keep=_KEPT)
    if name == PAUSE:
        return store.make(entry(PAUSE), _fill_pause, keep=_KEPT)
    make(BASE, ticker)
    return store.make(entry(name), lambda folder: _fill_service(name, folder, ticker), keep=_KEPT)


def _fill_base(folder: Path, ticker: Ticker) -> None:
    root = folder / "root"
    rootfs.make(root, ticker)
    ticker.update(note="packing")
    oci.write_layer(root, folder / _LAYER_TAR)
    shutil.rmtree(root)


def _fill_pause(folder: Path) -> None:
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copyfile(_busybox(), root / "bin" / "busybox")
    (root / "bin" / "busybox").chmod(0o755)
    layer = oci.write_layer(root, folder / _LAYER_TAR)
    _write_image(PAUSE, folder, [layer], oci.ImageConfig(_PAUSE_COMMAND, {}, user="65534:65534"))
    shutil.rmtree(root)


def _fill_service(name: str, folder: Path, ticker: Ticker) -> None:
    spec = start_spec(name)
    app.make(service_folder(name), name, folder / app.FOLDER, ticker)
    ticker.update(note="packing")
    base = oci.open_layer(entry(BASE).path / _LAYER_TAR)
    layer = oci.write_layer(folder / app.FOLDER, folder / _LAYER_TAR, inside="app")
    environment: Mapping[str, str] = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": "/app"} | spec.environment
    config = oci.ImageConfig(spec.command, environment, spec.user, spec.work_folder, spec.ports)
    _write_image(name, folder, [base, layer], config)


def _write_image(name: str, folder: Path, layers: list[oci.Layer], config: oci.ImageConfig) -> None:
    names = [reference(name), lab_reference(name)]
    digest_text = oci.write_image(folder / _IMAGE_TAR, names, layers, config)
    layers[-1].path.unlink()  # it is inside the image now
    about = {"digest": digest_text, "names": names}
    (folder / _ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")


def _busybox() -> Path:
    if not _BUSYBOX.is_file():
        raise SetupError("busybox is not installed", hint="make setup")
    return _BUSYBOX


def _made(name: str) -> Path:
    made = entry(name)
    if not store.is_ready(made):
        hint = "shiftproof lab build --events" if name in FOR_EVENTS else "make setup"
        raise SetupError(f"the image {name} is not made", hint=hint)
    return made.path
