"""A source, a language or a stage that falls to nearly nothing, or far below the last release.

Functions over counts, see `pipelines.corpus.yields`; nothing here reads a document.

A source, language or stage falls short where it keeps less than `min_keep_share` of what it was
handed, or less than `1 - max_fall` of what it would have kept had each source yielded as in the
last release; also a source of which nothing is seen any more.  Where fewer than `min_documents`
were handed in or are to be expected, nothing is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lineage import manifest
from lineage.release_folder import ReleaseFolder
from lineage.storage import release_files
from lineage.storage.release_tables import NoRelease
from pipelines.corpus import stage_tables, yields
from pipelines.corpus.stage_tables import Corpus
from pipelines.corpus.yields import Yields
from pipelines.engine import decisions
from pipelines.engine.context import Context
from pipelines.engine.published import StageError, load
from schemas.errors import Invalid, Problem
from schemas.params import Params
from schemas.sections import GuardParams
from schemas.stages import DECIDING


@dataclass(frozen=True)
class Shortfall:
    """`kind`: source, language or stage; `expected`: how many would have been kept by the last
    release's yields, None where the floor is what it fell under."""

    kind: str
    name: str
    seen: int
    kept: int
    expected: float | None = None

    def told(self, params: GuardParams) -> str:
        """What is wrong, with the parameter that says so."""
        what = f"{self.kind} {self.name}: {self.kept} kept of {self.seen}"
        if self.expected is None:
            least = f"{params.min_keep_share:.2%}"
            return f"{what}; at least {least} is wanted (guard.min_keep_share)"
        least = f"{1 - params.max_fall:.0%}"
        return (
            f"{what}; by the last release {self.expected:.0f} are to be expected, and at least "
            f"{least} of that is wanted (guard.max_fall)"
        )


def shortfalls(now: Yields, last: Yields | None, params: GuardParams) -> list[Shortfall]:
    """All that falls short and is not allowed to, each once, by kind and name."""
    found = {(s.kind, s.name): s for s in _fallen(now, last, params)} if last else {}
    found |= {(s.kind, s.name): s for s in _under(now, params)}
    return [s for key, s in sorted(found.items()) if not params.allows(s.kind, s.name)]


def _kinds(yields: Yields) -> Iterator[tuple[str, str, int, int]]:
    """(kind, name, seen, kept) of all stages, sources and languages."""
    for kind, column in (("source", "source_id"), ("language", "lang")):
        named = yields.cells.filter(pl.col(column).is_not_null())
        for name, seen, kept in (
            named.group_by(column).agg(pl.col("seen", "kept").sum()).iter_rows()
        ):
            yield kind, name, seen, kept
    for name, (seen, kept) in yields.stages.items():
        yield "stage", name, seen, kept


def _under(now: Yields, params: GuardParams) -> Iterator[Shortfall]:
    for kind, name, seen, kept in _kinds(now):
        if seen >= params.min_documents and kept < params.min_keep_share * seen:
            yield Shortfall(kind, name, seen, kept)


def _fallen(now: Yields, last: Yields, params: GuardParams) -> Iterator[Shortfall]:
    here = {(kind, name): (seen, kept) for kind, name, seen, kept in _kinds(now)}
    for kind, name, expected in _expected(now, last):
        seen, kept = here.get((kind, name), (0, 0))
        if expected >= params.min_documents and kept < (1 - params.max_fall) * expected:
            yield Shortfall(kind, name, seen, kept, expected)


def _expected(now: Yields, last: Yields) -> Iterator[tuple[str, str, float]]:
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
    for kind, column in (("source", "source_id"), ("language", "lang")):
        named = cells.filter(pl.col(column).is_not_null())
        sums = named.group_by(column).agg(pl.col("expected").fill_nan(0.0).sum())
        for name, expected in sums.iter_rows():
            yield kind, name, expected
    for name, (seen, kept) in last.stages.items():
        if seen and name in now.stages:
            yield "stage", name, now.stages[name][0] * kept / seen


def measured(context: Context) -> Yields:
    """The yields of all stages before the release."""
    totals = {name: load(context.folder(name), name).totals for name in DECIDING}
    return yields.measure(Corpus(str(context.params.work)), stage_tables.shards(context), totals)


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
    short = shortfalls(now, before, params)
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
    counts = json.loads((release / release_files.MANIFEST).read_bytes()).get("counts")
    return yields.from_json(counts.get("yields") if isinstance(counts, dict) else None)


def _explained(context: Context, last: Path, one: Shortfall) -> list[str]:
    """Where the documents of a shortfall ended; of a language also those that the last release had
    in it and that are now taken for another."""
    source, names = Corpus(str(context.params.work)), stage_tables.shards(context)
    records = pl.concat([yields.records(source, name) for name in names])
    column = {"source": "source_id", "language": "lang", "stage": "stage"}[one.kind]
    short = pl.col("outcome").is_not_null() & ~yields.barred()
    found = [records.filter(short & (pl.col(column) == one.name))]
    if one.kind == "language" and one.expected is not None:
        found.append(_relabelled(records, last, one.name))
    return decisions.told(pl.concat(found))


def _relabelled(records: pl.DataFrame, last: Path, lang: str) -> pl.DataFrame:
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
