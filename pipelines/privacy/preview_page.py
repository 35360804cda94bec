"""Findings of personal data in their texts, a colour for each class, as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from pipelines.profile import html_page
from pipelines.profile.html_page import bar, name, section, table
from pipelines.profile.plots import number, safe

TITLE: Final = "Personal data that would be replaced"
#: Characters that are shown on both sides of a finding.
AROUND: Final = 120
#: Findings of a document that are shown.
EACH: Final = 30
_STYLE: Final = """mark{color:#191d23;border-radius:.2rem;padding:0 .15rem}
.key mark{margin-right:.5rem;white-space:nowrap}
"""
#: Degrees between the hues of two classes: the golden angle keeps neighbours apart.
_TURN: Final = 137.508


def render_page(
    told: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], findings: pl.DataFrame
) -> str:
    """The whole page.

    Args:
      told: see `pipelines.privacy.preview_command.counts`; dropped: documents that go for their findings.
      documents: those that are shown: doc_id, source_id, text, lang.
      findings: theirs: doc_id, entity_type, start, end, operator, recogniser, score, …
    """
    classes = sorted({one["entity_type"] for one in told["classes"]})
    hues = {entity: int(i * _TURN) % 360 for i, entity in enumerate(classes)}
    spans = findings.partition_by("doc_id", as_dict=True)
    shown = [_document(d, spans[(d["doc_id"],)].to_dicts(), hues) for d in documents]
    tiles = (
        (told["findings"], "findings"),
        (told["with_findings"], "documents with findings"),
        (told["documents"], "documents looked at"),
        (len(classes), "classes"),
        (told["dropped"], "documents that would be dropped for them"),
    )
    head = "".join(f"<div><b>{number(n)}</b><span>{what}</span></div>" for n, what in tiles)
    body = (
        "<header><p>Personal data</p><h1>What would be replaced</h1></header>\n"
        f'<div class="tiles">{head}</div>\n'
        '<p class="warning">This page shows texts as they were read, with personal data. Keep it '
        "where they are kept, and remove it when it was looked at.</p>\n"
        f"{section('Classes', _counts('class', told['classes'], 'entity_type', hues))}"
        f"{section('Sources', _counts('source', told['sources'], 'source_id', {}))}"
        f"{section('Languages', _counts('language', told['languages'], 'lang', {}))}"
        f"{section('In the texts', _key(hues), *shown) if shown else ''}"
    )
    footer = "Found by the rules of the parameters as they stand; point at a colour for the rule."
    return html_page.page(TITLE, body, footer, _STYLE)


def _mark(shown: str, entity: str, hues: Mapping[str, int], told: str = "") -> str:
    title = f' title="{safe(told)}"' if told else ""
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
    """The text around its findings; what is further away is left out."""
    pieces, at = [], 0
    for one in findings:
        start, end = one["start"], one["end"]
        pieces.append(_between(text, at, start))
        told = f"{one['entity_type']}, {one['recogniser']}, score {one['score']:.2f}, {one['operator']}"
        pieces.append(_mark(text[start:end], one["entity_type"], hues, told))
        at = end
    pieces.append(safe(text[at : at + AROUND]) + (" …" if len(text) > at + AROUND else ""))
    return "".join(pieces)


def _between(text: str, at: int, start: int) -> str:
    """What stands before a finding, from `at` on, where the last one ended (0: the beginning)."""
    if start - at <= 2 * AROUND:
        return safe(text[at:start])
    before = safe(text[at : at + AROUND]) if at else ""
    return f"{before} … {safe(text[start - AROUND : start])}"
