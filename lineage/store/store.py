"""Lineage over all releases: what was in which of them, since when, until when, and what became of
the rest.

`lineage.open(path)` opens the folder of releases (`release.path` of the parameters), or its copy in
an object store.  A row of what comes back is an interval: a record with one fate, from the release
that saw it first to the last one that did (`last_seq` null: the latest still does).

Ids and digests are bytes in the store and hex digits in what it hands out.  Values asked for are
compared as literals: there is no query language in which they could mean something else.
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
    """The entered releases, oldest first (`lineage.store.scans.Segments` has the fields)."""

    # --- releases

    def release(self, named: str) -> Header:
        """A release by its name (the latest of that name), `NAME@SEQ`, or its number.

        Raises:
          NoSuchRelease: naming those that there are.
        """
        name, _, number = named.rpartition("@")
        for one in reversed(self.releases):
            if named in (one.name, str(one.seq)) or (name, number) == (one.name, str(one.seq)):
                return one
        known = ", ".join(f"{one.name}@{one.seq}" for one in self.releases) or "none"
        raise NoSuchRelease(f"no release {named!r} in the store; there are: {known}")

    def as_of(self, day: str) -> Header:
        """The release that stood on a day (ISO 8601): the last whose `as_of` is not after it.

        Raises:
          NoSuchRelease: where all are later.
        """
        for one in reversed(self.releases):
            if one.as_of <= day:
                return one
        raise NoSuchRelease(f"no release of the store is as old as {day}")

    # --- by what documents are

    def documents(
        self,
        where: Mapping[str, Collection[str | None]] | None = None,
        domain: str | None = None,
        at: Header | None = None,
        released: bool = False,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """The intervals of records by what they are.

        Args:
          where: of FILTERS, the values that will do (None among them: no value).
          domain: a host; its subdomains count too.
          at: only what that release had; None: all intervals.
          released: only documents, not what was refused or dropped.
          limit: the most rows that come back; None: all.

        Returns:
          INTERVAL, in the order of hosts and ids.
        """
        found = self._selected(where or {}, domain, at, released)
        if limit is None:
            return self._told(found.collect(engine="streaming"), at)
        places = found.select("seq", "pos").head(limit).collect(engine="streaming")
        return self._told(self._rows(places), at)

    def count(
        self,
        where: Mapping[str, Collection[str | None]] | None = None,
        domain: str | None = None,
        at: Header | None = None,
        released: bool = False,
    ) -> int:
        """How many rows `documents` has."""
        found = self._selected(where or {}, domain, at, released).select(pl.len())
        return int(found.collect(engine="streaming").item())

    def roll_up(
        self,
        by: Sequence[str],
        where: Mapping[str, Collection[str | None]] | None = None,
        domain: str | None = None,
        at: Header | None = None,
        released: bool = True,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """How much of each kind a release has (None: the latest): `by` (of FILTERS, and `domain`),
        records, chars, tokens, most records first."""
        if not self.releases:
            raise NoSuchRelease("the store holds no release")
        found = self._selected(where or {}, domain, at or self.releases[-1], released)
        if "domain" in by:
            found = found.with_columns(domain=pl.col("host"))
        rolled = (
            found.group_by(by)
            .agg(
                records=pl.len(),
                chars=pl.col("n_chars").sum(),
                tokens=pl.col("n_tokens").sum(),
            )
            .sort("records", *by, descending=[True] + [False] * len(by), nulls_last=True)
            .collect(engine="streaming")
        )
        rolled = rolled.head(rolled.height if limit is None else limit)
        return rolled.with_columns(forward_hosts(rolled["domain"])) if "domain" in by else rolled

    # --- by keys

    def by_id(self, doc_ids: Iterable[str]) -> pl.DataFrame:
        """The intervals of records by their ids (32 hex digits), oldest first."""
        wanted = pl.Series([bytes.fromhex(i) for i in doc_ids], dtype=pl.Binary)
        return self._told(self._rows(self._keyed("ids", "doc_id", wanted)))

    def by_key(self, table: str, keys: Iterable[Any]) -> pl.DataFrame:
        """The intervals that keys of `urls` (64 bits), `texts` (SHA-256) or `payloads` (its first 16
        bytes) belong to."""
        column, kind = ("key", pl.UInt64) if table == "urls" else ("digest", pl.Binary)
        return self._told(self._rows(self._keyed(table, column, pl.Series(list(keys), dtype=kind))))

    def by_url(self, url: str, keys: Path | None = None) -> pl.DataFrame:
        """The intervals of records at an address, in whatever spelling.

        Args:
          keys: the folder of the look-up key, for addresses that are stored redacted.
        """
        wanted = url_keys(pl.Series([url], dtype=pl.String)).to_list()
        secret = []
        if keys is not None and (keys / "lookup.key").is_file():
            secret = [
                int(redacted_names.keyed_digest(redacted_names.lookup_key(keys), url)[:16], 16)
            ]
        return self.by_id(self.by_key("urls", [*wanted, *secret])["doc_id"].unique())

    def candidates(self, keys: Collection[int], limit: int) -> pl.DataFrame:
        """The documents that share most fingerprints with a text: doc_id, shared, most first."""
        wanted = pl.Series(sorted(keys), dtype=pl.UInt64)
        hits = self._keyed("prints", "key", wanted)
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
        """The digests (hex) of released texts before and behind one that is not among them: sorted,
        these two stand side by side, so it was never released.  None: there is no lesser, or no
        greater, one."""
        # digests are spread evenly: so wide a window holds some of them, but by the rarest chance
        wide = (1 << 262) // max(1, sum(one.documents for one in self.releases))
        at, most = int.from_bytes(digest), (1 << 256) - 1
        low, high = self._around(digest, max(0, at - wide), min(most, at + wide))
        if low is None or high is None:
            low, high = self._around(digest, 0, most)
        return (low.hex() if low else None, high.hex() if high else None)

    def _around(self, digest: bytes, low: int, high: int) -> tuple[bytes | None, bytes | None]:
        column = pl.col("digest")
        inside = column.is_between(
            pl.lit(low.to_bytes(32), pl.Binary), pl.lit(high.to_bytes(32), pl.Binary)
        )
        scans = [self._scan("texts", one).filter(inside).select("digest") for one in self.releases]
        found: list[bytes] = pl.concat(pl.collect_all(scans))["digest"].to_list()
        before, behind = (d for d in found if d < digest), (d for d in found if d > digest)
        return max(before, default=None), min(behind, default=None)

    def cluster(self, cluster_id: str, at: Header) -> list[dict[str, Any]]:
        """The members of a cluster of duplicates, as that release had it."""
        found = self._scan("copies", at).filter(pl.col("cluster_id") == bytes.fromhex(cluster_id))
        rows = found.drop("seq").collect()
        return rows.with_columns(
            *(_hex(rows[c]) for c in ("cluster_id", "doc_id", "kept_doc_id"))
        ).to_dicts()

    def part(self, doc_id: str, at: Header) -> tuple[str | None, str | None, int | None]:
        """Where that release tells of a record: the part of its lineage tables, the shard and row
        of its text."""
        ids = self._keyed("ids", "doc_id", pl.Series([bytes.fromhex(doc_id)]), at.seq)
        rows = self._placed(self._rows(ids.sort("seq").tail(1)), pl.lit(at.seq))
        return rows.select(PLACE).row(0) if rows.height else (None, None, None)

    # --- between releases

    def diff(self, old: Header, new: Header) -> pl.DataFrame:
        """What entered between two releases and what left, and why.

        Returns:
          INTERVAL of the state that tells: of `new` where it entered or changed, of `new` too where
          it left and its record is still seen, of `old` else; and `change`: `entered`, `left`,
          `changed` (another text, source or right), with `why`: the outcome and reason in `new`,
          or that no input of `new` has the record.
        """
        first, last = sorted((old, new), key=lambda one: one.seq)
        between = [one for one in self.releases if first.seq < one.seq <= last.seq]
        begun = [self._scan("docs", one) for one in between] or [self._scan("docs", old).head(0)]
        ends = self._ends.filter(pl.col("end") > first.seq, pl.col("end") <= last.seq)
        later = pl.concat(pl.collect_all(begun)).join(ends, on=["seq", "pos"], how="anti")
        earlier = self._rows(ends.filter(pl.col("seq") <= first.seq).select("seq", "pos"))
        before, after = (earlier, later) if first is old else (later, earlier)
        keep = pl.col("outcome") == "keep"
        was, stands = before.filter(keep), after.filter(keep)
        entered = stands.join(was, on="doc_id", how="anti")
        left = was.join(stands, on="doc_id", how="anti")
        seen = after.join(left, on="doc_id", how="semi")
        unseen = left.join(seen, on="doc_id", how="anti")
        changed = stands.join(was.select("doc_id", "seq"), on="doc_id", suffix="_was")
        changed = changed.filter(pl.col("seq") != pl.col("seq_was")).drop("seq_was")
        reason = pl.format("{}: {}", "outcome", pl.col("reason").fill_null("-"))
        parts = [
            self._told(entered, new).with_columns(
                change=pl.lit("entered"), why=pl.lit(None, pl.String)
            ),
            self._told(seen, new).with_columns(change=pl.lit("left"), why=reason),
            self._told(unseen, old).with_columns(
                change=pl.lit("left"), why=pl.lit("no input has its record any more")
            ),
            self._told(changed, new).with_columns(
                change=pl.lit("changed"), why=pl.lit(None, pl.String)
            ),
        ]
        return pl.concat(parts)

    def live(self, columns: Sequence[str]) -> pl.DataFrame:
        """What the latest release has: doc_id (binary), first_seq, pos and columns, `digest` (of its
        text), `part`, `shard` and `row` among those that can be asked for."""
        schema: dict[str, Any] = {"doc_id": pl.Binary, "first_seq": pl.Int32, "pos": pl.UInt32}
        schema |= {c: _types()[c] for c in columns}
        if not self.releases:
            return pl.DataFrame(schema=schema)
        found = self._selected({}, None, self.releases[-1], released=False)
        texts = pl.concat([self._scan("texts", s).rename({"pos": "at"}) for s in self.releases])
        found = found.join(texts, left_on=["seq", "pos"], right_on=["seq", "at"], how="left")
        rows = self._placed(found.collect(engine="streaming"), pl.lit(self.releases[-1].seq))
        return rows.rename({"seq": "first_seq"}).select(list(schema))

    # --- inside

    def _told(self, rows: pl.DataFrame, at: Header | None = None) -> pl.DataFrame:
        """Rows of `docs` -> INTERVAL: when each ended, and where its text stands."""
        ends = self._ends.select("seq", "pos", "last_seq")
        told = rows.join(ends, on=["seq", "pos"], how="left", maintain_order="left")
        until = pl.col("last_seq").fill_null(self.releases[-1].seq if self.releases else 0)
        told = self._placed(told, pl.min_horizontal(until, pl.lit(at.seq)) if at else until)
        return told.with_columns(_hex(told["doc_id"]), first_seq="seq").select(INTERVAL)


def open(path: str | Path) -> Store:
    """The store of a folder of releases, as it stands; empty where nothing was entered yet.

    Args:
      path: the folder, or a URL that Polars reads (`s3://`, `gs://`, `az://`, `file://`).

    Raises:
      lineage.store.segments.BadStore: where a segment is torn, or of another format.
    """
    text = str(path)
    if remote.is_url(text) and not text.startswith("file://"):
        place = f"{text.rstrip('/')}/{segments.FOLDER}"
        found = [
            one for one in remote.matching_urls(f"{place}/*/{segments.HEADER}") if "*" not in one
        ]
        contents = [(one, remote.read_bytes(one)) for one in found]
        folder = Path(segments.FOLDER)
    else:
        folder = Path(text.removeprefix("file://")) / segments.FOLDER
        place = str(folder)
        headers = sorted(folder.glob(f"[0-9]*/{segments.HEADER}"))
        contents = [(str(one), one.read_bytes()) for one in headers]
    releases = sorted(
        (segments.parse_header(content, at) for at, content in contents), key=lambda one: one.seq
    )
    numbers = [one.seq for one in releases]
    if len(set(numbers)) < len(numbers):
        twice = next(s for s in numbers if numbers.count(s) > 1)
        raise BadStore(f"{place} has two segments of release {twice}; run `tamga index --rebuild`")
    return Store(folder, releases, place)


def _hex(ids: pl.Series) -> pl.Series:
    return ids.bin.encode("hex")


def _types() -> dict[str, Any]:
    """The types of all columns of `docs`, `ids` and `texts`."""
    schemas = (segments.TABLES[name] for name in ("docs", "ids", "texts"))
    return {name: kind for one in schemas for name, kind in one.items()}
