"""A fastText classifier of documents: what it is shown of a text, and what it says."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lineage.storage.disk import sha256_file
from schemas.errors import BAD_USAGE, TamgaError

if TYPE_CHECKING:
    from fasttext.FastText import _FastText

LABEL: Final = "__label__"
#: Characters of a text that a model is shown, from its start.
MAX_CHARS: Final = 3000


class ClassifierError(TamgaError):
    """A classifier's file that is not there or is not one; the message says what helps."""

    exit_code = BAD_USAGE


def to_model_lines(texts: pl.Series) -> pl.Series:
    """Texts as a model is shown them, in training and after: the first `SHOWN` characters, lower
    case, letters and numbers parted from punctuation, on one line."""
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
    """A fastText supervised model; loaded when first asked."""

    def __init__(self, path: Path, key: str) -> None:
        """`key` names the parameter that named the file, for messages.

        Raises:
          ClassifierError: where the file is not there.
        """
        self.path, self.key = path, key
        if not path.is_file():
            raise ClassifierError(
                f"{key}: {path} is not there; `tamga quality train` makes a model"
            )

    @cached_property
    def sha256(self) -> str:
        """The model file's digest, as it stands in lineage."""
        return sha256_file(self.path)

    @cached_property
    def model(self) -> _FastText:
        from fasttext.FastText import _FastText

        try:
            model = _FastText(str(self.path))
        except (ValueError, MemoryError, RuntimeError):
            raise ClassifierError(f"{self.key}: {self.path} is not a fastText model") from None
        if not self._labels(model):
            raise ClassifierError(f"{self.key}: {self.path} has no labels: it is no classifier")
        return model

    @property
    def labels(self) -> list[str]:
        """The labels, without fastText's prefix."""
        return self._labels(self.model)

    def check(self, label: str | None = None) -> None:
        """Raise ClassifierError unless the file is a classifier, and knows the label."""
        labels = self.labels
        if label is not None and label not in labels:
            known = ", ".join(sorted(labels)[:20])
            raise ClassifierError(f"{self.key}: {self.path} has no label {label!r}, but {known}")

    def probability(self, texts: pl.Series, label: str) -> pl.Series:
        """The probability of one label for each text; 0 for a text without a known word."""
        found = [dict(pairs).get(LABEL + label, 0.0) for pairs in self._predict(texts, -1)]
        return pl.Series("score", found, dtype=pl.Float32)

    def best(self, texts: pl.Series, floor: float) -> pl.Series:
        """The most probable label of each text, null below the floor."""
        found = [
            pairs[0][0].removeprefix(LABEL) if pairs and pairs[0][1] >= floor else None
            for pairs in self._predict(texts, 1)
        ]
        return pl.Series("label", found, dtype=pl.String)

    def _predict(self, texts: pl.Series, k: int) -> list[list[tuple[str, float]]]:
        lines = [line + "\n" for line in to_model_lines(texts).to_list()]
        if not lines:
            return []
        labels, scores = self.model.f.multilinePredict(lines, k, 0.0, "strict")
        # fastText rounds up to 1.00001
        return [
            list(zip(some, np.minimum(values, 1).tolist(), strict=True))
            for some, values in zip(labels, scores, strict=True)
        ]

    @staticmethod
    def _labels(model: _FastText) -> list[str]:
        return [name.removeprefix(LABEL) for name in model.labels if name.startswith(LABEL)]
