"""The scope of a withdrawal in releases: its records, documents, shards and shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from lineage.manifest import is_release
from lineage.release_folder import ReleaseFolder
from lineage.signing import release_log
from lineage.storage import release_files
from schemas import urls
from schemas.columns import DUPLICATES
from schemas.errors import NO, TamgaError
from schemas.withdrawals import comparison_key

#: Files that show that a folder holds a release, even if its manifest is damaged.
_OF_RELEASE = (release_files.STATEMENT, "data", "lineage")
RECORD = ("doc_id", "source_id", "uri", "uri_hmac", "container")


@dataclass(frozen=True)
class Scope:
    """The scope of a withdrawal.

    Args:
      kind: one of `schemas.withdrawals.SCOPES`.
      value: the source, domain, URL or document; for a text its SHA-256 (hex).
      hmac: the keyed digest of a URL, to find a URL that is stored redacted.
      ids: further documents that are known to be in scope.
    """

    kind: str
    value: str
    hmac: str | None = None
    ids: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return comparison_key(self.kind, self.value)


def matches(scope: Scope, rows: pl.DataFrame) -> pl.Series:
    """Whether each row is in scope (Boolean).

    Args:
      scope: the scope of the withdrawal.
      rows: doc_id, and those of source_id, uri, uri_hmac and text_sha256 that the scope needs.  A
        missing column does not match.
    """
    return _matches_value(scope, rows) | rows["doc_id"].is_in(scope.ids)


def _matches_value(scope: Scope, rows: pl.DataFrame) -> pl.Series:
    column = {"source": "source_id", "document": "doc_id", "text": "text_sha256"}.get(scope.kind)
    if column:
        nothing = pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)
        return (rows[column] == scope.key).fill_null(False) if column in rows.columns else nothing
    hosts = urls.hosts(rows["uri"])
    if scope.kind == "domain":
        below = hosts.str.ends_with("." + scope.key)
        return ((hosts == scope.key) | below).fill_null(False)
    near = hosts == urls.hosts(pl.Series([scope.value]))[0]
    candidates = rows["uri"].filter(near.fill_null(False)).unique()
    same = [uri for uri in candidates if urls.normal_url(uri) == scope.key]
    hits = rows["uri"].is_in(same).fill_null(False)
    if scope.hmac and "uri_hmac" in rows.columns:
        hits |= (rows["uri_hmac"] == scope.hmac).fill_null(False)
    return hits


def records_in_scope(release: ReleaseFolder, scope: Scope) -> pl.DataFrame:
    """Find the records of a release that are in scope, with all their parts.

    Returns:
      RECORD, each doc_id once per record.
    """
    split = [*scope.ids, *([scope.key] if scope.kind == "document" else [])]
    if split:
        cut = release.parts().filter(pl.col("part_of").is_in(split)).collect()["doc_id"]
        scope = replace(scope, ids=(*scope.ids, *cut.unique().sort()))
    if scope.kind == "text":
        texts = release.table("documents").select("doc_id", "text_sha256").collect()
        named = texts.filter(matches(scope, texts)).select("doc_id")
        rows_of_all = release.table("records").select(RECORD)
        return rows_of_all.join(named.lazy(), on="doc_id", how="semi").collect()
    parts = []  # file by file: the addresses of all records may not fit into memory
    for path in sorted((release.folder / "lineage/records").glob("*.parquet")):
        rows = pl.read_parquet(path, columns=list(RECORD), hive_partitioning=False)
        parts.append(rows.filter(matches(scope, rows)))
    return pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(RECORD, pl.String))


def documents_in_scope(release: ReleaseFolder, named: pl.DataFrame) -> pl.DataFrame:
    """Find the released documents among records: rows of `documents`, by shard and row."""
    ids = named.lazy().select("doc_id").unique()
    rows = release.table("documents").join(ids, on="doc_id", how="semi")
    return rows.sort("shard", "row").collect()


def impact(release: ReleaseFolder, named: pl.DataFrame, gone: pl.DataFrame) -> dict[str, Any]:
    """Compute what a withdrawal changes in a release, as a JSON value.

    Args:
      release: the release.
      named: its records in scope.
      gone: its documents in scope.
    """
    sums = [pl.len().alias("of"), pl.col("n_chars").sum().alias("of_chars")]
    whole = release.table("documents").group_by("lang").agg(sums).sort("lang").collect()
    lost = gone.group_by("lang").agg(
        documents=pl.len(), chars=pl.col("n_chars").sum(), tokens=pl.col("n_tokens").sum()
    )
    table = whole.join(lost, on="lang").sort("lang")
    languages = {
        row["lang"]: {k: row[k] for k in ("documents", "of", "chars", "of_chars")}
        | {"share": round(row["chars"] / max(row["of_chars"], 1), 6)}
        for row in table.iter_rows(named=True)
    }
    shards = release.table("documents").select("shard").unique().collect().height
    ended = (
        release.table("decisions")
        .join(named.lazy().select("doc_id").unique(), on="doc_id", how="semi")
        .filter(pl.col("outcome") != "keep")
        .group_by("outcome", "reason")
        .len("n")
        .sort("outcome", "reason")
        .collect()
    )
    touched = gone["shard"].unique().sort().to_list()
    return {
        "release": release.folder.name,
        "records": named.height,
        "documents": gone.height,
        "of": int(whole["of"].sum()),
        "chars": int(gone["n_chars"].sum()),
        "of_chars": int(whole["of_chars"].sum()),
        "tokens": token_count(gone),
        "languages": languages,
        "shards": touched,
        "shards_untouched": shards - len(touched),
        "not_released": {f"{o} {r}": n for o, r, n in ended.iter_rows()},
        "containers": named["container"].unique().sort().to_list(),
    }


def token_count(gone: pl.DataFrame) -> int | None:
    """The number of tokens of documents; None: no tokenizer was named."""
    counted = gone["n_tokens"].drop_nulls()
    return int(counted.sum()) if len(counted) else None


def passages(release: ReleaseFolder, named: pl.DataFrame) -> pl.DataFrame:
    """Find the other released documents that share a passage with the named records.

    Passages are known only if `dedup.spans` was on.

    Returns:
      The columns of `copies`, of kind `passage`.  `loses`: the passage was removed from the
      document, because a named record keeps it; otherwise the document still has it.
    """
    sources = release.table("sources").select("source_id", "licence").unique("source_id")
    released = release.table("documents").select("doc_id", "source_id")
    ids = named.lazy().select("doc_id").unique()
    pairs = _passage_pairs(release).lazy()
    kept = pairs.join(ids.rename({"doc_id": "kept_doc_id"}), on="kept_doc_id", how="semi")
    theirs = kept.select(
        "cluster_id",
        "doc_id",
        kept_doc_id=pl.when("removed").then("kept_doc_id").otherwise("doc_id"),
        loses="removed",
    )
    keeps = pairs.join(ids, on="doc_id", how="semi").select(
        "cluster_id", doc_id="kept_doc_id", kept_doc_id="kept_doc_id", loses=pl.lit(value=False)
    )
    shared = pl.concat([theirs, keeps]).unique(["doc_id", "cluster_id", "loses"])
    return (
        shared.join(ids, on="doc_id", how="anti")
        .join(released, on="doc_id")
        .join(sources, on="source_id", how="left")
        .with_columns(kind=pl.lit("passage"), similarity=pl.lit(None, pl.Float64))
        .select(*DUPLICATES, "loses")
        .sort("cluster_id", "doc_id")
        .collect()
    )


def _passage_pairs(release: ReleaseFolder) -> pl.DataFrame:
    """The passages in the evidence of decisions.

    Returns:
      doc_id, removed, kept_doc_id, and cluster_id: the passage's place in the document that keeps
      it.
    """
    place = pl.Struct({"kept_doc_id": pl.String, "kept_start": pl.Int64, "kept_end": pl.Int64})
    evidence = pl.Struct({"passages": pl.Struct({"removed": pl.Boolean, "found": pl.List(place)})})
    decisions = (
        release.table("decisions")
        .filter(pl.col("stage") == "dedup", pl.col("evidence").str.contains('"passages"'))
        .select("doc_id", "evidence")
        .collect()
    )
    return (
        decisions.select("doc_id", pl.col("evidence").str.json_decode(evidence).struct["passages"])
        .unnest("passages")
        .explode("found")
        .unnest("found")
        .select(
            "doc_id",
            "removed",
            "kept_doc_id",
            cluster_id=pl.format("{}:{}-{}", "kept_doc_id", "kept_start", "kept_end"),
        )
    )


def copies(release: ReleaseFolder, named: pl.DataFrame) -> pl.DataFrame:
    """Find the other members of the clusters of duplicates of the named records.

    Returns:
      The columns of `duplicates`, and `loses`: whether the cluster's kept document is withdrawn.
      Then another member may take its place.
    """
    table = release.table("duplicates")
    ids = named.lazy().select("doc_id").unique()
    clusters = table.join(ids, on="doc_id", how="semi").select("cluster_id").unique()
    others = table.join(clusters, on="cluster_id", how="semi").join(ids, on="doc_id", how="anti")
    withdrawn = ids.with_columns(loses=True)
    marked = others.join(withdrawn, left_on="kept_doc_id", right_on="doc_id", how="left")
    members = marked.with_columns(pl.col("loses").fill_null(False)).unique("doc_id")
    return members.select(*DUPLICATES, "loses").sort("cluster_id", "doc_id").collect()


class Unreadable(TamgaError):
    """The manifest of a release, or of the remains of one, cannot be read."""

    exit_code = NO


def release_folders(folder: Path, root: Path, keys: Path | None = None) -> Iterator[ReleaseFolder]:
    """Iterate over the releases in a folder, by name.

    Raises:
      Unreadable: if a possible release cannot be read, for it may hold documents in scope.
      lineage.signing.release_log.BadLog: if the log of releases is damaged.
    """
    logged = {entry["name"] for entry in release_log.read(folder / release_files.LOG)}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_dir() or path.name.startswith("."):
            continue
        if is_release(path):
            yield ReleaseFolder(path, root, keys)
        elif path.name in logged or any((path / name).exists() for name in _OF_RELEASE):
            raise Unreadable(
                f"{path} holds a release whose manifest.json cannot be read, so its documents are "
                "not known: restore the file, or move the folder away and erase it by hand"
            )
