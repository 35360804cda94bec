"""Markdown that says what the value says, whatever stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|])")


def text(value: Any) -> str:
    """A value as text in a line or a cell: one line, its markup escaped; nothing as `–`."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(text, value)) or "–"
    if isinstance(value, Mapping):
        return "; ".join(f"{text(k)}: {text(v)}" for k, v in value.items()) or "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return _MARKUP.sub(r"\\\1", " ".join(str(value).split()))


def link(url: str) -> str:
    """An address that can be followed where it is a web address, else its text."""
    plain = re.fullmatch(r"https?://[^\s<>]+", url)
    return f"<{url}>" if plain else text(url)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of values."""
    lines = [list(columns), ["---"] * len(columns), *([text(c) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
