"""Recorded withdrawals: what each bars, and the text of their file, to which entries are added.

An edit leaves what stands in `withdrawals.yaml` as it is, comments too, wherever that can be done;
what comes out is read again before it is written, and must say what was meant and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from schemas import urls
from schemas.errors import Invalid, Problem
from schemas.validation import check
from schemas.yaml_source import parse, parse_bytes

SCOPES: Final = ("source", "url", "domain", "document", "text")
NAME: Final = "withdrawals.yaml"
SCHEMA: Final = "register.schema.json"
#: The text of a file without entries.
HEADER: Final = "# What was withdrawn, and bars from every run.  `tamga withdraw` adds to it.\n"

Entry = Mapping[str, Any]


def comparison_key(scope: str, value: str) -> str:
    """The value as withdrawals are compared: normal URLs and hosts, digests in lower case."""
    value = value.strip()
    if scope == "url":
        return urls.normal_url(value) or value
    if scope == "domain":
        return urls.authority_host(value.removesuffix("/")) or value.lower()
    return value.lower() if scope in ("document", "text") else value


def active_entry(found: Sequence[Entry], scope: str, value: str) -> dict[str, Any] | None:
    """The entry that bars this very scope and value; None: there is none, or it was lifted."""
    for one in found:
        same = one["scope"] == scope and comparison_key(scope, one["value"]) == comparison_key(
            scope, value
        )
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


def check_entry(entry: Entry) -> None:
    """Raises `Invalid`, by the arguments of the command line, where an entry cannot stand in the
    file."""
    try:
        _parse_entries(_block(entry), "withdrawal")
    except Invalid as error:
        raise Invalid(map(_name_argument, error.problems)) from None


def _name_argument(problem: Problem) -> Problem:
    name = _ARGUMENTS.get(problem.key.rpartition(".")[2])
    return replace(problem, file=name, line=None, key="") if name else problem


def with_entry(text: str, before: Sequence[Entry], entry: Entry) -> str:
    """A file's text with one entry more.

    Args:
      text: of the file.
      before: its entries.
      entry: the one to add.
    """
    after = [*before, dict(entry)]
    added = (text if text.endswith("\n") or not text else text + "\n") + _block(entry)
    return added if _holds_exactly(added, after) else HEADER + "".join(map(_block, after))


def with_lifted(
    text: str, before: Sequence[Entry], scope: str, value: str, lifted: Mapping[str, str]
) -> str | None:
    """A file's text with the standing entries of a scope and value marked; None: there is none.

    Args:
      text: of the file.
      before: its entries.
      scope: of the entries to mark, as `value`.
      value: compared as `key_of` has it.
      lifted: `lifted_on`, and more that goes with it.
    """
    after = [
        dict(one) | dict(lifted) if active_entry([one], scope, value) else one for one in before
    ]
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


#: What ends a line in YAML 1.1 and not in JSON: inside quotes it would be folded to a blank.
_BREAKS: Final = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).translate(_BREAKS)


def _block(entry: Entry) -> str:
    """An entry as YAML: keys one below the other, values quoted as JSON quotes them."""
    lines = [f"{k}: {_quoted(v)}\n" for k, v in entry.items()]
    return "- " + "  ".join(lines)


def _parse_entries(text: str, name: str) -> list[dict[str, Any]]:
    source, problems = parse(text, name)
    problems += check(source, SCHEMA, "withdrawals") if source is not None else []
    if source is None or problems:
        raise Invalid(problems)
    return list(source.value)


def _holds_exactly(text: str, meant: Sequence[Entry]) -> bool:
    try:
        return _parse_entries(text, NAME) == list(meant)
    except Invalid:
        return False


def parse_withdrawals(data: bytes, name: str) -> tuple[str, list[dict[str, Any]]]:
    """A file's text, and its entries, lifted ones among them.

    Args:
      data: the file's content.
      name: how problems call the file.

    Raises:
      Invalid: if the file cannot be used.
    """
    source, problems = parse_bytes(data, name)
    if source is None:
        raise Invalid(problems)
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    if source.value is None and not problems:  # nothing but comments
        return text, []
    return text, _parse_entries(text, name)
