"""Documents of a release by licence, source and language, with the duties of each licence."""

from __future__ import annotations

from typing import Any

import polars as pl

from lineage.reports import markdown
from lineage.reports.facts import SIZES, Facts


def rollup(facts: Facts) -> pl.DataFrame:
    """Count documents by licence, source and language; the licence with most characters first.

    Returns:
      licence, source_id, lang, basis, documents, chars, tokens (null: not counted), attribution,
      share_alike (null: not known).
    """
    sources = facts.sources.values()
    terms = pl.DataFrame(
        [
            {
                "source_id": s.id,
                "licence": s.licence,
                "basis": s.basis["kind"],
                "attribution": s.duties.attribution,
                "share_alike": s.duties.share_alike,
            }
            for s in sources
        ],
        schema={
            "source_id": pl.String,
            "licence": pl.String,
            "basis": pl.String,
            "attribution": pl.Boolean,
            "share_alike": pl.Boolean,
        },
    )
    joined = facts.sizes_by("source_id", "lang").join(terms, on="source_id", how="left")
    return joined.sort(
        pl.col("chars").sum().over("licence"),
        "licence",
        "chars",
        "source_id",
        "lang",
        descending=[True, False, True, False, False],
    ).select("licence", "source_id", "lang", "basis", *SIZES, "attribution", "share_alike")


def to_json(facts: Facts) -> dict[str, Any]:
    """Return the counts as a JSON value, grouped by licence."""
    rows = rollup(facts)
    duties = {s.licence: s.duties for s in facts.sources.values()}
    urls = {s.licence: s.licence_urls for s in facts.sources.values()}
    totals = facts.sizes()
    return {
        "release": facts.manifest["name"],
        "as_of": facts.manifest["as_of"],
        **{name: totals[name] for name in SIZES},
        "licences": [
            {
                "licence": name,
                "urls": urls[name],
                "attribution": duties[name].attribution,
                "share_alike": duties[name].share_alike,
                **{size: _total(group[size]) for size in SIZES},
                "parts": group.select("source_id", "lang", "basis", *SIZES).to_dicts(),
            }
            for (name,), group in rows.group_by("licence", maintain_order=True)
        ],
    }


def _total(sizes: pl.Series) -> int | None:
    """Sum sizes; None if one of them is not known."""
    return None if sizes.null_count() else int(sizes.sum())


def to_markdown(facts: Facts) -> str:
    """Return the counts as a page with a table, one row per licence."""
    report = to_json(facts)
    rows = [
        (
            licence["licence"],
            *(licence[size] for size in SIZES),
            f"{licence['chars'] / report['chars']:.1%}" if report["chars"] else None,
            licence["attribution"],
            licence["share_alike"],
            sorted({part["source_id"] for part in licence["parts"]}),
        )
        for licence in report["licences"]
    ]
    names = ("licence", *SIZES, "share of characters", "attribution", "share-alike", "sources")
    return (
        f"# {markdown.text(report['release'])}: licences\n\n"
        f"{report['documents']} documents, {report['chars']} characters, as of {report['as_of']}.\n\n"
        + markdown.table(names, rows)
    )


def to_csv(facts: Facts) -> str:
    """Return the rows of `rollup` as CSV."""
    return rollup(facts).write_csv()
