"""The guard at work: this run's yields held against the floors and the last release."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from lineage import manifest
from lineage.chain import NoRelease, Release
from pipelines import corpus, guard, ledger, yields
from pipelines.corpus import Corpus
from pipelines.guard import Shortfall
from pipelines.published import StageError, load
from pipelines.stage import Context
from pipelines.yields import Yields
from schemas.errors import Invalid, Problem
from schemas.params import Params


def measured(context: Context) -> Yields:
    """The yields of all stages before the release."""
    totals = {name: load(context.folder(name), name).totals for name in yields.BEFORE}
    return yields.measure(Corpus(str(context.params.work)), corpus.shards(context), totals)


def stop_if_short(context: Context, release: Path) -> None:
    """Let a run go on to the release that will stand in the folder `release`, or stop it.

    Raises:
      StageError: names all that falls short, each with the documents that explain it best.
    """
    params, now = context.params.guard, measured(context)
    last = last_release(context.params, release)
    before = _yields(last)
    if before:  # what was taken out of the register is not expected to yield
        before = before.of(context.register.sources.keys())
    short = guard.shortfalls(now, before, params)
    if not short:
        return
    lines = ["the guard stops the run; nothing was published"]
    for one in short:
        lines.append(f"guard: {one.told(params)}")
        lines += [f"  {line}" for line in _explained(context, last, one)]
    names = ", ".join(f'"{one.kind}:{one.name}"' for one in short)
    lines.append(f"if that is meant: `guard: {{allow: [{names}]}}` in the parameters")
    raise StageError("\n".join(lines))


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


def _yields(release: Path) -> Yields | None:
    """The yields that a release's manifest tells; None where there is none, or it tells none."""
    if not manifest.is_release(release):
        return None
    counts = json.loads((release / "manifest.json").read_bytes()).get("counts")
    return yields.from_json(counts.get("yields") if isinstance(counts, dict) else None)


def _explained(context: Context, last: Path, one: Shortfall) -> list[str]:
    """Where the documents of a shortfall ended; of a language also those that the last release had
    in it and that are now taken for another."""
    source, names = Corpus(str(context.params.work)), corpus.shards(context)
    records = pl.concat([yields.records(source, name) for name in names])
    column = {"source": "source_id", "language": "lang", "stage": "stage"}[one.kind]
    short = pl.col("outcome").is_not_null() & ~yields.barred()
    found = [records.filter(short & (pl.col(column) == one.name))]
    if one.kind == "language" and one.expected is not None:
        found.append(_relabelled(records, last, one.name))
    return ledger.told(pl.concat(found))


def _relabelled(records: pl.DataFrame, last: Path, lang: str) -> pl.DataFrame:
    try:
        before = Release(last, last).table("documents").select("doc_id", "lang").collect()
    except (NoRelease, OSError, pl.exceptions.PolarsError):
        return records.clear()
    mine = before.filter(pl.col("lang") == lang).select("doc_id")
    other = records.filter(pl.col("lang") != lang).join(mine, on="doc_id", how="semi")
    return other.with_columns(
        stage=pl.lit("language"),
        reason=pl.concat_str(pl.lit("taken for "), "lang"),
        rule=pl.lit("language"),
        evidence=pl.lit(ledger.evidence({"lang before": lang})),
    )
