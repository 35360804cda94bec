"""Find recorded withdrawals without effect in a run: a misspelt value, or text that is absent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import polars as pl

from schemas.register import Withdrawal
from schemas.urls import hosts, normal_url
from schemas.withdrawal_index import WithdrawalIndex


def unmatched_withdrawals(withdrawals: Collection[Withdrawal], ingest: Path) -> list[Withdrawal]:
    """Return the withdrawals that match no record of a run.

    A withdrawal matches a record even if another withdrawal bars that record too.  A withdrawal of a
    text matches only records whose text was read: not those that were refused for another reason.

    Args:
      withdrawals: the recorded withdrawals of the register.
      ingest: the published folder of the stage ingest, with `records` and `decisions`.
    """
    known = WithdrawalIndex.build(withdrawals).by_value
    if not known:
        return []
    decided = pl.scan_parquet(ingest / "decisions/*.parquet").filter(
        pl.col("reason") == "withdrawn"
    )
    digest = pl.col("evidence").str.json_path_match("$.withdrawal_sha256")
    barring = set(decided.select(digest).unique().collect().to_series())
    others = {key: entry for key, entry in known.items() if entry.sha256 not in barring}
    if not others:
        return []
    records = pl.scan_parquet(ingest / "records/*.parquet").select("doc_id", "source_id", "uri")
    barred = records.join(decided.select("doc_id"), on="doc_id", how="semi").collect()
    hosted = barred.with_columns(hosts(barred["uri"]))
    matched = {w.sha256 for (scope, key), w in others.items() if _bars(scope, key, hosted)}
    return [*{w.sha256: w for w in others.values() if w.sha256 not in matched}.values()]


def _bars(scope: str, key: str, records: pl.DataFrame) -> bool:
    """Whether a withdrawal bars at least one of the records (source_id, doc_id, uri, host)."""
    if scope == "source":
        return key in records["source_id"]
    if scope in ("document", "part"):
        return key in records["doc_id"]
    if scope == "domain":
        host = records["host"]
        return bool(((host == key) | host.str.ends_with(f".{key}")).any())
    if scope == "url":
        return any((normal_url(uri) or uri.strip()) == key for uri in _uris_on_host(key, records))
    return False


def _uris_on_host(url: str, records: pl.DataFrame) -> Iterable[str]:
    """Return the URIs on the host of a URL; for a value without a host, the URIs without one."""
    host = hosts(pl.Series([f"http:{url}" if url.startswith("//") else url]))[0]
    same = pl.col("host").is_null() if host is None else pl.col("host") == host
    return records.filter(same)["uri"].drop_nulls()
