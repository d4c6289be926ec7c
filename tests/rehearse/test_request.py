"""What a person may get wrong before there is a lab, and what is planned when they got it right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from shiftproof import cli
from shiftproof.errors import ConfigError, UserError
from shiftproof.model.demand import Demand
from shiftproof.model.load_event import Hold, LoadEvent, Ramp
from shiftproof.rehearse.plan import sparkline
from shiftproof.rehearse.request import EventRequest, check_request
from shiftproof.rehearse.settings import highest_plateau, settings_for

ROOT = Path(__file__).parents[2]
Change = Callable[[str, str], Path]


@pytest.fixture
def changed(infra: Path) -> Change:
    """platform.yaml with something replaced."""

    def change(pattern: str, by: str) -> Path:
        file = infra / "platform.yaml"
        text, count = re.subn(pattern, by, file.read_text(), flags=re.DOTALL)
        assert count == 1
        file.write_text(text)
        return infra

    return change


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (EventRequest("payda", infra_dir=ROOT / "infra"), r"no load event 'payda'"),
        (EventRequest("payday", service="cards", infra_dir=ROOT / "infra"), r"no service 'cards'"),
        (EventRequest("payday", target="mars", infra_dir=ROOT / "infra"), r"no target 'mars'"),
        (EventRequest("payday", infra_dir=ROOT / "infra", fixed_pods=0), r"--fixed-pods 0: from 1 to 6"),
        (EventRequest("payday", infra_dir=ROOT / "infra", fixed_pods=7), r"the most that payments may have"),
        (EventRequest("payday", infra_dir=ROOT / "infra", experiments=("flood",)), r"no experiment 'flood'"),
        (
            EventRequest("payday", infra_dir=ROOT / "infra", experiments=("node-loss", "node-loss")),
            r"--experiment node-loss: each may be named once",
        ),
    ],
)
def test_what_is_not_there_is_refused(request_: EventRequest, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_request(request_)


def test_an_unknown_event_is_answered_with_all_that_are_known() -> None:
    with pytest.raises(UserError) as raised:
        check_request(EventRequest("payda", infra_dir=ROOT / "infra"))
    for words in ("payday (Salaries land", "ramp-to-break (", "steady (An ordinary hour"):
        assert words in raised.value.one_line()


def test_a_service_that_does_not_scale_has_no_event(changed: Change) -> None:
    infra = changed(r"    scaling:\n      signal:.*?replacement_within_s: \d+\n", "")
    with pytest.raises(UserError, match="payments does not scale"):
        check_request(EventRequest("short", infra_dir=infra))


def test_a_service_without_a_declared_peak_has_no_rates(changed: Change) -> None:
    infra = changed(r"      peak_per_s: \d+\n", "")
    with pytest.raises(UserError, match="declares no peak"):
        check_request(EventRequest("short", infra_dir=infra))


def test_a_profile_with_a_mistake_is_named_with_its_line(infra: Path) -> None:
    (infra.parent / "loadprofiles" / "broken.py").write_text("x = 1\ny = undefined\n")
    with pytest.raises(UserError, match=r"broken\.py:2: NameError"):
        settings_for(EventRequest("broken", infra_dir=infra))


def test_a_defect_of_another_service_is_refused(infra: Path) -> None:
    defect = infra / "defect.yaml"
    defect.write_text("id: x\n")
    with pytest.raises(ConfigError, match=r"defect\.yaml"):
        check_request(EventRequest("short", infra_dir=infra, defect=defect))


def test_underscores_find_an_event_as_hyphens_do() -> None:
    for name in ("ramp-to-break", "ramp_to_break"):
        found = settings_for(EventRequest(name, infra_dir=ROOT / "infra"))
        assert found.event.name == "ramp-to-break"
        assert found.profile.name == "ramp_to_break.py"


def test_rates_are_shares_of_the_peak_as_the_target_can_bear_them() -> None:
    found = settings_for(EventRequest("payday", infra_dir=ROOT / "infra"))
    assert found.demand.peak_per_s == pytest.approx(0.42 * 240)
    assert found.demand.seconds == found.event.seconds <= 400  # with all around it, within ten minutes
    assert (found.pods_needed, found.base_pods) == (5, 3)
    assert settings_for(EventRequest("payday", infra_dir=ROOT / "infra", fixed_pods=4)).base_pods == 4


def test_the_hash_of_the_configuration_knows_the_profile(infra: Path) -> None:
    profile = infra.parent / "loadprofiles" / "short.py"
    profile.write_text((ROOT / "loadprofiles" / "short.py").read_text())
    before = settings_for(EventRequest("short", infra_dir=infra)).config_hash
    profile.write_text(profile.read_text().replace("Hold(85", "Hold(86"))
    assert settings_for(EventRequest("short", infra_dir=infra)).config_hash != before


@pytest.mark.parametrize(
    ("pieces", "at_s"),
    [
        ((Hold(10), Ramp(1.0, 10), Hold(40), Ramp(0.2, 5), Hold(30)), 20 + 0.3 * 40),
        ((Hold(30), Ramp(1.0, 10), Ramp(0.2, 10), Hold(9)), None),
        ((Hold(100),), 30),
    ],
)
def test_experiments_begin_well_into_the_highest_plateau(pieces: tuple[Ramp | Hold, ...], at_s: float | None) -> None:
    plateau = highest_plateau(LoadEvent("x", "X", 0.2, pieces))
    assert (plateau.strike_s if plateau is not None else None) == at_s


def test_an_experiment_without_a_plateau_is_refused(infra: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = LoadEvent("short", "X", 0.2, (Ramp(1.0, 10),))
    monkeypatch.setattr("shiftproof.rehearse.settings.read_profile", lambda profile: ramp)
    with pytest.raises(UserError, match="no plateau"):
        settings_for(EventRequest("short", infra_dir=infra, experiments=("node-loss",)))


def test_a_curve_in_text_keeps_its_peak() -> None:
    curve = sparkline(Demand.of([(0, 10), (50, 10), (50, 100), (50.5, 10), (100, 10)]), width=20)
    assert len(curve) == 20
    assert curve.count("█") == 1
    assert set(curve) == {"▁", "█"}


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.run(["rehearse", "payday", "--dry-run", "--experiment", "node-loss", "--fixed-pods", "3"]) == 0
    said = capsys.readouterr().out
    for words in (
        "20 to 101/s",
        "5 min 0 s of load, 15,524 requests; on the day 2 h 46 min",
        "the plateau at 85 s lasts 1 min 15 s, on the day 45 min 0 s",
        "5 at the highest rate",
        "at 1 min 48 s: node-loss\n",
        "3 pods throughout",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rehearse"], "which event"),
        (["rehearse", "payda"], "payday (Salaries land"),
        (["rehearse", "payday", "--dry-run", "--json", "-"], "--json"),
        (["rehearse", "payday", "--compare", "--fixed-pods", "2"], "--compare"),
        (["rehearse", "payday", "--pods", "2"], "No such option"),
        (["rehearse", "payday", "--fixed-pods", "0"], "from 1 to 6"),
    ],
)
def test_mistakes_exit_with_3_and_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.run(arguments) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert len(told.err.splitlines()) == 1


def test_the_events_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.run(["rehearse", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["diurnal", "flash", "payday", "ramp-to-break", "short", "steady"]
