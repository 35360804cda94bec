"""The mixture on the files of a release in work: who is there, who is left out, what is said of it.

Each shard of ingest leaves a small table of its documents; the mixture is decided over all of them
at once, and what it leaves out is written by shard again.
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
    """What is wanted and where it is worked at; a plain value that travels to workers.  Without a
    mixture everything is taken up."""

    state: shards.State
    source: Corpus
    wanted: Mixture | None
    run_id: str

    def describe(self, shard: str, data: pl.DataFrame) -> None:
        """Leave the table of a shard's documents: `data` has rows of a release's shard."""
        if self.wanted is None:
            return
        about = data.rename({"quality": "score"})
        sized = about.select(*DESCRIPTION, n_bytes=pl.col("text").str.len_bytes().cast(pl.Int64))
        self.state.write("about", shard, sized.to_arrow())

    def choose(self, sizes: pl.DataFrame) -> pl.DataFrame:
        """Decide over all shards in `sizes` (shard, lang, group, rows, bytes); returns the sizes of
        what is taken up."""
        if self.wanted is None:
            return sizes
        names = sorted(sizes["shard"].unique())
        about = pl.concat(
            pl.read_parquet(self.state.path("about", name)).with_columns(shard=pl.lit(name))
            for name in names
        )
        left = mixture.leave_out(about.select(DESCRIPTION), self.wanted)
        placed = left.join(about.select("doc_id", "shard"), on="doc_id", maintain_order="left")
        by_shard = placed.partition_by("shard", as_dict=True, include_key=False)
        for name in names:
            rows = by_shard.get((name,), left.clear())
            self.state.write("left_out", name, rows.to_arrow())
        taken = about.join(left, on="doc_id", how="anti", maintain_order="left")
        counted = taken.group_by("shard", "lang").agg(
            rows=pl.len().cast(pl.Int64), bytes=pl.col("n_bytes").sum()
        )
        return sizes.select("shard", "lang", "group").join(
            counted, on=["shard", "lang"], maintain_order="left"
        )

    def left_out(self, shard: str) -> pl.DataFrame:
        """What of a shard is left out: `LEFT_OUT`."""
        path = self.state.path("left_out", shard)
        if self.wanted is None or not path.is_file():
            return pl.DataFrame(schema=dict.fromkeys(LEFT_OUT_COLUMNS, pl.String))
        return pl.read_parquet(path)

    def taken(self, names: list[str], data: pl.DataFrame) -> pl.DataFrame:
        """The documents of these shards without those that are left out."""
        left = pl.concat(self.left_out(name) for name in names)
        return data.join(left, on="doc_id", how="anti", maintain_order="left")

    def decisions(self, shard: str, decided: pl.DataFrame) -> pl.DataFrame:
        """What is left out, as decisions of the release; `decided`: those of the stages before."""
        uris = decided.select("doc_id", "uri").unique("doc_id")
        rows = self.left_out(shard).join(uris, on="doc_id", how="left")
        ended = rows.with_columns(outcome=pl.lit("drop"))
        return ledger.decisions(ended, "release", self.run_id)
