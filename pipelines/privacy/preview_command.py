"""`tamga privacy preview`: show on a page what the privacy stage would replace; change nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import polars as pl

from lineage.configuration import load_both
from lineage.storage import disk
from pipelines.corpus.stage_tables import Corpus
from pipelines.dedup.boilerplate_lines import merge_removals
from pipelines.engine import batches
from pipelines.engine.command_line import at_least_one
from pipelines.engine.published import load
from pipelines.personal_data import preconditions
from pipelines.personal_data.findings import Span
from pipelines.personal_data.scrub import scrubber
from pipelines.privacy import preview_page, whole_records
from pipelines.privacy.outcomes import decide
from pipelines.privacy.preview_page import Counts
from schemas import command_line
from schemas.command_entry import with_exit_code
from schemas.errors import Invalid
from schemas.params import Params
from schemas.privacy import PrivacyParams
from schemas.register import Register
from schemas.stages import FIRST, earlier, previous
from schemas.tables import FINDINGS, REPEATED

EPILOG = """examples:
  tamga privacy preview
  tamga privacy preview --lang kk --class IBAN_CODE --class PHONE_NUMBER
  tamga privacy preview --source kz-bilik --documents 500 --out work/preview/bilik.html
  tamga privacy preview --json

The command reads documents that the stages so far kept.  It uses the `privacy` section of the
parameters file as it is now.  Change the section and run the command again to compare.

The page shows the original texts with all personal data.  It is only for the persons who set the
rules.  By default it lies in `work`; `tamga clean` removes it there.  --json prints counts only.
With more than 64 shards, the command reads a sample of 64.

Exit codes: 0 done, 1 no stage has run, 2 wrong usage, parameters or register."""

DOCUMENTS: Final = 2000
SHOWN: Final = 40
SHARDS: Final = 64


@dataclass(frozen=True)
class Selection:
    """The documents to read: how many, of which language, of which source (None: any)."""

    documents: int
    lang: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Sample:
    """The documents that the preview reads.

    Attributes:
      documents: doc_id, uri, source_id, text, lang.
      removals: the passages that `dedup` removes from them.
      split_shards: the shards whose documents may be parts of records.
    """

    documents: pl.DataFrame
    removals: pl.DataFrame
    corpus: Corpus
    split_shards: tuple[str, ...]


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = command_line.parser("privacy preview", __doc__, EPILOG)
    command_line.add_params(parser)
    add = parser.add_argument
    add("--documents", type=at_least_one, default=DOCUMENTS, metavar="N",
        help="how many documents to read, chosen by their ids (default: %(default)s)")  # fmt: skip
    add("--show", type=at_least_one, default=SHOWN, metavar="N",
        help="how many documents with findings the page shows (default: %(default)s)")  # fmt: skip
    add("--lang", metavar="CODE", help="only documents in this language")
    add("--source", metavar="ID", help="only documents of this source")
    add(
        "--class",
        dest="classes",
        action="append",
        metavar="CLASS",
        help="only this class of personal data; can be repeated",
    )
    add("--out", type=Path, help="the file of the page (default: WORK/preview/privacy.html)")
    add(
        "--json", action="store_true", help="print the counts as JSON; write a page only with --out"
    )
    options = parser.parse_args(argv)
    return _preview(options, parser)


def _preview(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    params, register = load_both(options.params)
    if wrong := preconditions.problems(params, register.sources):
        raise Invalid(wrong)
    for values, known, kind in (
        ([options.source] if options.source else [], register.sources, "source"),
        (
            options.classes or [],
            preconditions.known_classes(params.privacy),
            "class of personal data",
        ),
    ):
        if unknown := sorted(set(values) - set(known)):
            parser.error(f"unknown {kind} {unknown[0]!r}; known: {', '.join(sorted(known))}")
    out = options.out or params.work / "preview" / "privacy.html"
    if why := why_not_writable(out, params):
        parser.error(f"--out {out}: {why}; name another file")
    selection = Selection(options.documents, options.lang, options.source)
    sample = sample_documents(params, selection)
    findings, dropped = find_in_sample(sample, register, params.privacy)
    if options.classes:
        findings = findings.filter(pl.col("entity_type").is_in(options.classes))
    documents = sample.documents
    counts = count_findings(documents, findings, dropped)
    if options.json:
        print(json.dumps(counts, ensure_ascii=False, indent=1))
    if options.json and not options.out:
        return 0
    ids = choose_documents(findings, options.show)
    shown = documents.join(ids, on="doc_id", how="semi")
    _write(out, preview_page.render_page(counts, shown.to_dicts(), findings.join(ids, on="doc_id")))
    if not options.json:
        print(f"{findings.height} findings in {counts['with_findings']} of {documents.height} "
              f"documents: {out} (contains personal data)")  # fmt: skip
    return 0


def why_not_writable(out: Path, params: Params) -> str | None:
    """Return why a page with personal data must not be written to `out`; None: it may."""
    place = out.resolve()
    for folder, kind in ((params.releases, "releases"), (params.register, "register")):
        if place.is_relative_to(folder.resolve()):
            return f"the folder of the {kind} must not contain personal data"
    if place.is_dir():
        return "the path is a folder"
    if place.exists() and preview_page.TITLE.encode() not in place.read_bytes()[:2000]:
        return "the existing file is not a preview"
    return None


def sample_documents(params: Params, selection: Selection) -> Sample:
    """Choose documents that all stages so far kept.

    The sample has the first ids of at most `SHARDS` shards.  Shards are ordered by the digest of
    their names, and ids are digests.  So the choice is uniform, and the same each time.

    Raises:
      StageError: ingest has not run.
    """
    names = sorted(load(params.work / FIRST, FIRST).shards, key=_digest)[:SHARDS]
    corpus, done = Corpus(str(params.work)), last_stage(params.work)
    nothing = pl.DataFrame(
        schema=dict.fromkeys(("doc_id", "source_id", "lang", "shard"), pl.String)
    )
    listed = pl.concat(
        [nothing, *(_list_documents(corpus, shard, done, selection) for shard in names)]
    )
    first = listed.sort("doc_id").head(selection.documents)
    columns = ["doc_id", "uri", "source_id", "text"]
    documents = [pl.DataFrame(schema=dict.fromkeys([*columns, "lang"], pl.String))]
    removals = [batches.frame(FINDINGS.empty_table())]
    for shard in first["shard"].unique(maintain_order=True):
        wanted = first.filter(pl.col("shard") == shard).select("doc_id", "lang")
        batches_read = corpus.documents(shard, done, columns)
        documents += [b.join(wanted, on="doc_id", maintain_order="left") for b in batches_read]
        if done == previous("privacy"):
            removals.append(corpus.removals(shard).join(wanted, on="doc_id", how="semi"))
    split_shards = () if done == "ingest" else tuple(first["shard"].unique(maintain_order=True))
    return Sample(pl.concat(documents), pl.concat(removals), corpus, split_shards)


def last_stage(work: Path) -> str:
    """Return the last stage before `privacy` whose inputs are the present outputs of earlier stages.

    Raises:
      StageError: ingest has not run.
    """
    first, *others = earlier("privacy")
    done = {first: load(work / first, first).digest}
    for stage in others:
        run = work / stage / "run.json"
        inputs = disk.read_json(run)["inputs"] if run.is_file() else {}
        if any(inputs.get(name) != digest for name, digest in done.items()):
            break
        done[stage] = load(work / stage, stage).digest
    return [*done][-1]


def _digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def _list_documents(corpus: Corpus, shard: str, done: str, selection: Selection) -> pl.DataFrame:
    """Return the selected documents of a shard that the stages up to `done` kept.

    Columns: doc_id, source_id, lang, shard.
    """
    columns = ["doc_id", "source_id"]
    if done == "ingest":
        rows = corpus.table("ingest", "records", shard, columns)
        rows = rows.with_columns(lang=pl.lit(None, pl.String))
    else:
        rows = corpus.ingest_table("records", shard, columns).join(
            corpus.languages(shard), on="doc_id", how="left"
        )
    rows = rows.join(corpus.kept_ids(shard, done), on="doc_id", how="semi")
    for column, value in (("lang", selection.lang), ("source_id", selection.source)):
        if value is not None:
            rows = rows.filter(pl.col(column) == value)
    return rows.with_columns(shard=pl.lit(shard))


def find_in_sample(
    sample: Sample, register: Register, privacy: PrivacyParams
) -> tuple[pl.DataFrame, int]:
    """Find what the stage would replace in a sample.

    Returns:
      The findings with source_id and lang, and the number of documents that the stage would drop.
    """
    registered = register.sources

    def by_source(values: Mapping[str, str], default: str | None) -> pl.Expr:
        return pl.col("source_id").replace_strict(values, default=default, return_dtype=pl.String)

    homes = {i: s.jurisdiction for i, s in registered.items()}
    documents = sample.documents.with_columns(
        jurisdiction=by_source(homes, None),
        policy=by_source({i: s.personal_data for i, s in registered.items()}, "scrub"),
        chars=pl.col("text").str.len_chars(),
    )
    by = scrubber(privacy)
    record_spans: dict[str, list[Span]] = {}
    for shard in sample.split_shards:
        record_spans |= whole_records.find_in_records(
            sample.corpus, shard, by, homes, documents["doc_id"]
        )
    findings = merge_removals(by.find(documents, record_spans), sample.removals, documents)
    findings = findings.filter(~pl.col("entity_type").is_in(REPEATED))
    decided = decide(documents, findings, max_density=privacy.drop_density)
    sources = documents.select("doc_id", "source_id", "lang")
    with_sources = findings.join(sources, on="doc_id", maintain_order="left")
    return with_sources, decided.filter(pl.col("outcome") == "drop").height


def count_findings(documents: pl.DataFrame, findings: pl.DataFrame, dropped: int) -> Counts:
    """Count the findings by class, source and language; `dropped`: documents that would be dropped."""

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
        "dropped": dropped,
    }


def choose_documents(findings: pl.DataFrame, most: int) -> pl.DataFrame:
    """Choose at most `most` documents to show.

    Each round takes one document of each class, the rarest class first.  Within a class, documents
    with the fewest findings come first.

    Returns:
      doc_id, in the order of the choice.
    """
    per = findings.group_by("entity_type", "doc_id").len("hits").sort("hits", "doc_id")
    ranked = per.with_columns(
        turn=pl.int_range(pl.len()).over("entity_type"), rarity=pl.len().over("entity_type")
    ).sort("turn", "rarity", "entity_type")
    return ranked.select("doc_id").unique(maintain_order=True).head(most)


def _write(out: Path, page: str) -> None:
    """Write the page so that only its owner can read it: it contains personal data."""
    disk.write_bytes(out, page.encode(), mode=0o600)


if __name__ == "__main__":
    sys.exit(main())
