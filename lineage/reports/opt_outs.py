"""Opt-outs at the fetch and now: where what a publisher says has changed since a record was taken.

Now is the latest capture of the crawl.  Of the files that speak for a host the gate has recorded
both; of a page's own headers and markup, the last capture of the same address tells whose page was
read, which does not bind the earlier ones.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from lineage.reports import markdown
from lineage.reports.facts import Facts
from schemas.urls import hosts, map_values, normal_url

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
    """Captures of addresses that opted out, in their headers or markup, at one time and not at
    another."""
    out = judged.filter(pl.col("reason").str.starts_with("opted-out:")).collect()
    seen = out["evidence"].str.json_decode(_EVIDENCE).struct.field("observation").struct
    reserved = out.with_columns(seen.field("protocol"), seen.field("where"))
    reserved = reserved.filter(pl.col("where").is_in(_PAGE)).select("doc_id", "protocol")
    if reserved.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(_ROW, pl.String))
    # a contract outranks the page (`overridden`), which then was not looked at
    kept = pl.col("reason").is_null() & ~pl.col("evidence").str.contains(
        '"overridden":', literal=True
    )
    read = judged.filter(kept | (pl.col("reason") == "licence-conflict")).select("doc_id")
    states = pl.concat([reserved, read.collect()], how="diagonal")
    taken = facts.table("records").select("doc_id", "uri", "uri_hmac", "captured_at")
    found = taken.join(states.lazy(), on="doc_id").collect()
    found = found.with_columns(hosts(found["uri"]).alias("host"))
    spoke = found.filter(pl.col("protocol").is_not_null())["host"].unique()
    found = found.filter(pl.col("host").is_in(spoke.implode()))
    uris = found["uri"].unique()
    normal = map_values(found["uri"], uris, map(normal_url, uris))
    return page_changes(found.with_columns(address=pl.coalesce("uri_hmac", normal, "uri")))


def page_changes(captures: pl.DataFrame) -> pl.DataFrame:
    """Captures held against the last of their address, where one reserves and the other does not.

    Args:
      captures: doc_id, uri, address, captured_at, protocol (by which the page reserves; null: it
        does not).  Of two at one time the one that reserves is the last.

    Returns:
      doc_id, uri, protocol, at_fetch, now (`reserved`, or `unsaid`), since.
    """
    ordered = captures.sort("captured_at", "protocol", "doc_id", nulls_last=False)
    latest = ordered.group_by("address", maintain_order=True).last()
    latest = latest.select("address", since="captured_at", last="protocol")
    both = captures.join(latest, on="address").filter(pl.col("captured_at") < pl.col("since"))
    before, after = pl.col("protocol").is_not_null(), pl.col("last").is_not_null()
    said = pl.lit("reserved"), pl.lit("unsaid")
    return both.filter(before != after).select(
        "doc_id",
        "uri",
        pl.coalesce("protocol", "last"),
        at_fetch=pl.when(before).then(said[0]).otherwise(said[1]),
        now=pl.when(after).then(said[0]).otherwise(said[1]),
        since="since",
    )


def to_json(facts: Facts) -> dict[str, Any]:
    """The changes as a JSON value."""
    return {
        "release": facts.manifest["name"],
        "as_of": facts.manifest["as_of"],
        "signals": (facts.manifest.get("opt_outs") or {}).get("signals"),
        "changes": changes(facts).to_dicts(),
    }


def to_markdown(facts: Facts) -> str:
    """The changes as a page."""
    told = to_json(facts)
    names = ("host", "protocol", "at_fetch", "now", "since", "records", "documents")
    rows = [tuple(one[name] for name in names) for one in told["changes"]]
    judged = f"Judged by `signals: {told['signals'] or 'not recorded'}`, as of {told['as_of']}."
    nothing = "No publisher says something else in the crawl's latest capture than at a fetch.\n"
    return (
        f"# {markdown.text(told['release'])}: opt-outs at the fetch and now\n\n{judged}\n\n"
        f"{markdown.table(names, rows) if rows else nothing}"
    )
