"""The plan of the job `dedup`: what its steps share, and how they read and divide documents."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.corpus.stage_tables import Corpus
from pipelines.dedup import duplicates
from pipelines.dedup.release_index import IndexEntry, ReleasedRights
from pipelines.engine import batches, shards
from schemas.sections import DedupParams
from schemas.tables import FINDINGS

#: A batch with the number of its partition, or with its shard's place.
Partitioned = tuple[int, pa.RecordBatch]


@dataclass(frozen=True)
class DedupPlan:
    """What all steps of the job know. A plain value that travels to workers.

    A *place* is the number of a shard, by `shards`. Each earlier release has a place too, after
    those of the shards.

    Attributes:
      state: where the job writes its tables.
      corpus: the tables of the stages before.
      shards: the names of ingest's shards.
      params: the section `dedup`.
      ranks: source -> its rank; the least rank has the best right.
      licences: source -> SPDX expression.
      distinguishing: sources where different figures make different documents.
      run_id: the run's id.
      document_count: how many documents the job expects.
      earlier: the earlier releases in `dedup.index`, oldest first.
      rights: which documents of earlier releases count.
      all_lawful: whether a text that is also published under a refusal is dropped.
    """

    state: shards.State
    corpus: Corpus
    shards: tuple[str, ...]
    params: DedupParams
    ranks: Mapping[str, int]
    licences: Mapping[str, str]
    distinguishing: tuple[str, ...]
    run_id: str
    document_count: int
    earlier: tuple[IndexEntry, ...] = ()
    rights: ReleasedRights = field(default_factory=lambda: ReleasedRights(frozenset()))
    all_lawful: bool = False

    @property
    def place_count(self) -> int:
        return len(self.shards) + len(self.earlier)

    def is_earlier(self, docs: pl.Expr) -> pl.Expr:
        """Whether documents, by number, are in an earlier release."""
        return docs >= pl.lit(len(self.shards) << duplicates.ROW_BITS, pl.UInt64)

    @property
    def partition_count(self) -> int:
        return batches.partition_count(self.document_count)

    @property
    def block_count(self) -> int:
        """Into how many blocks the shards are divided where pairs are compared.

        A worker gets the pairs between two blocks and reads each of their shards once.
        """
        return max(1, math.isqrt(2 * self.partition_count))

    def signed_shard(self, place: int, columns: Sequence[str]) -> pl.DataFrame:
        """Read a shard's signatures, with the documents' numbers as `doc`."""
        frame = pl.read_parquet(
            self.state.path("signatures", self.shards[place]),
            columns=[c for c in columns if c != "doc"] or ["doc_id"],
        )
        return frame.with_columns(duplicates.document_numbers(place, frame.height)).select(columns)

    def uncontaminated(self, place: int, columns: Sequence[str]) -> pl.DataFrame:
        """Read the signatures of a shard's documents that hold no part of an evaluation set.

        Contaminated documents are dropped, so they must not displace other documents.
        """
        signed = self.signed_shard(place, ["contaminated", *columns])
        return signed.filter(pl.col("contaminated").is_null()).drop("contaminated")

    def boilerplate_findings(self, shard: str) -> pl.DataFrame:
        """Read the rows of `FINDINGS` for a shard's boilerplate.

        The result is empty if the parameters do not ask for `lines`.
        """
        if self.params.lines is None:
            return batches.frame(FINDINGS.empty_table())
        return pl.read_parquet(self.state.path("removals", shard))

    def signed_documents(self, docs: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        """Read the signatures of documents of any place, each once, sorted by number."""
        wanted = docs.unique().sort()
        places = duplicates.shard_places(wanted)
        frames = [self.signed_shard(0, columns).clear()] if self.shards else []
        for place in np.unique(places).tolist():
            rows = duplicates.shard_rows(wanted.filter(pl.Series(places == place)))
            if place < len(self.shards):
                frames.append(self.signed_shard(place, columns)[rows])
            else:
                released = self._released_documents(place, rows, columns)
                frames.append(released.cast(frames[0].schema))
        return pl.concat(frames)

    def _released_documents(
        self, place: int, rows: np.ndarray, columns: Sequence[str]
    ) -> pl.DataFrame:
        """Read documents of an earlier release. They have a better right than all others."""
        computed = {"doc", "right", "quality"}
        stored = self.earlier[place - len(self.shards)].read(
            rows, [c for c in columns if c not in computed] or ["doc_id"]
        )
        first = np.uint64(place) << np.uint64(duplicates.ROW_BITS)
        return stored.with_columns(
            pl.Series("doc", first + rows),
            pl.lit(-1, pl.Int64).alias("right"),
            pl.lit(None, pl.Float64).alias("quality"),
        ).select(columns)


def by_partition(frame: pl.DataFrame, keys: np.ndarray, partitions: int) -> Iterator[Partitioned]:
    """Divide a frame's rows by `keys % partitions`; yield each partition as a batch."""
    for table in batches.record_batches(frame):
        yield from batches.partition(table, keys, partitions)


def by_shard(frame: pl.DataFrame) -> Iterator[Partitioned]:
    """Divide a frame's rows by the place of their `doc`."""
    yield from by_partition(frame, duplicates.shard_places(frame["doc"]), 1 << duplicates.ROW_BITS)


def by_blocks(pairs: pl.DataFrame, plan: DedupPlan) -> Iterator[Partitioned]:
    """Divide pairs [left, right, …] by the two blocks of shards that they are in."""
    blocks, places = plan.block_count, max(1, plan.place_count)
    left, right = (
        duplicates.shard_places(pairs[side]) * np.uint64(blocks) // np.uint64(places)
        for side in ("left", "right")
    )
    yield from by_partition(pairs, left * np.uint64(blocks) + right, blocks * blocks)
