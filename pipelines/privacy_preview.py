"""`tamga privacy preview`: what would be replaced, in colours, before anything is."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from pipelines import whole_records
from pipelines.command import at_least_one, guarded
from pipelines.corpus import Corpus
from pipelines.personal_data.findings import Span
from pipelines.personal_data.scrub import Scrubber, scrubber
from pipelines.published import load
from schemas import command_line
from schemas.configuration import load_both
from schemas.params import Params
from schemas.register import Register
from schemas.tables import STAGES

EPILOG = """examples:
  tamga privacy preview
  tamga privacy preview --lang kk --class IBAN --class PHONE
  tamga privacy preview --source kz-bilik --documents 500 --out work/preview/bilik.html
  tamga privacy preview --json

It looks at documents that the stages so far kept, by the `privacy` section of the parameters as it
stands now: change it, and look again.  The page shows texts as they were read, with all personal
data: it is for the eyes of those who set the rules, and stays in `work`, where `tamga clean`
removes it.  --json prints counts alone.

Exit codes: 0 shown, 1 no stage has run, 2 wrong usage, parameters or register."""

DOCUMENTS: Final = 2000
SHOWN: Final = 40


@dataclass(frozen=True)
class Wanted:
    """What is looked at: so many documents, of a language, of a source (None: any)."""

    documents: int
    lang: str | None = None
    source: str | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = command_line.parser("privacy preview", __doc__, EPILOG)
    command_line.add_params(parser)
    add = parser.add_argument
    add("--documents", type=at_least_one, default=DOCUMENTS, metavar="N",
        help="how many to look at, drawn by their ids (default: %(default)s)")  # fmt: skip
    add("--show", type=at_least_one, default=SHOWN, metavar="N",
        help="how many of those with findings the page shows (default: %(default)s)")  # fmt: skip
    add("--lang", metavar="CODE", help="of this language alone")
    add("--source", metavar="ID", help="of this source alone")
    add("--class", dest="classes", action="append", metavar="CLASS", help="these classes alone")
    add("--out", type=Path, help="the page (default: WORK/preview/privacy.html)")
    add("--json", action="store_true", help="print the counts as JSON; a page only with --out")
    options = parser.parse_args(argv)
    return guarded(lambda: _preview(options, parser))


def _preview(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from pipelines.profile import preview_page

    params, register = load_both(options.params)
    by = scrubber(params.privacy)
    for named, known, what in (
        ([options.source] if options.source else [], register.sources, "source"),
        (options.classes or [], by.entities, "class of personal data"),
    ):
        if unknown := sorted(set(named) - set(known)):
            parser.error(f"no {what} {unknown[0]!r}; known: {', '.join(sorted(known))}")
    documents = pl.concat(sample(params, Wanted(options.documents, options.lang, options.source)))
    findings = found(documents, params, register, by)
    if options.classes:
        findings = findings.filter(pl.col("entity_type").is_in(options.classes))
    told = counts(documents, findings)
    if options.json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    if options.json and not options.out:
        return 0
    out = options.out or params.work / "preview" / "privacy.html"
    ids = chosen(findings, options.show)
    shown = documents.join(ids, on="doc_id", how="semi")
    _write(out, preview_page.page(told, shown.to_dicts(), findings.join(ids, on="doc_id")))
    if not options.json:
        print(f"{told['findings']} findings in {told['with_findings']} of {told['documents']} "
              f"documents: {out} (holds personal data)")  # fmt: skip
    return 0


def sample(params: Params, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """Documents that all stages so far kept: doc_id, source_id, text, lang.

    Those whose ids come first: ids are digests, so the choice is even and the same each time.

    Raises:
      StageError: where not even ingest has run.
    """
    folder = params.work / "ingest"
    names, corpus = load(folder, "ingest").shards, Corpus(str(params.work))
    before = STAGES[: STAGES.index("privacy")]
    done = [s for s in before if (params.work / s / "stage.json").is_file()][-1]
    frames = [_listed(corpus, shard, done, wanted) for shard in names]
    first = pl.concat([_nothing(), *frames]).sort("doc_id").head(wanted.documents)
    yield _nothing().with_columns(text=pl.lit("")).select("doc_id", "source_id", "text", "lang")
    for shard in first["shard"].unique(maintain_order=True):
        mine = first.filter(pl.col("shard") == shard).select("doc_id", "lang")
        for batch in corpus.documents(shard, done, ["doc_id", "source_id", "text"]):
            yield batch.join(mine, on="doc_id", maintain_order="left")


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(("doc_id", "source_id", "lang", "shard"), pl.String))


def _listed(corpus: Corpus, shard: str, done: str, wanted: Wanted) -> pl.DataFrame:
    """The documents of a shard that are wanted: doc_id, source_id, lang, shard."""
    rows = (
        corpus.of_records("records", shard, ["doc_id", "source_id"])
        .join(corpus.kept(shard, done), on="doc_id", how="semi")
        .join(corpus.languages(shard), on="doc_id", how="left")
    )
    for column, value in (("lang", wanted.lang), ("source_id", wanted.source)):
        if value is not None:
            rows = rows.filter(pl.col(column) == value)
    return rows.with_columns(shard=pl.lit(shard))


def found(
    documents: pl.DataFrame, params: Params, register: Register, by: Scrubber
) -> pl.DataFrame:
    """The findings of the stage, with source_id and lang beside them."""
    homes = {i: s.jurisdiction for i, s in register.sources.items()}
    home = pl.col("source_id").replace_strict(homes, default=None, return_dtype=pl.String)
    about = documents.select("doc_id", "source_id", "lang")
    corpus = Corpus(str(params.work))
    said: dict[str, list[Span]] = {}
    for shard in load(params.work / "ingest", "ingest").shards:
        said |= whole_records.findings(corpus, shard, by, homes, documents["doc_id"])
    return by.find(documents.with_columns(jurisdiction=home), said).join(
        about, on="doc_id", maintain_order="left"
    )


def counts(documents: pl.DataFrame, findings: pl.DataFrame) -> dict[str, Any]:
    """How many findings there are, of which class, in which sources and languages; no value."""

    def by(*columns: str) -> list[dict[str, Any]]:
        grouped = findings.group_by(columns).agg(n=pl.len(), documents=pl.col("doc_id").n_unique())
        order = [True, *[False] * len(columns)]
        return grouped.sort("n", *columns, descending=order, nulls_last=True).to_dicts()

    return {
        "documents": documents.height,
        "with_findings": findings["doc_id"].n_unique(),
        "findings": findings.height,
        "classes": by("entity_type", "operator"),
        "sources": by("source_id"),
        "languages": by("lang"),
        "parts": by("entity_type", "source_id", "lang"),
    }


def chosen(findings: pl.DataFrame, most: int) -> pl.DataFrame:
    """doc_id of documents to show: one of each class, the rarest class first, then another of
    each, and so on; of a class, those with the fewest findings first."""
    per = findings.group_by("entity_type", "doc_id").len("hits").sort("hits", "doc_id")
    ranked = per.with_columns(
        turn=pl.int_range(pl.len()).over("entity_type"), rarity=pl.len().over("entity_type")
    ).sort("turn", "rarity", "entity_type")
    return ranked.select("doc_id").unique(maintain_order=True).head(most)


def _write(out: Path, page: str) -> None:
    """For the owner's eyes alone: it holds personal data."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    out.touch(0o600)
    out.write_text(page, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
