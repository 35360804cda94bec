"""Find documents that hold parts of evaluation sets (`dedup.decontaminate`).

A document is contaminated if it shares a run of `words` words of key views with an item of a set.
The default of 13 words follows Brown et al. 2020, appendix C. An item of fewer words matches only a
document that consists of it. The evidence counts runs and holds none of their words.
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
    """The runs of words of evaluation sets, to look for in batches of documents."""

    def __init__(self, sets: Sequence[EvaluationSet]) -> None:
        self._sets = [(evaluation, _run_hashes(evaluation)) for evaluation in sets]

    def find(self, words: shingles.Words) -> pl.DataFrame:
        """Look for the sets in n texts.

        Returns:
          `COLUMNS`, n rows: the name of the set with most runs in the text, null if there is none;
          and as JSON how many runs of each set the text holds.
        """
        count = len(words.offsets) - 1
        shared = np.zeros((count, len(self._sets)), np.int64)
        for column, (evaluation, runs) in enumerate(self._sets):
            grams = shingles.shingle(words, evaluation.words)
            inside = np.concatenate([[0], np.cumsum(np.isin(grams.hashes, runs))])
            shared[:, column] = np.diff(inside[grams.offsets])
        names: list[str | None] = [None] * count
        counts: list[str | None] = [None] * count
        for row in np.flatnonzero(shared.any(axis=1)).tolist():
            by_set = {s.name: n for (s, _), n in zip(self._sets, shared[row].tolist(), strict=True)}
            names[row] = max(sorted(by_set), key=by_set.__getitem__)
            counts[row] = json.dumps({k: n for k, n in sorted(by_set.items()) if n})
        return pl.DataFrame({"contaminated": names, "contamination": counts}, schema=COLUMNS)


def read_items(evaluation: EvaluationSet) -> pl.Series:
    """Read the texts of a set: a field of JSON Lines or Parquet, or the lines of a text file.

    Raises:
      ValueError: the message says what is wrong with the file.
    """
    path = Path(evaluation.path)
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
    if evaluation.field not in frame.columns:
        raise ValueError(f"has no field {evaluation.field}; its fields: {', '.join(frame.columns)}")
    if frame[evaluation.field].dtype != pl.String:
        raise ValueError(f"its field {evaluation.field} holds no texts")
    return frame[evaluation.field]


def check_sets(sets: Sequence[EvaluationSet], params: Path) -> None:
    """Check that all sets can be read.

    Args:
      sets: the evaluation sets.
      params: the parameters' file, for the message.

    Raises:
      Invalid: with a problem for each set that cannot be read.
    """
    problems = []
    for evaluation in sets:
        try:
            read_items(evaluation)
        except ValueError as error:
            where = f"dedup.decontaminate {evaluation.name}"
            problems.append(Problem(str(params), None, where, f"{evaluation.path}: {error}"))
    if problems:
        raise Invalid(problems)


def _run_hashes(evaluation: EvaluationSet) -> np.ndarray:
    """Return the distinct hashes of the runs of words in a set's items."""
    grams = shingles.shingle(read_items(evaluation), evaluation.words)
    return np.unique(grams.hashes)
