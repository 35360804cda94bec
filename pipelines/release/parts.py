"""Write the parts of a release. A release part is a file of documents of one language.

The parts of a language follow the order of ingest's shards, so a text is moved once, from file to
file. Its redactions and removals are applied on the way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa

from lineage.tokenizer import Tokenizer
from pipelines.engine import batches, decisions, shards
from pipelines.engine.stage import Shard, ShardDoFn
from pipelines.personal_data.scrub import apply_findings
from pipelines.release import token_shards
from pipelines.release.selection import Selection
from schemas.tables import DATA, REDACTIONS, RELEASED, TOKENS

NO_LANGUAGE = "und"
DOCUMENT = ("doc_id", "text", "source_id", "uri", "captured_at")


def deal_parts(sizes: pl.DataFrame, shard_bytes: int) -> pl.DataFrame:
    """Assign the shards of each language to release parts.

    Args:
      sizes: shard, lang, group (the row group in the shard's pieces), rows, bytes.
      shard_bytes: the approximate size of a part before compression.

    Returns:
      lang, part (its number in the language), shards and groups (lists), leaf (the index of the
      part's first document among all documents).
    """
    ordered = sizes.sort("lang", "shard").with_columns(
        part=(pl.col("bytes").cum_sum().over("lang") - pl.col("bytes")) // shard_bytes
    )
    dealt = ordered.group_by("lang", "part", maintain_order=True).agg(
        "shard", "group", pl.col("rows").sum()
    )
    return dealt.select(
        "lang",
        pl.int_range(pl.len()).over("lang").alias("part"),
        pl.col("shard").alias("shards"),
        pl.col("group").alias("groups"),
        (pl.col("rows").cum_sum() - pl.col("rows")).cast(pl.Int64).alias("leaf"),
    )


class SplitByLanguage(beam.DoFn):
    """A shard -> the sizes of its pieces: shard, lang, group, rows, bytes.

    The released rows are written to disk, a row group per language. So a text is read once here and
    once for its release part, however many languages a shard has.
    """

    def __init__(self, selection: Selection, licences: Mapping[str, str]) -> None:
        self.selection, self.licences = selection, dict(licences)
        self.state, self.corpus = selection.state, selection.corpus

    def process(self, element: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        for name in element.column("shard").to_pylist():
            data, redactions = self._released_documents(name)
            sizes = data.group_by("lang", maintain_order=True).agg(
                rows=pl.len().cast(pl.Int64),
                bytes=pl.col("text").str.len_bytes().sum().cast(pl.Int64),
            )
            sizes = sizes.with_columns(shard=pl.lit(name), group=pl.int_range(pl.len()))
            groups = [g for _, g in data.group_by("lang", maintain_order=True)]
            shards.write_groups(self.state.path("pieces", name), groups, DATA)
            self.state.write("redacted", name, redactions.to_arrow())
            self.selection.describe(name, data)
            for batch in (
                sizes.select("shard", "lang", "group", "rows", "bytes").to_arrow().to_batches()
            ):
                yield 0, batch

    def _released_documents(self, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Apply the findings to a shard's kept documents.

        Returns:
          The documents, sorted by language and id, and their redactions.
        """
        labels = self.corpus.table("language", "language", name, ["doc_id", "lang", "script"])
        labels = labels.join(self.corpus.tags(name), on="doc_id", how="left").rename(
            {"score": "quality"}
        )
        findings = self.corpus.table("privacy", "findings", name)
        redacted = [
            apply_findings(
                batch.join(labels, on="doc_id", maintain_order="left"),
                findings.join(batch, on="doc_id", how="semi", maintain_order="left"),
            )
            for batch in self.corpus.documents_for("release", name, DOCUMENT)
        ]
        if not redacted:
            schema = labels.drop("doc_id").schema | dict.fromkeys(DOCUMENT, pl.String)
            empty = pl.DataFrame(schema=schema)
            redacted = [(empty, apply_findings(empty, findings.clear())[1])]
        data = pl.concat([documents for documents, _ in redacted])
        redactions = [spans for _, spans in redacted]
        released = data.with_columns(
            pl.col("lang").fill_null(NO_LANGUAGE),
            licence=pl.col("source_id").replace_strict(
                self.licences, default=None, return_dtype=pl.String
            ),
            n_chars=pl.col("text").str.len_chars().cast(pl.Int64),
            n_tokens=pl.lit(None, pl.Int64),
        )
        return released.select(DATA.names).sort("lang", "doc_id"), pl.concat(redactions)


class DealParts(beam.DoFn):
    """All sizes -> a row of work per release part, after the mixture is decided."""

    def __init__(self, selection: Selection, shard_bytes: int) -> None:
        self.selection, self.shard_bytes = selection, shard_bytes

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        sizes = batches.frame(element[1])
        dealt = deal_parts(self.selection.choose(sizes), self.shard_bytes)
        work = dealt.with_columns(
            shard=pl.format("part-{}-{}", "lang", pl.col("part").cast(pl.String).str.zfill(5))
        )
        for batch in batches.record_batches(work):
            yield from batches.split_rows(batch)


class WritePart(ShardDoFn):
    """The pieces of a release part -> its file, its redactions and its rows of `documents`.

    Token shards are written too if the parameters name a tokenizer.
    """

    def __init__(self, selection: Selection, tokens: token_shards.TokenPlan | None) -> None:
        super().__init__(selection.state)
        self.selection, self.tokens = selection, tokens
        self.tokenizer: Tokenizer | None = None

    def setup(self) -> None:
        self.tokenizer = self.tokens.load_tokenizer(self.state) if self.tokens else None

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        lang, name = row["lang"], f"part-{row['part']:05d}"
        file = f"data/{lang}/{name}.parquet"
        data, redactions = self._read_pieces(row["shards"], row["groups"])
        data = self._write_tokens(shard, f"{lang}/{name}", data)
        for table, key, frame, schema in (
            (f"data/{lang}", name, data, DATA),
            ("lineage/redactions", shard.name, redactions, REDACTIONS),
            ("lineage/documents", shard.name, _document_rows(data, file, row["leaf"]), RELEASED),
        ):
            rows = frame.select(schema.names).to_arrow().cast(schema)
            shard.files.append(self.state.write(table, key, rows, level=3))
        counts = {
            "outcome": {"keep": data.height},
            "lang": {lang: data.height},
            "source": decisions.value_counts(data["source_id"]),
            "chars": {lang: data["n_chars"].sum()},
            **decisions.redaction_counts(redactions["entity_type"]),
            **(token_shards.part_counts(lang, data) if self.tokens else {}),
        }
        shard.finish(_aggregates(data, file, lang), counts)

    def _read_pieces(
        self, names: list[str], groups: list[int]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Read the selected documents of pieces of shards, and their redactions."""
        pieces = [
            shards.read_group(self.state.path("pieces", name), group)
            for name, group in zip(names, groups, strict=True)
        ]
        data = self.selection.without_left_out(names, pl.concat(pieces))
        redacted = pl.concat([pl.read_parquet(self.state.path("redacted", n)) for n in names])
        return data, redacted.join(data, on="doc_id", how="semi", maintain_order="left")

    def _write_tokens(self, shard: Shard, place: str, data: pl.DataFrame) -> pl.DataFrame:
        """Write the part's token shards; return the documents with their `n_tokens`."""
        if self.tokens is None or self.tokenizer is None:
            return data
        encoded = self.tokenizer.encode(data["text"])
        files, rows = token_shards.write_shards(
            self.state, self.tokens, place=place, doc_ids=data["doc_id"], encoded=encoded
        )
        shard.files.extend(files)
        shard.write("lineage/tokens", rows.select(TOKENS.names).to_arrow().cast(TOKENS), level=3)
        return data.with_columns(n_tokens=pl.Series(map(len, encoded), dtype=pl.Int64))


def _document_rows(data: pl.DataFrame, file: str, leaf: int) -> pl.DataFrame:
    """Return a part's rows of `documents`; `leaf`: the leaf index of its first document."""
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in data["text"]]
    return data.select(
        "doc_id",
        "source_id",
        "lang",
        "n_chars",
        "n_tokens",
        shard=pl.lit(file),
        row=pl.int_range(pl.len()),
        text_sha256=pl.Series(digests, dtype=pl.String),
        leaf_index=pl.int_range(pl.len()) + leaf,
    )


def _aggregates(data: pl.DataFrame, file: str, lang: str) -> dict[str, Any]:
    """Compute the aggregates that the suite of expectations judges."""
    return {
        "shard": file,
        "lang": lang,
        "rows": data.height,
        "chars": data["n_chars"].sum(),
        "null_texts": data["text"].null_count(),
        "null_sources": data["source_id"].null_count(),
        "null_licences": data["licence"].null_count(),
        "repeated_doc_ids": data.height - data["doc_id"].n_unique(),
    }
