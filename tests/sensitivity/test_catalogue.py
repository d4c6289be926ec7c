"""Defects by pattern: all are read before anything is run, and what is wrong is said with its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from fakes.defects import for_event

from shiftproof import cli
from shiftproof.errors import ConfigError, UserError
from shiftproof.gate.config import read_platform
from shiftproof.gate.planting import read_defect
from shiftproof.sensitivity.catalogue import find_defects

ROOT = Path(__file__).parents[2]
OTHER = "statements"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working copy's infra and experiments, and an empty state."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns("tools", "app"))
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    shutil.copytree(ROOT / "suites", tmp_path / "suites")
    shutil.copytree(ROOT / "loadprofiles", tmp_path / "loadprofiles")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHIFTPROOF_STATE", str(tmp_path / "state"))
    return tmp_path


def test_a_pattern_is_one_of_names(copy: Path) -> None:
    found = find_defects("*missing*", Path("infra"), "payments")
    assert [(defect.id, defect.expects, defect.stem) for defect in found] == [
        ("missing-secret-key", "deploy", "missing-secret-key")
    ]
    assert find_defects("missing-secret-key.yaml", Path("infra"), "payments") == found
    assert find_defects("experiments/*/missing-*.yaml", Path("infra"), "payments") == found


def test_all_files_of_the_catalogue_can_be_read(copy: Path) -> None:
    found = find_defects("*", Path("infra"), "payments")
    assert len({defect.id for defect in found}) == len(found) >= 2


def test_those_for_load_events_are_left_out_with_a_word(copy: Path) -> None:
    said: list[str] = []
    found = find_defects("*no*", Path("infra"), "payments", said.append)
    assert "no-graceful-shutdown" in {defect.id for defect in found}
    assert "nodes-join-late" not in {defect.id for defect in found}
    assert said == ["left out, since `rehearse payday` must catch them: nodes-join-late"]
    with pytest.raises(UserError, match="one for a gate") as none:
        find_defects("hpa-*", Path("infra"), "payments")
    assert "rehearse payday" in none.value.one_line()


def test_an_event_has_the_defects_that_its_rehearsal_must_catch(copy: Path) -> None:
    said: list[str] = []
    found = find_defects("*", Path("infra"), "payments", said.append, event="payday")
    assert {defect.id for defect in found} == {path.stem for path in for_event("payday")}
    assert {"nodes-join-late", "spot-without-drain"} <= {defect.id for defect in found}
    assert len(said) == 1, "one line for all those of gates"
    assert said[0].startswith("left out, since `gate` must catch them: amounts-through-floats, ")
    late = {defect.id: defect.longer_s for defect in found}
    assert late["nodes-join-late"] == 220
    assert late["spot-without-drain"] == 0
    with pytest.raises(UserError, match="one for a rehearsal of short") as none:
        find_defects("*", Path("infra"), "payments", event="short")
    assert "rehearse payday" in none.value.one_line()


def test_a_pattern_that_names_none_says_where_it_looked(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["sensitivity", "--defects", "nope*"]) == 3
    said = capsys.readouterr().err
    assert "no defect in experiments/defects is named by 'nope*'" in said
    assert "missing-secret-key" in said
    with pytest.raises(UserError, match="no file is named by 'x/y"):
        find_defects("x/y*", Path("infra"), "payments")


def test_defects_of_other_services_are_left_out(copy: Path) -> None:
    with pytest.raises(UserError, match="is of ledger") as none:
        find_defects("*missing*", Path("infra"), "ledger")
    assert "payments" in none.value.one_line()


def test_what_a_pattern_leaves_out_is_said(
    copy: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = read_platform(copy / "infra")
    services = (*platform.services, platform.services[0].model_copy(update={"name": OTHER}))
    both = platform.model_copy(update={"services": services})
    monkeypatch.setattr("shiftproof.sensitivity.catalogue.read_platform", lambda _: both)
    defects = copy / "experiments/defects"
    text = (defects / "missing-secret-key.yaml").read_text()
    (defects / "missing-in-statements.yaml").write_text(text.replace("service: payments", f"service: {OTHER}"))
    told: list[str] = []
    found = find_defects("missing-*", Path("infra"), "payments", told.append)
    assert [defect.stem for defect in found] == ["missing-secret-key"]
    assert told == [f"left out: experiments/defects/missing-in-statements.yaml is of {OTHER}, not of payments"]
    assert cli.run(["sensitivity", "--dry-run", "--defects", "missing-*", "--clean", "0"]) == 0
    assert told[0] in capfd.readouterr().out


def test_a_service_that_is_none_is_refused_and_not_left_out(copy: Path) -> None:
    file = copy / "experiments/defects/missing-secret-key.yaml"
    lines = file.read_text().replace("service: payments", "service: paymants")
    file.write_text(lines)
    with pytest.raises(ConfigError, match="is payments meant") as wrong:
        find_defects("*", Path("infra"), "payments")
    assert wrong.value.line == lines.splitlines().index("service: paymants") + 1


def test_yml_is_yaml_too(copy: Path) -> None:
    defects = copy / "experiments/defects"
    (defects / "missing-secret-key.yaml").rename(defects / "missing-secret-key.yml")
    assert [one.stem for one in find_defects("missing-*", Path("infra"), "payments")] == ["missing-secret-key"]


def test_a_bad_file_gets_its_line_and_nothing_is_run(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shiftproof.sensitivity.run.Sensitivity.run", lambda *_, **__: pytest.fail("it was run"))
    text = (copy / "experiments/defects/missing-secret-key.yaml").read_text()
    bad = copy / "experiments/defects/zz-bad.yaml"
    bad.write_text(text.replace("  - patch:", "  - ptach:"))
    line = text.splitlines().index("  - patch:") + 1
    with pytest.raises(ConfigError):
        find_defects("*", Path("infra"), "payments")
    assert cli.run(["sensitivity"]) == 3
    said = capsys.readouterr().err
    assert f"experiments/defects/zz-bad.yaml:{line}: " in said
    assert "ptach" in said
    assert not (copy / "reports").exists()


def test_a_dry_run_lists_what_it_would_do_and_does_nothing(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["sensitivity", "--dry-run", "--defects", "*missing*", "--clean", "2"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["clean", "missing-secret-key", "clean"]
    assert "missing-secret-key.yaml, expected claim deploy" in lines[1]
    assert lines[3].startswith("3 gates, about ")
    assert lines[3].endswith("; nothing was run")
    assert not (copy / "reports").exists()


def test_a_dry_run_of_an_event_lists_its_rehearsals(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["sensitivity", "--dry-run", "--event", "payday", "--defects", "n*", "--clean", "1"]
    assert cli.run(words) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("left out, since `gate` must catch them: no-graceful-shutdown")
    assert [line.split()[1] for line in lines[1:3]] == ["clean", "nodes-join-late"]
    assert "about 7 min" in lines[1]
    assert "about 11 min" in lines[2], "by as much longer as its nodes"
    assert lines[3].startswith("2 rehearsals, about ")
    assert not (copy / "reports").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--event", "payday", "--to", "25"], "--event goes without --to: a rehearsal takes no step"),
        (["--event", "payda"], "there is no load event 'payda'"),
        (["--event", "short"], "no defect that '*' names is one for a rehearsal of short"),
        (["--event", "payday", "--service", "nope"], "nope"),
    ],
)
def test_what_an_event_cannot_be_asked_is_said_in_one_line(
    copy: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert cli.run(["sensitivity", *words]) == 3
    said = capsys.readouterr().err
    assert why in said
    assert len(said.splitlines()) == 1
    assert not (copy / "reports").exists()


def test_a_dry_run_has_no_result_to_write(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["sensitivity", "--dry-run", "--json", "-"]) == 3
    assert "--json" in capsys.readouterr().err


def test_where_nothing_can_be_written_is_said_before_anything_is_run(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shiftproof.sensitivity.run.Sensitivity.run", lambda *_, **__: pytest.fail("it was run"))
    (copy / "file").touch()
    for words in (["--json", "file/x.json"], ["--results", "file"]):
        assert cli.run(["sensitivity", *words]) == 3
        assert "cannot write to file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--service", "nope"], ["--to", "101"], ["--clean", "-1"], ["--clean", "0", "--repeat", "0"]]
)
def test_what_cannot_be_asked_is_said_in_one_line(
    copy: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert cli.run(["sensitivity", *words]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_late_deregistration_outlasts_what_a_pod_serves_for_and_new_pods_are_in_at_once() -> None:
    """Its title says ten seconds against five: the manifests and the plant must say the same."""
    base = ROOT / "infra/services/payments/base"
    (container,) = yaml.safe_load((base / "deployment.yaml").read_text())["spec"]["template"]["spec"]["containers"]
    drain_s = float(yaml.safe_load((base / "configmap.yaml").read_text())["data"]["DRAIN_S"])
    assert 4 < container["lifecycle"]["preStop"]["sleep"]["seconds"] + drain_s <= 5
    (step,) = read_defect(ROOT / "experiments/defects/late-deregistration.yaml").plant
    assert step.router is not None
    assert (step.router.registration_s, step.router.deregistration_s) == (0, 10)
