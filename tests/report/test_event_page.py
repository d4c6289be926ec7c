"""The page of a load event: verdict first, everything on one time axis, nothing loaded, nothing left out in silence."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import payday
from fakes.pages import HOSTILE, Reader, strings
from fakes.payday import EVENT_NS, SECOND, evidence, failed, passed, unproven
from fakes.report_runs import passed as passed_gate

from shiftproof.model.history import Happening, Source
from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.event_evidence import EventEvidence, Variant
from shiftproof.report.event_page import render_event_page, write_event_page
from shiftproof.report.event_tables import capacity_data, provisioned_rows, rise_bars, variant_rows
from shiftproof.report.event_words import facts, shortened_words, tiles

Made = Callable[[Path], RunResult]


def page_of(made: Made, run_dir: Path, given: EventEvidence | None = None) -> Reader:
    return Reader(render_event_page(made(run_dir), given or evidence(), raw_files=["events.parquet"]))


def figure_of(given: EventEvidence, run_dir: Path = Path("reports/7f3a")) -> dict[str, Any]:
    read = Reader(render_event_page(failed(run_dir), given))
    figure: dict[str, Any] = json.loads(read.scripts["figure"])
    return figure


def trace(figure: dict[str, Any], name: str, axis: str) -> dict[str, Any]:
    found = [one for one in figure["data"] if one["name"] == name and one["yaxis"] == axis]
    assert len(found) == 1, [(one["name"], one["yaxis"]) for one in figure["data"]]
    return dict(found[0])


@pytest.mark.parametrize("made", [passed, failed, unproven])
def test_the_page_loads_nothing_and_is_small_and_quick(made: Made, tmp_path: Path) -> None:
    render_event_page(made(tmp_path), evidence())  # plotly is packed once in a process
    began = time.process_time()
    page = render_event_page(made(tmp_path), evidence(curves=payday.curves(stretch=3)))  # 24 minutes
    took = time.process_time() - began
    for tag, attributes in Reader(page).elements:
        assert tag not in ("iframe", "object", "embed", "base", "img", "audio", "video", "source"), tag
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        target = attributes.get("href")
        assert target is None or target == "data:," or target.startswith("./"), target
    assert "url(" not in "".join(re.findall(r"<style>(.*?)</style>", page, re.S))
    assert len(page) < 6_000_000
    assert took < 2


@pytest.mark.parametrize("made", [passed, failed, unproven])
def test_the_verdict_comes_first_then_what_was_rehearsed(made: Made, tmp_path: Path) -> None:
    result, text = made(tmp_path), page_of(made, tmp_path).text
    order = (f" {result.verdict.value} ", "What was rehearsed", "Demand and supply", "Claims", "What ran")
    assert all(text.index(a) < text.index(b) for a, b in itertools.pairwise(order))
    assert "Salaries land: five times the load in under a minute" in text
    assert "shortened: 60 min of base to 40 s, 45 min of peak to 1 min 15 s, 60 min of base to 3 min" in text
    assert "20 to 100 requests a second, the declared rates times 0.333" in text
    for finding in result.findings:
        assert finding.reason in text
    assert "A claim of this team's own suite" not in text


def test_all_rows_share_one_time_axis(tmp_path: Path) -> None:
    figure = figure_of(evidence(), tmp_path)
    layout = figure["layout"]
    rows = [layout[name] for name in ("yaxis", "yaxis2", "yaxis3", "yaxis4", "yaxis5", "yaxis6")]
    assert all(row["anchor"] == "x" for row in rows)
    tops = [row["domain"][1] for row in rows]
    assert tops == sorted(tops, reverse=True)
    assert all(upper["domain"][0] > lower["domain"][1] for upper, lower in itertools.pairwise(rows))
    assert not [key for key in layout if re.fullmatch(r"xaxis\d", key)]
    assert {one["yaxis"] for one in figure["data"]} == {"y", "y2", "y3", "y4", "y5", "y6"}
    start_ms = EVENT_NS / 1e6
    assert layout["xaxis"]["range"][0] == start_ms - 60_000
    assert f"min-height: {layout['height']}px" in render_event_page(failed(tmp_path), evidence())  # nothing jumps


def test_the_lines_are_the_curves(tmp_path: Path) -> None:
    curves = payday.curves()
    figure = figure_of(evidence(), tmp_path)
    for name, axis, values in (
        ("demand", "y", curves.demand_per_s),
        ("ready", "y2", curves.pods_ready),
        ("needed", "y2", curves.pods_needed),
        ("wanted", "y2", curves.pods_wanted),
        ("hindsight", "y2", curves.hindsight_pods),
        ("Spot", "y3", curves.nodes_spot),
        ("on demand", "y3", curves.nodes_ready - curves.nodes_spot),
        ("hindsight", "y5", curves.hindsight_cost),
    ):
        assert np.allclose(trace(figure, name, axis)["y"], values, atol=1e-4), name
    p99 = trace(figure, "p99", "y4")["y"]
    assert [value is None for value in p99] == np.isnan(curves.p99_ms).tolist()
    assert (
        len({trace(figure, name, "y2")["line"].get("dash") for name in ("ready", "needed", "wanted", "hindsight")}) == 4
    )


def test_the_threshold_is_in_sight_even_where_all_is_far_below_it(tmp_path: Path) -> None:
    axis = figure_of(evidence(threshold_ms=5_000), tmp_path)["layout"]["yaxis4"]
    assert 10 ** axis["range"][1] > 5_000
    assert len(axis["tickvals"]) <= 6


def test_what_was_missing_is_marked_and_said(tmp_path: Path) -> None:
    figure = figure_of(evidence(), tmp_path)
    short = trace(figure, "short", "y2")
    assert "2 short for 39 s" in short["text"]
    assert len(short["x"]) == len(short["base"]) == len(short["width"])
    curves = payday.curves()
    hurt = np.flatnonzero(curves.bad_per_s)
    marks = next(one for one in figure["data"] if one["name"] == "bad" and one["type"] == "scatter")
    assert len(marks["x"]) == len(hurt)
    first = int(hurt[0])
    assert marks["text"][0].startswith(f"{curves.bad_per_s[first]} of {curves.sent_per_s[first]} bad")
    assert figure["meta"]["first_failure"] == EVENT_NS / 1e6 + int(curves.seconds[first]) * 1e3


def test_launches_and_faults_go_through_all_rows_and_machines_show_their_boot(tmp_path: Path) -> None:
    figure = figure_of(evidence(), tmp_path)
    lines = [one for one in figure["layout"]["shapes"] if one["type"] == "line" and one["yref"] == "paper"]
    at_s = [(one["x0"] * 1e6 - EVENT_NS) / SECOND for one in lines]
    assert at_s == pytest.approx([71.4, 150, 196])
    assert [one["line"]["dash"] for one in lines] == ["dot", "solid", "dot"]
    boot = trace(figure, "boot", "y6")
    assert "i-0ab12 (on demand) launched, node-3 ready after 39 s" in boot["text"][0]
    assert "i-0cd34 (Spot) launched, node-t ready after 42 s" in boot["text"][4]
    assert figure["layout"]["yaxis6"]["ticktext"] == ["our actions", "autoscaler", "machines", "nodes", "pods"]


def test_a_machine_that_never_became_a_node_says_so(tmp_path: Path) -> None:
    launched = Happening(EVENT_NS, Source.KUBERNETES, "machine.launched", "machine/i-1", data={"capacity_type": "spot"})
    figure = figure_of(evidence(timeline=(launched,)), tmp_path)
    assert "i-1 (Spot) launched; its node was not seen ready" in trace(figure, "boot", "y6")["text"][0]


def test_bands_are_the_pieces_of_the_event(tmp_path: Path) -> None:
    names = [
        note["text"] for note in figure_of(evidence(), tmp_path)["layout"]["annotations"] if note["name"] == "phase"
    ]
    assert names == ["before", "base", "rise", "peak", "fall", "base", "after"]


def test_stages_of_each_rise_add_up_to_its_bar(tmp_path: Path) -> None:
    bars = rise_bars(capacity_data(failed(tmp_path)))
    assert [bar.in_time for bar in bars] == [True, True, True]
    assert bars[1].sentence.startswith(
        "1 min 6 s into the event 4 pods were needed: ready after 51 s (limit 1 min 30 s)"
    )
    assert [(part.name, part.number) for part in bars[1].parts] == [
        ("decision", 2), ("scheduling", 3), ("node", 4), ("boot", 5), ("ready", 6),
    ]  # fmt: skip
    assert sum(part.width_pct for part in bars[1].parts) == pytest.approx(100)
    assert sum(part.width_pct for part in bars[2].parts) == pytest.approx(100 * 39.6 / 50.9)
    text = page_of(failed, tmp_path).text
    assert "boot 39.6 s" in text
    assert "until the machine was a ready node with the pod on it" in text


def test_a_rise_that_never_came_is_no_short_one(tmp_path: Path) -> None:
    never = payday.capacity((53.6, 3, 12.4, (3.4, 4.0, 0.3, 0.0, 0.0, 4.7)), (66.0, 4, None, ()), limit_s=10)
    result = payday.result(Verdict.FAIL, (never,), tmp_path)
    slow, missing = rise_bars(capacity_data(result))
    assert slow.in_time is False
    assert slow.limit_pct == pytest.approx(100 * 10 / 12.4)
    assert (missing.in_time, missing.parts) == (False, ())
    assert missing.sentence == "1 min 6 s into the event 4 pods were needed: never ready (limit 10 s)"
    assert ("Time to capacity", "never", "4 pods were not ready in time") in tiles(result, payday.rehearsed(), None)
    assert "too late" in Reader(render_event_page(result, evidence())).text


def test_no_rise_is_called_timely_against_its_own_finding(tmp_path: Path) -> None:
    after_the_event = replace(payday.capacity((370.0, 3, 20.0, ())), verdict=Verdict.FAIL)
    result = payday.result(Verdict.FAIL, (after_the_event,), tmp_path)
    assert [bar.in_time for bar in rise_bars(capacity_data(result))] == [None]


def test_what_was_not_measured_is_said_to_be(tmp_path: Path) -> None:
    result = payday.result(
        Verdict.INCONCLUSIVE, (), tmp_path, event=replace(payday.rehearsed(), sent=0, bad=0, failed=0)
    )
    assert result.event is not None
    assert tiles(result, result.event, None)[:2] == [
        ("Bad requests", "not measured", "0 of 0 failed or came late"),
        ("Time to capacity", "not measured", "no rise of the load was timed"),
    ]
    assert provisioned_rows(result) == []
    read = Reader(render_event_page(result))
    assert "Nothing was recorded, so there is no figure." in read.text
    assert not read.scripts
    bare = variant_rows([Variant("autoscaled", "2 to 5", 0, 0)])
    assert [values for _, values in bare[1:]] == [["not measured"]] * 7


def test_the_comparison_stands_side_by_side(tmp_path: Path) -> None:
    text = page_of(failed, tmp_path).text
    assert "autoscaled fixed for the peak fixed for the base" in text
    assert "times hindsight 1.24 2.20 0.88" in text
    assert "same event with another supply" not in page_of(failed, tmp_path, evidence(variants=())).text


def test_provisioning_is_in_shares_with_what_they_say(tmp_path: Path) -> None:
    rows = {name: value for name, value, _ in provisioned_rows(failed(tmp_path))}
    assert rows == {
        "under-provisioned": "14%",
        "missing": "6.1%",
        "shortfall": "96 s",
        "over-provisioned": "39%",
        "idle": "21%",
        "jitter": "-0.24 a minute",
    }


def test_the_knee_of_a_ramp_is_a_main_figure(tmp_path: Path) -> None:
    data = {"carried_per_s": 184.2, "error_per_s": 6.0, "multiple": 1.84}
    broke = Finding("headroom", "run", Verdict.PASS, "it carried 184 ± 6 requests/s", data)
    result = payday.result(Verdict.PASS, (broke,), tmp_path)
    assert ("Carried", "184 ± 6/s", "1.84 times the declared peak") in tiles(result, payday.rehearsed(), None)


def test_hostile_names_stay_words(tmp_path: Path) -> None:
    result = failed(tmp_path)
    assert result.event is not None
    row = {"at_s": 1.0, "pods": 3, "seconds": 2.0, "last": HOSTILE, "stages": {HOSTILE: 2.0}}
    findings = (
        Finding("time-to-capacity", HOSTILE, Verdict.FAIL, HOSTILE, {"rows": [row], "limit_s": 1, "culprit": HOSTILE}),
    )
    hostile = replace(
        result, service=HOSTILE, findings=findings, event=replace(result.event, name=HOSTILE, title=HOSTILE)
    )
    happenings = tuple(
        Happening(EVENT_NS, source, kind, f"{sort}/{HOSTILE}", HOSTILE, {"experiment": HOSTILE, "replicas": HOSTILE})
        for source, kind, sort in (
            (Source.KUBERNETES, "machine.launched", "machine"),
            (Source.CHAOS, "fault.begin", "node"),
            (Source.KUBERNETES, "scale.wanted", "deployment"),
            (Source.KUBERNETES, "pod.failing", "pod"),
        )
    )
    given = evidence(timeline=happenings, variants=(Variant(HOSTILE, HOSTILE, 1, 0),))
    page = render_event_page(hostile, given, raw_files=[HOSTILE])
    read = Reader(page)
    assert [a.get("id") for tag, a in read.elements if tag == "script"] == ["figure", "plotly", "draw"]
    assert not any(tag == "img" for tag, _ in read.elements)
    assert "\x1b" not in page
    assert "alert(1)" in read.text
    for words in strings(json.loads(read.scripts["figure"])):
        assert "<script" not in words
        assert "<img" not in words


def test_a_long_event_is_drawn_by_its_worst_seconds(tmp_path: Path) -> None:
    long = payday.curves(stretch=20)  # 10,000 s
    figure = figure_of(evidence(curves=long), tmp_path)
    assert figure["meta"]["thinned"] == ["each point of the figure stands for 3 seconds, the worst of them"]
    ready, p99 = trace(figure, "ready", "y2"), trace(figure, "p99", "y4")
    assert len(ready["y"]) == -(-len(long.seconds) // 3) <= 3600
    assert ready["y"] == [int(long.pods_ready[i : i + 3].min()) for i in range(0, len(long.seconds), 3)]
    assert max(one for one in p99["y"] if one is not None) == pytest.approx(np.nanmax(long.p99_ms), abs=1e-3)
    assert trace(figure, "as it was", "y5")["y"][-1] == pytest.approx(long.cost[-1], abs=1e-4)


def test_it_is_written_beside_the_raw_files(tmp_path: Path) -> None:
    (tmp_path / "events.parquet").write_bytes(b"PAR1")
    path = write_event_page(passed(tmp_path), evidence())
    links = [a["href"] for tag, a in Reader(path.read_text(encoding="utf-8")).elements if tag == "a"]
    assert path == tmp_path / "index.html"
    assert links == ["./events.parquet", "./verdict.json"]


def test_a_gates_result_has_no_such_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gate"):
        render_event_page(passed_gate(tmp_path)[0], evidence())


def test_an_event_as_on_the_day_says_so(tmp_path: Path) -> None:
    whole = replace(payday.rehearsed(), real_s=380.0, shortened=(), scale=1.0)
    rows = dict(facts(whole, passed(tmp_path)))
    assert rows["length"] == "6 min 20 s, as on the day"
    assert rows["plateaus"] == "none shortened"
    assert rows["load"] == "20 to 100 requests a second"
    unknown = replace(whole, shortened=tuple(replace(one, rate_per_s=None) for one in payday.rehearsed().shortened[:1]))
    assert shortened_words(unknown) == "shortened: 60 min of the plateau at 0.0 s to 40 s"
