"""A fastText classifier of documents."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lineage.storage.disk import sha256_file
from pipelines.text.fasttext_file import find_defect
from schemas.errors import BAD_USAGE, TamgaError

if TYPE_CHECKING:
    from fasttext.FastText import _FastText

LABEL: Final = "__label__"
#: The model reads this many characters from the start of a text.
MAX_CHARS: Final = 3000


class ClassifierError(TamgaError):
    """A classifier's file is missing or is not a classifier; the message names the remedy."""

    exit_code = BAD_USAGE


def to_model_lines(texts: pl.Series) -> pl.Series:
    """Convert texts to a model's input, for training and for prediction.

    A line holds the first `MAX_CHARS` characters in lower case, with spaces between words and
    punctuation.
    """
    return (
        texts.cast(pl.String)
        .fill_null("")
        .str.head(MAX_CHARS)
        .str.to_lowercase()
        .str.replace_all(r"([^\p{L}\p{M}\p{N}\s'\u{2bb}\u{2bc}])", " $1 ")
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
        .str.replace_all(LABEL, "label", literal=True)
    )


class Classifier:
    """A fastText supervised model.  Loads the model at its first use."""

    def __init__(self, path: Path, key: str) -> None:
        """Check that the file exists.

        Args:
          path: the model's file.
          key: the parameter that names the file, for messages.

        Raises:
          ClassifierError: the file is missing.
        """
        self.path, self.key = path, key
        if not path.is_file():
            raise ClassifierError(
                f"{key}: {path} is missing; correct the path, or make a model with "
                "`tamga quality train`"
            )

    @cached_property
    def sha256(self) -> str:
        """The digest of the model's file, as recorded in lineage."""
        return sha256_file(self.path)

    @cached_property
    def model(self) -> _FastText:
        from fasttext.FastText import _FastText

        if defect := find_defect(self.path):
            raise ClassifierError(f"{self.key}: {self.path} {defect}")
        try:
            model = _FastText(str(self.path))
        except (ValueError, MemoryError, RuntimeError):
            raise ClassifierError(f"{self.key}: {self.path} is not a fastText model") from None
        if not self._labels(model):
            raise ClassifierError(
                f"{self.key}: {self.path} has no labels, so it is not a classifier"
            )
        return model

    @property
    def labels(self) -> list[str]:
        """The labels, without fastText's prefix."""
        return self._labels(self.model)

    def check(self, label: str | None = None) -> None:
        """Load the model.

        Args:
          label: a label that the model must have.

        Raises:
          ClassifierError: the file is not a classifier, or has no such label.
        """
        labels = self.labels
        if label is not None and label not in labels:
            known = ", ".join(sorted(labels)[:20])
            raise ClassifierError(
                f"{self.key}: {self.path} has no label {label!r}; its labels are {known}"
            )

    def probability(self, texts: pl.Series, label: str) -> pl.Series:
        """Return the probability of a label for each text; 0 for a text without a known word."""
        scores = [dict(pairs).get(LABEL + label, 0.0) for pairs in self._predict(texts, -1)]
        return pl.Series("score", scores, dtype=pl.Float32)

    def best_label(self, texts: pl.Series, floor: float) -> pl.Series:
        """Return the most probable label of each text, null below the floor."""
        best = [
            pairs[0][0].removeprefix(LABEL) if pairs and pairs[0][1] >= floor else None
            for pairs in self._predict(texts, 1)
        ]
        return pl.Series("label", best, dtype=pl.String)

    def _predict(self, texts: pl.Series, k: int) -> list[list[tuple[str, float]]]:
        """Return the `k` most probable labels of each text with their probabilities; -1: all."""
        lines = [line + "\n" for line in to_model_lines(texts).to_list()]
        if not lines:
            return []
        labels, scores = self.model.f.multilinePredict(lines, k, 0.0, "strict")
        # fastText returns values up to 1.00001.
        return [
            list(zip(names, np.minimum(values, 1).tolist(), strict=True))
            for names, values in zip(labels, scores, strict=True)
        ]

    @staticmethod
    def _labels(model: _FastText) -> list[str]:
        return [name.removeprefix(LABEL) for name in model.labels if name.startswith(LABEL)]
