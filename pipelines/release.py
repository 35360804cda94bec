"""The stage `release`: shards by language, the lineage tables, the manifest.

    python -m pipelines.release --params params.yaml

Parts of a language follow the order of ingest's shards, so that a text moves once, from file to
file; what was found about it is applied on the way.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa

from lineage import manifest
from pipelines import batches, corpus, dedup_index, guarding, ledger, sealing, shards
from pipelines.command import command
from pipelines.corpus import Corpus, DocumentStage
from pipelines.personal_data.scrub import apply
from pipelines.personal_data.uris import redact_uri
from pipelines.selection import Selection
from pipelines.stage import Context, Shard, ShardDoFn, StageError, load
from schemas.errors import Invalid, Problem
from schemas.params import SECTIONS, Params
from schemas.snapshot import snapshot
from schemas.tables import (
    DATA,
    DECISIONS,
    DUPLICATES,
    RECORDS,
    REDACTIONS,
    RELEASED,
    RUNS,
    STAGES,
)

DECIDING = ("ingest", "language", "quality", "dedup", "privacy")
NO_LANGUAGE = "und"
DOCUMENT = ("doc_id", "text", "source_id", "uri", "captured_at")


def parts(sizes: pl.DataFrame, shard_bytes: int) -> pl.DataFrame:
    """Deal the shards of each language out to parts.

    Args:
      sizes: shard, lang, group (of rows, in the shard's pieces), rows, bytes.
      shard_bytes: about how large a part may be, before compression.

    Returns:
      lang, part (its number in the language), shards and groups (lists), leaf (the place of the
      part's first document among all).
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


class Split(beam.DoFn):
    """A shard -> its released rows on disk, a row group per language; out comes how much of each.

    So a text is read once here and once by the part that takes it up, whatever the number of
    languages in a shard.
    """

    def __init__(self, selection: Selection, licences: Mapping[str, str]) -> None:
        self.selection, self.licences = selection, dict(licences)
        self.state, self.source = selection.state, selection.source

    def process(self, element: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        for name in element.column("shard").to_pylist():
            data, redactions = self._released(name)
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

    def _released(self, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """A shard's kept documents with the findings applied, by language, then id."""
        labels = self.source.table("language", "language", name, ["doc_id", "lang", "script"])
        labels = labels.join(self.source.tags(name), on="doc_id", how="left").rename(
            {"score": "quality"}
        )
        findings = self.source.table("privacy", "findings", name)
        done = [
            apply(
                batch.join(labels, on="doc_id", maintain_order="left"),
                findings.join(batch, on="doc_id", how="semi", maintain_order="left"),
            )
            for batch in self.source.documents(name, "privacy", DOCUMENT)
        ]
        empty = labels.drop("doc_id").schema | dict.fromkeys(DOCUMENT, pl.String)
        data = pl.concat([d[0] for d in done]) if done else pl.DataFrame(schema=empty)
        redactions = [d[1] for d in done] or [
            apply(pl.DataFrame(schema=empty), findings.clear())[1]
        ]
        released = data.with_columns(
            pl.col("lang").fill_null(NO_LANGUAGE),
            licence=pl.col("source_id").replace_strict(
                self.licences, default=None, return_dtype=pl.String
            ),
            n_chars=pl.col("text").str.len_chars().cast(pl.Int64),
            n_tokens=pl.lit(None, pl.Int64),
        )
        return released.select(DATA.names).sort("lang", "doc_id"), pl.concat(redactions)


class Deal(beam.DoFn):
    """All sizes -> what the mixture takes up -> a row of work per part."""

    def __init__(self, selection: Selection, shard_bytes: int) -> None:
        self.selection, self.shard_bytes = selection, shard_bytes

    def process(self, element: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        sizes = batches.frame(element[1])
        dealt = parts(self.selection.choose(sizes), self.shard_bytes)
        work = dealt.with_columns(
            shard=pl.format("part-{}-{}", "lang", pl.col("part").cast(pl.String).str.zfill(5))
        )
        for batch in batches.whole(work):
            yield from batches.rows(batch)


class WritePart(ShardDoFn):
    """The pieces of a part -> a file of the release, its redactions, its rows of `documents`."""

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection.state)
        self.selection = selection

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        lang, name = row["lang"], f"part-{row['part']:05d}"
        pieces = zip(row["shards"], row["groups"], strict=True)
        data = pl.concat(
            [shards.read_group(self.state.path("pieces", piece), group) for piece, group in pieces]
        )
        data = self.selection.taken(row["shards"], data)
        redactions = pl.concat(
            [pl.read_parquet(self.state.path("redacted", piece)) for piece in row["shards"]]
        ).join(data, on="doc_id", how="semi", maintain_order="left")
        file = f"data/{lang}/{name}.parquet"
        documents = data.select(
            "doc_id",
            "source_id",
            "lang",
            "n_chars",
            "n_tokens",
            shard=pl.lit(file),
            row=pl.int_range(pl.len()),
            text_sha256=pl.Series(
                [hashlib.sha256(t.encode()).hexdigest() for t in data["text"]], dtype=pl.String
            ),
            leaf_index=pl.int_range(pl.len()) + row["leaf"],
        )
        for table, key, frame, schema in (
            (f"data/{lang}", name, data, DATA),
            ("lineage/redactions", shard.name, redactions, REDACTIONS),
            ("lineage/documents", shard.name, documents, RELEASED),
        ):
            rows = frame.select(schema.names).to_arrow().cast(schema)
            shard.files.append(self.state.write(table, key, rows, level=3))
        chars = data["n_chars"].sum()
        shard.finish(
            {
                "shard": file,
                "lang": lang,
                "rows": data.height,
                "chars": chars,
                "null_texts": data["text"].null_count(),
                "null_sources": data["source_id"].null_count(),
                "null_licences": data["licence"].null_count(),
                "repeated_doc_ids": data.height - data["doc_id"].n_unique(),
            },
            {
                "outcome": {"keep": data.height},
                "lang": {lang: data.height},
                "source": ledger.count(data["source_id"]),
                "chars": {lang: chars},
                "entity": ledger.count(redactions["entity_type"]),
            },
        )


class WriteLineage(ShardDoFn):
    """A shard of ingest -> its records, and what all stages decided about them.

    What comes in beside it is not looked at: it says that the mixture is decided.
    """

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection.state)
        self.selection, self.source = selection, selection.source

    def work(self, shard: Shard, row: Mapping[str, Any], *sides: Any) -> None:
        name = row["shard"]
        before = pl.concat([self.source.table(stage, "decisions", name) for stage in DECIDING])
        left_out = self.selection.decisions(name, before)
        decided = pl.concat([before, left_out])
        order = pl.col("stage").replace_strict({s: i for i, s in enumerate(STAGES)})
        shard.write(
            "lineage/records",
            self.source.table("ingest", "records", name).to_arrow().cast(RECORDS),
            level=3,
        )
        shard.write(
            "lineage/decisions",
            decided.sort(pl.col("doc_id"), order).to_arrow().cast(DECISIONS),
            level=3,
        )
        shard.write(
            "lineage/duplicates",
            self.source.table("dedup", "duplicates", name).to_arrow().cast(DUPLICATES),
            level=3,
        )
        shard.finish({}, ledger.counts(left_out))


class Release(DocumentStage):
    """Deal out, write, account."""

    name = "release"
    sections = SECTIONS  # the manifest covers all parameters

    def __init__(self, context: Context) -> None:
        self.source = Corpus(str(context.params.work))
        check_target(context.params, self.target(context))
        guarding.last_release(context.params, self.target(context))
        if not context.dry_run:
            sealing.key(context.params)

    def target(self, context: Context) -> Path:
        params = context.params
        return params.root / params.release.path / params.release.name

    def build(
        self, pipeline: beam.Pipeline, context: Context, state: shards.State, run_id: str
    ) -> None:
        licences = {s.id: s.licence.spdx for s in context.register.sources.values()}
        release = context.params.release
        selection = Selection(state, self.source, release.mixture, run_id)
        dealt = corpus.deal(pipeline, corpus.shards(context))
        decided = (
            dealt
            | "Split"
            >> beam.ParDo(Split(selection, licences)).with_output_types(tuple[int, pa.RecordBatch])
            | "All" >> beam.GroupByKey()
            | "DealParts"
            >> beam.ParDo(Deal(selection, release.shard_bytes)).with_output_types(pa.RecordBatch)
        )
        (
            decided
            | "SpreadParts" >> beam.Reshuffle()
            | "WritePart" >> beam.ParDo(WritePart(selection)).with_output_types(pa.RecordBatch)
        )
        dealt | "WriteLineage" >> beam.ParDo(
            WriteLineage(selection), beam.pvalue.AsList(decided)
        ).with_output_types(pa.RecordBatch)

    def admit(self, context: Context) -> None:
        guarding.stop_if_short(context, self.target(context))

    def check(
        self, context: Context, state: shards.State, totals: Mapping[str, Mapping[str, int]]
    ) -> None:
        """A mixture that leaves nothing is a slip of the pen."""
        outcome, reasons = totals.get("outcome", {}), totals.get("reason", {})
        if outcome.get("drop") and not outcome.get("keep"):
            told = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
            raise StageError(
                f"release: the mixture leaves nothing ({told}); wider filters help, or shares that "
                "add up to 1 where they cover everything"
            )

    def finish(
        self,
        context: Context,
        state: shards.State,
        markers: Sequence[Mapping[str, Any]],
        run: Mapping[str, Any],
    ) -> list[str]:
        """Sources, runs, manifest and README: the paths of what was added."""
        files = {f["file"]: f for m in markers for f in m["files"]}
        register = snapshot(context.register)
        added = state.write("lineage/sources", "part-00000", register, level=3)
        files[added["file"]] = added
        runs = pa.Table.from_pylist(_runs(self.source, run), RUNS)
        ran = state.write("lineage/runs", "part-00000", runs, level=3)
        counts = _counts(self.source, markers) | {"yields": guarding.measured(context).as_json()}
        root = Path(state.root)
        readme = manifest.readme(
            manifest.build(context.params, context.register, {}, counts), context.register
        )
        files["README.md"] = _written(root / "README.md", readme.encode())
        whole = manifest.build(context.params, context.register, files, counts)
        about = _written(root / "manifest.json", shards.json_bytes(whole))
        sealed = sealing.seal_release(
            context,
            root,
            whole,
            {"manifest.json": about["sha256"], ran["file"]: ran["sha256"]},
        )
        return [added["file"], ran["file"], "manifest.json", "README.md", *sealed]

    def published(self, context: Context) -> None:
        """Enter the release into the log and into the index of duplicates, once."""
        target = self.target(context)
        sealing.enter(context, target)
        if context.params.dedup.index is not None:
            released = pl.read_parquet(target / "lineage/documents/*.parquet", columns=["doc_id"])
            dedup_index.enter(
                context.params,
                load(context.folder(self.name), self.name).run_id,
                released["doc_id"],
                [self.source.path("dedup", "signatures", n) for n in corpus.shards(context)],
            )


def _written(path: Path, content: bytes) -> dict[str, Any]:
    shards.write_bytes(path, content)
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def check_target(params: Params, target: Path) -> None:
    """A release replaces the folder in its place: only an older release may stand there.

    Raises:
      Invalid: where the folder is something else, or holds what the run reads or works with.
    """
    folder = target.resolve()
    claimed = {"register": params.register, "work": params.work, "parameters": params.path}
    wrong = [name for name, path in claimed.items() if path.resolve().is_relative_to(folder)]
    message = f"the release would replace {target}, which holds the run's {' and '.join(wrong)}"
    if not wrong:
        strange = target.is_file() or (
            target.is_dir() and any(target.iterdir()) and not manifest.is_release(target)
        )
        message = f"the release would replace {target}, which is no release" if strange else ""
    if message:
        problem = f"{message}; choose another `path` or `name`"
        raise Invalid([Problem(str(params.path), None, "release", problem)])


def _runs(source: Corpus, release: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of `runs`; names of raw files in which personal data is found are redacted."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [shards.read_json(Path(source.work) / stage / "run.json") for stage in DECIDING]
    rows.append({**release, "ended": now, "outputs": None})
    return [
        {name: row.get(name) for name in RUNS.names}
        | {
            "models": ledger.evidence(row["models"]),
            # a list: names that were redacted may be alike
            "inputs": json.dumps([[redact_uri(k), v] for k, v in sorted(row["inputs"].items())]),
        }
        for row in rows
    ]


def _counts(source: Corpus, markers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from pipelines.stage import add

    totals = add([m["figures"]["counts"] for m in markers])
    seen = shards.read_json(Path(source.work) / "ingest" / "stage.json")["totals"]["outcome"]
    return {
        "records": sum(seen.values()),
        "documents": totals.get("outcome", {}).get("keep", 0),
        "chars": sum(totals.get("chars", {}).values()),
        "by_language": totals.get("lang", {}),
        "by_source": totals.get("source", {}),
        "redactions": totals.get("entity", {}),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    return command(Release, __doc__ or "", argv)


if __name__ == "__main__":
    from pipelines.release import main as run  # workers must find the DoFns under their own names

    sys.exit(run())
