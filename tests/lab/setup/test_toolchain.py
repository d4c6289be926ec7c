from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from shiftproof.errors import SetupError
from shiftproof.lab.setup import paths, store, toolchain
from shiftproof.lab.setup.progress import SilentTicker
from shiftproof.lab.setup.tools import ALL_TOOLS, ETCD, EVENT_TOOLS, KUBERNETES, LAB_TOOLS, GoTool

HELLO = GoTool("hello", module="example.test/none", programs={"greet": "hello"}, stamps={"main.version": "{version}"})


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Go's own cache, shared by these tests: compiling Go's runtime for each would take 15 s."""
    return tmp_path_factory.mktemp("go")


@pytest.fixture
def recipes(tmp_path: Path, compiled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the recipes that a test may change, and a cache of its own."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "go").symlink_to(compiled)
    copy = tmp_path / "recipes"
    shutil.copytree(paths.tool_recipes(), copy)
    monkeypatch.setattr(toolchain, "tool_recipes", lambda: copy)
    monkeypatch.setenv("SHIFTPROOF_CACHE", str(tmp_path / "cache"))
    return copy


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_the_key_changes_with_go_mod_and_go_sum(recipes: Path, file: str) -> None:
    before = toolchain.entry(ETCD)
    assert toolchain.entry(ETCD) == before
    with (recipes / "etcd" / file).open("a") as handle:
        handle.write("// another\n")
    assert toolchain.entry(ETCD).key != before.key


def test_the_key_changes_with_the_toolchain(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = toolchain.entry(ETCD).key
    monkeypatch.setattr(toolchain, "toolchain_version", lambda: "1.99.0")
    assert toolchain.entry(ETCD).key != before


def test_every_tool_of_the_lab_has_a_recipe_with_a_pinned_version() -> None:
    for tool in ALL_TOOLS:
        text = (paths.tool_recipes() / tool.name / "go.mod").read_text()
        assert toolchain.pinned_version(tool, text).startswith("v")
        assert tool.module in (paths.tool_recipes() / tool.name / "go.sum").read_text()


def test_no_gate_builds_what_only_events_need() -> None:
    assert not {tool.name for tool in LAB_TOOLS} & {tool.name for tool in EVENT_TOOLS}
    assert {name for tool in EVENT_TOOLS for name in tool.programs} == {
        "prometheus",
        "karpenter",
        "keda-operator",
        "keda-adapter",
    }


def test_kubernetes_replaces_all_staging_modules_by_the_matching_version() -> None:
    text = (paths.tool_recipes() / "kubernetes" / "go.mod").read_text()
    version = toolchain.pinned_version(KUBERNETES, text).replace("v1.", "v0.")
    replaces = [line.split() for line in text.splitlines() if "=>" in line]
    assert len(replaces) == 31
    assert {words[-1] for words in replaces} == {version}


def test_a_go_mod_without_the_module_is_one_clear_line() -> None:
    with pytest.raises(SetupError, match=r"etcd's go\.mod requires no go\.etcd\.io"):
        toolchain.pinned_version(ETCD, "module x\n")


def test_a_missing_recipe_and_an_unknown_program_are_clear(recipes: Path) -> None:
    shutil.rmtree(recipes / "etcd")
    with pytest.raises(SetupError, match="recipe of etcd"):
        toolchain.is_built(ETCD)
    with pytest.raises(SetupError, match="no tool of the lab is called kubefoo"):
        toolchain.program("kubefoo")


def test_a_program_that_is_not_built_names_the_command_that_mends_it(recipes: Path) -> None:
    with pytest.raises(SetupError) as caught:
        toolchain.program("kubelet")
    assert caught.value.one_line() == "kubelet is not built  ->  make setup"


def test_nothing_of_the_users_own_go_reaches_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHIFTPROOF_CACHE", str(tmp_path))
    for name in ("GOFLAGS", "GOTOOLCHAIN", "GOROOT", "CGO_CFLAGS", "GOEXPERIMENT", "GOPROXY"):
        monkeypatch.setenv(name, "theirs")
    environment = toolchain.go_environment(Path("/wheel/bin/go"))
    assert environment["GOPROXY"] == "theirs"
    assert environment["GOTOOLCHAIN"] == "local"
    assert environment["GOROOT"] == "/wheel"
    assert environment["GOMODCACHE"] == str(tmp_path / "go" / "mod")
    assert not {"CGO_CFLAGS", "GOEXPERIMENT"} & environment.keys()


def write_hello(recipes: Path, source: str) -> None:
    folder = recipes / "hello"
    folder.mkdir()
    (folder / "go.mod").write_text(
        "module example.test/hello\n\ngo 1.24\n\ntool example.test/hello\n\n// require (\n// )\n"
        "// example.test/none v1.2.3\n"
    )
    (folder / "go.sum").write_text("")
    (folder / "main.go").write_text(source)


def test_a_real_build_gives_the_programs_under_our_names(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hello(recipes, 'package main\n\nvar version string\n\nfunc main() { println("hello " + version) }\n')
    monkeypatch.setattr(toolchain, "pinned_version", lambda *_: "v1.2.3")
    assert not toolchain.is_built(HELLO)
    folder = toolchain.build(HELLO, SilentTicker())
    assert [path.name for path in folder.iterdir()] == ["greet"]
    assert b"v1.2.3" in (folder / "greet").read_bytes()
    assert toolchain.is_built(HELLO)


def test_what_is_kept_of_the_sources_outlives_them(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hello(recipes, "package main\n\nfunc main() {}\n")
    (recipes / "hello" / "crds").mkdir()
    (recipes / "hello" / "crds" / "one.yaml").write_text("kind: One\n")
    monkeypatch.setattr(toolchain, "pinned_version", lambda *_: "v1.2.3")
    tool = replace(HELLO, module="example.test/hello", files={"definitions": "crds"})
    assert toolchain.entry(tool).key != toolchain.entry(HELLO).key
    with pytest.raises(SetupError, match="hello is not built"):
        toolchain.kept_files(tool, "definitions")
    toolchain.build(tool, SilentTicker())
    assert (toolchain.kept_files(tool, "definitions") / "one.yaml").read_text() == "kind: One\n"
    broken = replace(tool, files={"definitions": "nowhere"})
    with pytest.raises(SetupError, match=r"example\.test/hello has no nowhere"):
        toolchain.build(broken, SilentTicker())


def test_a_build_that_fails_is_one_line_and_leaves_nothing(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hello(recipes, "package main\n\nfunc main() { undefined() }\n")
    monkeypatch.setattr(toolchain, "pinned_version", lambda *_: "v1.2.3")
    with pytest.raises(SetupError, match=r"building hello: go failed: .*undefined") as caught:
        toolchain.build(HELLO, SilentTicker())
    assert "\n" not in caught.value.one_line()
    assert not toolchain.is_built(HELLO)
    assert list((paths.cache_root() / "tools").iterdir()) == []


def test_no_network_is_one_line_that_says_so(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:9")  # the discard port: nobody listens
    with pytest.raises(SetupError, match="building etcd: could not download: ") as caught:
        toolchain.build(ETCD, SilentTicker())
    assert "check the network" in caught.value.one_line()
    assert "\n" not in caught.value.one_line()


def test_module_sources_stay_while_somebody_builds_from_them(recipes: Path) -> None:
    modules = paths.cache_root() / "go" / "mod" / "example.test"
    modules.mkdir(parents=True)
    with store.lock(paths.cache_root(), "go-caches", shared=True):
        assert not toolchain.drop_modules()
    assert modules.is_dir()
    assert toolchain.drop_modules()
    assert not toolchain.has_modules()
