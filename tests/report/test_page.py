"""The page: loads nothing, escapes everything, says all, and stays small."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.pages import HOSTILE, Reader, strings
from fakes.report_runs import SECOND, events, failed, history, passed, phases, unproven

from shiftproof.model.history import Happening, History, Source
from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.page import figures, render_page, write_page

Made = Callable[[Path], tuple[RunResult, History, list[int]]]


def page_of(made: Made, run_dir: Path) -> str:
    result, run_history, lost = made(run_dir)
    return render_page(result, run_history, attributed=np.array(lost), threshold_ms=500, raw_files=["events.parquet"])


@pytest.mark.parametrize("made", [passed, failed, unproven])
def test_the_page_loads_nothing_from_anywhere(made: Made, tmp_path: Path) -> None:
    page = page_of(made, tmp_path)
    read = Reader(page)
    for tag, attributes in read.elements:
        assert tag not in ("iframe", "object", "embed", "base", "img", "audio", "video", "source"), tag
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        target = attributes.get("href")
        assert target is None or target == "data:," or target.startswith("./"), target
    css = "".join(re.findall(r"<style>(.*?)</style>", page, re.S))
    assert "url(" not in css
    assert "@import" not in css
    policy = next(a["content"] for tag, a in read.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert len(page) < 3_000_000


def test_plotly_is_inside_and_whole(tmp_path: Path) -> None:
    packed = Reader(page_of(passed, tmp_path)).scripts["plotly"]
    script = gzip.decompress(base64.b64decode(packed)).decode()
    assert "plotly.js v" in script[:400]


@pytest.mark.parametrize("made", [passed, failed, unproven])
def test_the_verdict_comes_first_and_every_claim_is_explained(made: Made, tmp_path: Path) -> None:
    result = made(tmp_path)[0]
    text = Reader(page_of(made, tmp_path)).text
    assert text.index(f" {result.verdict.value} ") < text.index("Timeline") < text.index("Claims")
    for finding in result.findings:
        assert finding.reason in text
    assert text.count("Claim:") == len({finding.claim for finding in result.findings})
    for value in (*result.run.digests.values(), *result.run.versions.values(), str(result.run.seed)):
        assert value in text


def test_hostile_names_stay_words(tmp_path: Path) -> None:
    result, run_history, lost = failed(tmp_path)
    bad = Finding("outage", HOSTILE, Verdict.FAIL, HOSTILE, {"culprit": HOSTILE, "hint": HOSTILE, HOSTILE: [HOSTILE]})
    happening = Happening(run_history.phases[0].start_ns, Source.KUBERNETES, "pod.failing", f"pod/{HOSTILE}", HOSTILE)
    hostile_history = replace(
        run_history,
        timeline=(happening, *run_history.timeline),
        servers=("", *[HOSTILE] * 5),
        operations=(HOSTILE,) * 3,
        phases=tuple(replace(phase, name=HOSTILE) for phase in run_history.phases),
    )
    hostile = replace(result, service=HOSTILE, findings=(bad,), run=replace(result.run, operator=HOSTILE))
    page = render_page(hostile, hostile_history, attributed=np.array(lost), raw_files=[HOSTILE])
    read = Reader(page)
    assert [a.get("id") for tag, a in read.elements if tag == "script"] == ["figure", "plotly", "draw"]
    assert not any(tag == "img" for tag, _ in read.elements)
    assert "\x1b" not in page
    assert "alert(1)" in read.text  # said, and not run
    figure = json.loads(read.scripts["figure"])
    for words in strings(figure):
        assert "<script" not in words
        assert "<img" not in words


def test_without_a_history_the_words_are_still_there(tmp_path: Path) -> None:
    read = Reader(render_page(unproven(tmp_path)[0]))
    assert "No request was recorded, so there is no timeline." in read.text
    assert "the fault proved nothing" in read.text
    assert not read.scripts


def test_an_empty_history_can_be_drawn(tmp_path: Path) -> None:
    empty = History(started_ns=1_000 * SECOND, phases=(), events=events(phases(1))[:0], operations=())
    figure = json.loads(Reader(render_page(unproven(tmp_path)[0], empty)).scripts["figure"])
    assert "no request was recorded" in [note["text"] for note in figure["layout"]["annotations"]]


def test_it_is_written_beside_the_raw_files(tmp_path: Path) -> None:
    (tmp_path / "events.parquet").write_bytes(b"PAR1")
    (tmp_path / ".new-half").write_bytes(b"")
    result, run_history, lost = passed(tmp_path)
    path = write_page(result, run_history, attributed=np.array(lost))
    links = [a["href"] for tag, a in Reader(path.read_text(encoding="utf-8")).elements if tag == "a"]
    assert path == tmp_path / "index.html"
    assert links == ["./events.parquet", "./verdict.json"]


def test_a_long_run_stays_small_and_says_what_is_not_drawn(tmp_path: Path) -> None:
    run = phases()
    every = np.concatenate([events(run)] * 4)  # about 150,000 requests
    every["failure"][every["side"] == 1] = 4
    every = every[np.argsort(every["intended_ns"], kind="stable")]
    assert len(every) > 100_000
    page = render_page(failed(tmp_path)[0], history(run, every))
    read = Reader(page)
    assert len(read.scripts["figure"]) < 1_500_000
    drawn = re.search(r"1,500 of ([\d,]+) failed requests of cluster are drawn", read.text)
    assert drawn is not None
    assert int(drawn[1].replace(",", "")) == int((every["side"] == 1).sum())


def test_figures_have_their_units_behind_them() -> None:
    data = {"recover_s": 2.345678, "late_pct": 0.5, "pairs": 14880, "ok": True, "gone": None, "hint": "no figure",
            "budget": {"outage_ms": 5000}, "rollout_s": [6.1, 6.0], "victims": [], "longest_ms": 21555.5}  # fmt: skip
    assert figures(Finding("recovery", "node-loss", Verdict.PASS, "fine", data)) == [
        ("recover", "2.346 s"),
        ("late", "0.5%"),
        ("pairs", "14,880"),
        ("ok", "yes"),
        ("gone", "unknown"),
        ("budget, outage", "5,000 ms"),
        ("rollout", "6.1, 6 s"),
        ("victims", "none"),
        ("longest", "21,556 ms"),
    ]
