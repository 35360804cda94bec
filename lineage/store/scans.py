"""Scans over segments that read only the rows that a query needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import polars as pl

from lineage.store import segments
from lineage.store.segments import Header
from lineage.store.url_keys import is_under
from schemas.errors import BAD_USAGE, TamgaError

#: The columns by which documents can be filtered and grouped.
FILTERS: Final = (
    "source_id", "licence", "jurisdiction", "lang", "basis", "reference", "outcome", "reason",
    "collection", "stage", "rule",
)  # fmt: skip
#: The place of a record in a release: the part of its lineage tables, the shard and row of its text.
PLACE: Final = ("part", "shard", "row")
_FEW: Final = 256  # up to this number, rows are looked up one by one


class NoSuchRelease(TamgaError):
    """The store has no release with this name, number or day."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Segments:
    """The segments of a store, oldest first.

    Args:
      folder: the folder of the segments.
      releases: the headers of the segments.
      place: the path or URL of the folder.
    """

    folder: Path
    releases: Sequence[Header]
    place: str

    def _scan(self, table: str, header: Header) -> pl.LazyFrame:
        """Scan a table of a segment, with the column `seq`; of `docs` also with `pos`."""
        place = f"{self.place}/{header.folder}/{table}.parquet"
        index = "pos" if table == "docs" else None
        scan = pl.scan_parquet(place, hive_partitioning=False, glob=False, row_index_name=index)
        return scan.with_columns(seq=pl.lit(header.seq, pl.Int32))

    def _rows_by_key(
        self,
        table: str,
        column: str,
        wanted: pl.Series,
        upto: int | None = None,
    ) -> pl.DataFrame:
        """The rows of a table with the wanted keys, of all segments up to the number `upto`."""
        headers = [header for header in self.releases if upto is None or header.seq <= upto]
        hit = (
            pl.col(column) == pl.lit(wanted[0], wanted.dtype)
            if len(wanted) == 1
            else pl.col(column).is_in(wanted.implode())
        )
        scans = [self._scan(table, header).filter(hit) for header in headers if len(wanted)]
        return pl.concat([_empty_scan(table), *pl.collect_all(scans)])

    def _rows(self, wanted: pl.DataFrame) -> pl.DataFrame:
        """The rows of `docs` at the wanted [seq, pos]."""
        wanted = wanted.select("seq", "pos").unique().sort("seq", "pos")
        headers = {header.seq: header for header in self.releases}
        if wanted.height <= _FEW:  # neighbours in one slice, for each slice has a fixed cost
            near = pl.col("pos").diff().over("seq").fill_null(1) < segments.GROUP_ROWS
            runs = wanted.with_columns(run=(~near).cum_sum().over("seq"))
            slices = runs.group_by("seq", "run", maintain_order=True).agg("pos")
            scans = [
                self._scan("docs", headers[seq])
                .slice(pos[0], pos[-1] - pos[0] + 1)
                .filter(pl.col("pos").is_in(pos))
                for seq, _, pos in slices.rows()
            ]
        else:
            scans = [
                self._scan("docs", headers[int(seq)]).join(
                    rows.lazy(), on=["seq", "pos"], how="semi"
                )
                for (seq,), rows in wanted.group_by("seq", maintain_order=True)
            ]
        return pl.concat([_empty_scan("docs"), *pl.collect_all(scans)])

    def _selected(
        self,
        where: Mapping[str, Collection[str | None]],
        domain: str | None,
        at: Header | None,
        released: bool,
    ) -> pl.LazyFrame:
        """Scan the rows of `docs` that pass all filters, with seq and pos.

        Args:
          where: column -> allowed values; a column of FILTERS.
          domain: a host; its subdomains count too.
          at: only the records of this release; None: of all releases.
          released: only released documents.
        """
        headers = [header for header in self.releases if at is None or header.seq <= at.seq]
        if not headers:
            raise NoSuchRelease("the store has no release")
        rows = pl.concat([self._members(header, at) for header in headers])
        for name, values in where.items():
            if name not in FILTERS:
                raise ValueError(f"{name} is not a filter; the filters are {', '.join(FILTERS)}")
            rows = rows.filter(_is_among(name, values))
        if released:
            rows = rows.filter(pl.col("outcome") == "keep")
        if domain is not None:
            rows = rows.filter(is_under(domain))
        return rows

    def _members(self, header: Header, at: Header | None) -> pl.LazyFrame:
        """The intervals that begin with a release; with `at`, only those that last until `at`."""
        scan = self._scan("docs", header)
        if at is None:
            return scan
        over = self._ends.filter(pl.col("seq") == header.seq, pl.col("end") <= at.seq)["pos"]
        return scan.filter(~pl.col("pos").is_in(over.implode())) if len(over) else scan

    @cached_property
    def _ends(self) -> pl.DataFrame:
        """The intervals that ended.

        Returns:
          seq, pos: the interval; `last_seq`: the last release that has it; `end`: the next release.
        """
        previous = {header.seq: header.previous for header in self.releases}
        scans = [self._scan("ended", header) for header in self.releases]
        rows = pl.concat([_empty_scan("ended"), *pl.collect_all(scans)])
        last = pl.col("seq").replace_strict(previous, default=None, return_dtype=pl.Int32)
        return rows.select("pos", seq="first_seq", end="seq", last_seq=last)

    def _moves(self, ids: pl.Series) -> pl.DataFrame:
        """The rows of `moves` of the records with these ids."""
        wanted = ids.unique().to_frame("doc_id").lazy()
        scans = [self._scan("moves", header) for header in self.releases if header.moved]
        if len(ids) <= _FEW:
            hits = [scan.filter(pl.col("doc_id").is_in(ids.implode())) for scan in scans]
        else:
            hits = [scan.join(wanted, on="doc_id", how="semi") for scan in scans]
        return pl.concat([_empty_scan("moves"), *pl.collect_all(hits)])

    def _with_last_place(self, rows: pl.DataFrame, upto: pl.Expr) -> pl.DataFrame:
        """Give rows of `docs` their last PLACE, up to the release number `upto`."""
        moves = self._moves(rows["doc_id"])
        if moves.is_empty():
            return rows
        latest = (
            rows.select("doc_id", "seq", upto=upto)
            .join(moves.rename({"seq": "moved"}), on="doc_id")
            .filter((pl.col("moved") >= pl.col("seq")) & (pl.col("moved") <= pl.col("upto")))
            .sort("moved")
            .unique(["doc_id", "seq"], keep="last", maintain_order=True)
            .drop("upto")
        )
        joined = rows.join(latest, on=["doc_id", "seq"], how="left", suffix="_new")
        moved = pl.col("moved").is_not_null()
        return joined.select(
            pl.when(moved).then(f"{c}_new").otherwise(c).alias(c) if c in PLACE else c
            for c in rows.columns
        )


def _is_among(name: str, values: Collection[str | None]) -> pl.Expr:
    """Whether a column has one of the values; None stands for a missing value."""
    texts = [value for value in values if value is not None]
    hit = pl.col(name).is_in(pl.Series(texts, dtype=pl.String).implode())
    if name == "reason":  # also a family of reasons, such as `opted-out:`
        families = [text for text in texts if text.endswith((":", "-"))]
        hit |= pl.any_horizontal(
            pl.lit(False), *(pl.col(name).str.starts_with(family) for family in families)
        )
    return hit | pl.col(name).is_null() if None in values else hit.fill_null(False)


def _empty_scan(table: str) -> pl.DataFrame:
    """A frame without rows, with the columns of a scan."""
    rows = pl.DataFrame(schema=segments.TABLES[table])
    rows = rows.with_row_index("pos") if table == "docs" else rows
    return rows.with_columns(seq=pl.lit(0, pl.Int32))
