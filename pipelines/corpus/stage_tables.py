"""Read the tables of finished stages: the documents of a run as later stages see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.engine import batches
from pipelines.engine.context import Context
from pipelines.engine.published import load
from pipelines.engine.runners import Spread
from pipelines.engine.stage import Stage
from schemas.stages import FIRST, earlier, previous
from schemas.tables import FINDINGS, PARTS

#: Rows per batch: at about 4 KB a text, some 8 MB.
BATCH_ROWS = 2048


@dataclass(frozen=True)
class Corpus:
    """The published tables of a run's stages. A plain value that travels to workers."""

    work: str

    def path(self, stage: str, table: str, shard: str) -> Path:
        return Path(self.work) / stage / table / f"{shard}.parquet"

    def table(
        self, stage: str, table: str, shard: str, columns: list[str] | None = None
    ) -> pl.DataFrame:
        """Read a stage's table of one shard."""
        return pl.read_parquet(
            self.path(stage, table, shard), columns=columns, hive_partitioning=False
        )

    def tags(self, shard: str) -> pl.DataFrame:
        """Read doc_id, domain and score of a shard's documents.

        The result is empty if the stage `quality` wrote no tags.
        """
        columns = {"doc_id": pl.String, "domain": pl.String, "score": pl.Float32}
        if not self.path("quality", "quality", shard).is_file():
            return pl.DataFrame(schema=columns)
        return self.table("quality", "quality", shard, list(columns)).cast(columns)  # type: ignore[arg-type]

    def languages(self, shard: str) -> pl.DataFrame:
        """Read doc_id and lang of a shard's documents.

        The result is empty if the stage `language` wrote no labels.
        """
        if not self.path("language", "language", shard).is_file():
            return pl.DataFrame(schema={"doc_id": pl.String, "lang": pl.String})
        return self.table("language", "language", shard, ["doc_id", "lang"])

    def removals(self, shard: str) -> pl.DataFrame:
        """Read the rows of `FINDINGS` for lines and passages to remove.

        The result is empty if the run does not look for them.
        """
        tables = [
            self.table("dedup", table, shard)
            for table in ("removals", "passages")
            if self.path("dedup", table, shard).is_file()
        ]
        return pl.concat([batches.frame(FINDINGS.empty_table()), *tables])

    def record_parts(self, shard: str) -> pl.DataFrame:
        """Read the rows of `PARTS`. The result is empty if no record was split."""
        if not self.path("language", "parts", shard).is_file():
            return batches.frame(PARTS.empty_table())
        return self.table("language", "parts", shard)

    def ingest_table(
        self, table: str, shard: str, columns: list[str] | None = None
    ) -> pl.DataFrame:
        """Read ingest's table of a shard, sorted by doc_id.

        The row of a split record is repeated under the id of each of its parts.
        """
        rows = self.table("ingest", table, shard, columns)
        others = self.record_parts(shard).filter(pl.col("doc_id") != pl.col("part_of"))
        if others.is_empty():
            return rows
        ids = others.select("part_of", part="doc_id").unique()
        more = rows.join(ids, left_on="doc_id", right_on="part_of").with_columns(doc_id="part")
        return pl.concat([rows, more.select(rows.columns)]).sort("doc_id")

    def record_batches(
        self, shard: str, ids: pl.Series, columns: Sequence[str]
    ) -> Iterator[pl.DataFrame]:
        """Yield batches of ingest's whole documents with these ids, sorted by doc_id."""
        wanted = pl.DataFrame({"doc_id": ids})
        with pq.ParquetFile(self.path("ingest", "documents", shard)) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                yield from _select_rows(batches.frame(batch), wanted, columns)

    def kept_ids(self, shard: str, stage: str) -> pl.DataFrame:
        """Return doc_id of the documents that `stage` kept, in the shard's order."""
        decided = self.table(stage, "decisions", shard, ["doc_id", "outcome"])
        return decided.filter(pl.col("outcome") == "keep").select("doc_id")

    def documents(
        self, shard: str, after: str, columns: Sequence[str] = ("doc_id", "text")
    ) -> Iterator[pl.DataFrame]:
        """Yield batches of the documents that the stage `after` kept, sorted by doc_id.

        Empty batches are left out. After the stage `language`, the parts of a split document
        replace the document.
        """
        kept = self.kept_ids(shard, after)
        cut = None if after in earlier("language") else self._cut(shard, list(columns))
        with pq.ParquetFile(self.path("ingest", "documents", shard)) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                frame = batches.frame(batch)
                if cut is not None and frame.height:
                    due = pl.col("doc_id") <= frame["doc_id"][-1]
                    uncut = frame.join(cut, on="doc_id", how="anti", maintain_order="left")
                    frame = pl.concat([uncut, cut.filter(due)]).sort("doc_id")
                    cut = cut.filter(~due)
                yield from _select_rows(frame, kept, columns)
        if cut is not None:
            yield from _select_rows(cut, kept, columns)

    def documents_for(
        self, stage: str, shard: str, columns: Sequence[str] = ("doc_id", "text")
    ) -> Iterator[pl.DataFrame]:
        """Yield the documents that `stage` must process: those that the stage before it kept.

        The batches are those of `documents`.
        """
        return self.documents(shard, previous(stage), columns)

    def _cut(self, shard: str, columns: list[str]) -> pl.DataFrame | None:
        """Return the parts of split documents, or None if the run splits none."""
        if not self.path("language", "documents", shard).is_file():
            return None
        return self.table("language", "documents", shard, columns)


def _select_rows(
    frame: pl.DataFrame, kept: pl.DataFrame, columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """Yield the rows of `frame` whose doc_id is in `kept`, unless there are none."""
    frame = frame.join(kept, on="doc_id", how="semi", maintain_order="left")
    if frame.height:
        yield frame.select(columns)


class DocumentStage(Stage):
    """A stage over the documents that the stage before it kept."""

    def inputs(self, context: Context) -> dict[str, str]:
        digests = {name: load(context.folder(name), name).digest for name in earlier(self.name)}
        return digests | {"register": context.register.sha256}

    def expected(self, context: Context) -> int:
        before = previous(self.name)
        outcomes = load(context.folder(before), before).totals.get("outcome", {})
        return int(outcomes.get("keep", 0))

    def planned(self, context: Context) -> int | None:
        return len(shard_names(context))


def shard_names(context: Context) -> list[str]:
    """Return the names of the shards that ingest wrote."""
    return load(context.folder(FIRST), FIRST).shards


def deal_shards(pipeline: beam.Pipeline, names: Sequence[str]) -> beam.PCollection:
    """Create a row of work per shard, spread over the workers."""
    rows = list(batches.split_rows(batches.work_rows(shard=list(names)))) if names else []
    return (
        pipeline
        | "Shards" >> beam.Create(rows, reshuffle=False).with_output_types(pa.RecordBatch)
        | "SpreadShards" >> Spread()
    )
