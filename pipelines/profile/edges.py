"""What was measured of documents against a threshold, and the documents that stand at its edge.

A decision's evidence says what was measured: a language's `score` against its `floor`, a
duplicate's `similarity` against the `threshold`, and of any other rule a `value`, or the first of
those in `failed`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from lineage.release_folder import ReleaseFolder
from schemas.stages import STAGES, TEXTS

#: Documents shown on either side of a threshold, and characters of each that is shown.
SHOWN: Final = 3
EXCERPT: Final = 320
#: Stage -> (name of the value, name of the threshold).
_NAMES: Final = {
    "language": ("score", "floor"),
    "dedup": ("similarity", "threshold"),
}
_OTHER: Final = ("value", "threshold")


def read_measurements(release: ReleaseFolder) -> pl.DataFrame:
    """gauge (a stage, or a rule of one), stage, doc_id, kept, value, threshold, lang, other (the
    copy that stayed), a row per measurement; what was compared with itself is left out."""
    listed = pl.col("evidence").str.contains('"failed"', literal=True)
    decisions = release.table("decisions").filter(pl.col("stage") != "ingest")
    parts = [
        _read(decisions.filter(pl.col("stage") == stage), pl.col("stage"), *names)
        for stage, names in _NAMES.items()
    ]
    compared = pl.col("evidence").str.contains('"threshold"', literal=True)
    rest = decisions.filter(~pl.col("stage").is_in(list(_NAMES)) & compared)
    parts += [
        _read(rest.filter(~listed), pl.col("rule"), *_OTHER),
        _read(rest.filter(listed), pl.col("rule"), *(f"failed[0].{key}" for key in _OTHER)),
    ]
    rows: pl.DataFrame = pl.concat(parts).collect()
    return rows.filter(
        pl.col("value").is_finite(), (pl.col("other") != pl.col("doc_id")).fill_null(True)
    )


def _read(rows: pl.LazyFrame, gauge: pl.Expr, value: str, threshold: str) -> pl.LazyFrame:
    def told(key: str) -> pl.Expr:
        return pl.col("evidence").str.json_path_match(f"$.{key}")

    return rows.select(
        "stage",
        "doc_id",
        gauge=gauge,
        kept=pl.col("outcome") == "keep",
        value=told(value).cast(pl.Float64, strict=False),
        threshold=told(threshold).cast(pl.Float64, strict=False),
        lang=told("lang"),
        other=told("kept_doc_id"),
    )


def histogram(values: np.ndarray, steps: np.ndarray) -> list[dict[str, Any]]:
    """least, below and n of each bin; values outside count in the first or last."""
    counts, _ = np.histogram(np.clip(values, steps[0], steps[-1]), steps)
    return [
        {"least": float(a), "below": float(b), "n": int(n)}
        for a, b, n in zip(steps[:-1], steps[1:], counts, strict=True)
    ]


def gauges(rows: pl.DataFrame, unit: np.ndarray) -> list[dict[str, Any]]:
    """Of each gauge: name, what is measured, how many, thresholds, a histogram of kept and ended.

    Args:
      rows: see `measured`.
      unit: the bins of values between 0 and 1; others are spread over what was found.
    """
    out = []
    groups = sorted(rows.group_by("stage", "gauge"), key=lambda g: (STAGES.index(g[0][0]), g[0][1]))
    for (stage, name), some in groups:
        values = some["value"].to_numpy()
        within = float(values.min()) >= 0 and float(values.max()) <= 1
        low, high = float(values.min()), float(values.max())
        steps = unit if within else np.linspace(low, high if high > low else low + 1, len(unit))
        kept = some["kept"].to_numpy()
        found = zip(histogram(values[kept], steps), histogram(values[~kept], steps), strict=True)
        thresholds = some["threshold"].drop_nulls().unique().sort()
        out.append(
            {
                "stage": stage,
                "gauge": name,
                "measure": _NAMES.get(str(stage), _OTHER)[0],
                "kept": int(kept.sum()),
                "ended": int((~kept).sum()),
                "thresholds": thresholds.head(SHOWN * SHOWN).to_list(),
                "bins": [a | {"ended": b["n"]} for a, b in found],
                "examples": nearest(some).to_dicts(),
            }
        )
    return out


def nearest(rows: pl.DataFrame) -> pl.DataFrame:
    """The documents nearest to the threshold, `SHOWN` of those kept and of those that ended."""
    far = (pl.col("value") - pl.col("threshold")).abs()
    ordered = rows.with_columns(far=far).sort("kept", "far", "doc_id", nulls_last=True)
    first = ordered.group_by("kept", maintain_order=True).head(SHOWN)
    return first.select("doc_id", "kept", "value", "threshold", "lang", "other")


def excerpts(release: ReleaseFolder, ids: list[str]) -> dict[str, str]:
    """doc_id -> how its released text begins; those that were not released are absent."""
    named = release.table("documents").filter(pl.col("doc_id").is_in(ids))
    out = {}
    for doc_id, shard, row in named.select("doc_id", "shard", "row").collect().iter_rows():
        rows = pl.scan_parquet(release.folder / shard, hive_partitioning=False).slice(row, 1)
        out[doc_id] = rows.select(_begin()).collect().item()
    return out


def raw_excerpts(work: Path, ids: list[str]) -> dict[str, str]:
    """The same of the texts as they were read, personal data included: from the work folder."""
    out: dict[str, str] = {}
    whole, parts = (sorted((work / s / "documents").glob("*.parquet")) for s in TEXTS)
    for path in [*whole, *parts]:  # of a record that was split its part is what was looked at
        with pq.ParquetFile(path) as file:
            here = pl.Series(file.read(["doc_id"]).column("doc_id").to_pylist(), dtype=pl.String)
        if here.is_in(ids).any():
            rows = pl.scan_parquet(path, hive_partitioning=False).filter(
                pl.col("doc_id").is_in(ids)
            )
            out |= dict(rows.select("doc_id", _begin()).collect().iter_rows())
    return out


def _begin() -> pl.Expr:
    text = pl.col("text").cast(pl.String)
    cut = text.str.len_chars() > EXCERPT
    return text.str.head(EXCERPT) + pl.when(cut).then(pl.lit("…")).otherwise(pl.lit(""))
