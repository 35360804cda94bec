"""A report as an HTML page that loads nothing from other servers."""

from __future__ import annotations

from html import escape
from typing import Final

_STYLE: Final = """body{font:16px/1.55 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif;max-width:60rem;
margin:0 auto;padding:2rem 1.5rem;color:#191d23;background:#fff;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{border-bottom:1px solid #dde1e7;padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top}
th{color:#5c6673}h2{margin-top:2.2rem;font-size:1.2rem}code{font-size:.85rem}
@media print{body{font-size:11px;padding:0}tr{break-inside:avoid}h2{break-after:avoid}}"""


def page(title: str, markdown: str) -> str:
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
