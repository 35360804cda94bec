"""The profile of a release as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipelines.profile import html_page, plots
from pipelines.profile.html_page import bar, name, section, table
from pipelines.profile.plots import number, safe, share

_WORDS: Final = {"keep": "kept", "refuse": "refused", "drop": "dropped", "damaged": "damaged"}


def page(counts: Mapping[str, Any], texts: Mapping[str, str], raw: bool = False) -> str:
    """Return the page.

    Args:
      counts: see `pipelines.profile.release_counts.count_release`.
      texts: doc_id -> the beginning of its text.  Documents without one are shown by id and value.
      raw: whether `texts` holds texts that were not released.
    """
    about = counts["release"]
    sections = [
        section("Outcomes of the records by stage", _legend(), plots.stage_flow(counts["stages"])),
        section("Reasons why records were not released", _reasons(counts["reasons"])),
        section("Languages", _languages(counts["languages"])),
        section("Lengths", *_lengths(counts["lengths"])),
        section("Sources", _sources(counts["sources"])),
        section("Domains", _counts(counts["domains"], "domain")),
        section("Quality scores", _scores(counts["scores"])),
        section("Quality statistics", _statistics(counts["statistics"])),
        *(_gauge(gauge, texts) for gauge in counts["gauges"]),
        section("Personal data replaced", _counts(counts["redactions"], "entity_type")),
    ]
    warning = (
        '<p class="warning">This page shows texts that were not released, as they were read. '
        "They may hold personal data.</p>"
        if raw
        else ""
    )
    body = f"{_head(counts)}{warning}\n{''.join(sections)}"
    footer = (
        f"Made by tamga {about['code_version']} from the tables of the release. Documents that were "
        "not released are shown by id and measured value."
    )
    return html_page.page(f"Profile of {about['name']}", body, footer)


def _head(counts: Mapping[str, Any]) -> str:
    about, totals = counts["release"], counts["totals"]
    tiles = (
        (number(totals["documents"]), "documents"),
        (number(totals["chars"]), "characters"),
        (number(totals["languages"]), "languages"),
        (number(totals["sources"]), "sources"),
        (number(totals["median_chars"]), "characters in the median document"),
        (share(totals["documents"], totals["records"]), f"of {number(totals['records'])} records"),
    )
    shown = "".join(f"<div><b>{a}</b><span>{safe(b)}</span></div>" for a, b in tiles)
    return (
        f"<header><p>Profile of a release</p><h1><bdi>{safe(about['name'])}</bdi></h1>"
        f"<p>for {safe(about['purpose'])}, as of {safe(about['as_of'])}</p></header>\n"
        f'<div class="tiles">{shown}</div>\n'
    )


def _legend() -> str:
    keys = "".join(f'<span><i class="o-{k}"></i>{w}</span>' for k, w in _WORDS.items())
    return f'<p class="legend">{keys}</p>'


def _reasons(rows: Sequence[Mapping[str, Any]]) -> str:
    most = max((r["n"] for r in rows), default=0)
    shown = [
        (
            name(r["reason"]),
            f'<i class="o-{safe(r["outcome"])}"></i>{_WORDS.get(r["outcome"], "")}',
            safe(r["stage"]),
            number(r["n"]),
            bar(r["n"], most, f"o-{safe(r['outcome'])}"),
        )
        for r in rows
    ]
    return table(("reason", "outcome", "stage", "#records", ""), shown) if rows else ""


def _languages(rows: Sequence[Mapping[str, Any]]) -> str:
    most = max((r["chars"] for r in rows), default=0)
    total = sum(r["chars"] for r in rows)
    shown = [
        (
            name(r["lang"]),
            number(r["identified"]),
            number(r["documents"]),
            share(r["documents"], r["identified"]),
            number(r["median_chars"]),
            number(r["chars"]),
            share(r["chars"], total),
            bar(r["chars"], most),
        )
        for r in rows
    ]
    columns = (
        "language",
        "#identified",
        "#released",
        "#kept",
        "#median",
        "#characters",
        "#share",
        "",
    )
    return table(columns, shown) if rows else ""


def _sources(rows: Sequence[Mapping[str, Any]]) -> str:
    most = max((r["records"] for r in rows), default=0)
    shown = [
        (
            name(r["source_id"], "ungoverned"),
            number(r["records"]),
            number(r["keep"]),
            number(r["chars"]),
            plots.outcome_bar(r, most),
            ", ".join(map(safe, r["reasons"])),
        )
        for r in rows
    ]
    columns = ("source", "#records", "#released", "#characters", "", "most frequent reasons")
    return _legend() + table(columns, shown) if rows else ""


def _counts(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    most = max((r["n"] for r in rows), default=0)
    shown = [(name(r[key]), number(r["n"]), bar(r["n"], most)) for r in rows]
    return table((key.replace("_", " "), "#number", ""), shown) if rows else ""


def _lengths(drawn: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a large plot of all documents, which are first in `drawn`, and small ones of languages."""
    if not drawn:
        return []
    bins, languages = drawn[0]["bins"], drawn[1:]
    label = "Lengths of documents, in characters"
    small = [
        f"<figure>{_small(plot['bins'], label)}<figcaption>{name(plot['lang'])}</figcaption></figure>"
        for plot in languages
    ]
    return [
        plots.histogram(bins, label, every=max(1, len(bins) // 8)),
        '<p class="soft">Documents by length in characters.</p>',
        f'<div class="small">{"".join(small)}</div>',
    ]


def _small(bins: Sequence[Mapping[str, Any]], label: str) -> str:
    return plots.histogram(bins, label, every=max(1, len(bins) // 3), size=(270, 120))


def _scores(bins: Sequence[Mapping[str, Any]]) -> str:
    return plots.histogram(bins, "Quality scores of released documents") if bins else ""


def _statistics(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return percentiles of released documents beside those of the others."""
    if not rows:
        return ""
    columns = [f"#{side} {p}" for side in ("released", "others") for p in ("5 %", "median", "95 %")]
    shown = [
        (name(r["statistic"].replace("_", " ")), *map(number, r["released"] + r["others"]))
        for r in rows
    ]
    return table(("statistic", *columns), shown)


def _gauge(gauge: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Return a plot of values with their threshold, and the documents nearest to it on both sides."""
    title = f"{gauge['gauge']}: {gauge['measure']}"
    drawing = plots.histogram(
        gauge["bins"],
        title,
        series=(("n", "o-keep"), ("ended", "o-drop")),
        marks=gauge["thresholds"],
    )
    counts = f'<p class="soft">{number(gauge["kept"])} kept, {number(gauge["ended"])} not kept.</p>'
    sides = []
    for kept, heading in (
        (True, "Nearest to the threshold, kept"),
        (False, "Nearest to the threshold, not kept"),
    ):
        examples = [_example(e, texts) for e in gauge["examples"] if e["kept"] is kept]
        if examples:
            sides.append(f"<div><h3>{heading}</h3>{''.join(examples)}</div>")
    return section(
        f"Near the threshold: {title}",
        drawing,
        counts,
        f'<div class="sides">{"".join(sides)}</div>',
    )


def _example(document: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    shown = [f"<b>{number(document['value'])}</b> <code>{safe(document['doc_id'])}</code>"]
    if document["lang"]:
        shown.append(f" {name(document['lang'])}")
    if document["threshold"] is not None:
        shown.append(f' <span class="soft">threshold {number(document["threshold"])}</span>')
    body = _text(texts.get(document["doc_id"]))
    if document["other"]:
        body += f'<p class="soft">kept copy: <code>{safe(document["other"])}</code></p>'
        body += _text(texts.get(document["other"]))
    return f"<article><p>{''.join(shown)}</p>{body}</article>"


def _text(text: str | None) -> str:
    return f'<blockquote dir="auto">{safe(text)}</blockquote>' if text is not None else ""
