"""One HTML page that asks for nothing from elsewhere, and what stands on it.

Light or dark as the reader's screen is, and light on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Final

from pipelines.profile.plots import number, safe

#: Rows of a table that are shown; the rest is counted.
ROWS: Final = 60


def page(title: str, body: str, footer: str, more_style: str = "") -> str:
    """The whole page; title and footer are text, body and style stand as they are."""
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
    """A part of a page; nothing where there is no content."""
    if not any(content):
        return ""
    return f"<section><h2>{safe(title)}</h2>{''.join(content)}</section>\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already; a column's name that begins with `#` holds numbers."""
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
    more = len(rows) - ROWS
    rest = f'<p class="soft">and {number(more)} more</p>' if more > 0 else ""
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f"</div>{rest}"
    )


def bar(value: float, most: float, kind: str = "fill") -> str:
    """A bar as long as a value's share of the most."""
    width = 100 * value / most if most else 0
    return f'<span class="bar {kind}" style="width:{width:.2f}%"></span>'


def name(value: object, missing: str = "none") -> str:
    """A value from data, kept apart from the reading direction of what stands around it."""
    if value is None:
        return f'<span class="soft">{safe(missing)}</span>'
    return f"<bdi>{safe(value)}</bdi>"
