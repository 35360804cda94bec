"""Find what a run would release too little of, compared with the last release.

`pipelines.corpus.yields` counts the documents, and `pipelines.engine.guard` judges the counts. This
module compares both runs and names the documents behind a shortfall.
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
    """Return the counts that the guard judges.

    There is a count for each stage, source and language of the run and of the last release.
    """
    here = {(kind, name): (seen, kept) for kind, name, seen, kept in _kind_yields(now)}
    expected = {(kind, name): n for kind, name, n in _expected_counts(now, last)} if last else {}
    return [
        Count(*key, *here.get(key, (0, 0)), expected=expected.get(key))
        for key in here | dict.fromkeys(expected)
    ]


def _kind_yields(yields: Yields) -> Iterator[tuple[Kind, str, int, int]]:
    """Yield (kind, name, seen, kept) of all stages, sources and languages."""
    for kind, column in _COLUMNS.items():
        named = yields.cells.filter(pl.col(column).is_not_null())
        for name, seen, kept in (
            named.group_by(column).agg(pl.col("seen", "kept").sum()).iter_rows()
        ):
            yield kind, name, seen, kept
    for name, (seen, kept) in yields.stages.items():
        yield "stage", name, seen, kept


def _expected_counts(now: Yields, last: Yields) -> Iterator[tuple[Kind, str, float]]:
    """Yield (kind, name, how many would be kept at the rates of the last release).

    A barred source is expected to keep nothing. A source without any record is expected to keep
    what it kept in the last release.
    """
    by_source = [
        y.cells.group_by("source_id").agg(pl.col("barred", "seen").sum()) for y in (now, last)
    ]
    rates = last.cells.select("source_id", "lang", "kept").join(
        by_source[0].join(by_source[1], on="source_id", how="right", suffix="_last"),
        on="source_id",
    )
    absent = pl.col("seen").is_null()
    share = pl.col("kept") / pl.col("seen_last")
    cells = rates.with_columns(
        expected=pl.when(absent)
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
    """Measure the yields of all stages before the release."""
    totals = {name: load(context.folder(name), name).totals for name in DECIDING}
    return yields.measure_yields(
        Corpus(str(context.params.work)), stage_tables.shard_names(context), totals
    )


def stop_if_short(context: Context, release: Path) -> None:
    """Stop a run that would release much less than the last release.

    Args:
      context: the run.
      release: the folder of the release.

    Raises:
      StageError: names each shortfall, with the documents that explain it best.
    """
    last = last_release(context.params, release)
    before = _manifest_yields(last)
    if before:  # sources that left the register are not expected to yield
        before = before.of_sources(context.register.sources.keys())
    guard.stop_if_short(
        yield_counts(run_yields(context), before),
        context.params.guard,
        stage="release",
        explain=lambda shortfall: _explain(context, last, shortfall),
    )


def last_release(params: Params, release: Path) -> Path:
    """Return the folder of the last release: `guard.against`, else `release` itself.

    The folder may be missing if `guard.against` is not set.

    Raises:
      Invalid: if `guard.against` is not a release.
    """
    named = params.guard.against
    folder = params.root / Path(named).expanduser() if named else release
    if named and not manifest.is_release(folder):
        where = str(params.path)
        raise Invalid(
            [Problem(where, None, "guard.against", "must name the folder of a release", named)]
        )
    return folder


def _manifest_yields(release: Path) -> Yields | None:
    """Read the yields in a release's manifest; None if there is no manifest or it holds none."""
    if not manifest.is_release(release):
        return None
    about = json.loads((release / release_files.MANIFEST).read_bytes()).get("counts")
    return yields.from_json(about.get("yields") if isinstance(about, dict) else None)


def _explain(context: Context, last: Path, shortfall: Shortfall) -> list[str]:
    """Describe where the documents of a shortfall ended.

    For a language this includes documents of the last release that now have another language.
    """
    count = shortfall.count
    corpus, names = Corpus(str(context.params.work)), stage_tables.shard_names(context)
    records = pl.concat([yields.record_endings(corpus, name) for name in names])
    column = _COLUMNS.get(count.kind, "stage")
    short = pl.col("outcome").is_not_null() & ~yields.is_barred()
    ended = [records.filter(short & (pl.col(column) == count.name))]
    if count.kind == "language" and shortfall.limit == "max_fall":
        ended.append(_relabelled_documents(records, last, count.name))
    return decisions.explain(pl.concat(ended))


def _relabelled_documents(records: pl.DataFrame, last: Path, lang: str) -> pl.DataFrame:
    """Return the records that were in a language in the last release and are in another now."""
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
