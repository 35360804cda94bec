"""Render an HTML page that marks personal data in texts, with a colour for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import polars as pl

from pipelines.profile import html_page
from pipelines.profile.html_page import bar, name, section, table
from pipelines.profile.plots import number, safe

TITLE: Final = "Personal data that would be replaced"
#: Characters that the page shows on both sides of a finding.
AROUND: Final = 120
#: The most findings of a document that the page shows.
EACH: Final = 30
_STYLE: Final = """mark{color:#191d23;border-radius:.2rem;padding:0 .15rem}
.key mark{margin-right:.5rem;white-space:nowrap}
"""
#: Degrees between the hues of two classes: the golden angle keeps neighbours apart.
_TURN: Final = 137.508


class Counts(TypedDict):
    """The counts that the page shows and --json prints; they contain no values of personal data.

    A row of a list has `n` (findings), `documents`, and the columns that it counts by.  `dropped`:
    documents that the stage would drop for their findings.
    """

    documents: int
    with_findings: int
    findings: int
    classes: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    languages: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    dropped: int


def render_page(
    counts: Counts, documents: Sequence[Mapping[str, Any]], findings: pl.DataFrame
) -> str:
    """Return the page.

    Args:
      documents: the documents to show: doc_id, source_id, text, lang.
      findings: their findings: doc_id, entity_type, start, end, operator, recogniser, score.
    """
    classes = sorted({row["entity_type"] for row in counts["classes"]})
    hues = {entity: int(i * _TURN) % 360 for i, entity in enumerate(classes)}
    spans = findings.partition_by("doc_id", as_dict=True)
    shown = [_document(d, spans[(d["doc_id"],)].to_dicts(), hues) for d in documents]
    tiles = (
        (counts["findings"], "findings"),
        (counts["with_findings"], "documents with findings"),
        (counts["documents"], "documents searched"),
        (len(classes), "classes"),
        (counts["dropped"], "documents that would be dropped for findings"),
    )
    head = "".join(f"<div><b>{number(n)}</b><span>{what}</span></div>" for n, what in tiles)
    body = (
        "<header><p>Personal data</p><h1>What would be replaced</h1></header>\n"
        f'<div class="tiles">{head}</div>\n'
        '<p class="warning">This page shows the original texts with personal data. Keep it '
        "as safe as the texts, and remove it after use.</p>\n"
        f"{section('Classes', _counts('class', counts['classes'], 'entity_type', hues))}"
        f"{section('Sources', _counts('source', counts['sources'], 'source_id', {}))}"
        f"{section('Languages', _counts('language', counts['languages'], 'lang', {}))}"
        f"{section('In the texts', _key(hues), *shown) if shown else ''}"
    )
    footer = "Found by the rules of the present parameters. Point at a colour to see the rule."
    return html_page.page(TITLE, body, footer, _STYLE)


def _mark(shown: str, entity: str, hues: Mapping[str, int], hint: str = "") -> str:
    title = f' title="{safe(hint)}"' if hint else ""
    return f'<mark style="background:hsl({hues[entity]} 75% 80%)"{title}>{safe(shown)}</mark>'


def _key(hues: Mapping[str, int]) -> str:
    return f'<p class="key">{" ".join(_mark(entity, entity, hues) for entity in hues)}</p>'


def _counts(
    title: str, rows: Sequence[Mapping[str, Any]], key: str, hues: Mapping[str, int]
) -> str:
    most = max((row["n"] for row in rows), default=0)
    shown = [
        (
            _mark(row[key], row[key], hues) if row[key] in hues else name(row[key]),
            safe(row.get("operator", "")),
            number(row["n"]),
            number(row["documents"]),
            bar(row["n"], most),
        )
        for row in rows
    ]
    columns = (title, "", "#findings", "#documents", "")
    return table(columns, shown) if rows else ""


def _document(
    document: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], hues: Mapping[str, int]
) -> str:
    about = ", ".join(safe(document[c]) for c in ("source_id", "lang") if document[c])
    more = len(findings) - EACH
    rest = f'<p class="soft">and {number(more)} more findings</p>' if more > 0 else ""
    text = _marked(document["text"], findings[:EACH], hues)
    return (
        f'<article><p><code>{safe(document["doc_id"])}</code> <span class="soft">{about}</span></p>'
        f'<blockquote dir="auto">{text}</blockquote>{rest}</article>'
    )


def _marked(text: str, findings: Sequence[Mapping[str, Any]], hues: Mapping[str, int]) -> str:
    """Return the text around its findings as HTML; text farther away is left out."""
    pieces, at = [], 0
    for row in findings:
        start, end, entity = row["start"], row["end"], row["entity_type"]
        pieces.append(_between(text, at, start))
        hint = f"{entity}, {row['recogniser']}, score {row['score']:.2f}, {row['operator']}"
        pieces.append(_mark(text[start:end], entity, hues, hint))
        at = end
    pieces.append(safe(text[at : at + AROUND]) + (" …" if len(text) > at + AROUND else ""))
    return "".join(pieces)


def _between(text: str, at: int, start: int) -> str:
    """Return the text between two findings; `at`: the end of the last one (0: the text's beginning)."""
    if start - at <= 2 * AROUND:
        return safe(text[at:start])
    before = safe(text[at : at + AROUND]) if at else ""
    return f"{before} … {safe(text[start - AROUND : start])}"
