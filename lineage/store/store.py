"""The store: the lineage of all releases.

`lineage.open(path)` opens the store of a folder of releases (`release.path` of the parameters), or
of its copy in an object store.  A row of a result is an interval: a record with one outcome, from
the first release that has it to the last one (`last_seq` null: the latest release still has it).

Ids and digests are bytes in the store and hex digits in results.  Values are compared as literals:
there is no query language that could interpret them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from lineage.storage import redacted_names, remote
from lineage.store import segments
from lineage.store.scans import FILTERS, PLACE, NoSuchRelease, Segments
from lineage.store.segments import BadStore, Header
from lineage.store.url_keys import forward_hosts, url_keys

__all__ = ["FILTERS", "INTERVAL", "NoSuchRelease", "Store", "open"]

#: The columns of an interval.
INTERVAL: Final = (
    "doc_id", "uri", "captured_at", "source_id", "licence", "jurisdiction", "basis", "reference",
    "lang", "outcome", "reason", "stage", "rule", "rule_version", "n_chars", "n_tokens",
    "first_seq", "last_seq", "shard", "row",
)  # fmt: skip


@dataclass(frozen=True)
class Store(Segments):
    """The releases in a store, oldest first (`lineage.store.scans.Segments` has the fields)."""

    # --- releases

    def release(self, named: str) -> Header:
        """Find a release by its name (the latest of that name), by `NAME@SEQ` or by its number.

        Raises:
          NoSuchRelease: if there is none; the message lists all releases.
        """
        name, _, number = named.rpartition("@")
        for header in reversed(self.releases):
            own = (header.name, str(header.seq))
            if named in own or (name, number) == own:
                return header
        known = ", ".join(f"{header.name}@{header.seq}" for header in self.releases) or "none"
        raise NoSuchRelease(f"no release {named!r} in the store; the store has: {known}")

    def as_of(self, day: str) -> Header:
        """Find the release that was current on a day (ISO 8601): the last with an `as_of` up to it.

        Raises:
          NoSuchRelease: if all releases are later.
        """
        for header in reversed(self.releases):
            if header.as_of <= day:
                return header
        raise NoSuchRelease(f"all releases of the store are later than {day}")

    # --- by properties of documents

    def documents(
        self,
        where: Mapping[str, Collection[str | None]] | None = None,
        domain: str | None = None,
        at: Header | None = None,
        released: bool = False,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """Find the intervals of records by their properties.

        Args:
          where: column of FILTERS -> the allowed values (None among them allows a missing value).
          domain: a host; its subdomains count too.
          at: only the intervals that this release has; None: all intervals.
          released: only released documents, no refused or dropped records.
          limit: the maximum number of rows; None: no limit.

        Returns:
          INTERVAL, in the order of hosts and ids.
        """
        rows = self._selected(where or {}, domain, at, released)
        if limit is None:
            return self._intervals(rows.collect(engine="streaming"), at)
        places = rows.select("seq", "pos").head(limit).collect(engine="streaming")
        return self._intervals(self._rows(places), at)

    def count(
        self,
        where: Mapping[str, Collection[str | None]] | None = None,
        domain: str | None = None,
        at: Header | None = None,
        released: bool = False,
    ) -> int:
        """Count the rows that `documents` returns for the same arguments."""
        rows = self._selected(where or {}, domain, at, released).select(pl.len())
        return int(rows.collect(engine="streaming").item())

    def roll_up(
        self,
        by: Sequence[str],
        where: Mapping[str, Collection[str | None]] | None = None,
        domain: str | None = None,
        at: Header | None = None,
        released: bool = True,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """Count records, characters and tokens of a release by group.

        Args:
          by: the columns of a group: of FILTERS, and `domain`.
          where, domain, released: filters, as in `documents`.
          at: the release; None: the latest.
          limit: the maximum number of groups; None: no limit.

        Returns:
          `by`, records, chars, tokens; groups with the most records first.
        """
        if not self.releases:
            raise NoSuchRelease("the store has no release")
        rows = self._selected(where or {}, domain, at or self.releases[-1], released)
        if "domain" in by:
            rows = rows.with_columns(domain=pl.col("host"))
        groups = (
            rows.group_by(by)
            .agg(
                records=pl.len(),
                chars=pl.col("n_chars").sum(),
                tokens=pl.col("n_tokens").sum(),
            )
            .sort("records", *by, descending=[True] + [False] * len(by), nulls_last=True)
            .collect(engine="streaming")
        )
        groups = groups.head(groups.height if limit is None else limit)
        return groups.with_columns(forward_hosts(groups["domain"])) if "domain" in by else groups

    # --- by keys

    def by_id(self, doc_ids: Iterable[str]) -> pl.DataFrame:
        """Find the intervals of records by their ids (32 hex digits), oldest first."""
        wanted = pl.Series([bytes.fromhex(i) for i in doc_ids], dtype=pl.Binary)
        return self._intervals(self._rows(self._rows_by_key("ids", "doc_id", wanted)))

    def by_key(self, table: str, keys: Iterable[Any]) -> pl.DataFrame:
        """Find intervals by keys of a table.

        Args:
          table: `urls`, `texts` or `payloads`.
          keys: 64-bit numbers of `url_keys`; SHA-256 of texts; the first 16 bytes of SHA-256 of
            payloads.
        """
        column, kind = ("key", pl.UInt64) if table == "urls" else ("digest", pl.Binary)
        wanted = pl.Series(list(keys), dtype=kind)
        return self._intervals(self._rows(self._rows_by_key(table, column, wanted)))

    def by_url(self, url: str, keys: Path | None = None) -> pl.DataFrame:
        """Find the intervals of records at an address; its spelling is normalised.

        Args:
          url: the address.
          keys: the folder of the look-up key, for addresses that are stored redacted.
        """
        wanted = url_keys(pl.Series([url], dtype=pl.String)).to_list()
        if keys is not None and (keys / "lookup.key").is_file():
            digest = redacted_names.keyed_digest(redacted_names.lookup_key(keys), url)
            wanted.append(int(digest[:16], 16))
        return self.by_id(self.by_key("urls", wanted)["doc_id"].unique())

    def candidates(self, keys: Collection[int], limit: int) -> pl.DataFrame:
        """Find the documents that share the most fingerprints with a text.

        Returns:
          doc_id, shared (their number), most first.
        """
        wanted = pl.Series(sorted(keys), dtype=pl.UInt64)
        hits = self._rows_by_key("prints", "key", wanted)
        top = hits.group_by("seq", "pos").agg(shared=pl.col("key").n_unique())
        top = top.sort("shared", "seq", "pos", descending=[True, True, False]).head(limit)
        rows = self._rows(top.select("seq", "pos")).join(top, on=["seq", "pos"])
        best = (
            rows.group_by("doc_id")
            .agg(pl.col("shared").max())
            .sort("shared", "doc_id", descending=[True, False])
        )
        return best.select(_hex(best["doc_id"]), "shared")

    def neighbours(self, digest: bytes) -> tuple[str | None, str | None]:
        """Find the neighbours of a digest that no released text has.

        In sorted order the two digests are next to each other.  So the text was never released.

        Returns:
          The digests (hex) of released texts before and after it; None: there is none.
        """
        # digests are spread evenly, so a window of this width almost always contains some
        width = (1 << 262) // max(1, sum(header.documents for header in self.releases))
        centre, largest = int.from_bytes(digest), (1 << 256) - 1
        low, high = self._around(digest, max(0, centre - width), min(largest, centre + width))
        if low is None or high is None:
            low, high = self._around(digest, 0, largest)
        return (low.hex() if low else None, high.hex() if high else None)

    def _around(self, digest: bytes, low: int, high: int) -> tuple[bytes | None, bytes | None]:
        """The nearest digests below and above, between `low` and `high`."""
        column = pl.col("digest")
        inside = column.is_between(
            pl.lit(low.to_bytes(32), pl.Binary), pl.lit(high.to_bytes(32), pl.Binary)
        )
        scans = [self._scan("texts", one).filter(inside).select("digest") for one in self.releases]
        near: list[bytes] = pl.concat(pl.collect_all(scans))["digest"].to_list()
        below, above = (d for d in near if d < digest), (d for d in near if d > digest)
        return max(below, default=None), min(above, default=None)

    def cluster(self, cluster_id: str, at: Header) -> list[dict[str, Any]]:
        """The members of a cluster of duplicates in that release."""
        scan = self._scan("copies", at).filter(pl.col("cluster_id") == bytes.fromhex(cluster_id))
        rows = scan.drop("seq").collect()
        return rows.with_columns(
            *(_hex(rows[c]) for c in ("cluster_id", "doc_id", "kept_doc_id"))
        ).to_dicts()

    def place_of(self, doc_id: str, at: Header) -> tuple[str | None, str | None, int | None]:
        """The place of a record in that release.

        Returns:
          The part of its lineage tables, and the shard and row of its text; None: it has none.
        """
        ids = self._rows_by_key("ids", "doc_id", pl.Series([bytes.fromhex(doc_id)]), at.seq)
        rows = self._with_last_place(self._rows(ids.sort("seq").tail(1)), pl.lit(at.seq))
        return rows.select(PLACE).row(0) if rows.height else (None, None, None)

    # --- between releases

    def diff(self, old: Header, new: Header) -> pl.DataFrame:
        """Compare two releases: which documents entered, left or changed, and why.

        Returns:
          INTERVAL, `change` and `why`.  `change` is `entered`, `left` or `changed` (another text,
          source or right).  `why` explains `left`: the outcome and reason in `new`, or that no
          input of `new` has the record.  The interval is that of `new`; it is that of `old` where
          `new` has no such record.
        """
        before, after = self._changed_rows(old, new)
        keep = pl.col("outcome") == "keep"
        released_before, released_after = before.filter(keep), after.filter(keep)
        entered = released_after.join(released_before, on="doc_id", how="anti")
        left = released_before.join(released_after, on="doc_id", how="anti")
        seen = after.join(left, on="doc_id", how="semi")
        unseen = left.join(seen, on="doc_id", how="anti")
        changed = released_after.join(
            released_before.select("doc_id", "seq"), on="doc_id", suffix="_was"
        )
        changed = changed.filter(pl.col("seq") != pl.col("seq_was")).drop("seq_was")
        reason = pl.format("{}: {}", "outcome", pl.col("reason").fill_null("-"))
        no_record = pl.lit("no input has its record any more")
        no_reason = pl.lit(None, pl.String)
        return pl.concat(
            self._intervals(rows, header).with_columns(change=pl.lit(change), why=why)
            for rows, header, change, why in (
                (entered, new, "entered", no_reason),
                (seen, new, "left", reason),
                (unseen, old, "left", no_record),
                (changed, new, "changed", no_reason),
            )
        )

    def _changed_rows(self, old: Header, new: Header) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows of `docs` that only `old` has, and those that only `new` has."""
        first, last = sorted((old, new), key=lambda header: header.seq)
        between = [header for header in self.releases if first.seq < header.seq <= last.seq]
        scans = [self._scan("docs", header) for header in between]
        ends = self._ends.filter(pl.col("end") > first.seq, pl.col("end") <= last.seq)
        begun = pl.concat(pl.collect_all(scans or [self._scan("docs", old).head(0)]))
        later = begun.join(ends, on=["seq", "pos"], how="anti")
        earlier = self._rows(ends.filter(pl.col("seq") <= first.seq).select("seq", "pos"))
        return (earlier, later) if first is old else (later, earlier)

    def live(self, columns: Sequence[str]) -> pl.DataFrame:
        """The records of the latest release.

        Args:
          columns: of `docs`, and `digest` (of the text).

        Returns:
          doc_id (binary), first_seq, pos, and the columns.
        """
        schema: dict[str, Any] = {"doc_id": pl.Binary, "first_seq": pl.Int32, "pos": pl.UInt32}
        schema |= {c: _types()[c] for c in columns}
        if not self.releases:
            return pl.DataFrame(schema=schema)
        members = self._selected({}, None, self.releases[-1], released=False)
        texts = pl.concat([self._scan("texts", s).rename({"pos": "at"}) for s in self.releases])
        members = members.join(texts, left_on=["seq", "pos"], right_on=["seq", "at"], how="left")
        latest = pl.lit(self.releases[-1].seq)
        rows = self._with_last_place(members.collect(engine="streaming"), latest)
        return rows.rename({"seq": "first_seq"}).select(list(schema))

    # --- results

    def _intervals(self, rows: pl.DataFrame, at: Header | None = None) -> pl.DataFrame:
        """Turn rows of `docs` into INTERVAL: add the last release and the place of the text."""
        ends = self._ends.select("seq", "pos", "last_seq")
        ended = rows.join(ends, on=["seq", "pos"], how="left", maintain_order="left")
        until = pl.col("last_seq").fill_null(self.releases[-1].seq if self.releases else 0)
        upto = pl.min_horizontal(until, pl.lit(at.seq)) if at else until
        placed = self._with_last_place(ended, upto)
        return placed.with_columns(_hex(placed["doc_id"]), first_seq="seq").select(INTERVAL)


def open(path: str | Path) -> Store:
    """Open the store of a folder of releases; it is empty if no release was entered yet.

    Args:
      path: the folder, or a URL that Polars reads (`s3://`, `gs://`, `az://`, `file://`).

    Raises:
      lineage.store.segments.BadStore: if a segment is damaged, or has another format.
    """
    text = str(path)
    if remote.is_url(text) and not text.startswith("file://"):
        place = f"{text.rstrip('/')}/{segments.FOLDER}"
        urls = remote.matching_urls(f"{place}/*/{segments.HEADER}")
        contents = [(url, remote.read_bytes(url)) for url in urls if "*" not in url]
        folder = Path(segments.FOLDER)
    else:
        folder = Path(text.removeprefix("file://")) / segments.FOLDER
        place = str(folder)
        files = sorted(folder.glob(f"[0-9]*/{segments.HEADER}"))
        contents = [(str(file), file.read_bytes()) for file in files]
    releases = sorted(
        (segments.parse_header(content, file) for file, content in contents),
        key=lambda header: header.seq,
    )
    numbers = [header.seq for header in releases]
    if len(set(numbers)) < len(numbers):
        twice = next(s for s in numbers if numbers.count(s) > 1)
        raise BadStore(
            f"{place} has two segments for the release {twice}; run `tamga index --rebuild`"
        )
    return Store(folder, releases, place)


def _hex(ids: pl.Series) -> pl.Series:
    return ids.bin.encode("hex")


def _types() -> dict[str, Any]:
    """The types of all columns of `docs`, `ids` and `texts`."""
    schemas = (segments.TABLES[name] for name in ("docs", "ids", "texts"))
    return {name: kind for schema in schemas for name, kind in schema.items()}
