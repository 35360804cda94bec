"""What of a release stands under which licence, and what the licence asks: by source, language."""

from __future__ import annotations

from typing import Any

import polars as pl

from lineage.reports import markdown
from lineage.reports.facts import SIZES, Facts


def rollup(facts: Facts) -> pl.DataFrame:
    """A row per licence, source and language, largest licence first: licence, source_id, lang,
    basis, documents, chars, tokens (null: not counted), attribution, share_alike (null: not
    known)."""
    sources = facts.sources.values()
    about = pl.DataFrame(
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
    joined = facts.sizes_by("source_id", "lang").join(about, on="source_id", how="left")
    return joined.sort(
        pl.col("chars").sum().over("licence"),
        "licence",
        "chars",
        "source_id",
        "lang",
        descending=[True, False, True, False, False],
    ).select("licence", "source_id", "lang", "basis", *SIZES, "attribution", "share_alike")


def to_json(facts: Facts) -> dict[str, Any]:
    """The roll-up as a JSON value, by licence."""
    rows = rollup(facts)
    duties = {s.licence: s.duties for s in facts.sources.values()}
    urls = {s.licence: s.licence_urls for s in facts.sources.values()}
    whole = facts.sizes()
    return {
        "release": facts.manifest["name"],
        "as_of": facts.manifest["as_of"],
        **{name: whole[name] for name in SIZES},
        "licences": [
            {
                "licence": name,
                "urls": urls[name],
                "attribution": duties[name].attribution,
                "share_alike": duties[name].share_alike,
                **{size: _total(part[size]) for size in SIZES},
                "parts": part.select("source_id", "lang", "basis", *SIZES).to_dicts(),
            }
            for (name,), part in rows.group_by("licence", maintain_order=True)
        ],
    }


def _total(sizes: pl.Series) -> int | None:
    return None if sizes.null_count() else int(sizes.sum())


def to_markdown(facts: Facts) -> str:
    """The roll-up as a page."""
    told = to_json(facts)
    rows = [
        (
            one["licence"],
            *(one[size] for size in SIZES),
            f"{one['chars'] / told['chars']:.1%}" if told["chars"] else None,
            one["attribution"],
            one["share_alike"],
            sorted({part["source_id"] for part in one["parts"]}),
        )
        for one in told["licences"]
    ]
    names = ("licence", *SIZES, "of all", "attribution", "share-alike", "sources")
    return (
        f"# {markdown.text(told['release'])}: licences\n\n"
        f"{told['documents']} documents, {told['chars']} characters, as of {told['as_of']}.\n\n"
        + markdown.table(names, rows)
    )


def to_csv(facts: Facts) -> str:
    """The roll-up's rows as CSV."""
    return rollup(facts).write_csv()
