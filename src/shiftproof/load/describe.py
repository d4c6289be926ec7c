"""What load profiles say: `python -m shiftproof.load.describe loadprofiles/payday.py` prints each one's event as JSON,
a line each that begins with "event: ".

We ask in this way, since whatever imports a profile has imported Locust. Exit code 1 when one is {"problem": what is
wrong, and where}.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shiftproof.errors import ConfigError
from shiftproof.load.shape import read_shape  # first of all: it imports locust


def main() -> int:
    answers = [_said(Path(name)) for name in sys.argv[1:]]
    for answer in answers:
        print(f"event: {json.dumps(answer)}")
    return 1 if any("problem" in answer for answer in answers) else 0


def _said(profile: Path) -> dict[str, Any]:
    try:
        _, event = read_shape(profile)
    except ConfigError as error:
        return {"problem": str(error)}
    pieces = [{"kind": type(piece).__name__.lower(), **asdict(piece)} for piece in event.pieces]
    return {**asdict(event), "pieces": pieces}


if __name__ == "__main__":
    sys.exit(main())
