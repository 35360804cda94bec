"""Documents that hold parts of evaluation sets: `dedup.decontaminate`.

A document is contaminated where it shares a run of `words` words of key views with an item of a
set: 13 as in Brown et al. 2020, appendix C.  An item of fewer words is found only where it is the
whole document.  Evidence counts runs and holds none of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.text import shingles
from schemas.errors import Invalid, Problem
from schemas.sections import EvaluationSet

COLUMNS = {"contaminated": pl.String, "contamination": pl.String}


class ContaminationFinder:
    """The runs of words of evaluation sets, to be looked for in batches of documents."""

    def __init__(self, sets: Sequence[EvaluationSet]) -> None:
        self._sets = [(one, _run_hashes(one)) for one in sets]

    def find(self, words: shingles.Words) -> pl.DataFrame:
        """n texts -> `FOUND`: the name of the set of which each holds most runs, null for none, and
        as JSON how many of each set."""
        number = len(words.offsets) - 1
        held = np.zeros((number, len(self._sets)), np.int64)
        for column, (one, runs) in enumerate(self._sets):
            grams = shingles.shingle(words, one.words)
            inside = np.concatenate([[0], np.cumsum(np.isin(grams.hashes, runs))])
            held[:, column] = np.diff(inside[grams.offsets])
        names: list[str | None] = [None] * number
        told: list[str | None] = [None] * number
        for row in np.flatnonzero(held.any(axis=1)).tolist():
            counts = {s.name: n for (s, _), n in zip(self._sets, held[row].tolist(), strict=True)}
            names[row] = max(sorted(counts), key=counts.__getitem__)
            told[row] = json.dumps({k: n for k, n in sorted(counts.items()) if n})
        return pl.DataFrame({"contaminated": names, "contamination": told}, schema=COLUMNS)


def read_items(one: EvaluationSet) -> pl.Series:
    """The texts of a set: a field of JSON Lines or Parquet, or the lines of a text file.

    Raises:
      ValueError: what is wrong with the file, and what helps.
    """
    path = Path(one.path)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    try:
        if kind == "txt":
            return pl.Series(path.read_text("utf-8").splitlines(), dtype=pl.String)
        if kind == "parquet":
            frame = pl.read_parquet(path)
        elif kind in ("jsonl", "ndjson"):
            frame = pl.read_ndjson(path.read_bytes() if kind == path.suffix[1:] else path)
        else:
            raise ValueError("its name must end in .jsonl, .ndjson, .parquet or .txt")
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"cannot be read: {type(error).__name__}") from None
    if one.field not in frame.columns:
        raise ValueError(f"has no field {one.field}, but {', '.join(frame.columns)}")
    if frame[one.field].dtype != pl.String:
        raise ValueError(f"its field {one.field} holds no texts")
    return frame[one.field]


def check_sets(sets: Sequence[EvaluationSet], params: Path) -> None:
    """Raises `Invalid` with what is wrong with any of the sets."""
    problems = []
    for one in sets:
        try:
            read_items(one)
        except ValueError as error:
            where = f"dedup.decontaminate {one.name}"
            problems.append(Problem(str(params), None, where, f"{one.path}: {error}"))
    if problems:
        raise Invalid(problems)


def _run_hashes(one: EvaluationSet) -> np.ndarray:
    grams = shingles.shingle(read_items(one), one.words)
    return np.unique(grams.hashes)
