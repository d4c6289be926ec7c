"""The same event three times: what is run, and what the table says of it."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.event_cases import unscaled
from fakes.event_history import good_payday
from fakes.payday import result
from fakes.rehearsals import EventWorld, FakeLost, FakeView
from fakes.rehearsed import Rehearse
from rich.console import Console

from shiftproof.model.verdict import Verdict
from shiftproof.rehearse import compare as module
from shiftproof.rehearse.compare import compare, table_of, variants_of, ways
from shiftproof.rehearse.evidence import variant_of
from shiftproof.rehearse.judging import judge_scaling
from shiftproof.rehearse.request import EventRequest
from shiftproof.rehearse.run import Done
from shiftproof.rehearse.settings import settings_for
from shiftproof.report.event_evidence import Variant
from shiftproof.report.event_tables import variant_rows

WAYS = ("autoscaled", "fixed for the peak", "fixed for the base")


def test_three_ways_each_with_a_folder_of_its_own(infra: Path, tmp_path: Path, rehearse: Rehearse) -> None:
    request = EventRequest("short", infra_dir=infra, run_dir=tmp_path / "run", experiments=("node-loss",))
    (first, scaled), (second, peak), (third, base) = ways(request, settings_for(request))
    assert (first, second, third) == WAYS
    assert (scaled.fixed_pods, peak.fixed_pods, base.fixed_pods) == (None, 5, 1 + 1)
    assert len({scaled.folder, peak.folder, base.folder}) == len({scaled.run_id, peak.run_id, base.run_id}) == 3
    assert (scaled.experiments, peak.experiments) == (("node-loss",), ())


def test_all_three_are_run_and_the_verdict_is_that_of_the_first(
    rehearse: Rehearse, world: EventWorld, infra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.judge = judge_scaling
    views: list[FakeView] = []

    def view(console: Console) -> FakeView:
        world.renew()
        views.append(FakeView())
        return views[-1]

    monkeypatch.setattr(module, "event_view_for", view)
    said = io.StringIO()
    request = EventRequest("short", infra_dir=infra, run_dir=tmp_path / "run", seed=1)
    assert compare(request, Console(file=said, width=200)).verdict is Verdict.PASS
    assert [one.ends[0].verdict for one in views if one.ends[0] is not None] == [
        Verdict.PASS,
        Verdict.INCONCLUSIVE,
        Verdict.INCONCLUSIVE,
    ]
    rows = {line.split("  ")[0].strip(): line for line in said.getvalue().splitlines()}
    assert " 2 to 6 " in rows["autoscaled"]
    assert " 5 " in rows["fixed for the peak"]
    assert " 0 of 1,037 " in rows["fixed for the peak"]
    assert " 0 of 1,037 " not in rows["fixed for the base"]
    page = (tmp_path / "run" / "index.html").read_text()
    assert "fixed for the base" in page
    assert "not comparable" not in said.getvalue() + page


def test_a_run_that_met_another_load_or_none_is_marked(
    rehearse: Rehearse, world: EventWorld, infra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.judge = judge_scaling
    runs: list[FakeView] = []

    def view(console: Console) -> FakeView:
        world.renew()
        runs.append(FakeView())
        if len(runs) == 2:
            world.event_load.change = lambda event: replace(event, parts_lost=(FakeLost(0.5),))
        if len(runs) == 3:
            world.event_load.refusal = "1 of 2 load workers came"
        return runs[-1]

    monkeypatch.setattr(module, "event_view_for", view)
    said = io.StringIO()
    request = EventRequest("short", infra_dir=infra, run_dir=tmp_path / "run", seed=1)
    assert compare(request, Console(file=said, width=300)).verdict is Verdict.PASS
    lines = said.getvalue().splitlines()
    (lost,) = [line for line in lines if line.startswith("fixed for the peak (not comparable: ")]
    assert "50% of the event's load" in lost
    (none,) = [line for line in lines if line.startswith("fixed for the base (not comparable: ")]
    assert "1 of 2 load workers came" in none
    assert none.split(")")[1].split() == ["-"] * 7
    page = (tmp_path / "run" / "index.html").read_text()
    assert "not comparable" in page
    assert "1 of 2 load workers came" in page


def test_all_are_paid_for_over_the_same_time(tmp_path: Path) -> None:
    """The autoscaled one was watched until it was back; one of fixed pods, with nothing to take back, for less long."""
    long, short = good_payday(looked_s=200).build(), unscaled(looked_s=20).build()
    ends = {"autoscaled": long, "fixed": short}
    same = variants_of({name: Done(result(Verdict.PASS, (), tmp_path), case) for name, case in ends.items()})
    longer = replace(short, looked_until_ns=short.start_ns + long.looked_until_ns - long.start_ns)
    assert same[1].cost == variant_of("fixed", longer).cost
    assert (same[1].cost or 0) > (variant_of("fixed", short).cost or 0) > 0
    assert same[0].cost == variant_of("autoscaled", long).cost


def test_the_tables_mark_what_is_not_comparable() -> None:
    sound, other = Variant("sound", "2", 100, 1), Variant("other", "-", 0, 0, doubt="half of it is [bold]missing[/]")
    said = io.StringIO()
    Console(file=said, width=200).print(table_of([sound, other]))
    assert "other (not comparable: half of it is" in said.getvalue()
    assert variant_rows([sound, other])[0] == ("not comparable", ["", "half of it is [bold]missing[/]"])
    assert variant_rows([sound])[0][0] == "pods"


def test_the_table_fits_into_eighty_columns() -> None:
    """Each line of it is as wide as a payday of the lab makes it, and then some."""
    wide = [Variant(name, "2 to 5", 15_524, 15_013, 1_980.0, 0.0235, 2_000, 0.412, 0.618) for name in WAYS]
    said = io.StringIO()
    Console(file=said, width=200).print(table_of(wide))
    lines = [line.rstrip() for line in said.getvalue().splitlines()]
    assert len(lines) == 1 + 3 + 3, "the headings, three ways, the caption"
    assert max(map(len, lines)) <= 80
    assert "15,013 of 15,524" in lines[1]
    assert lines[3].startswith("fixed for the base")
