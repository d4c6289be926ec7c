"""The end of a run, word by word."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import payday
from fakes.report_runs import failed, passed, result, unproven
from rich.console import Console

from shiftproof.model.result import CustomerCount, PhaseRow
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.summary import print_run, print_summary, summary_lines
from shiftproof.report.words import duration, headline, milliseconds, next_command, percent, sentence, zero_bound

RUN_DIR = Path("reports/7f3a")


def text(made: object, width: int = 80) -> str:
    assert callable(made)
    return "\n".join(summary_lines(made(RUN_DIR)[0], width)) + "\n"


def test_pass() -> None:
    assert text(passed, 100) == (
        "PASS   Nothing a customer could notice: 0 of 14,880 graceful pairs attributed (below 0.031% at 99%).\n"
        "       Proof: reports/7f3a/proof.dsse.json\n"
    )


def test_fail() -> None:
    assert text(failed) == (
        "FAIL   deploy: 3 of 3 rollouts lost requests (14, 12, 14 of 1,200 each; the\n"
        "       legacy side lost 2)\n"
        "       12:01:25.66  pod payments-7d4f9-10 stopped listening 40 ms after SIGTERM\n"
        "       and left the load balancer 310 ms later.\n"
        "       Try: keep serving after SIGTERM until the load balancer has let go\n"
        "       (preStop sleep >= 5 s).\n"
        "       Also: deploy: 9 outages in 3 repeats, the longest 268 ms ± 6.7 ms (14\n"
        "       requests, 12% of those sent); a graceful action may cause none\n"
        "       infra/services/payments/base/deployment.yaml:31\n"
        "       Report: reports/7f3a/index.html\n"
    )


def test_inconclusive_says_what_was_missing_and_what_would_settle_it() -> None:
    assert text(unproven) == (
        "INCONCLUSIVE   node-loss: the fault proved nothing: no pod of payments ran on\n"
        "       node-2 when its power was cut, so no request could be hurt\n"
        "       Try: spread the pods over both nodes (topologySpreadConstraints).\n"
        "       Also: node-loss: nothing was lost, so there was nothing to recover from\n"
        "       Report: reports/7f3a/index.html\n"
        "       To settle it: shiftproof gate payments --to 25 --only node-loss\n"
    )


@pytest.mark.parametrize("made", [passed, failed, unproven])
@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal_but_for_paths_and_commands(made: object, width: int) -> None:
    for line in text(made, width).splitlines():
        whole = any(word in line for word in ("Report: ", "Proof: ", "To settle it: ", "Next: ", ".yaml:"))
        assert len(line) <= width or whole


def test_customers_that_were_hurt_are_never_left_out() -> None:
    hurt = replace(passed(RUN_DIR)[0], customers=CustomerCount(3210, 2))
    assert "       Customers: 2 of 3,210 of their own requests failed meanwhile." in summary_lines(hurt)


def test_nothing_judged_is_not_proven() -> None:
    empty = result(Verdict.INCONCLUSIVE, (), RUN_DIR)
    assert sentence(empty) == "Nothing was judged, so nothing is proven."
    assert next_command(empty) == "shiftproof gate payments --to 25"


def test_the_gates_own_sentence_wins() -> None:
    assert sentence(replace(passed(RUN_DIR)[0], sentence="All quiet.")) == "All quiet."


def test_the_cause_leads_and_other_claims_of_the_same_phase_lend_it_their_culprit() -> None:
    findings = (
        Finding("latency", "deploy", Verdict.FAIL, "late"),
        Finding("availability", "deploy", Verdict.FAIL, "lost 3", {"culprit": "pod/a is not configured"}),
        Finding("deploy", "deploy", Verdict.FAIL, "no rollout ended: CreateContainerConfigError"),
    )
    made = result(Verdict.FAIL, findings, RUN_DIR)
    decided = headline(made)
    assert decided is not None
    assert decided.claim == "deploy"
    assert summary_lines(made)[:2] == [
        "FAIL   deploy: no rollout ended: CreateContainerConfigError",
        "       pod/a is not configured",
    ]
    assert next_command(made) is None


def test_names_from_the_service_cannot_drive_the_terminal() -> None:
    hostile = (Finding("outage", "deploy", Verdict.FAIL, "pod \x1b[2J\x1b]0;owned\x07 fell\nPASS   all is well"),)
    lines = summary_lines(result(Verdict.FAIL, hostile, RUN_DIR), 120)
    assert lines[0].startswith("FAIL   deploy: pod ")
    assert not any(ord(c) < 32 for line in lines for c in line)
    assert not any(line.startswith("PASS") for line in lines)


def test_colours_only_where_there_is_a_terminal() -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    print_summary(Console(file=plain, width=80), failed(RUN_DIR)[0])
    print_summary(Console(file=coloured, width=80, force_terminal=True, color_system="standard"), failed(RUN_DIR)[0])
    assert "\x1b" not in plain.getvalue()
    assert coloured.getvalue().startswith("\x1b[1;31mFAIL\x1b[0m")


def test_a_run_shown_again_has_its_phases() -> None:
    out = io.StringIO()
    rows = (
        PhaseRow("deploy", Verdict.PASS, "3 rollouts, 6.1 s each", 3010, 0),
        PhaseRow("steady", Verdict.PASS, "", 9, 0),
    )
    print_run(Console(file=out, width=100), replace(passed(RUN_DIR)[0], phases=rows))
    assert [line.rstrip() for line in out.getvalue().splitlines()[:3]] == [
        "payments   legacy 100% -> cluster 25%   lab   run 7f3a   2026-05-04 12:01 UTC   2 min 41 s",
        "  deploy     ok    3 rollouts, 6.1 s each    0 of 3,010",
        "  steady     ok    9 pairs    0 attributed",
    ]


def test_figures_for_people() -> None:
    assert [duration(s) for s in (0.04, 6.1, 41, 161.4, 3725)] == ["0.0 s", "6.1 s", "41 s", "2 min 41 s", "1 h 2 min"]
    assert [milliseconds(ms) for ms in (0.5, 7.2, 412.3, 1903)] == ["0.5 ms", "7.2 ms", "412 ms", "1.9 s"]
    assert [percent(p) for p in (0, 0.00031, 0.0074, 0.4)] == ["0%", "0.031%", "0.74%", "40%"]


def test_the_bound_of_zero_failures() -> None:
    # Known answers: ln(100)/-ln(1-p), the smallest error-free samples that rule out 1% and 0.1% at 99%.
    assert zero_bound(459) < 0.01 < zero_bound(458)
    assert zero_bound(4603) < 0.001 < zero_bound(4602)
    assert zero_bound(0) == 1.0


def test_noise_that_was_learnt_is_proposed_as_a_line_for_platform_yaml() -> None:
    made = passed(RUN_DIR)[0]
    noisy = Finding("parity", "run", Verdict.PASS, "alike", {"propose": "parity: {ignore: [note]}"})
    lines = summary_lines(replace(made, findings=(*made.findings, noisy)), 100)
    said = "Noise that legacy has too; to accept it, in infra/platform.yaml: parity: {ignore: [note]}"
    assert lines[1] == f"       {said}"


def test_what_was_decided_early_is_not_said_again() -> None:
    made = failed(RUN_DIR)[0]
    early = Finding("parity", "steady", Verdict.FAIL, "steady: so far", {"decided_early": True})
    final = Finding("parity", "steady", Verdict.FAIL, "create: amount differs", {"hint": "compare"})
    alone, both = (
        "\n".join(summary_lines(replace(made, findings=findings), 100)) for findings in ((early,), (early, final))
    )
    assert alone.startswith("FAIL   steady: so far")
    assert both.startswith("FAIL   steady: create: amount differs")
    assert "so far" not in both


def test_an_event_says_the_verdict_first_and_then_every_claim() -> None:
    assert "\n".join(summary_lines(payday.failed(RUN_DIR), 90)) + "\n" == (
        "FAIL   1,024 of 16,707 requests failed or came late (6.1%, limit 1%); the control had 0.1%\n"
        "       2 pods waited 40 s for a machine, from 12:03:25.72 on, while the load rose on.\n"
        "       Try: keep a spare node of low-priority pods, or let pods start on less CPU, or\n"
        "       scale on a rising rate.\n"
        "       FAIL     shortfall: as said above\n"
        "       ok       time-to-capacity: 3 pods were ready 12 s after the load asked for them, 5\n"
        "                for its peak after 46 s (within 90 s)\n"
        "       ok       stability: 2 changes of direction, as many as the load has\n"
        "       ok       return-to-base: pods and nodes were back after 51 s (within 300 s)\n"
        "       ok       cost: 1.24 times what perfect foresight would have paid (at most 2); too\n"
        "                few pods ready 14% of the time, too many 39%\n"
        "       ok       load-delivered: 16,707 requests of the event sent as planned\n"
        "       Report: reports/7f3a/index.html\n"
    )


def test_an_event_that_passed_and_one_that_proved_nothing() -> None:
    made = payday.passed(RUN_DIR)
    assert sentence(made) == (
        "payday was carried, up to 100 requests a second: 0 of 16,707 failed or came late (below 0.028% at 99%)."
    )
    assert made.event is not None
    few = replace(made, event=replace(made.event, bad=12))
    assert sentence(few).endswith(": 12 of 16,707 failed or came late (0.072%).")
    unproven = summary_lines(payday.unproven(RUN_DIR), 90)
    assert unproven[0] == "INCONCLUSIVE   one of two load workers was lost, and with it 50% of the load"
    assert unproven[-1] == "       To settle it: shiftproof rehearse payday --service payments"


def test_of_a_claim_with_many_findings_the_worst_is_said_and_the_rest_counted() -> None:
    checks = tuple(Finding("preflight", name, Verdict.PASS, f"{name} is as it should be") for name in ("a", "b", "c"))
    late = Finding("return-to-base", "run", Verdict.FAIL, "still 5 pods after 300 s")
    lines = summary_lines(payday.result(Verdict.FAIL, (*checks, late), RUN_DIR), 100)
    assert lines[1:3] == [
        "       FAIL     return-to-base: as said above",
        "       ok       preflight: a: a is as it should be (and 2 more)",
    ]


def test_an_event_shown_again_names_the_event_and_no_step() -> None:
    out = io.StringIO()
    print_run(Console(file=out, width=100), payday.passed(RUN_DIR))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines[0] == "payments   payday 20 -> 100/s   lab   run 7f3a   2026-05-04 12:01 UTC   8 min 41 s"
    assert lines[2] == "  payday        done  17,830 requests, pods 2 to 5"
