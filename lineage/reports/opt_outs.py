"""Opt-outs at the fetch and now: find publishers whose statement changed after a record was captured.

"Now" is the latest capture in the crawl.  For files that hold for a whole host (robots.txt and the
like) the gate recorded both statements.  For a page's headers and markup, each capture is compared
with the last capture of the same address.  A later capture does not bind the earlier ones.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from lineage.reports import markdown
from lineage.reports.facts import Facts
from schemas.urls import hosts, map_values, normal_url

_STATEMENT: Final = pl.Struct({"value": pl.String, "observed_at": pl.String})
_OBSERVATION: Final = pl.Struct(
    {
        "protocol": pl.String,
        "where": pl.String,
        "compared": pl.Struct({"fetch": _STATEMENT, "latest": _STATEMENT}),
    }
)
#: Evidence of a refused record (`observation`) and of a kept one (`observations`).
_EVIDENCE: Final = pl.Struct({"observation": _OBSERVATION, "observations": pl.List(_OBSERVATION)})
_PAGE: Final = (
    "header",
    "html",
    "embedded",
)  # values of `Observation.where` for statements in the record itself
_ROW: Final = ("doc_id", "uri", "protocol", "at_fetch", "now", "since")


def changes(facts: Facts) -> pl.DataFrame:
    """Return a row per host, protocol and change, most documents first.

    Returns:
      host, protocol, at_fetch, now (`reserved`, `granted`, `unsaid`, …), since (time of the latest
      capture), records, documents (the released ones).
    """
    decisions = facts.table("decisions").filter(pl.col("stage") == "ingest")
    decisions = decisions.select("doc_id", "uri", "reason", "evidence")
    released = facts.table("documents").select("doc_id")
    changed = pl.concat([_host_changes(decisions), _captured_page_changes(facts, decisions)])
    return (
        changed.with_columns(hosts(changed["uri"]).alias("host"))
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


def _host_changes(decisions: pl.LazyFrame) -> pl.DataFrame:
    """Return the changes that the gate recorded for a host's files (robots.txt and the like)."""
    compared = decisions.filter(
        pl.col("evidence").str.contains('"compared"', literal=True)
    ).collect()
    evidence = compared.with_columns(pl.col("evidence").str.json_decode(_EVIDENCE)).unnest(
        "evidence"
    )
    observations = evidence.select("doc_id", "uri", observation="observations")
    observed = pl.concat(
        [
            evidence.select("doc_id", "uri", "observation"),
            observations.explode("observation", empty_as_null=True),
        ]
    )
    both = pl.col("observation").struct.field("compared").struct
    latest = both.field("latest").struct
    return (
        observed.with_columns(
            protocol=pl.col("observation").struct.field("protocol"),
            at_fetch=both.field("fetch").struct.field("value"),
            now=latest.field("value"),
            since=latest.field("observed_at"),
        )
        .filter(pl.col("now").is_not_null())
        .select(_ROW)
    )


def _captured_page_changes(facts: Facts, decisions: pl.LazyFrame) -> pl.DataFrame:
    """Return the changes in headers and markup between captures of the same address."""
    refused = decisions.filter(pl.col("reason").str.starts_with("opted-out:")).collect()
    observation = refused["evidence"].str.json_decode(_EVIDENCE).struct.field("observation").struct
    reserved = refused.with_columns(observation.field("protocol"), observation.field("where"))
    reserved = reserved.filter(pl.col("where").is_in(_PAGE)).select("doc_id", "protocol")
    if reserved.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(_ROW, pl.String))
    # where a contract outranks the page's opt-out (`overridden`), the gate did not read the page
    kept = pl.col("reason").is_null() & ~pl.col("evidence").str.contains(
        '"overridden":', literal=True
    )
    passed = decisions.filter(kept | (pl.col("reason") == "licence-conflict")).select("doc_id")
    states = pl.concat([reserved, passed.collect()], how="diagonal")
    records = facts.table("records").select("doc_id", "uri", "uri_hmac", "captured_at")
    captures = records.join(states.lazy(), on="doc_id").collect()
    captures = captures.with_columns(hosts(captures["uri"]).alias("host"))
    reserving = captures.filter(pl.col("protocol").is_not_null())["host"].unique()
    captures = captures.filter(pl.col("host").is_in(reserving.implode()))
    uris = captures["uri"].unique()
    normal = map_values(captures["uri"], uris, map(normal_url, uris))
    return page_changes(captures.with_columns(address=pl.coalesce("uri_hmac", normal, "uri")))


def page_changes(captures: pl.DataFrame) -> pl.DataFrame:
    """Compare each capture with the last one of its address; return those whose state differs.

    Args:
      captures: doc_id, uri, address, captured_at, protocol (the one by which the page reserves
        rights; null: it does not).  Of two captures at the same time, the one that reserves rights
        counts as the last.

    Returns:
      doc_id, uri, protocol, at_fetch, now (`reserved`, or `unsaid`), since.
    """
    ordered = captures.sort("captured_at", "protocol", "doc_id", nulls_last=False)
    latest = ordered.group_by("address", maintain_order=True).last()
    latest = latest.select("address", since="captured_at", last="protocol")
    both = captures.join(latest, on="address").filter(pl.col("captured_at") < pl.col("since"))
    before, after = pl.col("protocol").is_not_null(), pl.col("last").is_not_null()
    reserved, unsaid = pl.lit("reserved"), pl.lit("unsaid")
    return both.filter(before != after).select(
        "doc_id",
        "uri",
        pl.coalesce("protocol", "last"),
        at_fetch=pl.when(before).then(reserved).otherwise(unsaid),
        now=pl.when(after).then(reserved).otherwise(unsaid),
        since="since",
    )


def to_json(facts: Facts) -> dict[str, Any]:
    """Return the changes as a JSON value."""
    return {
        "release": facts.manifest["name"],
        "as_of": facts.manifest["as_of"],
        "signals": (facts.manifest.get("opt_outs") or {}).get("signals"),
        "changes": changes(facts).to_dicts(),
    }


def to_markdown(facts: Facts) -> str:
    """Return the changes as a page with one table."""
    report = to_json(facts)
    names = ("host", "protocol", "at_fetch", "now", "since", "records", "documents")
    rows = [tuple(change[name] for name in names) for change in report["changes"]]
    judged = (
        f"Opt-outs were judged by `signals: {report['signals'] or 'not recorded'}`, "
        f"as of {report['as_of']}."
    )
    no_change = (
        "No publisher's statement in the latest capture differs from its statement at the fetch.\n"
    )
    return (
        f"# {markdown.text(report['release'])}: opt-outs at the fetch and now\n\n{judged}\n\n"
        f"{markdown.table(names, rows) if rows else no_change}"
    )
