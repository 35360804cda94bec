"""Values of documents that were compared with a threshold, and the documents next to it.

The values come from the evidence of decisions.  The evidence holds a language's `score` and `floor`,
or a duplicate's `similarity` and `threshold`.  All other rules have a `value` and a `threshold`, or
a list `failed` of such pairs, of which the first is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from lineage.release_folder import ReleaseFolder
from schemas.stages import STAGES, TEXTS

#: The documents shown on each side of a threshold, and the characters shown of each.
SHOWN: Final = 3
EXCERPT: Final = 320
#: Stage -> (name of the value, name of the threshold).
_NAMES: Final = {
    "language": ("score", "floor"),
    "dedup": ("similarity", "threshold"),
}
_OTHER: Final = ("value", "threshold")


def read_measurements(release: ReleaseFolder) -> pl.DataFrame:
    """Read the measurements of a release.

    Returns:
      A row per measurement: gauge (a stage or a rule), stage, doc_id, kept, value, threshold, lang,
      other (the kept copy of a duplicate).  The kept copies themselves are left out.
    """
    listed = pl.col("evidence").str.contains('"failed"', literal=True)
    decisions = release.table("decisions").filter(pl.col("stage") != "ingest")
    frames = [
        _read(decisions.filter(pl.col("stage") == stage), pl.col("stage"), *names)
        for stage, names in _NAMES.items()
    ]
    compared = pl.col("evidence").str.contains('"threshold"', literal=True)
    rest = decisions.filter(~pl.col("stage").is_in(list(_NAMES)) & compared)
    frames += [
        _read(rest.filter(~listed), pl.col("rule"), *_OTHER),
        _read(rest.filter(listed), pl.col("rule"), *(f"failed[0].{key}" for key in _OTHER)),
    ]
    rows: pl.DataFrame = pl.concat(frames).collect()
    return rows.filter(
        pl.col("value").is_finite(), (pl.col("other") != pl.col("doc_id")).fill_null(True)
    )


def _read(rows: pl.LazyFrame, gauge: pl.Expr, value: str, threshold: str) -> pl.LazyFrame:
    """Read measurements; `value` and `threshold` are JSON paths in the evidence."""

    def evidence(key: str) -> pl.Expr:
        return pl.col("evidence").str.json_path_match(f"$.{key}")

    return rows.select(
        "stage",
        "doc_id",
        gauge=gauge,
        kept=pl.col("outcome") == "keep",
        value=evidence(value).cast(pl.Float64, strict=False),
        threshold=evidence(threshold).cast(pl.Float64, strict=False),
        lang=evidence("lang"),
        other=evidence("kept_doc_id"),
    )


def histogram(values: np.ndarray, steps: np.ndarray) -> list[dict[str, Any]]:
    """Return least, below and n of each bin.  Values outside count in the first or the last bin."""
    counts, _ = np.histogram(np.clip(values, steps[0], steps[-1]), steps)
    return [
        {"least": float(a), "below": float(b), "n": int(n)}
        for a, b, n in zip(steps[:-1], steps[1:], counts, strict=True)
    ]


def gauges(rows: pl.DataFrame, unit: np.ndarray) -> list[dict[str, Any]]:
    """Describe each gauge: name, measure, counts, thresholds, a histogram, and examples.

    Args:
      rows: see `read_measurements`.
      unit: the edges of bins for values between 0 and 1.  Other values get bins from their least
        to their greatest.
    """
    out = []
    groups = sorted(rows.group_by("stage", "gauge"), key=lambda g: (STAGES.index(g[0][0]), g[0][1]))
    for (stage, name), group in groups:
        values = group["value"].to_numpy()
        within = float(values.min()) >= 0 and float(values.max()) <= 1
        low, high = float(values.min()), float(values.max())
        steps = unit if within else np.linspace(low, high if high > low else low + 1, len(unit))
        kept = group["kept"].to_numpy()
        bins = zip(histogram(values[kept], steps), histogram(values[~kept], steps), strict=True)
        thresholds = group["threshold"].drop_nulls().unique().sort()
        out.append(
            {
                "stage": stage,
                "gauge": name,
                "measure": _NAMES.get(str(stage), _OTHER)[0],
                "kept": int(kept.sum()),
                "ended": int((~kept).sum()),
                "thresholds": thresholds.head(SHOWN * SHOWN).to_list(),
                "bins": [a | {"ended": b["n"]} for a, b in bins],
                "examples": nearest(group).to_dicts(),
            }
        )
    return out


def nearest(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the documents nearest to the threshold: `SHOWN` that were kept and `SHOWN` that were not."""
    distance = (pl.col("value") - pl.col("threshold")).abs()
    ordered = rows.with_columns(distance=distance).sort(
        "kept", "distance", "doc_id", nulls_last=True
    )
    first = ordered.group_by("kept", maintain_order=True).head(SHOWN)
    return first.select("doc_id", "kept", "value", "threshold", "lang", "other")


def excerpts(release: ReleaseFolder, ids: list[str]) -> dict[str, str]:
    """Return doc_id -> the beginning of its released text, for released documents."""
    named = release.table("documents").filter(pl.col("doc_id").is_in(ids))
    out = {}
    for doc_id, shard, row in named.select("doc_id", "shard", "row").collect().iter_rows():
        rows = pl.scan_parquet(release.folder / shard, hive_partitioning=False).slice(row, 1)
        out[doc_id] = rows.select(_beginning()).collect().item()
    return out


def raw_excerpts(work: Path, ids: list[str]) -> dict[str, str]:
    """Return doc_id -> the beginning of its text as read, from the work folder.

    These texts can hold personal data.
    """
    out: dict[str, str] = {}
    records, parts = (sorted((work / s / "documents").glob("*.parquet")) for s in TEXTS)
    for path in [*records, *parts]:  # for a split record, the text of its part replaces it
        with pq.ParquetFile(path) as file:
            here = pl.Series(file.read(["doc_id"]).column("doc_id").to_pylist(), dtype=pl.String)
        if here.is_in(ids).any():
            rows = pl.scan_parquet(path, hive_partitioning=False).filter(
                pl.col("doc_id").is_in(ids)
            )
            out |= dict(rows.select("doc_id", _beginning()).collect().iter_rows())
    return out


def _beginning() -> pl.Expr:
    """The first `EXCERPT` characters of the text."""
    text = pl.col("text").cast(pl.String)
    cut = text.str.len_chars() > EXCERPT
    return text.str.head(EXCERPT) + pl.when(cut).then(pl.lit("…")).otherwise(pl.lit(""))
