"""Texts that are also published under a refusal: `policy.duplicates: all-lawful`.

What is refused is not decoded, so its text is not known.  Its payload's digest is: where a document
has the very bytes of a record whose rights were reserved or withdrawn, it does not stay, nor does a
copy of it from elsewhere.  The same text in another page is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dedup.candidate_pairs import KEYED, wait_for
from pipelines.dedup.plan import DedupPlan, Partitioned, by_partition, by_shard
from pipelines.engine import batches

#: Reasons by which somebody said no; what nobody allowed is another matter.
REFUSAL_REASONS = ("withdrawn", "consent-withdrawn", "licence-conflict", "opted-out:")
PAYLOADS = {"payload": pl.String, "doc": pl.UInt64, "refused_doc_id": pl.String}
REFUSED = {"doc": pl.UInt64, "refused_doc_id": pl.String}


def shard_payloads(
    records: pl.DataFrame, decided: pl.DataFrame, signed: pl.DataFrame
) -> pl.DataFrame:
    """`PAYLOADS` of a shard: a row per document, and one per record that somebody refused.

    Args:
      records: doc_id, payload_sha256 (hex).
      decided: doc_id, outcome, reason of ingest.
      signed: doc, doc_id.
    """
    known = records.drop_nulls("payload_sha256")
    reasons = [pl.col("reason").str.starts_with(r) for r in REFUSAL_REASONS]
    no = decided.filter((pl.col("outcome") == "refuse") & pl.any_horizontal(reasons))
    refused = known.join(no, on="doc_id").select(
        payload="payload_sha256", doc=pl.lit(None, pl.UInt64), refused_doc_id="doc_id"
    )
    documents = known.join(signed, on="doc_id").select(
        "doc", payload="payload_sha256", refused_doc_id=pl.lit(None, pl.String)
    )
    return pl.concat([refused, documents.select(refused.columns)])


def refused_documents(rows: pl.DataFrame) -> pl.DataFrame:
    """`PAYLOADS` -> `REFUSED`: the documents with the bytes of a refused record, the least of
    these."""
    no = (
        rows.filter(pl.col("doc").is_null()).group_by("payload").agg(pl.col("refused_doc_id").min())
    )
    return (
        rows.drop_nulls("doc").drop("refused_doc_id").join(no, on="payload").select(list(REFUSED))
    )


class ReadPayloads(beam.DoFn):
    """A shard's place -> its payloads, by partition."""

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def process(self, element: Partitioned) -> Iterator[Partitioned]:
        place, source = element[0], self.plan.corpus
        name = self.plan.shards[place]
        found = shard_payloads(
            source.ingest_table("records", name, ["doc_id", "payload_sha256"]),
            source.ingest_table("decisions", name, ["doc_id", "outcome", "reason"]),
            self.plan.signed_shard(place, ["doc", "doc_id"]),
        )
        low = [int(p[:15], 16) for p in found["payload"]]
        yield from by_partition(found, np.array(low, np.uint64), self.plan.partition_count)


class MatchPayloads(beam.DoFn):
    """Payloads of a partition -> `REFUSED`, by shard."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        yield from by_shard(refused_documents(batches.frame(element[1])))


class FindRefusedCopies(beam.PTransform):
    """The places of shards, once their signatures stand -> `REFUSED` by shard; nothing where any
    lawful copy may stay."""

    def __init__(self, plan: DedupPlan, copies: beam.PCollection) -> None:
        super().__init__()
        self.plan = plan
        self.copies = copies

    def expand(self, places: beam.PCollection) -> beam.PCollection:
        if not self.plan.all_lawful:
            return places | "None" >> beam.Filter(lambda _: False).with_output_types(KEYED)
        return (
            wait_for(places, self.copies)
            | "Payloads" >> beam.ParDo(ReadPayloads(self.plan)).with_output_types(KEYED)
            | "ByPayload" >> beam.GroupByKey()
            | "Find" >> beam.ParDo(MatchPayloads()).with_output_types(KEYED)
        )
