"""Values as Markdown, with their markup escaped; Markdown as an HTML page that loads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|])")

_STYLE: Final = """body{font:16px/1.55 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif;max-width:60rem;
margin:0 auto;padding:2rem 1.5rem;color:#191d23;background:#fff;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{border-bottom:1px solid #dde1e7;padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top}
th{color:#5c6673}h2{margin-top:2.2rem;font-size:1.2rem}code{font-size:.85rem}
@media print{body{font-size:11px;padding:0}tr{break-inside:avoid}h2{break-after:avoid}}"""


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


def html_page(title: str, markdown: str) -> str:
    """Render CommonMark with tables as an HTML page; HTML inside the Markdown is shown as text."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n"
        f"<body>\n{body}</body>\n</html>\n"
    )
