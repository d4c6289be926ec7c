"""Gates, rehearsals and a platform made of files, for tests of `sensitivity`: nothing is planted, and none takes time.

    python -m fakes.sensitivity FOLDER [--fresh]     # what `shiftproof sensitivity` does, in that world

`script.json` in the folder says what each gate does, by the defect's name: see `Script`, and sensitivity_gate.py, which
does it. `calls.log` says what happened.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from shiftproof.errors import ShiftproofError
from shiftproof.gate.signals import ends_as_interrupted
from shiftproof.sensitivity.attempts import OtherRule
from shiftproof.sensitivity.kind import GATES, Kind, rehearsals
from shiftproof.sensitivity.normal import Look
from shiftproof.sensitivity.plan import KnownDefect, make_turns
from shiftproof.sensitivity.rules import none_asked
from shiftproof.sensitivity.run import Asked, Parts, Result, Sensitivity
from shiftproof.sensitivity.runner import Command, GateCommand, RehearsalCommand, Runner
from shiftproof.sensitivity.view import PlainView, print_summary
from shiftproof.sensitivity.wording import last_line

EMPTY = hashlib.sha256().hexdigest()
FINGERPRINT = {"src": "1", "infra": "1"}


@dataclass(frozen=True, slots=True)
class Script:
    """What one gate does. exit None: as its verdict asks. waits: until the file `go` is there. spoils: leaves the

    platform with this fact changed. planted: what its verdict file claims to have planted, None for the truth.
    not_planted: steps that its verdict file says were not. edits: what somebody makes of src meanwhile. event: what its
    verdict file claims to have rehearsed, None for the truth. delivered: what a rehearsal says of its load, None:
    nothing. capacity_s: what it says of the time to capacity; None: never.
    """

    verdict: str | None = "PASS"
    claims: tuple[str, ...] = ()
    exit: int | None = None
    load_s: float = 12.5
    says: str = ""
    waits: bool = False
    spoils: str = ""
    planted: str | None = None
    not_planted: tuple[str, ...] = ()
    edits: str = ""
    event: str | None = None
    delivered: str | None = "PASS"
    capacity_s: float | None = 65.0


@dataclass(frozen=True, slots=True)
class World:
    """The folder in which it all happens."""

    folder: Path
    expects: Mapping[str, str] = field(default_factory=lambda: {"hole": "outage", "leak": "latency"})
    clean: int = 1
    repeat: int = 1
    steps: int = 1
    event: str | None = None

    @property
    def kind(self) -> Kind:
        return GATES if self.event is None else rehearsals(self.event, 300)

    def write(self, **scripts: Script) -> None:
        """What each gate does from now on."""
        made = {name: asdict(script) for name, script in scripts.items()}
        (self.folder / "script.json").write_text(json.dumps(made))
        if not (self.folder / "platform.json").exists():
            self.platform_is({"weights": "100"})

    def platform_is(
        self, facts: Mapping[str, str], *problems: str, scope: str = "lab:1", passing: tuple[str, ...] = ()
    ) -> None:
        look = {"scope": scope, "facts": facts, "problems": problems, "passing": passing}
        (self.folder / "platform.json").write_text(json.dumps(look))

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls.log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def fingerprint(self) -> Mapping[str, str]:
        """What `edited` in the folder holds is what src is now."""
        edited = self.folder / "edited"
        return {**FINGERPRINT, **({"src": edited.read_text()} if edited.exists() else {})}

    def asked(self) -> Asked:
        defects = [
            KnownDefect(name, f"A {name}", "somewhere#1", claim, f"defects/{name}.yaml", EMPTY, self.steps)
            for name, claim in self.expects.items()
        ]
        turns = make_turns(defects, self.clean, self.repeat, self.event)
        to_pct = 25 if self.event is None else None
        return Asked("payments", to_pct, turns, self.fingerprint(), self.reports, self.kind)

    def program(self) -> tuple[str, ...]:
        """The child, up to its own words."""
        return (sys.executable, "-I", str(Path(__file__).with_name("sensitivity_gate.py")), str(self.folder))

    def parts(self) -> Parts:
        program = self.program()
        command: Command = GateCommand("payments", 25, Path("infra"), program)
        if self.event is not None:
            command = RehearsalCommand("payments", self.kind, Path("infra"), program)
        return Parts(
            runner=lambda folder: Runner(command, folder),
            platform=FilePlatform(self.folder),
            others=none_asked if self.event is not None else _argo,
            about=lambda: ({"cores": "2"}, {"shiftproof": "0"}),
            fingerprint=self.fingerprint,
            sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
        )


def _argo(run_dir: Path) -> tuple[OtherRule, ...]:
    return (OtherRule("argo-rollouts", "documented", "PASS", 60.0, run_dir.name),)


@dataclass(frozen=True, slots=True)
class FilePlatform:
    """platform.json is what it looks like."""

    folder: Path

    def wait_free(self, note: Any) -> None:
        """Nobody else is here."""

    def recover(self, note: Any) -> None:
        with (self.folder / "calls.log").open("a") as file:
            file.write("recover\n")

    def look(self) -> Look:
        found = json.loads((self.folder / "platform.json").read_text())
        return Look(found["scope"], found["facts"], tuple(found["problems"]), tuple(found["passing"]))


def run_in(world: World, console: Console, *, fresh: bool = False) -> int:
    """As the command does it; returns its exit code."""

    def tell(result: Result) -> None:
        print_summary(console, result.summary, last_line(result.summary), str(result.folder))

    with ends_as_interrupted():
        return (
            Sensitivity(world.asked(), world.parts(), PlainView(console)).run(fresh=fresh, ended=tell).summary.exit_code
        )


def main(words: list[str]) -> int:
    try:
        return run_in(World(Path(words[0])), Console(highlight=False), fresh="--fresh" in words)
    except ShiftproofError as error:
        print(f"shiftproof: {error.one_line()}", file=sys.stderr)
    except KeyboardInterrupt:
        print("shiftproof: interrupted", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
