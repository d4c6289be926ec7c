"""Load profiles by the name of their event: `loadprofiles/ramp_to_break.py` is the event ramp-to-break.

A file's name is one that Python can import, so it has underscores; what people type has hyphens. Both find it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shiftproof.adapters.locust.event import Described, describe, describe_all
from shiftproof.errors import UserError
from shiftproof.model.load_event import LoadEvent


def profiles_dir(infra_dir: Path) -> Path:
    """`loadprofiles/` stands beside `infra/`."""
    return infra_dir.parent / "loadprofiles"


def event_name(profile: Path) -> str:
    """What people call the event of this file."""
    return profile.stem.replace("_", "-")


def profiles(folder: Path) -> list[Path]:
    """Every profile, by name."""
    return sorted(path for path in folder.glob("*.py") if not path.stem.startswith("_"))


def find_profile(folder: Path, name: str) -> Path:
    """The profile of the event of that name. Raises UserError that lists the known events with their titles."""
    for profile in profiles(folder):
        if name.replace("_", "-") == event_name(profile):
            return profile
    known = "; ".join(f"{name} ({said})" for name, said in known_events(folder))
    raise UserError(f"there is no load event {name!r}", hint=f"known events: {known or f'none in {folder}'}")


def read_profile(profile: Path) -> LoadEvent:
    """What it says. Raises UserError with file and line of what is wrong with it."""
    return describe(profile)


def known_events(folder: Path) -> list[tuple[str, str]]:
    """Name and title of each, or what is wrong with its file."""
    found = profiles(folder)
    described: Sequence[Described] = describe_all(found) if found else ()
    return [
        (event_name(profile), one.event.title if one.event is not None else f"cannot be read: {one.problem}")
        for profile, one in zip(found, described, strict=True)
    ]
