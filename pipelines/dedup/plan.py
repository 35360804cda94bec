"""What all steps of the job `dedup` know, and how they read what is signed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.corpus.stage_tables import Corpus
from pipelines.dedup import duplicates
from pipelines.dedup.release_index import Entry, Rights
from pipelines.engine import batches, shards
from schemas.sections import DedupParams
from schemas.tables import FINDINGS

Parted = tuple[int, pa.RecordBatch]


@dataclass(frozen=True)
class Plan:
    """A plain value that travels to workers."""

    state: shards.State
    source: Corpus
    shards: tuple[str, ...]
    params: DedupParams
    ranks: Mapping[str, int]
    licences: Mapping[str, str]
    apart: tuple[str, ...]  # sources whose documents figures tell apart
    run_id: str
    documents: int
    known: tuple[Entry, ...] = ()  # earlier releases; their places come after the shards'
    # which documents of earlier releases count
    rights: Rights = field(default_factory=lambda: Rights(frozenset()))
    all_lawful: bool = False  # whether a text goes that is also published under a refusal

    @property
    def places(self) -> int:
        return len(self.shards) + len(self.known)

    def is_known(self, docs: pl.Expr) -> pl.Expr:
        """Whether documents, by number, are of earlier releases."""
        return docs >= pl.lit(len(self.shards) << duplicates.ROW_BITS, pl.UInt64)

    @property
    def partitions(self) -> int:
        return batches.partitions(self.documents)

    @property
    def blocks(self) -> int:
        """Into how many the shards are divided where pairs are compared: a worker has the pairs
        between two blocks, and reads each shard of them once."""
        return max(1, math.isqrt(2 * self.partitions))

    def signed(self, place: int, columns: Sequence[str]) -> pl.DataFrame:
        """A shard's signatures, with the documents' numbers."""
        frame = pl.read_parquet(
            self.state.path("signatures", self.shards[place]),
            columns=[c for c in columns if c != "doc"] or ["doc_id"],
        )
        return frame.with_columns(duplicates.numbers(place, frame.height)).select(columns)

    def clean(self, place: int, columns: Sequence[str]) -> pl.DataFrame:
        """The same of what holds no evaluation set: the rest goes, and keeps nothing else out."""
        found = self.signed(place, ["contaminated", *columns])
        return found.filter(pl.col("contaminated").is_null()).drop("contaminated")

    def boilerplate(self, shard: str) -> pl.DataFrame:
        """Rows of `FINDINGS` for the lines of a shard that go; none where none are looked for."""
        if self.params.lines is None:
            return batches.frame(FINDINGS.empty_table())
        return pl.read_parquet(self.state.path("removals", shard))

    def named(self, docs: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        """The signatures of these documents, each once, in the order of their numbers."""
        wanted = docs.unique().sort()
        places = duplicates.place_of(wanted)
        found = [self.signed(0, columns).clear()] if self.shards else []
        for place in np.unique(places).tolist():
            rows = duplicates.row_of(wanted.filter(pl.Series(places == place)))
            if place < len(self.shards):
                found.append(self.signed(place, columns)[rows])
            else:
                found.append(self._known(place, rows, columns).cast(found[0].schema))
        return pl.concat(found)

    def _known(self, place: int, rows: np.ndarray, columns: Sequence[str]) -> pl.DataFrame:
        """Of an earlier release; what is released has the better right."""
        given = {"doc", "right", "quality"}
        read = self.known[place - len(self.shards)].read(
            rows, [c for c in columns if c not in given] or ["doc_id"]
        )
        first = np.uint64(place) << np.uint64(duplicates.ROW_BITS)
        return read.with_columns(
            pl.Series("doc", first + rows),
            pl.lit(-1, pl.Int64).alias("right"),
            pl.lit(None, pl.Float64).alias("quality"),
        ).select(columns)


def parts(frame: pl.DataFrame, keys: np.ndarray, partitions: int) -> Iterator[Parted]:
    """A frame's rows by `keys % partitions`, as batches."""
    for table in batches.whole(frame):
        yield from batches.partition(table, keys, partitions)


def by_shard(frame: pl.DataFrame) -> Iterator[Parted]:
    """A frame's rows by the place of the shard of their `doc`."""
    yield from parts(frame, duplicates.place_of(frame["doc"]), 1 << duplicates.ROW_BITS)


def by_blocks(pairs: pl.DataFrame, plan: Plan) -> Iterator[Parted]:
    """Pairs [left, right, …] by the two blocks of shards that they touch."""
    number, of = plan.blocks, max(1, plan.places)
    left, right = (
        duplicates.place_of(pairs[side]) * np.uint64(number) // np.uint64(of)
        for side in ("left", "right")
    )
    yield from parts(pairs, left * np.uint64(number) + right, number * number)
