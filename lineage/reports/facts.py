"""What reports are made of: a release's manifest and tables, counted by source and language."""

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
from schemas.licences import parts
from schemas.register import ACQUIRED_AS

SIZES: Final = ("documents", "chars", "tokens")
#: A URL's authority: what stands between `//` and the path.
_AUTHORITY: Final = r"^(?i:https?|ftp)://([^/?#]*)"
#: A capture's day, or month; what is written in another way is not compared.
_DAY: Final = r"^(\d{4}-\d\d(?:-\d\d)?)"


@dataclass(frozen=True)
class Source:
    """A source of released documents, by the register as it stood at the run."""

    id: str
    entry: Mapping[str, Any]
    licence: str
    evidence_sha256: str | None
    terms: Mapping[str, Mapping[str, Any]]  # of the LicenseRef-… in `licence`

    @property
    def acquired_as(self) -> str:
        return str(self.entry.get("acquired_as") or ACQUIRED_AS[self.entry["kind"]])

    @property
    def attribution(self) -> str:
        """Whom to name."""
        return str(self.entry["licence"].get("attribution") or self.entry["publisher"])

    @property
    def basis(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.entry["basis"]
        return found

    @cached_property
    def duties(self) -> Duties:
        return duties(self.licence, self.terms)

    @cached_property
    def licence_urls(self) -> list[str]:
        """Where the licences can be read: the register's word, else the SPDX list's page."""
        if url := self.entry["licence"].get("url"):
            return [str(url)]
        return [found for name in parts(self.licence) if (found := licence_url(name, self.terms))]


def licence_url(name: str, terms: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The address of a single licence; None where a `LicenseRef-…` has none."""
    if name.startswith("LicenseRef-"):
        return terms.get(name, {}).get("url")
    return f"https://spdx.org/licenses/{name.partition(' WITH ')[0]}.html"


@dataclass(frozen=True)
class Facts:
    """A release, as reports see it.

    Args:
      folder: where its tables lie.
      about: its manifest.
    """

    folder: Path
    about: Mapping[str, Any]

    def table(self, name: str) -> pl.LazyFrame:
        """A lineage table, lazily, as far as the manifest has it."""
        start = f"lineage/{name}/"
        files = [self.folder / f for f in sorted(self.about["files"]) if f.startswith(start)]
        if not files:  # nothing was released, or nothing redacted
            return release_tables.empty_table(name)
        return pl.scan_parquet(files, hive_partitioning=False)

    @property
    def data_files(self) -> dict[str, Mapping[str, Any]]:
        """Path -> rows, bytes, sha256 of the documents' files."""
        return {n: f for n, f in sorted(self.about["files"].items()) if n.startswith("data/")}

    @cached_property
    def urn(self) -> str:
        """Names the release by its data's digests."""
        digests = {name: about["sha256"] for name, about in self.data_files.items()}
        digest = hashlib.sha256(canonical_json(digests).encode()).hexdigest()
        return f"urn:tamga:release:{quote(str(self.about['name']), safe='')}:{digest[:32]}"

    @cached_property
    def documents(self) -> pl.DataFrame:
        """A row per source, language and host (null: none, or redacted): documents, chars, tokens
        (null where no tokenizer was named), first and last day of capture."""
        records = self.table("records").select(
            "doc_id",
            captured=pl.col("captured_at").str.extract(_DAY),
            authority=pl.col("uri").str.extract(_AUTHORITY),
        )
        counted = (
            self.table("documents")
            .select("doc_id", "source_id", "lang", "n_chars", "n_tokens")
            .join(records, on="doc_id", how="left")
            .group_by("source_id", "lang", "authority")
            .agg(*_sizes("n_chars", "n_tokens"), *_captures("captured", "captured"))
            .collect(engine="streaming")
        )
        names = counted["authority"].unique().drop_nulls().to_list()
        hosts = {name: urls.authority_host(name) for name in names}
        named = counted.with_columns(
            host=pl.col("authority").replace_strict(hosts, default=None, return_dtype=pl.String)
        )
        return self._added(named, "source_id", "lang", "host")

    def by(self, *keys: str) -> pl.DataFrame:
        """`documents` added up by some of its keys, in their order."""
        return self._added(self.documents, *keys)

    @staticmethod
    def _added(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
        sums = pl.col("documents", "chars").sum(), _sum_or_null("tokens")
        return frame.group_by(*keys).agg(*sums, *_captures("first", "last")).sort(*keys)

    @cached_property
    def sources(self) -> dict[str, Source]:
        """The sources that documents were released from, by id."""
        released = self.documents["source_id"].unique()
        rows = self.table("sources").filter(pl.col("source_id").is_in(released.implode()))
        terms = self.about.get("licences") or {}
        return {
            row["source_id"]: Source(
                row["source_id"],
                json.loads(row["entry"]),
                row["licence"],
                row["evidence_sha256"],
                terms,
            )
            for row in rows.sort("source_id").collect().iter_rows(named=True)
        }

    def sizes(self, sources: set[str] | None = None) -> dict[str, Any]:
        """documents, chars, tokens, first, last over some sources, or all."""
        frame = self.documents
        if sources is not None:
            frame = frame.filter(pl.col("source_id").is_in(list(sources)))
        told = frame.select(
            pl.col("documents", "chars").sum(), _sum_or_null("tokens"), *_captures("first", "last")
        ).row(0, named=True)
        nothing = not told["documents"] and self.about.get("tokenizer")  # counted: there are none
        return told | ({"tokens": 0} if nothing else {})

    @cached_property
    def ended(self) -> dict[str, int]:
        """`outcome reason` -> how many records ended so before the release."""
        counted = (
            self.table("decisions")
            .filter(pl.col("outcome") != "keep")
            .group_by("outcome", "reason")
            .len("n")
            .sort("outcome", "reason")
            .collect(engine="streaming")
        )
        return {f"{outcome} {reason}": n for outcome, reason, n in counted.iter_rows()}


def _sum_or_null(column: str) -> pl.Expr:
    """A sum that is null where a part of it is: a size that is not known in full."""
    some = pl.col(column)
    whole = (some.null_count() == 0) & (some.len() > 0)
    return pl.when(whole).then(some.sum()).otherwise(None).alias(column)


def _sizes(chars: str, tokens: str) -> list[pl.Expr]:
    return [
        pl.len().cast(pl.Int64).alias("documents"),
        pl.col(chars).sum().alias("chars"),
        _sum_or_null(tokens).alias("tokens"),
    ]


def _captures(first: str, last: str) -> list[pl.Expr]:
    return [pl.col(first).min().alias("first"), pl.col(last).max().alias("last")]


def read(folder: Path) -> Facts:
    """The facts of a release on disk.

    Raises:
      NoRelease: where there is none, or its manifest lists a table that is not there.
    """
    try:
        about = json.loads((folder / release_files.MANIFEST).read_bytes())
    except (OSError, ValueError):
        raise NoRelease(f"{folder} holds no release (no readable manifest.json)") from None
    if not isinstance(about, dict) or not isinstance(about.get("files"), dict):
        raise NoRelease(f"{folder}/manifest.json is no release's manifest (it lists no `files`)")
    for name in about["files"]:
        if name.startswith("lineage/") and not (folder / name).is_file():
            raise NoRelease(f"{folder}/{name} is not there, and the manifest lists it")
    return Facts(folder, about)
