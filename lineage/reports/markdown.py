"""Values as Markdown; markup inside a value is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|])")


def text(value: Any) -> str:
    """Return a value as one line of escaped text for a paragraph or a cell; an empty value as `–`."""
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
    """Return a web address as a link; any other address as text."""
    is_web_address = re.fullmatch(r"https?://[^\s<>]+", url)
    return f"<{url}>" if is_web_address else text(url)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table of values."""
    lines = [list(columns), ["---"] * len(columns), *([text(c) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
