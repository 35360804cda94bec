"""Find documents that are also published under a refusal (`policy.duplicates: all-lawful`).

A refused record is not decoded, so its text is not known, but the digest of its payload is. A
document is removed if its bytes are those of a record whose rights were reserved or withdrawn. Its
copies from elsewhere are removed too. The same text in another page is not detected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.dedup.candidate_pairs import pass_after
from pipelines.dedup.plan import DedupPlan, Partitioned, by_partition, by_shard
from pipelines.engine import batches

#: The reasons by which a rights holder refused. A source without a permission is not a refusal.
REFUSAL_REASONS = ("withdrawn", "consent-withdrawn", "licence-conflict", "opted-out:")
PAYLOADS = {"payload": pl.String, "doc": pl.UInt64, "refused_doc_id": pl.String}
REFUSED = {"doc": pl.UInt64, "refused_doc_id": pl.String}


def shard_payloads(
    records: pl.DataFrame, decided: pl.DataFrame, signed: pl.DataFrame
) -> pl.DataFrame:
    """Return the payloads of a shard's documents and of its refused records.

    Args:
      records: doc_id, payload_sha256 (hex).
      decided: doc_id, outcome, reason of ingest.
      signed: doc, doc_id.

    Returns:
      `PAYLOADS`: a row per document (refused_doc_id is null) and per refused record (doc is null).
    """
    known = records.drop_nulls("payload_sha256")
    reasons = [pl.col("reason").str.starts_with(r) for r in REFUSAL_REASONS]
    refusals = decided.filter((pl.col("outcome") == "refuse") & pl.any_horizontal(reasons))
    refused = known.join(refusals, on="doc_id").select(
        payload="payload_sha256", doc=pl.lit(None, pl.UInt64), refused_doc_id="doc_id"
    )
    documents = known.join(signed, on="doc_id").select(
        "doc", payload="payload_sha256", refused_doc_id=pl.lit(None, pl.String)
    )
    return pl.concat([refused, documents.select(refused.columns)])


def refused_documents(payloads: pl.DataFrame) -> pl.DataFrame:
    """Find the documents with the bytes of a refused record: `PAYLOADS` -> `REFUSED`.

    If several records were refused, the row names the one with the least id.
    """
    refused = (
        payloads.filter(pl.col("doc").is_null())
        .group_by("payload")
        .agg(pl.col("refused_doc_id").min())
    )
    documents = payloads.drop_nulls("doc").drop("refused_doc_id")
    return documents.join(refused, on="payload").select(list(REFUSED))


class ReadPayloads(beam.DoFn):
    """A shard's place -> its payloads, by partition."""

    def __init__(self, plan: DedupPlan) -> None:
        self.plan = plan

    def process(self, element: Partitioned) -> Iterator[Partitioned]:
        place, corpus = element[0], self.plan.corpus
        name = self.plan.shards[place]
        payloads = shard_payloads(
            corpus.ingest_table("records", name, ["doc_id", "payload_sha256"]),
            corpus.ingest_table("decisions", name, ["doc_id", "outcome", "reason"]),
            self.plan.signed_shard(place, ["doc", "doc_id"]),
        )
        low = [int(digest[:15], 16) for digest in payloads["payload"]]
        yield from by_partition(payloads, np.array(low, np.uint64), self.plan.partition_count)


class MatchPayloads(beam.DoFn):
    """Payloads of a partition -> `REFUSED`, by shard."""

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Partitioned]:
        yield from by_shard(refused_documents(batches.frame(element[1])))


class FindRefusedCopies(beam.PTransform):
    """The places of shards -> `REFUSED` by shard, once the signatures are written.

    The result is empty if any lawful copy may stay.
    """

    def __init__(self, plan: DedupPlan, copies: beam.PCollection) -> None:
        super().__init__()
        self.plan = plan
        self.copies = copies

    def expand(self, places: beam.PCollection) -> beam.PCollection:
        if not self.plan.all_lawful:
            return places | "None" >> beam.Filter(lambda _: False).with_output_types(Partitioned)
        return (
            pass_after(places, self.copies)
            | "Payloads" >> beam.ParDo(ReadPayloads(self.plan)).with_output_types(Partitioned)
            | "ByPayload" >> beam.GroupByKey()
            | "Match" >> beam.ParDo(MatchPayloads()).with_output_types(Partitioned)
        )
