"""Recorded withdrawals: what each bars, and their file, to which entries are added.

An edit leaves what stands in `withdrawals.yaml` as it is, comments too, wherever that can be done;
what comes out is read again before it is written, and must say what was meant and nothing else.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from schemas import urls
from schemas.errors import Invalid, Problem
from schemas.validation import check
from schemas.yaml_source import parse, read

SCOPES: Final = ("source", "url", "domain", "document", "text")
NAME: Final = "withdrawals.yaml"
SCHEMA: Final = "register.schema.json"
_HEAD: Final = "# What was withdrawn, and bars from every run.  `tamga withdraw` adds to it.\n"

Entry = Mapping[str, Any]


def key_of(scope: str, value: str) -> str:
    """The value as withdrawals are compared: normal URLs and hosts, digests in lower case."""
    value = value.strip()
    if scope == "url":
        return urls.normal_url(value) or value
    if scope == "domain":
        return urls.authority_host(value.removesuffix("/")) or value.lower()
    return value.lower() if scope in ("document", "text") else value


def entries(register: Path) -> list[dict[str, Any]]:
    """The entries of a register's file as they stand, lifted ones among them.

    Raises:
      Invalid: where the file cannot be used.
    """
    return _read(register / NAME)[1]


def standing(found: Sequence[Entry], scope: str, value: str) -> dict[str, Any] | None:
    """The entry that bars this very scope and value; None: there is none, or it was lifted."""
    for one in found:
        same = one["scope"] == scope and key_of(scope, one["value"]) == key_of(scope, value)
        if same and "lifted_on" not in one:
            return dict(one)
    return None


#: What the keys of an entry are called on command lines.
_ARGUMENTS: Final = {
    "value": "VALUE",
    "ground": "--ground",
    "recorded_by": "--by",
    "received_on": "--received",
    "due_on": "--due",
    "case": "--case",
}


def checked(entry: Entry) -> None:
    """Raises `Invalid`, by the arguments of the command line, where an entry cannot stand in the
    file."""
    try:
        _parsed(_block(entry), "withdrawal")
    except Invalid as error:
        raise Invalid(map(_of_argument, error.problems)) from None


def _of_argument(problem: Problem) -> Problem:
    name = _ARGUMENTS.get(problem.key.rpartition(".")[2])
    return replace(problem, file=name, line=None, key="") if name else problem


def add(register: Path, entry: Entry) -> None:
    """Add an entry to a register's file; it is there whole or not at all.

    Raises:
      Invalid: where the entry, or the file as it stands, cannot be used.
    """
    path = register / NAME
    text, before = _read(path)
    after = [*before, dict(entry)]
    added = (text if text.endswith("\n") or not text else text + "\n") + _block(entry)
    _write(path, added if _says(added, after) else _HEAD + "".join(map(_block, after)))


def lift(register: Path, scope: str, value: str, lifted: Mapping[str, str]) -> bool:
    """Mark the standing entries of a scope and value as lifted; False: there is none.

    Args:
      register: the register's folder.
      scope: of the entries, as `value`.
      value: compared as `key_of` has it.
      lifted: `lifted_on`, and more that goes with it.
    """
    path = register / NAME
    text, before = _read(path)
    after = [one | dict(lifted) if standing([one], scope, value) else one for one in before]
    if after == before:
        return False
    lines, source = text.splitlines(keepends=True), parse(text, str(path))[0]
    assert source is not None
    more = "".join(f"  {k}: {_quoted(v)}\n" for k, v in lifted.items())
    for i, (old, new) in reversed(list(enumerate(zip(before, after, strict=True)))):
        if old != new:
            lines.insert(source.lines[(i,)], more)
    edited = "".join(lines)
    _write(path, edited if _says(edited, after) else _HEAD + "".join(map(_block, after)))
    return True


#: What ends a line in YAML 1.1 and not in JSON: inside quotes it would be folded to a blank.
_BREAKS: Final = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).translate(_BREAKS)


def _block(entry: Entry) -> str:
    """An entry as YAML: keys one below the other, values quoted as JSON quotes them."""
    lines = [f"{k}: {_quoted(v)}\n" for k, v in entry.items()]
    return "- " + "  ".join(lines)


def _parsed(text: str, name: str) -> list[dict[str, Any]]:
    source, problems = parse(text, name)
    problems += check(source, SCHEMA, "withdrawals") if source is not None else []
    if source is None or problems:
        raise Invalid(problems)
    return list(source.value)


def _says(text: str, meant: Sequence[Entry]) -> bool:
    try:
        return _parsed(text, NAME) == list(meant)
    except Invalid:
        return False


def _read(path: Path) -> tuple[str, list[dict[str, Any]]]:
    if not path.exists():
        return _HEAD, []
    source, problems = read(path)
    if source is None:
        raise Invalid(problems)
    text = path.read_text("utf-8-sig")
    if source.value is None and not problems:  # nothing but comments
        return text, []
    return text, _parsed(text, str(path))


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise Invalid([Problem(str(path), None, "", problem)]) from None
    finally:
        part.unlink(missing_ok=True)
