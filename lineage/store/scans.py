"""Reading segments: scans that leave out what a question does not touch."""

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

#: What documents can be asked for by, and grouped by.
FILTERS: Final = (
    "source_id", "licence", "jurisdiction", "lang", "basis", "reference", "outcome", "reason",
    "collection", "stage", "rule",
)  # fmt: skip
#: Where a release tells of a record: the part of its tables, the shard and row of its text.
PLACE: Final = ("part", "shard", "row")
_FEW: Final = 256  # rows up to which each is looked up by itself


class NoSuchRelease(TamgaError):
    """The store has no release of this name, number or day."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Segments:
    """The segments of a store, oldest first.

    Args:
      folder: of the segments.
      releases: their headers.
      place: where the segments lie, as a path or URL.
    """

    folder: Path
    releases: Sequence[Header]
    place: str

    def _scan(self, table: str, one: Header) -> pl.LazyFrame:
        """A table of a segment, with `seq`; `docs` with `pos`, too."""
        place = f"{self.place}/{one.folder}/{table}.parquet"
        index = "pos" if table == "docs" else None
        scan = pl.scan_parquet(place, hive_partitioning=False, glob=False, row_index_name=index)
        return scan.with_columns(seq=pl.lit(one.seq, pl.Int32))

    def _keyed(
        self,
        table: str,
        column: str,
        wanted: pl.Series,
        upto: int | None = None,
    ) -> pl.DataFrame:
        """The rows of a table at some keys, of all segments (up to one)."""
        some = [one for one in self.releases if upto is None or one.seq <= upto]
        hit = (
            pl.col(column) == pl.lit(wanted[0], wanted.dtype)
            if len(wanted) == 1
            else pl.col(column).is_in(wanted.implode())
        )
        scans = [self._scan(table, one).filter(hit) for one in some if len(wanted)]
        return pl.concat([_empty_scan(table), *pl.collect_all(scans)])

    def _rows(self, wanted: pl.DataFrame) -> pl.DataFrame:
        """Rows of `docs` at [seq, pos]: each alone where they are few."""
        wanted = wanted.select("seq", "pos").unique().sort("seq", "pos")
        headers = {one.seq: one for one in self.releases}
        if wanted.height <= _FEW:  # neighbours together: a slice costs what it starts with
            near = pl.col("pos").diff().over("seq").fill_null(1) < segments.GROUP_ROWS
            runs = wanted.with_columns(run=(~near).cum_sum().over("seq"))
            parts = runs.group_by("seq", "run", maintain_order=True).agg("pos")
            scans = [
                self._scan("docs", headers[seq])
                .slice(pos[0], pos[-1] - pos[0] + 1)
                .filter(pl.col("pos").is_in(pos))
                for seq, _, pos in parts.rows()
            ]
        else:
            scans = [
                self._scan("docs", headers[int(seq)]).join(
                    some.lazy(), on=["seq", "pos"], how="semi"
                )
                for (seq,), some in wanted.group_by("seq", maintain_order=True)
            ]
        return pl.concat([_empty_scan("docs"), *pl.collect_all(scans)])

    def _selected(
        self,
        where: Mapping[str, Collection[str | None]],
        domain: str | None,
        at: Header | None,
        released: bool,
    ) -> pl.LazyFrame:
        """Rows of `docs` by what they are, with seq and pos; with `at`, of its members alone."""
        upto = [one for one in self.releases if at is None or one.seq <= at.seq]
        if not upto:
            raise NoSuchRelease("the store holds no release")
        found = pl.concat([self._members(one, at) for one in upto])
        for name, values in where.items():
            if name not in FILTERS:
                raise ValueError(f"documents cannot be asked for by {name}")
            found = found.filter(_is_among(name, values))
        if released:
            found = found.filter(pl.col("outcome") == "keep")
        if domain is not None:
            found = found.filter(is_under(domain))
        return found

    def _members(self, one: Header, at: Header | None) -> pl.LazyFrame:
        """The intervals that begin with a release; with `at`, those that it still has."""
        scan = self._scan("docs", one)
        if at is None:
            return scan
        gone = self._ends.filter(pl.col("seq") == one.seq, pl.col("end") <= at.seq)["pos"]
        return scan.filter(~pl.col("pos").is_in(gone.implode())) if len(gone) else scan

    @cached_property
    def _ends(self) -> pl.DataFrame:
        """seq, pos of the intervals that ended; `end`: with which release they were gone, `last_seq`
        the last that had them."""
        previous = {one.seq: one.previous for one in self.releases}
        scans = [self._scan("ended", one) for one in self.releases]
        found = pl.concat([_empty_scan("ended"), *pl.collect_all(scans)])
        last = pl.col("seq").replace_strict(previous, default=None, return_dtype=pl.Int32)
        return found.select("pos", seq="first_seq", end="seq", last_seq=last)

    def _moves(self, ids: pl.Series) -> pl.DataFrame:
        """Rows of `moves` of some records."""
        some = [one for one in self.releases if one.moved]
        wanted = ids.unique().to_frame("doc_id").lazy()
        scans = [self._scan("moves", one) for one in some]
        if len(ids) <= _FEW:
            found = [one.filter(pl.col("doc_id").is_in(ids.implode())) for one in scans]
        else:
            found = [one.join(wanted, on="doc_id", how="semi") for one in scans]
        return pl.concat([_empty_scan("moves"), *pl.collect_all(found)])

    def _placed(self, rows: pl.DataFrame, upto: pl.Expr) -> pl.DataFrame:
        """Rows of `docs` with the part, shard and row where they stood last, up to a release."""
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
    some = [one for one in values if one is not None]
    hit = pl.col(name).is_in(pl.Series(some, dtype=pl.String).implode())
    if name == "reason":  # a family, too: `opted-out:`
        hit |= pl.any_horizontal(
            pl.lit(False),
            *(pl.col(name).str.starts_with(v) for v in some if v.endswith((":", "-"))),
        )
    return hit | pl.col(name).is_null() if None in values else hit.fill_null(False)


def _empty_scan(table: str) -> pl.DataFrame:
    """No rows, with the columns that a scan has."""
    found = pl.DataFrame(schema=segments.TABLES[table])
    found = found.with_row_index("pos") if table == "docs" else found
    return found.with_columns(seq=pl.lit(0, pl.Int32))
