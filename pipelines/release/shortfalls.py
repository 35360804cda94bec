"""What a run would release too little of: its yields, beside those of the last release.

`pipelines.corpus.yields` counts and `pipelines.engine.guard` judges; this module brings both runs
together, and names the documents behind a shortfall.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import polars as pl

from lineage import manifest
from lineage.release_folder import ReleaseFolder
from lineage.storage import release_files
from lineage.storage.release_tables import NoRelease
from pipelines.corpus import stage_tables, yields
from pipelines.corpus.stage_tables import Corpus
from pipelines.corpus.yields import Yields
from pipelines.engine import decisions, guard
from pipelines.engine.context import Context
from pipelines.engine.guard import Count, Kind, Shortfall
from pipelines.engine.published import load
from schemas.errors import Invalid, Problem
from schemas.params import Params
from schemas.stages import DECIDING

#: Kind -> the column of `Yields.cells` that names it.
_COLUMNS: Final[Mapping[Kind, str]] = {"source": "source_id", "language": "lang"}


def yield_counts(now: Yields, last: Yields | None) -> list[Count]:
    """The stages, sources and languages of a run, and those that the last release had."""
    here = {(kind, name): (seen, kept) for kind, name, seen, kept in _kind_yields(now)}
    expected = {(kind, name): n for kind, name, n in _expected_counts(now, last)} if last else {}
    return [
        Count(*key, *here.get(key, (0, 0)), expected=expected.get(key))
        for key in here | dict.fromkeys(expected)
    ]


def _kind_yields(yields: Yields) -> Iterator[tuple[Kind, str, int, int]]:
    """(kind, name, seen, kept) of all stages, sources and languages."""
    for kind, column in _COLUMNS.items():
        named = yields.cells.filter(pl.col(column).is_not_null())
        for name, seen, kept in (
            named.group_by(column).agg(pl.col("seen", "kept").sum()).iter_rows()
        ):
            yield kind, name, seen, kept
    for name, (seen, kept) in yields.stages.items():
        yield "stage", name, seen, kept


def _expected_counts(now: Yields, last: Yields) -> Iterator[tuple[Kind, str, float]]:
    """(kind, name, how many would be kept) had each source and stage yielded as it did.

    A source that is barred is not expected to yield; one of which there is no record at all is
    expected to yield what it did.
    """
    by_source = [
        y.cells.group_by("source_id").agg(pl.col("barred", "seen").sum()) for y in (now, last)
    ]
    rates = last.cells.select("source_id", "lang", "kept").join(
        by_source[0].join(by_source[1], on="source_id", how="right", suffix="_last"),
        on="source_id",
    )
    gone = pl.col("seen").is_null()
    share = pl.col("kept") / pl.col("seen_last")
    cells = rates.with_columns(
        expected=pl.when(gone)
        .then(pl.col("kept").cast(pl.Float64))
        .otherwise(share * pl.col("seen"))
    )
    for kind, column in _COLUMNS.items():
        named = cells.filter(pl.col(column).is_not_null())
        sums = named.group_by(column).agg(pl.col("expected").fill_nan(0.0).sum())
        for name, expected in sums.iter_rows():
            yield kind, name, expected
    for name, (seen, kept) in last.stages.items():
        if seen and name in now.stages:
            yield "stage", name, now.stages[name][0] * kept / seen


def run_yields(context: Context) -> Yields:
    """The yields of all stages before the release."""
    totals = {name: load(context.folder(name), name).totals for name in DECIDING}
    return yields.measure_yields(
        Corpus(str(context.params.work)), stage_tables.shard_names(context), totals
    )


def stop_if_short(context: Context, release: Path) -> None:
    """Stop a run before it releases much less than it should in the folder `release`.

    Raises:
      StageError: names all that falls short, each with the documents that explain it best.
    """
    last = last_release(context.params, release)
    before = _manifest_yields(last)
    if before:  # what was taken out of the register is not expected to yield
        before = before.of_sources(context.register.sources.keys())
    guard.stop_if_short(
        yield_counts(run_yields(context), before),
        context.params.guard,
        stage="release",
        explain=lambda one: _explain(context, last, one),
    )


def last_release(params: Params, release: Path) -> Path:
    """The folder of the last release: `guard.against`, else what stands in the place of `release`,
    if anything does.

    Raises:
      Invalid: where `guard.against` is no release.
    """
    named = params.guard.against
    folder = params.root / Path(named).expanduser() if named else release
    if named and not manifest.is_release(folder):
        where = str(params.path)
        raise Invalid([Problem(where, None, "guard.against", "no release is there", named)])
    return folder


def _manifest_yields(release: Path) -> Yields | None:
    """The yields in a release's manifest; None where there is no manifest, or it holds none."""
    if not manifest.is_release(release):
        return None
    about = json.loads((release / release_files.MANIFEST).read_bytes()).get("counts")
    return yields.from_json(about.get("yields") if isinstance(about, dict) else None)


def _explain(context: Context, last: Path, found: Shortfall) -> list[str]:
    """Where the documents of a shortfall ended; of a language also those that the last release had
    in it and that are now taken for another."""
    count = found.count
    source, names = Corpus(str(context.params.work)), stage_tables.shard_names(context)
    records = pl.concat([yields.record_endings(source, name) for name in names])
    column = _COLUMNS.get(count.kind, "stage")
    short = pl.col("outcome").is_not_null() & ~yields.is_barred()
    ended = [records.filter(short & (pl.col(column) == count.name))]
    if count.kind == "language" and found.limit == "max_fall":
        ended.append(_relabelled_documents(records, last, count.name))
    return decisions.explain(pl.concat(ended))


def _relabelled_documents(records: pl.DataFrame, last: Path, lang: str) -> pl.DataFrame:
    try:
        before = ReleaseFolder(last, last).table("documents").select("doc_id", "lang").collect()
    except (NoRelease, OSError, pl.exceptions.PolarsError):
        return records.clear()
    mine = before.filter(pl.col("lang") == lang).select("doc_id")
    other = records.filter(pl.col("lang") != lang).join(mine, on="doc_id", how="semi")
    return other.with_columns(
        stage=pl.lit("language"),
        reason=pl.concat_str(pl.lit("taken for "), "lang"),
        rule=pl.lit("language"),
        evidence=pl.lit(decisions.evidence({"lang before": lang})),
    )
