"""Which recorded withdrawals met nothing in a run: misspelt, or of text that is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import polars as pl

from schemas.register import Withdrawal
from schemas.urls import hosts, normal_url
from schemas.withdrawal_index import WithdrawalIndex


def unmatched_withdrawals(withdrawals: Collection[Withdrawal], ingest: Path) -> list[Withdrawal]:
    """The withdrawals that barred no record, alone or beside another one.

    A withdrawal of a text bars where nothing else did before it: of a record that was refused for
    another reason no text is read.

    Args:
      withdrawals: those of the register.
      ingest: the published folder of the stage, with `records` and `decisions`.
    """
    known = WithdrawalIndex.build(withdrawals).by_value
    if not known:
        return []
    decided = pl.scan_parquet(ingest / "decisions/*.parquet").filter(
        pl.col("reason") == "withdrawn"
    )
    named = pl.col("evidence").str.json_path_match("$.withdrawal_sha256")
    barring = set(decided.select(named).unique().collect().to_series())
    left = {key: one for key, one in known.items() if one.sha256 not in barring}
    if not left:
        return []
    records = pl.scan_parquet(ingest / "records/*.parquet").select("doc_id", "source_id", "uri")
    barred = records.join(decided.select("doc_id"), on="doc_id", how="semi").collect()
    at = barred.with_columns(hosts(barred["uri"]))
    busy = {one.sha256 for (scope, key), one in left.items() if _bars(scope, key, at)}
    return [*{one.sha256: one for one in left.values() if one.sha256 not in busy}.values()]


def _bars(scope: str, key: str, records: pl.DataFrame) -> bool:
    """Whether a withdrawal bars one of some records, which have their `host`."""
    if scope == "source":
        return key in records["source_id"]
    if scope in ("document", "part"):
        return key in records["doc_id"]
    if scope == "domain":
        host = records["host"]
        return bool(((host == key) | host.str.ends_with(f".{key}")).any())
    if scope == "url":
        return any((normal_url(uri) or uri.strip()) == key for uri in _near(key, records))
    return False


def _near(url: str, records: pl.DataFrame) -> Iterable[str]:
    """The URIs on the host of a URL; of what is no URL, all that are none."""
    host = hosts(pl.Series([f"http:{url}" if url.startswith("//") else url]))[0]
    same = pl.col("host").is_null() if host is None else pl.col("host") == host
    return records.filter(same)["uri"].drop_nulls()
