"""The stage `release`: shards by language, the lineage tables, the manifest.

    python -m pipelines.release --params params.yaml

Parts of a language follow the order of ingest's shards, so that a text moves once, from file to
file; what was found about it is applied on the way.
"""
from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa

from lineage import manifest
from pipelines import batches, corpus, ledger, shards
from pipelines.command import command
from pipelines.corpus import Corpus
from pipelines.personal_data.scrub import apply
from pipelines.personal_data.uris import redact_uri
from pipelines.stage import Context, Shard, ShardDoFn, Stage
from schemas.tables import DATA, DECISIONS, DUPLICATES, RECORDS, REDACTIONS, RELEASED, RUNS, SOURCES, STAGES

DECIDING = ("ingest", "language", "dedup", "privacy")
NO_LANGUAGE = "und"


def parts(sizes: pl.DataFrame, shard_bytes: int) -> pl.DataFrame:
    """Deal the shards of each language out to parts.

    Args:
      sizes: shard, lang, rows, bytes (of the kept documents).
      shard_bytes: about how large a part may be, before compression.

    Returns:
      lang, part (its number in the language), shards (list), leaf (of the part's first document).
    """
    ordered = sizes.sort("lang", "shard").with_columns(
        part=(pl.col("bytes").cum_sum().over("lang") - pl.col("bytes")) // shard_bytes)
    dealt = ordered.group_by("lang", "part", maintain_order=True).agg("shard", pl.col("rows").sum())
    return dealt.select("lang", pl.int_range(pl.len()).over("lang").alias("part"), pl.col("shard").alias("shards"),
                        (pl.col("rows").cum_sum() - pl.col("rows")).cast(pl.Int64).alias("leaf"))


class Measure(beam.DoFn):
    """A shard -> how much of each language it holds."""

    def __init__(self, source: Corpus) -> None:
        self.source = source

    def process(self, element: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        for name in element.column("shard").to_pylist():
            kept = self.source.kept(name, "privacy")
            found = self.source.table("language", "language", name, ["doc_id", "lang", "n_bytes"]).join(kept, on="doc_id", how="semi")
            sizes = found.group_by(pl.col("lang").fill_null(NO_LANGUAGE)).agg(rows=pl.len().cast(pl.Int64), bytes=pl.col("n_bytes").sum())
            for batch in sizes.select(pl.lit(name).alias("shard"), "lang", "rows", "bytes").to_arrow().to_batches():
                yield 0, batch


class Deal(beam.DoFn):
    """All sizes -> a row of work per part."""

    def __init__(self, shard_bytes: int) -> None:
        self.shard_bytes = shard_bytes

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        sizes = pl.from_arrow(pa.Table.from_batches(list(element[1])))
        assert isinstance(sizes, pl.DataFrame)
        dealt = parts(sizes, self.shard_bytes)
        work = dealt.with_columns(shard=pl.format("part-{}-{}", "lang", pl.col("part").cast(pl.String).str.zfill(5)))
        yield from batches.rows(work.to_arrow().combine_chunks().to_batches()[0])


class WritePart(ShardDoFn):
    """A part's shards -> a file of the release, its redactions, its rows of `documents`."""

    def __init__(self, state: shards.State, source: Corpus, licences: Mapping[str, str]) -> None:
        super().__init__(state)
        self.source, self.licences = source, dict(licences)

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        built = [self._from(name, row["lang"]) for name in row["shards"]]
        data, redactions = pl.concat([b[0] for b in built]), pl.concat([b[1] for b in built])
        name = f"part-{row['part']:05d}"
        file = f"data/{row['lang']}/{name}.parquet"
        documents = data.select(
            "doc_id", "source_id", "lang", shard=pl.lit(file), row=pl.int_range(pl.len()), n_chars="n_chars", n_tokens="n_tokens",
            text_sha256=pl.Series([hashlib.sha256(t.encode()).hexdigest() for t in data["text"]], dtype=pl.String),
            leaf_index=pl.int_range(pl.len()) + row["leaf"])
        for table, key, frame, schema in (
                (f"data/{row['lang']}", name, data, DATA), ("lineage/redactions", shard.name, redactions, REDACTIONS),
                ("lineage/documents", shard.name, documents, RELEASED)):
            shard.files.append(self.state.write(table, key, frame.select(schema.names).to_arrow().cast(schema), level=3))
        shard.finish(
            {"shard": file, "lang": row["lang"], "rows": data.height, "null_texts": data["text"].null_count(),
             "null_sources": data["source_id"].null_count(), "null_licences": data["licence"].null_count(),
             "repeated_doc_ids": data.height - data["doc_id"].n_unique(), "chars": data["n_chars"].sum()},
            {"outcome": {"keep": data.height}, "lang": {row["lang"]: data.height}, "source": ledger.count(data["source_id"]),
             "chars": {row["lang"]: data["n_chars"].sum()}, "entity": ledger.count(redactions["entity_type"])})

    def _from(self, name: str, lang: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The documents of one language in a shard of ingest, redacted."""
        labels = self.source.table("language", "language", name, ["doc_id", "lang", "script"]).with_columns(pl.col("lang").fill_null(NO_LANGUAGE))
        labels = labels.filter(pl.col("lang") == lang)
        findings = self.source.table("privacy", "findings", name)
        columns = ["doc_id", "text", "source_id", "uri", "captured_at"]
        texts = [apply(batch.join(labels, on="doc_id", maintain_order="left"), findings.join(batch, on="doc_id", how="semi", maintain_order="left"))
                 for batch in self._batches(name, labels, columns)]
        data = pl.concat([t[0] for t in texts]).with_columns(
            licence=pl.col("source_id").replace_strict(self.licences, default=None, return_dtype=pl.String),
            n_chars=pl.col("text").str.len_chars().cast(pl.Int64), n_tokens=pl.lit(None, pl.Int64))
        return data.select(DATA.names), pl.concat([t[1] for t in texts])

    def _batches(self, name: str, labels: pl.DataFrame, columns: list[str]) -> Iterator[pl.DataFrame]:
        for batch in self.source.documents(name, "privacy", columns):
            yield batch.join(labels.select("doc_id"), on="doc_id", how="semi", maintain_order="left")


class WriteLineage(ShardDoFn):
    """A shard of ingest -> its records, and what all stages decided about them."""

    def __init__(self, state: shards.State, source: Corpus) -> None:
        super().__init__(state)
        self.source = source

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        name = row["shard"]
        decided = pl.concat([self.source.table(stage, "decisions", name) for stage in DECIDING])
        order = pl.col("stage").replace_strict({s: i for i, s in enumerate(STAGES)})
        shard.write("lineage/records", self.source.table("ingest", "records", name).to_arrow().cast(RECORDS), level=3)
        shard.write("lineage/decisions", decided.sort(pl.col("doc_id"), order).to_arrow().cast(DECISIONS), level=3)
        shard.write("lineage/duplicates", self.source.table("dedup", "duplicates", name).to_arrow().cast(DUPLICATES), level=3)
        shard.finish({}, {})


class Release(Stage):
    """Deal out, write, account."""

    name = "release"
    sections = ("release", "as_of", "purpose")

    def __init__(self, context: Context) -> None:
        self.source = Corpus(str(context.params.work))

    def inputs(self, context: Context) -> dict[str, str]:
        return corpus.input_digests(context, self.name)

    def expected(self, context: Context) -> int:
        return corpus.kept_before(context, self.name)

    def target(self, context: Context) -> Path:
        params = context.params
        return params.root / params.release.path / params.release.name

    def build(self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str) -> None:
        licences = {s.id: s.licence.spdx for s in context.register.sources.values()}
        dealt = corpus.deal(pipeline, corpus.shards(context))
        (dealt | "Measure" >> beam.ParDo(Measure(self.source)).with_output_types(tuple[int, pa.RecordBatch]) | "All" >> beam.GroupByKey()
         | "Deal" >> beam.ParDo(Deal(context.params.release.shard_bytes)).with_output_types(pa.RecordBatch) | "SpreadParts" >> beam.Reshuffle()
         | "WritePart" >> beam.ParDo(WritePart(state, self.source, licences)).with_output_types(pa.RecordBatch))
        dealt | "WriteLineage" >> beam.ParDo(WriteLineage(state, self.source)).with_output_types(pa.RecordBatch)

    def finish(self, context: Context, state: shards.State, markers: Sequence[Mapping[str, Any]], run: Mapping[str, Any]) -> list[str]:
        """Sources, runs, manifest and README: the paths of what was added."""
        sources = [{"source_id": s.id, "entry": s.entry_json, "entry_sha256": s.entry_sha256, "evidence_sha256": s.evidence_sha256,
                    "licence": s.licence.spdx, "jurisdiction": s.jurisdiction} for _, s in sorted(context.register.sources.items())]
        files = {f["file"]: f for m in markers for f in m["files"]}
        added = state.write("lineage/sources", "part-00000", pa.Table.from_pylist(sources, SOURCES), level=3)
        files[added["file"]] = added
        runs = pa.Table.from_pylist(_runs(self.source, run), RUNS)
        written = [added["file"], state.write("lineage/runs", "part-00000", runs, level=3)["file"]]
        whole = manifest.build(context.params, context.register, files, _counts(self.source, markers))
        shards.write_json(Path(state.root) / "manifest.json", whole)
        shards.write_bytes(Path(state.root) / "README.md", manifest.readme(whole, context.register).encode())
        return [*written, "manifest.json", "README.md"]


def _runs(source: Corpus, release: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of `runs`; names of raw files in which personal data is found are redacted."""
    rows = []
    for stage in DECIDING:
        rows.append(shards.read_json(Path(source.work) / stage / "run.json"))
    rows.append({**release, "ended": datetime.now(UTC).isoformat(timespec="seconds"), "outputs": None})
    return [{name: row.get(name) for name in RUNS.names}
            | {"models": ledger.evidence(row["models"]),
               "inputs": ledger.evidence({redact_uri(k): v for k, v in row["inputs"].items()})} for row in rows]


def _counts(source: Corpus, markers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from pipelines.stage import add

    totals = add([m["figures"]["counts"] for m in markers])
    seen = shards.read_json(Path(source.work) / "ingest" / "stage.json")["totals"]["outcome"]
    return {"records": sum(seen.values()), "documents": sum(totals.get("outcome", {}).values()), "chars": sum(totals.get("chars", {}).values()),
            "by_language": totals.get("lang", {}), "by_source": totals.get("source", {}), "redactions": totals.get("entity", {})}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    return command(Release, __doc__ or "", argv)


if __name__ == "__main__":
    from pipelines.release import main as run  # workers must find the DoFns under their own names

    sys.exit(run())
