"""Recorded withdrawals: how their values are compared, and edits of the text of `withdrawals.yaml`.

An edit keeps the rest of the file, with its comments, wherever possible.  The edited text is parsed
again: if it does not hold exactly the intended entries, the whole file is written anew from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from schemas import urls
from schemas.errors import Invalid, Problem
from schemas.schema_check import check
from schemas.yaml_source import parse, parse_bytes

SCOPES: Final = ("source", "url", "domain", "document", "text")
NAME: Final = "withdrawals.yaml"
SCHEMA: Final = "register.schema.json"
#: The head of a new file.
HEADER: Final = "# What was withdrawn, and bars from every run.  `tamga withdraw` adds to it.\n"

Entry = Mapping[str, Any]


def comparison_key(scope: str, value: str) -> str:
    """Return the value in the form in which withdrawals are compared: normal URLs and hosts, digests in
    lower case."""
    value = value.strip()
    if scope == "url":
        return urls.normal_url(value) or value
    if scope == "domain":
        return urls.authority_host(value.removesuffix("/")) or value.lower()
    return value.lower() if scope in ("document", "text") else value


def active_entry(entries: Sequence[Entry], scope: str, value: str) -> dict[str, Any] | None:
    """Return the entry that bars exactly this scope and value; None: there is none, or it was lifted."""
    key = comparison_key(scope, value)
    for entry in entries:
        same = entry["scope"] == scope and comparison_key(scope, entry["value"]) == key
        if same and "lifted_on" not in entry:
            return dict(entry)
    return None


#: Key of an entry -> its argument on command lines.
_ARGUMENTS: Final = {
    "value": "VALUE",
    "ground": "--ground",
    "recorded_by": "--by",
    "received_on": "--received",
    "due_on": "--due",
    "case": "--case",
}


def check_entry(entry: Entry) -> None:
    """Raise `Invalid` for an entry that the file cannot hold; problems name the command line's
    arguments."""
    try:
        _parse_entries(_block(entry), "withdrawal")
    except Invalid as error:
        raise Invalid(map(_name_argument, error.problems)) from None


def _name_argument(problem: Problem) -> Problem:
    """Return the problem with the argument's name in place of file, line and key."""
    name = _ARGUMENTS.get(problem.key.rpartition(".")[2])
    return replace(problem, file=name, line=None, key="") if name else problem


def with_entry(text: str, before: Sequence[Entry], entry: Entry) -> str:
    """Return a file's text with one more entry.

    Args:
      text: the file's text.
      before: the file's entries.
      entry: the entry to add.
    """
    after = [*before, dict(entry)]
    added = (text if text.endswith("\n") or not text else text + "\n") + _block(entry)
    return added if _holds_exactly(added, after) else HEADER + "".join(map(_block, after))


def with_lifted(
    text: str, before: Sequence[Entry], scope: str, value: str, lifted: Mapping[str, str]
) -> str | None:
    """Return a file's text with the active entries of a scope and value marked as lifted.

    Args:
      text: the file's text.
      before: the file's entries.
      scope: the scope of the entries to mark.
      value: their value, in any spelling with the same `comparison_key`.
      lifted: the keys to add: `lifted_on` and `lifted_by_case`.

    Returns:
      The text; None: there is no such entry.
    """
    after = [dict(e) | dict(lifted) if active_entry([e], scope, value) else e for e in before]
    if after == before:
        return None
    lines, source = text.splitlines(keepends=True), parse(text, NAME)[0]
    assert source is not None
    more = "".join(f"  {k}: {_quoted(v)}\n" for k, v in lifted.items())
    for i, (old, new) in reversed(list(enumerate(zip(before, after, strict=True)))):
        if old != new:
            lines.insert(source.lines[(i,)], more)
    edited = "".join(lines)
    return edited if _holds_exactly(edited, after) else HEADER + "".join(map(_block, after))


#: Characters that end a line in YAML 1.1 but not in JSON: YAML would fold them to a blank in quotes.
_BREAKS: Final = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).translate(_BREAKS)


def _block(entry: Entry) -> str:
    """Return an entry as YAML: one key a line, values quoted as in JSON."""
    lines = [f"{k}: {_quoted(v)}\n" for k, v in entry.items()]
    return "- " + "  ".join(lines)


def _parse_entries(text: str, name: str) -> list[dict[str, Any]]:
    """Return the entries of a text; raise `Invalid` if it has a problem."""
    source, problems = parse(text, name)
    problems += check(source, SCHEMA, "withdrawals") if source is not None else []
    if source is None or problems:
        raise Invalid(problems)
    return list(source.value)


def _holds_exactly(text: str, entries: Sequence[Entry]) -> bool:
    """Whether a text can be parsed and holds these entries and no others."""
    try:
        return _parse_entries(text, NAME) == list(entries)
    except Invalid:
        return False


def parse_withdrawals(data: bytes, name: str) -> tuple[str, list[dict[str, Any]]]:
    """Return a file's text and its entries, lifted ones included.

    Args:
      data: the file's content.
      name: the file's name in problems.

    Raises:
      Invalid: if the file cannot be used.
    """
    source, problems = parse_bytes(data, name)
    if source is None:
        raise Invalid(problems)
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    if source.value is None and not problems:  # only comments
        return text, []
    return text, _parse_entries(text, name)
