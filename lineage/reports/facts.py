"""The facts that all reports are written from: a release's manifest, and counts by source and language."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import polars as pl

from lineage.storage import release_files, release_tables
from lineage.storage.release_tables import NoRelease
from schemas import urls
from schemas.canonical import canonical_json
from schemas.duties import Duties, duties
from schemas.licences import single_licences
from schemas.register import ACQUIRED_AS

SIZES: Final = ("documents", "chars", "tokens")
#: A URL's authority: the part between `//` and the path.
_AUTHORITY: Final = r"^(?i:https?|ftp)://([^/?#]*)"
#: A capture's day or month. Dates in other forms are not compared.
_DAY: Final = r"^(\d{4}-\d\d(?:-\d\d)?)"


@dataclass(frozen=True)
class ReleasedSource:
    """A source of released documents, with its register entry as it was at the run.

    Args:
      id: the source's id in the register.
      entry: the register entry.
      licence: an SPDX expression.
      evidence_sha256: digest of the evidence file; None: the file was missing.
      terms: `LicenseRef-…` in `licence` -> its entry in `register/licences.yaml`.
    """

    id: str
    entry: Mapping[str, Any]
    licence: str
    evidence_sha256: str | None
    terms: Mapping[str, Mapping[str, Any]]

    @property
    def acquired_as(self) -> str:
        """How the source was acquired; the default follows from its kind."""
        return str(self.entry.get("acquired_as") or ACQUIRED_AS[self.entry["kind"]])

    @property
    def attribution(self) -> str:
        """The name to credit: the licence's attribution, else the publisher."""
        return str(self.entry["licence"].get("attribution") or self.entry["publisher"])

    @property
    def basis(self) -> Mapping[str, Any]:
        """The lawful basis in the register entry."""
        basis: Mapping[str, Any] = self.entry["basis"]
        return basis

    @cached_property
    def duties(self) -> Duties:
        """What the licence asks of the user."""
        return duties(self.licence, self.terms)

    @cached_property
    def licence_urls(self) -> list[str]:
        """Addresses of the licence texts: the register's URL, else the pages of the SPDX list."""
        if url := self.entry["licence"].get("url"):
            return [str(url)]
        addresses = (licence_url(name, self.terms) for name in single_licences(self.licence))
        return [address for address in addresses if address]


def licence_url(name: str, terms: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the address of one licence; None for a `LicenseRef-…` without a URL."""
    if name.startswith("LicenseRef-"):
        return terms.get(name, {}).get("url")
    return f"https://spdx.org/licenses/{name.partition(' WITH ')[0]}.html"


@dataclass(frozen=True)
class Facts:
    """A release as the reports read it.

    Args:
      folder: the release's folder.
      manifest: the release's manifest.
    """

    folder: Path
    manifest: Mapping[str, Any]

    def table(self, name: str) -> pl.LazyFrame:
        """Scan the files of a lineage table that the manifest lists; an empty table if it lists none."""
        start = f"lineage/{name}/"
        files = [self.folder / f for f in sorted(self.manifest["files"]) if f.startswith(start)]
        if not files:  # for example: no document was released, or no span was redacted
            return release_tables.empty_table(name)
        return pl.scan_parquet(files, hive_partitioning=False)

    @property
    def data_files(self) -> dict[str, Mapping[str, Any]]:
        """Path of each data file -> its rows, bytes and sha256."""
        files = sorted(self.manifest["files"].items())
        return {name: entry for name, entry in files if name.startswith("data/")}

    @cached_property
    def urn(self) -> str:
        """A URN of the release, derived from the digests of its data files."""
        digests = {name: entry["sha256"] for name, entry in self.data_files.items()}
        digest = hashlib.sha256(canonical_json(digests).encode()).hexdigest()
        return f"urn:tamga:release:{quote(str(self.manifest['name']), safe='')}:{digest[:32]}"

    @cached_property
    def document_counts(self) -> pl.DataFrame:
        """Released documents counted by source, language and host.

        Returns:
          source_id, lang, host (null: the record has no host, or its host is redacted), documents,
          chars, tokens (null: not all documents are tokenized), first and last day of capture.
        """
        records = self.table("records").select(
            "doc_id",
            captured=pl.col("captured_at").str.extract(_DAY),
            authority=pl.col("uri").str.extract(_AUTHORITY),
        )
        by_authority = (
            self.table("documents")
            .select("doc_id", "source_id", "lang", "n_chars", "n_tokens")
            .join(records, on="doc_id", how="left")
            .group_by("source_id", "lang", "authority")
            .agg(*_sizes("n_chars", "n_tokens"), *_captures("captured", "captured"))
            .collect(engine="streaming")
        )
        authorities = by_authority["authority"].unique().drop_nulls().to_list()
        hosts = {authority: urls.authority_host(authority) for authority in authorities}
        with_hosts = by_authority.with_columns(
            host=pl.col("authority").replace_strict(hosts, default=None, return_dtype=pl.String)
        )
        return self._aggregate(with_hosts, "source_id", "lang", "host")

    def sizes_by(self, *keys: str) -> pl.DataFrame:
        """Return `document_counts` summed by the keys given (source_id, lang, host), sorted by them."""
        return self._aggregate(self.document_counts, *keys)

    @staticmethod
    def _aggregate(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
        sums = pl.col("documents", "chars").sum(), _sum_or_null("tokens")
        return frame.group_by(*keys).agg(*sums, *_captures("first", "last")).sort(*keys)

    @cached_property
    def sources(self) -> dict[str, ReleasedSource]:
        """Id -> source, for each source with a released document."""
        released = self.document_counts["source_id"].unique()
        rows = self.table("sources").filter(pl.col("source_id").is_in(released.implode()))
        terms = self.manifest.get("licences") or {}
        return {
            row["source_id"]: ReleasedSource(
                id=row["source_id"],
                entry=json.loads(row["entry"]),
                licence=row["licence"],
                evidence_sha256=row["evidence_sha256"],
                terms=terms,
            )
            for row in rows.sort("source_id").collect().iter_rows(named=True)
        }

    def sizes(self, sources: set[str] | None = None) -> dict[str, Any]:
        """Return documents, chars, tokens, first and last over the given sources (default: all)."""
        frame = self.document_counts
        if sources is not None:
            frame = frame.filter(pl.col("source_id").is_in(list(sources)))
        totals = frame.select(
            pl.col("documents", "chars").sum(), _sum_or_null("tokens"), *_captures("first", "last")
        ).row(0, named=True)
        # With a tokenizer and no document the number of tokens is known: it is 0.
        empty = not totals["documents"] and self.manifest.get("tokenizer")
        return totals | ({"tokens": 0} if empty else {})

    @cached_property
    def outcome_counts(self) -> dict[str, int]:
        """`outcome reason` -> the number of records that were not kept for this reason."""
        by_reason = (
            self.table("decisions")
            .filter(pl.col("outcome") != "keep")
            .group_by("outcome", "reason")
            .len("n")
            .sort("outcome", "reason")
            .collect(engine="streaming")
        )
        return {f"{outcome} {reason}": n for outcome, reason, n in by_reason.iter_rows()}


def _sum_or_null(column: str) -> pl.Expr:
    """Sum a column; null if a value is null or the column is empty, so that no sum is partial."""
    values = pl.col(column)
    complete = (values.null_count() == 0) & (values.len() > 0)
    return pl.when(complete).then(values.sum()).otherwise(None).alias(column)


def _sizes(chars: str, tokens: str) -> list[pl.Expr]:
    return [
        pl.len().cast(pl.Int64).alias("documents"),
        pl.col(chars).sum().alias("chars"),
        _sum_or_null(tokens).alias("tokens"),
    ]


def _captures(first: str, last: str) -> list[pl.Expr]:
    return [pl.col(first).min().alias("first"), pl.col(last).max().alias("last")]


def read_facts(folder: Path) -> Facts:
    """Read the facts of a release on disk.

    Raises:
      NoRelease: if the folder has no readable manifest, or a listed lineage table is missing.
    """
    try:
        manifest = json.loads((folder / release_files.MANIFEST).read_bytes())
    except (OSError, ValueError):
        raise NoRelease(f"{folder} holds no release (no readable manifest.json)") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise NoRelease(
            f"{folder}/manifest.json is not a release's manifest (it does not list `files`)"
        )
    for name in manifest["files"]:
        if name.startswith("lineage/") and not (folder / name).is_file():
            raise NoRelease(f"{folder}/{name} is missing, but manifest.json lists it")
    return Facts(folder, manifest)
