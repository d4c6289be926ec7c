"""Files that people write: YAML in, a checked value out, and every error with its file and line.

Used for the platform, targets, defects, and whatever else comes as YAML with a pydantic model.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from shiftproof.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
Loc = Sequence[str | int]
"""Where in the document: keys and indices from the top, as pydantic's `loc`."""

MAX_BYTES = 1_000_000  # what a person writes is far smaller; a log file given by mistake is not


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, with its place in the document."""

    loc: tuple[str | int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Document(Generic[Model]):
    """A file that was read and checked: its value, and a way to name the line of any part of it."""

    file: Path
    value: Model
    node: Node = field(repr=False, compare=False)

    def line(self, loc: Loc) -> int:
        """The 1-based line of that part, or of the closest part around it that is written down."""
        return line_of(self.node, loc)

    def refuse(self, problems: Sequence[Problem]) -> None:
        """Raises ConfigError when there are any."""
        if problems:
            raise _config_error(self.file, self.node, problems)


def read_document(file: Path, model: type[Model]) -> Document[Model]:
    """Read and check. Raises ConfigError: no such file, not text, not YAML, or not what `model` asks for."""
    text = _read_text(file)
    try:
        node = YAML(typ="safe", pure=True).compose(io.StringIO(text))
        data = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(_yaml_words(error), file=file, line=mark.line + 1 if mark else None) from None
    except YAMLError as error:
        raise ConfigError(f"is not YAML: {str(error).splitlines()[0]}", file=file) from None
    except RecursionError:
        raise ConfigError("is not YAML that a person wrote: it is nested too deeply", file=file) from None
    except ValueError as error:  # e.g. a date such as 2026-02-30
        raise ConfigError(f"a value cannot be read: {error}", file=file) from None
    if node is None:
        raise ConfigError("is empty", file=file)
    try:
        return Document(file, model.model_validate(data), node)
    except ValidationError as error:
        known = _field_names(model)
        problems = [_problem(detail, known) for detail in _causes(error.errors(include_url=False))]
        raise _config_error(file, node, problems) from None


def line_of(node: Node, loc: Loc) -> int:
    """The 1-based line of the last part of `loc` that is in the document; a key's own line, where it has one."""
    line = int(node.start_mark.line) + 1
    for part in loc:
        step = _child(node, part)
        if step is None:
            continue  # pydantic names union members and validators in between: not in the document
        line, node = step
    return line


def _child(node: Node, part: str | int) -> tuple[int, Node] | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == str(part):
                return int(key.start_mark.line) + 1, value
    elif isinstance(node, SequenceNode) and isinstance(part, int) and 0 <= part < len(node.value):
        item: Node = node.value[part]
        return int(item.start_mark.line) + 1, item
    return None


def _read_text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ConfigError(f"is larger than {MAX_BYTES:,} bytes: not a file of this kind", file=file)
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError("there is no such file", file=file) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", file=file) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file) from None


def _yaml_words(error: MarkedYAMLError) -> str:
    """ruamel's words, less the advice to Python programmers that it adds to some of them."""
    said = str(error.problem or error.context or "not understood").strip().splitlines()[0]
    return f"is not YAML: {said}"


def _config_error(file: Path, node: Node, problems: Sequence[Problem]) -> ConfigError:
    placed = sorted(((line_of(node, problem.loc), problem.message) for problem in problems), key=lambda item: item[0])
    line, message = placed[0]
    others = sorted({other for other, _ in placed[1:]})
    if others:
        plural = "lines" if len(others) > 1 else "line"
        message += f" (and {len(placed) - 1} more, {plural} {', '.join(map(str, others))})"
    return ConfigError(message, file=file, line=line)


def _causes(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Less what only follows from others: a list whose items are wrong is also said to be too short."""
    places = [detail["loc"] for detail in details]

    def follows(detail: ErrorDetails) -> bool:
        loc = detail["loc"]
        return detail["type"] == "too_short" and any(place[: len(loc)] == loc != place for place in places)

    return [detail for detail in details if not follows(detail)]


def _problem(detail: ErrorDetails, known: frozenset[str]) -> Problem:
    loc = tuple(detail["loc"])
    where = place(loc)
    kind = detail["type"]
    if kind == "missing":
        return Problem(loc, f"{where} is missing")
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(loc[-1]), known - {str(loc[-1])}, n=1)
        return Problem(loc, f"{where} is not a key that is known here" + (f": is {close[0]} meant?" if close else ""))
    said = str(detail["msg"]).removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    given = detail.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float) and kind != "value_error" else ""
    return Problem(loc, f"{where}: {said}{shown}" if where else said)


def place(loc: Loc) -> str:
    """`services[0].load.timeout_s`; "" for the document as a whole."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _field_names(model: type[BaseModel]) -> frozenset[str]:
    """Every key that the model or a part of it knows, for a guess at what was meant."""
    return frozenset(_properties(model.model_json_schema()))


def _properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            yield from properties
        for part in schema.values():
            yield from _properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _properties(part)
