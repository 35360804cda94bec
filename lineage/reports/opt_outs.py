"""Opt-outs at the fetch and now: where what a publisher says has changed since a record was taken.

Now is the latest capture of the crawl.  Of the files that speak for a host the gate has recorded
both; of a page's own headers and markup, a later capture of the same address tells, which does not
bind the earlier one.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from lineage.reports import markdown
from lineage.reports.facts import Facts
from schemas.urls import hosts

_SAID: Final = pl.Struct({"value": pl.String, "observed_at": pl.String})
_SEEN: Final = pl.Struct(
    {
        "protocol": pl.String,
        "where": pl.String,
        "compared": pl.Struct({"fetch": _SAID, "latest": _SAID}),
    }
)
#: Of the evidence of a refusal (`observation`) and of what passes (`observations`).
_EVIDENCE: Final = pl.Struct({"observation": _SEEN, "observations": pl.List(_SEEN)})
_PAGE: Final = ("header", "html", "embedded")  # of `Observation.where`: the record itself says so
_ROW: Final = ("doc_id", "uri", "protocol", "at_fetch", "now", "since")


def changes(facts: Facts) -> pl.DataFrame:
    """A row per host, protocol and change, most documents first: host, protocol, at_fetch, now
    (`reserved`, `granted`, `unsaid`, …), since (when the latest capture was made), records,
    documents (those that are released)."""
    judged = facts.table("decisions").filter(pl.col("stage") == "ingest")
    judged = judged.select("doc_id", "uri", "reason", "evidence")
    released = facts.table("documents").select("doc_id")
    found = pl.concat([_of_hosts(judged), _of_pages(facts, judged)])
    return (
        found.with_columns(hosts(found["uri"]).alias("host"))
        .join(released.collect().with_columns(released=True), on="doc_id", how="left")
        .group_by("host", "protocol", "at_fetch", "now")
        .agg(
            since=pl.col("since").max(),
            records=pl.col("doc_id").n_unique(),
            documents=pl.col("doc_id").filter(pl.col("released")).n_unique(),
        )
        .sort(
            *("documents", "records", "host", "protocol", "at_fetch", "now"),
            descending=[True, True, False, False, False, False],
            nulls_last=True,
        )
    )


def _of_hosts(judged: pl.LazyFrame) -> pl.DataFrame:
    """What the gate compared: robots.txt and its like."""
    compared = judged.filter(pl.col("evidence").str.contains('"compared"', literal=True)).collect()
    told = compared.with_columns(pl.col("evidence").str.json_decode(_EVIDENCE)).unnest("evidence")
    seen = pl.concat(
        [
            told.select("doc_id", "uri", seen="observation"),
            told.select("doc_id", "uri", seen="observations").explode("seen", empty_as_null=True),
        ]
    )
    both = pl.col("seen").struct.field("compared").struct
    latest = both.field("latest").struct
    return (
        seen.with_columns(
            protocol=pl.col("seen").struct.field("protocol"),
            at_fetch=both.field("fetch").struct.field("value"),
            now=latest.field("value"),
            since=latest.field("observed_at"),
        )
        .filter(pl.col("now").is_not_null())
        .select(_ROW)
    )


def _of_pages(facts: Facts, judged: pl.LazyFrame) -> pl.DataFrame:
    """Earlier captures of addresses that opted out by a later one, in its headers or markup."""
    refused = judged.filter(pl.col("reason").str.starts_with("opted-out:")).collect()
    seen = refused["evidence"].str.json_decode(_EVIDENCE).struct.field("observation").struct
    said = refused.with_columns(
        seen.field("protocol"), seen.field("where"), now=pl.lit("reserved")
    ).filter(pl.col("where").is_in(_PAGE))
    taken = facts.table("records").select("doc_id", "uri", "captured_at")
    of = taken.join(said.lazy().select("uri"), on="uri", how="semi").collect()
    when = of.select("doc_id", since="captured_at")
    later = said.join(when, on="doc_id").select("uri", "protocol", "now", "since")
    earlier = of.join(said.select("doc_id"), on="doc_id", how="anti")
    found = earlier.join(later, on="uri").filter(pl.col("captured_at") < pl.col("since"))
    return found.with_columns(at_fetch=pl.lit("unsaid")).select(_ROW)


def value(facts: Facts) -> dict[str, Any]:
    """The changes as a JSON value."""
    return {
        "release": facts.about["name"],
        "as_of": facts.about["as_of"],
        "signals": (facts.about.get("opt_outs") or {}).get("signals"),
        "changes": changes(facts).to_dicts(),
    }


def page(facts: Facts) -> str:
    """The changes as a page."""
    told = value(facts)
    names = ("host", "protocol", "at_fetch", "now", "since", "records", "documents")
    rows = [tuple(one[name] for name in names) for one in told["changes"]]
    judged = f"Judged by `signals: {told['signals'] or 'not recorded'}`, as of {told['as_of']}."
    nothing = "No publisher says something else in the crawl's latest capture than at a fetch.\n"
    return (
        f"# {markdown.text(told['release'])}: opt-outs at the fetch and now\n\n{judged}\n\n"
        f"{markdown.table(names, rows) if rows else nothing}"
    )
