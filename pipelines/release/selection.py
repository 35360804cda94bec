"""Apply the mixture to the files of an unfinished release.

Each shard of ingest writes a small table that describes its documents. The mixture is decided over
all these tables at once. The documents that it leaves out are written by shard again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines.corpus.stage_tables import Corpus
from pipelines.engine import decisions as ledger
from pipelines.engine import shards
from pipelines.release import mixture
from schemas.mixture import Mixture

DESCRIPTION: Final = ("doc_id", "lang", "domain", "source_id", "n_chars", "score")
LEFT_OUT_COLUMNS: Final = ("doc_id", "reason", "rule", "rule_version", "evidence")


@dataclass(frozen=True)
class Selection:
    """The mixture and the tables it works on. A plain value that travels to workers.

    Attributes:
      state: where the release's unfinished files lie.
      corpus: the tables of the stages before.
      mixture: None selects all documents.
      run_id: the run's id.
    """

    state: shards.State
    corpus: Corpus
    mixture: Mixture | None
    run_id: str

    def describe(self, shard: str, data: pl.DataFrame) -> None:
        """Write the table that describes a shard's documents.

        Args:
          shard: ingest's shard.
          data: its documents, with the columns of `schemas.tables.DATA`.
        """
        if self.mixture is None:
            return
        about = data.rename({"quality": "score"})
        sized = about.select(*DESCRIPTION, n_bytes=pl.col("text").str.len_bytes().cast(pl.Int64))
        self.state.write("about", shard, sized.to_arrow())

    def choose(self, sizes: pl.DataFrame) -> pl.DataFrame:
        """Decide the mixture over all shards, and write the documents that it leaves out.

        Args:
          sizes: shard, lang, group, rows, bytes of all documents.

        Returns:
          The same columns, with the sizes of the selected documents.
        """
        if self.mixture is None:
            return sizes
        names = sorted(sizes["shard"].unique())
        about = pl.concat(
            pl.read_parquet(self.state.path("about", name)).with_columns(shard=pl.lit(name))
            for name in names
        )
        left_out = mixture.leave_out(about.select(DESCRIPTION), self.mixture)
        with_shard = left_out.join(
            about.select("doc_id", "shard"), on="doc_id", maintain_order="left"
        )
        by_shard = with_shard.partition_by("shard", as_dict=True, include_key=False)
        for name in names:
            rows = by_shard.get((name,), left_out.clear())
            self.state.write("left_out", name, rows.to_arrow())
        selected = about.join(left_out, on="doc_id", how="anti", maintain_order="left")
        counted = selected.group_by("shard", "lang").agg(
            rows=pl.len().cast(pl.Int64), bytes=pl.col("n_bytes").sum()
        )
        return sizes.select("shard", "lang", "group").join(
            counted, on=["shard", "lang"], maintain_order="left"
        )

    def left_out(self, shard: str) -> pl.DataFrame:
        """Read the documents of a shard that are left out, as `LEFT_OUT_COLUMNS`."""
        path = self.state.path("left_out", shard)
        if self.mixture is None or not path.is_file():
            return pl.DataFrame(schema=dict.fromkeys(LEFT_OUT_COLUMNS, pl.String))
        return pl.read_parquet(path)

    def without_left_out(self, names: list[str], data: pl.DataFrame) -> pl.DataFrame:
        """Drop the documents of these shards that are left out."""
        left_out = pl.concat(self.left_out(name) for name in names)
        return data.join(left_out, on="doc_id", how="anti", maintain_order="left")

    def decisions(self, shard: str, decided: pl.DataFrame) -> pl.DataFrame:
        """Return the stage's decisions about a shard: its documents that are left out.

        Args:
          shard: ingest's shard.
          decided: the decisions of the stages before, for the URIs.
        """
        uris = decided.select("doc_id", "uri").unique("doc_id")
        rows = self.left_out(shard).join(uris, on="doc_id", how="left")
        dropped = rows.with_columns(outcome=pl.lit("drop"))
        return ledger.decisions(dropped, "release", self.run_id)
