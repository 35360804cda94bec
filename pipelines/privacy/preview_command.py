"""`tamga privacy preview`: what would be replaced, in colours, before anything is."""

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
from pipelines.dedup.boilerplate_lines import merged
from pipelines.engine import batches
from pipelines.engine.command_line import at_least_one
from pipelines.engine.published import load
from pipelines.personal_data import policy
from pipelines.personal_data.findings import Span
from pipelines.personal_data.scrub import scrubber
from pipelines.privacy import preview_page, whole_records
from pipelines.privacy.decisions import decide
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
  tamga privacy preview --lang kk --class IBAN --class PHONE
  tamga privacy preview --source kz-bilik --documents 500 --out work/preview/bilik.html
  tamga privacy preview --json

It looks at documents that the stages so far kept, by the `privacy` section of the parameters as it
stands now: change it, and look again.  The page shows texts as they were read, with all personal
data: it is for the eyes of those who set the rules, and stays in `work`, where `tamga clean`
removes it.  --json prints counts alone.  Where there are more than 64 shards, 64 are drawn.

Exit codes: 0 shown, 1 no stage has run, 2 wrong usage, parameters or register."""

DOCUMENTS: Final = 2000
SHOWN: Final = 40
SHARDS: Final = 64


@dataclass(frozen=True)
class Wanted:
    """What is looked at: so many documents, of a language, of a source (None: any)."""

    documents: int
    lang: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Sample:
    """Documents (doc_id, uri, source_id, text, lang), what `dedup` removes from them, and the shards
    of those that may be parts of records."""

    documents: pl.DataFrame
    removals: pl.DataFrame
    corpus: Corpus
    parted: tuple[str, ...]


@with_exit_code
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
    return _preview(options, parser)


def _preview(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    params, register = load_both(options.params)
    if wrong := policy.problems(params, register.sources):
        raise Invalid(wrong)
    for named, known, what in (
        ([options.source] if options.source else [], register.sources, "source"),
        (options.classes or [], policy.known_classes(params.privacy), "class of personal data"),
    ):
        if unknown := sorted(set(named) - set(known)):
            parser.error(f"no {what} {unknown[0]!r}; known: {', '.join(sorted(known))}")
    out = options.out or params.work / "preview" / "privacy.html"
    if why := why_not_writable(out, params):
        parser.error(f"--out {out}: {why}; name another file")
    some = sample_documents(params, Wanted(options.documents, options.lang, options.source))
    findings, dropped = find_in_sample(some, register, params.privacy)
    if options.classes:
        findings = findings.filter(pl.col("entity_type").is_in(options.classes))
    documents = some.documents
    told = count_findings(documents, findings) | {"dropped": dropped}
    if options.json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    if options.json and not options.out:
        return 0
    ids = choose_documents(findings, options.show)
    shown = documents.join(ids, on="doc_id", how="semi")
    _write(out, preview_page.render_page(told, shown.to_dicts(), findings.join(ids, on="doc_id")))
    if not options.json:
        print(f"{findings.height} findings in {told['with_findings']} of {documents.height} "
              f"documents: {out} (holds personal data)")  # fmt: skip
    return 0


def why_not_writable(out: Path, params: Params) -> str | None:
    """Why a page with personal data must not be written there; None: it may."""
    place = out.resolve()
    for folder, what in ((params.releases, "releases"), (params.register, "the register")):
        if place.is_relative_to(folder.resolve()):
            return f"it lies among {what}" if folder == params.releases else f"it lies in {what}"
    if place.is_dir():
        return "it is a folder"
    if place.exists() and preview_page.TITLE.encode() not in place.read_bytes()[:2000]:
        return "a file is there that is no preview"
    return None


def sample_documents(params: Params, wanted: Wanted) -> Sample:
    """Documents that all stages so far kept.

    Of at most `SHARDS` shards, those whose ids come first: names and ids are digested, so the
    choice is even and the same each time.

    Raises:
      StageError: where not even ingest has run.
    """
    names = sorted(load(params.work / FIRST, FIRST).shards, key=_digest)[:SHARDS]
    corpus, done = Corpus(str(params.work)), last_stage(params.work)
    nothing = pl.DataFrame(
        schema=dict.fromkeys(("doc_id", "source_id", "lang", "shard"), pl.String)
    )
    listed = pl.concat(
        [nothing, *(_list_documents(corpus, shard, done, wanted) for shard in names)]
    )
    first = listed.sort("doc_id").head(wanted.documents)
    columns = ["doc_id", "uri", "source_id", "text"]
    documents = [pl.DataFrame(schema=dict.fromkeys([*columns, "lang"], pl.String))]
    removals = [batches.frame(FINDINGS.empty_table())]
    for shard in first["shard"].unique(maintain_order=True):
        mine = first.filter(pl.col("shard") == shard).select("doc_id", "lang")
        read = corpus.documents(shard, done, columns)
        documents += [one.join(mine, on="doc_id", maintain_order="left") for one in read]
        if done == previous("privacy"):
            removals.append(corpus.removals(shard).join(mine, on="doc_id", how="semi"))
    parted = () if done == "ingest" else tuple(first["shard"].unique(maintain_order=True))
    return Sample(pl.concat(documents), pl.concat(removals), corpus, parted)


def last_stage(work: Path) -> str:
    """The last stage before `privacy` that ran on what those before it have left there.

    Raises:
      StageError: where not even ingest has run.
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


def _list_documents(corpus: Corpus, shard: str, done: str, wanted: Wanted) -> pl.DataFrame:
    """The documents of a shard that are wanted: doc_id, source_id, lang, shard."""
    columns = ["doc_id", "source_id"]
    if done == "ingest":
        rows = corpus.table("ingest", "records", shard, columns)
        rows = rows.with_columns(lang=pl.lit(None, pl.String))
    else:
        rows = corpus.of_records("records", shard, columns).join(
            corpus.languages(shard), on="doc_id", how="left"
        )
    rows = rows.join(corpus.kept(shard, done), on="doc_id", how="semi")
    for column, value in (("lang", wanted.lang), ("source_id", wanted.source)):
        if value is not None:
            rows = rows.filter(pl.col(column) == value)
    return rows.with_columns(shard=pl.lit(shard))


def find_in_sample(
    some: Sample, register: Register, rules: PrivacyParams
) -> tuple[pl.DataFrame, int]:
    """The findings that the stage would replace, with source_id and lang beside them; and how many
    of the documents it would drop for them."""
    sources = register.sources

    def of(values: Mapping[str, str], otherwise: str | None) -> pl.Expr:
        return pl.col("source_id").replace_strict(values, default=otherwise, return_dtype=pl.String)

    homes = {i: s.jurisdiction for i, s in sources.items()}
    documents = some.documents.with_columns(
        jurisdiction=of(homes, None),
        policy=of({i: s.personal_data for i, s in sources.items()}, "scrub"),
        chars=pl.col("text").str.len_chars(),
    )
    by = scrubber(rules)
    said: dict[str, list[Span]] = {}
    for shard in some.parted:
        said |= whole_records.find_in_records(some.corpus, shard, by, homes, documents["doc_id"])
    findings = merged(by.find(documents, said), some.removals, documents)
    findings = findings.filter(~pl.col("entity_type").is_in(REPEATED))
    judged = decide(documents, findings, max_density=rules.drop_density)
    about = documents.select("doc_id", "source_id", "lang")
    beside = findings.join(about, on="doc_id", maintain_order="left")
    return beside, judged.filter(pl.col("outcome") == "drop").height


def count_findings(documents: pl.DataFrame, findings: pl.DataFrame) -> dict[str, Any]:
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


def choose_documents(findings: pl.DataFrame, most: int) -> pl.DataFrame:
    """doc_id of documents to show: one of each class, the rarest class first, then another of
    each, and so on; of a class, those with the fewest findings first."""
    per = findings.group_by("entity_type", "doc_id").len("hits").sort("hits", "doc_id")
    ranked = per.with_columns(
        turn=pl.int_range(pl.len()).over("entity_type"), rarity=pl.len().over("entity_type")
    ).sort("turn", "rarity", "entity_type")
    return ranked.select("doc_id").unique(maintain_order=True).head(most)


def _write(out: Path, page: str) -> None:
    """For the owner's eyes alone: it holds personal data."""
    disk.write_bytes(out, page.encode(), mode=0o600)


if __name__ == "__main__":
    sys.exit(main())
