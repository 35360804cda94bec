"""An HTML page that loads nothing from other places, and its elements.

The colours are light or dark, as the reader's screen is set.  On paper they are light.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Final

from pipelines.profile.plots import number, safe

#: The most rows of a table that are shown.  The other rows are counted.
ROWS: Final = 60


def page(title: str, body: str, footer: str, more_style: str = "") -> str:
    """Return the page.

    Args:
      title, footer: text, which is escaped.
      body: HTML.
      more_style: CSS after the common style.
    """
    style = resources.files("pipelines.profile").joinpath("page.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{safe(title)}</title>\n<style>\n{style}{more_style}</style>\n</head>\n"
        f"<body>\n{body}\n<footer>{safe(footer)}</footer>\n</body>\n</html>\n"
    )


def section(title: str, *content: str) -> str:
    """Return a section of a page; "" if it has no content."""
    if not any(content):
        return ""
    return f"<section><h2>{safe(title)}</h2>{''.join(content)}</section>\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table.

    Args:
      columns: names of columns; a name that begins with `#` marks a column of numbers.
      rows: cells as HTML.
    """
    kinds = ["n" if c.startswith("#") else "" for c in columns]
    head = "".join(
        f'<th scope="col" class="{k}">{safe(c.lstrip("#"))}</th>'
        for c, k in zip(columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{k}">{v}</td>' for v, k in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows[:ROWS]
    )
    hidden = len(rows) - ROWS
    note = f'<p class="soft">and {number(hidden)} more</p>' if hidden > 0 else ""
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f"</div>{note}"
    )


def bar(value: float, most: float, kind: str = "fill") -> str:
    """Return a bar whose length is the value's share of `most`."""
    width = 100 * value / most if most else 0
    return f'<span class="bar {kind}" style="width:{width:.2f}%"></span>'


def name(value: object, missing: str = "none") -> str:
    """Return a value from data, isolated from the reading direction of its surroundings."""
    if value is None:
        return f'<span class="soft">{safe(missing)}</span>'
    return f"<bdi>{safe(value)}</bdi>"
