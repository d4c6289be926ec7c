"""What a person wrote wrong is said with file and line, in words, and all of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shiftproof.errors import ConfigError, UserError
from shiftproof.gate.config import config_hash, find_target, read_platform, read_target, service
from shiftproof.lab.setup.paths import project_root

Edit = Callable[[str, str], Path]


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """A copy of the project's own configuration, with a file for each experiment that it names."""
    root = project_root()
    folder = tmp_path / "infra"
    for manifests in ("payments/overlays/lab", "statements/overlays/events"):
        (folder / "services" / manifests).mkdir(parents=True)
        (folder / "services" / manifests / "kustomization.yaml").touch()
    shutil.copy(root / "infra/platform.yaml", folder)
    shutil.copytree(root / "infra/targets", folder / "targets")
    (tmp_path / "experiments").mkdir()
    for name in ("pod-delete", "pod-kill", "node-drain", "node-loss", "spot-interruption"):
        (tmp_path / "experiments" / f"{name}.yaml").touch()
    return folder


@pytest.fixture
def edit(infra: Path) -> Edit:
    """Replace a text that is there exactly once in platform.yaml."""

    def replace(old: str, new: str) -> Path:
        file = infra / "platform.yaml"
        text = file.read_text()
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        file.write_text(text.replace(old, new))
        return file

    return replace


def line_with(file: Path, text: str) -> int:
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line)


def test_the_projects_own_platform_is_sound(infra: Path) -> None:
    platform = read_platform(infra)
    payments = service(platform, "payments")
    assert [operation.name for operation in payments.load.operations] == ["create", "read", "list"]
    assert find_target(infra, "lab").kind == "lab"
    with pytest.raises(UserError) as unknown:
        service(platform, "statements")
    assert unknown.value.hint == "known services: payments"
    with pytest.raises(UserError) as unknown:
        find_target(infra, "mars")
    assert unknown.value.hint == "known targets: lab"


@pytest.mark.parametrize(
    ("old", "new", "said", "at"),
    [
        ("timeout_s: 2", "timeout_s: 0", "load.timeout_s: input should be greater than 0 (it is 0)", "timeout_s"),
        (
            "timeout_s: 2",
            "timeout: 2",
            "load.timeout is not a key that is known here: is timeout_s meant?",
            "timeout: 2",
        ),
        ("    namespace: payments\n", "", "services[0].namespace is missing", "- name: payments"),
        ("share: 0.2", "share: lots", "unable to parse string as a number (it is 'lots')", "share: lots"),
        ("weights_pct: [5, 25, 50, 100]", "weights_pct: [5, 25, 50, 101]", "less than or equal to 100", "101"),
        ("weights_pct: [5, 25, 50, 100]", "weights_pct: [5, 50, 25]", "weights_pct must rise", "first-stateless"),
        (
            "services: [payments], w",
            "services: [pay], w",
            "there is no service 'pay'; known are payments",
            "first-stat",
        ),
        ("experiments: [pod-delete,", "experiments: [pod-eat,", "there is no experiment 'pod-eat'", "pod-eat"),
        ("experiments: [pod-delete,", "experiments: [pod-kill,", "the name 'pod-kill' is used twice", "experiments:"),
        ("overlays/lab\n", "overlays/moon\n", "there is no kustomization.yaml in", "overlays/moon"),
        ("unacceptable: 0.001", "unacceptable: 0.00001", "acceptable (0.0001) must be below", "unacceptable"),
        ("        - name: list\n", "        - name: read\n", "the name 'read' is used twice", "placeholder"),
        (
            "          path: /payments/{id}\n",
            "          path: /payments/{nr}\n",
            "{nr} cannot be filled in",
            "- name: read",
        ),
        ("peak_per_s: 240", "peak_per_s: 100", "our own load would be above the peak", "load:"),
        (
            "timeout_s: 2\n",
            "timeout_s: 2\n      in_flight_per_side: 100\n",
            "100 is less than 120, which pile up",
            "load:",
        ),
        ("          remember: id\n", "", "and no operation has `remember`", "load:"),
        ('start: "17:00", end: "21:00"', 'start: "17:00", end: "17:00"', "ends when it starts", "evening-peak"),
        (
            'start: "17:00", end: "21:00"',
            'start: "25:00"',
            "hour value is outside expected range of 0-23",
            "evening-peak",
        ),
        (
            "evening-peak, timezone: Europe/Berlin",
            "evening-peak, timezone: Mars/North",
            "not a time zone",
            "Mars/North",
        ),
        ("  - {name: payday, ", "  - {name: payday, targets: [moon], ", "there is no target 'moon'", "moon"),
        (
            "    namespace: payments\n",
            "    namespace: payments\n    parity:\n      ignore:\n        - note\n        - payments[].amount\n",
            "'payments[].amount' can never be ignored: fields of account, amount, currency, status and the HTTP status",
            "- payments[].amount",
        ),
        (
            "    namespace: payments\n",
            "    namespace: payments\n    duplicates: {not_applicable: we never retry}\n",
            "operation 'create' takes a {key}, so it can be sent twice and must be",
            "not_applicable",
        ),
        ("version: 1", "version: 2", "version: input should be 1 (it is 2)", "version: 2"),
        ("version: 1", "version: 1\nversion: 1", 'found duplicate key "version"', "placeholder"),
        ("services:\n", "services: [\n", "is not YAML", "placeholder"),
        ("name: consumer-finance", "name: Consumer Finance", "name: string should match pattern", "Consumer"),
    ],
)
def test_every_error_names_its_line(edit: Edit, old: str, new: str, said: str, at: str) -> None:
    file = edit(old, new)
    with pytest.raises(ConfigError) as wrong:
        read_platform(file)
    assert said in str(wrong.value)
    assert len(str(wrong.value).splitlines()) == 1
    assert str(wrong.value).startswith(f"{file}:")
    assert wrong.value.line is not None
    if at != "placeholder":
        assert wrong.value.line == line_with(file, at)


def test_several_errors_say_where_the_others_are(edit: Edit) -> None:
    edit("timeout_s: 2", "timeout_s: 0")
    file = edit("health_path: /ready", "health_path: ready")
    with pytest.raises(ConfigError, match=r"health_path.* \(and 1 more, line ") as wrong:
        read_platform(file)
    assert wrong.value.line == line_with(file, "health_path")
    assert f"line {line_with(file, 'timeout_s')})" in str(wrong.value)


def test_windows_that_leave_no_time_are_refused(edit: Edit) -> None:
    file = edit("windows:\n", "windows:\n  - {name: always}\n")
    with pytest.raises(ConfigError, match="windows leave no time in which any target but the lab could move"):
        read_platform(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        (b"", "is empty"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"- 1\n- 2\n", "input should be a valid dictionary or instance of Platform"),
        (b"a: 2026-02-30\n", "a value cannot be read"),
        (b"a: &x [*x]\n", ""),
        (b"x" * 1_000_001, "is larger than 1,000,000 bytes"),
        (b"[" * 5000, "is not YAML"),
    ],
)
def test_files_that_are_no_platform(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "platform.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as wrong:
        read_platform(file)
    assert said in str(wrong.value)
    assert str(file) in str(wrong.value)


def test_a_targets_name_is_its_files(infra: Path) -> None:
    shutil.copy(infra / "targets/lab.yaml", infra / "targets/eks-prod.yaml")
    with pytest.raises(ConfigError, match=r"name is 'lab', and the file is called eks-prod\.yaml") as wrong:
        read_target(infra / "targets/eks-prod.yaml")
    assert wrong.value.line == line_with(infra / "targets/lab.yaml", "name: lab")


def test_the_hash_follows_what_is_configured_and_not_how_it_is_written(infra: Path, edit: Edit, tmp_path: Path) -> None:
    target = read_target(infra / "targets/lab.yaml")
    first = config_hash(read_platform(infra), target)
    edit("version: 1", "# another comment\nversion:   1")
    assert config_hash(read_platform(infra), target) == first
    experiments = sorted((tmp_path / "experiments").iterdir())
    with_files = config_hash(read_platform(infra), target, experiments)
    assert with_files != first
    experiments[0].write_text("steps: []")
    assert config_hash(read_platform(infra), target, experiments) != with_files
    edit("pairs_per_s: 60", "pairs_per_s: 61")
    assert config_hash(read_platform(infra), target) != first
    assert config_hash(read_platform(infra), target.model_copy(update={"region": "eu-north-1"})) != first
