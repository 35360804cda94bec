"""Parse YAML and keep the line of each value.

Plain scalars follow the core schema of YAML 1.2, as in DVC: `no` is text (and a language code), only
`true` and `false` are booleans, and a date stays text.  Aliases, tags, several documents in a file
and repeated keys are problems: with them, the content differs from what a reader sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from schemas.errors import Problem

KeyPath = tuple[str | int, ...]

MAX_BYTES: Final = 32 << 20
MAX_DEPTH: Final = 32
_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_CONSTANTS: Final = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_NUMBER: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,2})?", re.ASCII
)
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?", re.ASCII)


@dataclass(frozen=True)
class YamlSource:
    """A parsed file.

    Attributes:
      file: its name in problems.
      value: its content.
      lines: the line of each key and list item, by path.
      plain_dates: the paths of plain (unquoted) scalars that look like dates.
    """

    file: str
    value: Any
    lines: dict[KeyPath, int]
    plain_dates: frozenset[KeyPath]

    def line(self, path: KeyPath) -> int | None:
        """Return the line of `path`, or of its nearest parent that has a line."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def problem(self, path: KeyPath, message: str, value: object = None) -> Problem:
        """Return a problem at `path`; `value` is what the file has there."""
        return Problem(self.file, self.line(path), key_path(path), message, excerpt(value))


def key_path(path: KeyPath) -> str:
    """Return a path as text: `("match", "domains", 0)` is `match.domains[0]`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def excerpt(value: object) -> str | None:
    """Return a value as a problem quotes it, in at most 80 characters."""
    if value is None:
        return None
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return text if len(text) <= 80 else text[:79] + "…"


#: A parsed file (None: it cannot be parsed), and its problems.
ParsedFile = tuple[YamlSource | None, list[Problem]]


def parse_bytes(data: bytes, name: str) -> ParsedFile:
    """Parse a file's content.

    Args:
      data: the content; of a too large file, at least the first `MAX_BYTES` + 1 bytes.
      name: the file's name in problems.
    """
    if len(data) > MAX_BYTES:
        return None, [Problem(name, None, "", f"must not be larger than {MAX_BYTES >> 20} MiB")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, [
            Problem(
                name,
                line,
                "",
                "not UTF-8: save the file as UTF-8",
                f"byte 0x{data[error.start]:02x}",
            )
        ]
    return parse(text, name)


def parse(text: str, name: str) -> ParsedFile:
    """Parse a file's text."""
    builder = _Builder(name)
    try:
        value = builder.document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        return None, [*builder.problems, Problem(name, line, "", f"YAML syntax: {error.problem}")]
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return None, [
            Problem(
                name,
                line,
                "",
                "YAML syntax: control characters are not allowed",
                f"U+{error.character:04X}",
            )
        ]
    except _Stop:
        return None, builder.problems
    source = YamlSource(name, value, builder.lines, frozenset(builder.plain_dates))
    return source, builder.problems


class _Stop(Exception):
    """Stop parsing the file."""


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Builder:
    """Builds the value of a file from YAML events, with its lines and problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.lines: dict[KeyPath, int] = {(): 1}
        self.plain_dates: set[KeyPath] = set()

    def report(self, event: Any, path: KeyPath, message: str, value: object = None) -> None:
        line, key = _line(event), key_path(path)
        self.problems.append(Problem(self.name, line, key, message, excerpt(value)))

    def document(self, events: Iterator[Any]) -> Any:
        value: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.report(event, (), "only one YAML document per file")
                    raise _Stop
            elif not isinstance(
                event, (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentEndEvent)
            ):
                value = self.node(event, events, ())
        return value

    def node(self, event: Any, events: Iterator[Any], path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH:
            self.report(event, path[:3], f"nested deeper than {MAX_DEPTH} levels")
            raise _Stop
        if isinstance(event, yaml.AliasEvent):
            self.report(event, path, "aliases are not supported: write the value out")
            return None
        if event.tag not in (None, "!"):
            self.report(event, path, "tags are not supported: write a plain value", event.tag)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(events, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(events, path)
        return self.scalar(event, path)

    def mapping(self, events: Iterator[Any], path: KeyPath) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                self.report(event, path, "a key must be plain text")
                raise _Stop
            key, here = event.value, (*path, event.value)
            if key in out:
                first = self.lines[here]
                self.report(event, here, f"given twice: first on line {first}; keep one of them")
                self.node(next(events), events, (*here, "duplicate"))
                continue
            self.lines[here] = _line(event)
            out[key] = self.node(next(events), events, here)
        return out

    def sequence(self, events: Iterator[Any], path: KeyPath) -> list[Any]:
        out: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, len(out))
            self.lines[here] = _line(event)
            out.append(self.node(event, events, here))
        return out

    def scalar(self, event: Any, path: KeyPath) -> Any:
        text: str = event.value
        if _UNSTORABLE.search(text):
            self.report(event, path, "must not contain NUL or half of a surrogate pair")
        if not event.implicit[0]:
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text):
            return float(text)
        if _DATE.fullmatch(text):
            self.plain_dates.add(path)
        return text
