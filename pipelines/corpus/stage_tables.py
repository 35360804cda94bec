"""The documents of a run as later stages see them: ingest's shards, less what stages dropped."""

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
    """Where stages published; a plain value that travels to workers."""

    work: str

    def path(self, stage: str, table: str, shard: str) -> Path:
        return Path(self.work) / stage / table / f"{shard}.parquet"

    def table(
        self, stage: str, table: str, shard: str, columns: list[str] | None = None
    ) -> pl.DataFrame:
        """A stage's table of one shard."""
        return pl.read_parquet(
            self.path(stage, table, shard), columns=columns, hive_partitioning=False
        )

    def tags(self, shard: str) -> pl.DataFrame:
        """doc_id, domain and score of a shard's documents; no rows where no stage found them."""
        columns = {"doc_id": pl.String, "domain": pl.String, "score": pl.Float32}
        if not self.path("quality", "quality", shard).is_file():
            return pl.DataFrame(schema=columns)
        return self.table("quality", "quality", shard, list(columns)).cast(columns)  # type: ignore[arg-type]

    def languages(self, shard: str) -> pl.DataFrame:
        """doc_id, lang of a shard's documents; no rows where no stage found them."""
        if not self.path("language", "language", shard).is_file():
            return pl.DataFrame(schema={"doc_id": pl.String, "lang": pl.String})
        return self.table("language", "language", shard, ["doc_id", "lang"])

    def removals(self, shard: str) -> pl.DataFrame:
        """Rows of `FINDINGS` for lines and passages to be removed; none where none were looked
        for."""
        found = [
            self.table("dedup", table, shard)
            for table in ("removals", "passages")
            if self.path("dedup", table, shard).is_file()
        ]
        return pl.concat([batches.frame(FINDINGS.empty_table()), *found])

    def parts(self, shard: str) -> pl.DataFrame:
        """Rows of `PARTS`; none where nothing was split."""
        if not self.path("language", "parts", shard).is_file():
            return batches.frame(PARTS.empty_table())
        return self.table("language", "parts", shard)

    def of_records(self, table: str, shard: str, columns: list[str] | None = None) -> pl.DataFrame:
        """Ingest's table of a shard, by doc_id; the row of a record that was split stands once more
        under the id of each of its parts."""
        rows = self.table("ingest", table, shard, columns)
        others = self.parts(shard).filter(pl.col("doc_id") != pl.col("part_of"))
        if others.is_empty():
            return rows
        ids = others.select("part_of", part="doc_id").unique()
        more = rows.join(ids, left_on="doc_id", right_on="part_of").with_columns(doc_id="part")
        return pl.concat([rows, more.select(rows.columns)]).sort("doc_id")

    def records(self, shard: str, ids: pl.Series, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Batches of ingest's documents that have one of the ids, split or not, by doc_id."""
        wanted = pl.DataFrame({"doc_id": ids})
        with pq.ParquetFile(self.path("ingest", "documents", shard)) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                yield from _some(batches.frame(batch), wanted, columns)

    def kept(self, shard: str, stage: str) -> pl.DataFrame:
        """doc_id of the documents that `stage` and all before it kept, in the shard's order."""
        decided = self.table(stage, "decisions", shard, ["doc_id", "outcome"])
        return decided.filter(pl.col("outcome") == "keep").select("doc_id")

    def documents(
        self, shard: str, after: str, columns: Sequence[str] = ("doc_id", "text")
    ) -> Iterator[pl.DataFrame]:
        """Batches of the documents that `after` kept, sorted by doc_id; empty ones left out.  After
        `language` the parts of what it split stand in its place."""
        kept = self.kept(shard, after)
        cut = None if after in earlier("language") else self._cut(shard, list(columns))
        with pq.ParquetFile(self.path("ingest", "documents", shard)) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                frame = batches.frame(batch)
                if cut is not None and frame.height:
                    due = pl.col("doc_id") <= frame["doc_id"][-1]
                    whole = frame.join(cut, on="doc_id", how="anti", maintain_order="left")
                    frame = pl.concat([whole, cut.filter(due)]).sort("doc_id")
                    cut = cut.filter(~due)
                yield from _some(frame, kept, columns)
        if cut is not None:
            yield from _some(cut, kept, columns)

    def handed_to(
        self, stage: str, shard: str, columns: Sequence[str] = ("doc_id", "text")
    ) -> Iterator[pl.DataFrame]:
        """The documents that the stage before `stage` kept, in batches as of `documents`."""
        return self.documents(shard, previous(stage), columns)

    def _cut(self, shard: str, columns: list[str]) -> pl.DataFrame | None:
        if not self.path("language", "documents", shard).is_file():
            return None
        return self.table("language", "documents", shard, columns)


def _some(
    frame: pl.DataFrame, kept: pl.DataFrame, columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
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
        return len(shards(context))


def shards(context: Context) -> list[str]:
    """The shards that ingest made."""
    return load(context.folder(FIRST), FIRST).shards


def deal(pipeline: beam.Pipeline, names: Sequence[str]) -> beam.PCollection:
    """A row of work per shard, spread over the workers."""
    rows = list(batches.rows(batches.plan(shard=list(names)))) if names else []
    return (
        pipeline
        | "Shards" >> beam.Create(rows, reshuffle=False).with_output_types(pa.RecordBatch)
        | "SpreadShards" >> Spread()
    )
