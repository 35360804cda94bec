"""The statistics that quality rules limit.  A batch is measured in one pass over its code points.

The families Gopher (Rae et al. 2021, arXiv 2112.11446), C4 (Raffel et al. 2020, JMLR 21) and
FineWeb (Penedo et al. 2024, arXiv 2406.17557) count English tokens.  Here a word is a run of
letters, marks, digits and apostrophes.  In scripts without spaces each letter is a word.  Shares
are of characters or words, so they mean the same in all languages:

  mean_word_length        characters, of words that begin with a letter; null in unspaced scripts
  digit_, symbol_, emoji_, odd_share    of the characters that are not spaces
  code_share              of the same, {}=<>_\\^ without an equal neighbour
  number_share            of words, those that begin with a digit
  stop_word_share         of words, those in the language's list; null without a list
  long_run_share          of characters, those in runs without a space longer than LONG
  short_line_share        of lines, those of up to SHORT_LINE characters that are not closed
  closed_line_share       of lines, those that end like a sentence
  bullet_line_share       of lines, those that begin with a bullet and are not closed
  ellipsis_line_share     of lines, those that end with an ellipsis
  duplicate_line_share, duplicate_paragraph_share    of characters, those in repeated ones
  top_<n>gram_share       of words, those in the most frequent sequence of n words
  duplicate_<n>gram_share    of all sequences of n words, those that occurred before
  marker_rate             occurrences of MARKERS per 100 words
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.quality import repeats, stop_words
from pipelines.quality.characters import KIND, KINDS, hashes, kinds
from schemas.tables import QUALITY

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: At most this many characters of a document are measured: of a longer one, evenly spread windows.
LIMIT: Final = 1 << 20
WINDOWS: Final = 16
#: Characters measured at a time: the arrays stay in the processor's cache.
CHUNK: Final = 1 << 18
#: Words and addresses in prose are shorter than `LONG`.  Lines up to `SHORT_LINE` are labels.
LONG, SHORT_LINE = 60, 30
ORDERS: Final = (2, 3, 4, 5, 10)
#: From this share of letters of unspaced scripts on, lengths of words and runs mean nothing.
UNSPACED: Final = 0.1
#: Phrases that replace a page's text: filler, and the notice of a page that needs a script.  The
#: search ignores case in ASCII only, so other phrases lack the first letter, which can be a capital.
MARKERS: Final = (
    "lorem ipsum",
    "enable javascript",
    "javascript is disabled",
    "javascript is required",
    "requires javascript",
    "ключите javascript",
    "ключить javascript",
    "javascript отключен",
    "вімкніть javascript",
)

#: Name -> type, as in the table `quality`.
STATISTICS: Final[dict[str, pl.DataType]] = {
    name: kind
    for name, kind in pl.Schema(QUALITY).items()
    if name not in ("doc_id", "domain", "domain_by", "score", "failed")
}

_WORDY = np.array([k in ("letter", "apostrophe", "unspaced", "digit") for k in KINDS])
_BLANK = np.array([k in ("newline", "space") for k in KINDS])
_CLOSED = np.array([k in ("terminal", "closing", "ellipsis") for k in KINDS])


class Spans(NamedTuple):
    """Runs of characters: where they start and end, and the document that each belongs to."""

    starts: I64
    ends: I64
    owner: I64


def measure(texts: pl.Series, languages: Sequence[str | None]) -> pl.DataFrame:
    """Measure each text.

    Args:
      texts: n strings; null counts as empty.
      languages: n language codes, for the lists of function words.

    Returns:
      n rows with the columns of `STATISTICS`.  A statistic that has no meaning for a text is null.
      Of a text longer than `LIMIT` characters, `WINDOWS` windows are measured; `n_words` and
      `n_lines` are then estimates, `n_chars` is exact.
    """
    full = texts.cast(pl.String).fill_null("").rename("text")
    lengths = full.str.len_chars().cast(pl.Int64).to_numpy()
    windows = spread_windows(full, lengths)
    chunks = [
        _measure_chunk(windows[first:last], languages[first:last])
        for first, last in _chunks(np.minimum(lengths, LIMIT))
    ]
    measured = pl.concat(chunks) if chunks else pl.DataFrame(schema=STATISTICS)
    scale = pl.Series("scale", np.maximum(lengths / LIMIT, 1.0))
    markers = full.str.head(LIMIT).str.find_many([*MARKERS], ascii_case_insensitive=True).list.len()
    return measured.with_columns(
        n_chars=pl.Series(lengths),
        n_words=(pl.col("n_words") * scale).round().cast(pl.Int64),
        n_lines=(pl.col("n_lines") * scale).round().cast(pl.Int64),
        marker_rate=markers * 100 / pl.max_horizontal("n_words", 1),
    ).select(pl.col(name).cast(kind) for name, kind in STATISTICS.items())


def spread_windows(texts: pl.Series, lengths: I64) -> pl.Series:
    """Replace texts longer than `LIMIT` characters by evenly spread windows of them."""
    long = np.flatnonzero(lengths > LIMIT)
    if not len(long):
        return texts
    size = LIMIT // WINDOWS - 1
    cut = [
        "\n".join(
            text[start : start + size]
            for start in np.linspace(0, len(text) - size, WINDOWS).astype(int).tolist()
        )
        for text in texts.gather(long)
    ]
    return texts.scatter(long, pl.Series(cut, dtype=pl.String))


def _chunks(lengths: I64) -> Iterator[tuple[int, int]]:
    """Yield (first, last): rows of about `CHUNK` characters, and at most `repeats.DOCUMENTS`."""
    ends, first = np.cumsum(lengths), 0
    while first < len(lengths):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + CHUNK, "right")))
        last = min(last, first + repeats.DOCUMENTS)
        yield first, last
        first = last


def _measure_chunk(texts: pl.Series, languages: Sequence[str | None]) -> pl.DataFrame:
    """Measure each text of a chunk; see `measure`."""
    n = len(texts)
    joined = "\n" + "\n".join(texts.to_list()) + "\n"
    codes = np.frombuffer(joined.encode("utf-32-le", "replace"), np.uint32)
    lengths = texts.str.len_chars().cast(pl.Int64).to_numpy()
    bounds = np.concatenate(([0], np.cumsum(lengths + 1)))  # the newline before each document
    kind = kinds(codes)
    counted = _count_kinds(kind, bounds, n)
    solid = np.maximum(lengths - counted["newline"] - counted["space"], 1)
    unspaced = counted["unspaced"] / solid > UNSPACED
    prefix = np.concatenate((np.zeros(1, np.uint64), hashes(codes)))
    prefix[1:] *= _powers(len(codes))
    np.cumsum(prefix, out=prefix)
    runs = _spans(~_BLANK[kind], bounds)
    length = runs.ends - runs.starts
    long = np.flatnonzero(length > LONG)
    long_share = np.bincount(runs.owner[long], length[long], n) / solid
    words = _words(kind, bounds)
    statistics = {
        "digit_share": counted["digit"] / solid,
        "symbol_share": (counted["symbol"] + counted["code"] + counted["bullet"]) / solid,
        "emoji_share": counted["emoji"] / solid,
        "code_share": _count_code(codes, kind, bounds) / solid,
        "odd_share": counted["odd"] / solid,
        "long_run_share": _nan_unless(~unspaced, long_share),
        **_word_statistics(
            words=words,
            kind=kind,
            hashed=_hash(prefix, words),
            languages=languages,
            unspaced=unspaced,
        ),
        **_line_statistics(kind, runs, prefix, n),
    }
    return pl.DataFrame({k: pl.Series(v, nan_to_null=True) for k, v in statistics.items()})


def _count_code(codes: npt.NDArray[np.uint32], kind: npt.NDArray[np.uint8], bounds: I64) -> I64:
    """Count the characters of the kind `code` in each document.

    Characters with an equal neighbour are left out, because a line of = or _ is only a rule.
    """
    code = np.flatnonzero(kind == KIND["code"])
    code = code[(codes[code] != codes[code - 1]) & (codes[code] != codes[code + 1])]
    return np.bincount(np.searchsorted(bounds, code, "right") - 1, minlength=len(bounds) - 1)


def _word_statistics(
    words: Spans,
    kind: npt.NDArray[np.uint8],
    hashed: U64,
    languages: Sequence[str | None],
    unspaced: Mask,
) -> dict[str, npt.NDArray[Any]]:
    """Measure words and their sequences.

    Args:
      words: the words of all documents.
      kind: the kind of each character.
      hashed: the hash of each word.
      languages: the language of each of n documents.
      unspaced: (n,) whether a document's lengths of words mean nothing.
    """
    n = len(languages)
    n_words = np.bincount(words.owner, minlength=n)
    number = kind[words.starts] == KIND["digit"]
    lexical = np.flatnonzero(~number & (kind[words.starts] != KIND["unspaced"]))
    n_lexical = np.bincount(words.owner[lexical], minlength=n)
    letters = np.bincount(words.owner[lexical], (words.ends - words.starts)[lexical], n)
    stops = stop_words.count_stop_words(hashed, words.owner, languages)
    listed = np.array([language in stop_words.word_lists() for language in languages])
    mean_length = letters / np.maximum(n_lexical, 1)
    statistics = {
        "n_words": n_words,
        "mean_word_length": _nan_unless((n_lexical > 0) & ~unspaced, mean_length),
        "number_share": np.bincount(words.owner[number], minlength=n) / np.maximum(n_words, 1),
        "stop_word_share": _nan_unless(listed & (n_words > 0), stops / np.maximum(n_words, 1)),
    }
    for order, counts in repeats.ngrams(hashed, words.owner, n, ORDERS).items():
        if order < 5:
            most = np.where(counts.most > 1, counts.most * order, 0)
            statistics[f"top_{order}gram_share"] = np.minimum(most / np.maximum(n_words, 1), 1)
        else:
            repeated = (counts.total - counts.distinct) / np.maximum(counts.total, 1)
            statistics[f"duplicate_{order}gram_share"] = repeated
    return statistics


def _count_kinds(kind: npt.NDArray[np.uint8], bounds: I64, n: int) -> dict[str, I64]:
    """Count the characters of each kind in each document, without the newline before it."""
    base = np.repeat(np.arange(n) * len(KINDS), np.diff(bounds))
    base += kind[:-1]
    table = np.bincount(base, minlength=n * len(KINDS)).reshape(n, len(KINDS))
    table[:, KIND["newline"]] -= 1
    return {name: table[:, i] for i, name in enumerate(KINDS)}


def _words(kind: npt.NDArray[np.uint8], bounds: I64) -> Spans:
    """Find the words; each letter of an unspaced script is a word."""
    wordy, alone = _WORDY[kind], kind == KIND["unspaced"]
    if not alone.any():
        return _spans(wordy, bounds)
    joined = wordy[1:] & wordy[:-1] & ~alone[1:] & ~alone[:-1]
    starts = np.flatnonzero(wordy[1:] & ~joined) + 1
    ends = np.flatnonzero(wordy[:-1] & ~joined) + 1
    return Spans(starts, ends, _owner(starts, bounds))


def _spans(inside: Mask, bounds: I64) -> Spans:
    """Find the runs of True; the first and the last value must be False."""
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    return Spans(edges[::2], edges[1::2], _owner(edges[::2], bounds))


def _owner(starts: I64, bounds: I64) -> I64:
    """Return the document of each run."""
    return np.repeat(np.arange(len(bounds) - 1), np.diff(np.searchsorted(starts, bounds)))


def _line_statistics(
    kind: npt.NDArray[np.uint8], runs: Spans, prefix: U64, n: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Measure lines and paragraphs.

    Args:
      kind: the kind of each character.
      runs: the runs without a space.
      prefix: see `_hash`.
      n: how many documents there are.
    """
    place = np.searchsorted(np.flatnonzero(kind == KIND["newline"]), runs.starts)
    first = np.flatnonzero(np.diff(place, prepend=-1))
    last = np.append(first[1:], len(place)) - 1 if len(first) else first
    lines = Spans(runs.starts[first], runs.ends[last], runs.owner[first])
    n_lines = np.bincount(lines.owner, minlength=n)
    size = lines.ends - lines.starts
    ending = kind[lines.ends - 1]
    dots = (ending == KIND["terminal"]) & (size > 2)
    for back in (2, 3):  # an ellipsis of three terminals
        dots[dots] = kind[lines.ends[dots] - back] == KIND["terminal"]
    closed = _CLOSED[ending]

    def share(chosen: Mask) -> npt.NDArray[np.float64]:
        return np.bincount(lines.owner[chosen], minlength=n) / np.maximum(n_lines, 1)

    begins = np.diff(place[first], prepend=-2) > 1
    begins |= np.diff(lines.owner, prepend=-1) != 0
    head = np.flatnonzero(begins)
    tail = np.append(head[1:], len(begins)) - 1 if len(head) else head
    paragraphs = Spans(lines.starts[head], lines.ends[tail], lines.owner[head])
    return {
        "n_lines": n_lines.astype(np.float64),
        "short_line_share": share((size <= SHORT_LINE) & ~closed),
        "closed_line_share": share(closed),
        "bullet_line_share": share((kind[lines.starts] == KIND["bullet"]) & ~closed),
        "ellipsis_line_share": share((ending == KIND["ellipsis"]) | dots),
        "duplicate_line_share": repeats.repeated_share(_hash(prefix, lines), size, lines.owner, n),
        "duplicate_paragraph_share": repeats.repeated_share(
            _hash(prefix, paragraphs), paragraphs.ends - paragraphs.starts, paragraphs.owner, n
        ),
    }


def _hash(prefix: U64, spans: Spans) -> U64:
    """Hash spans by Horner's rule; equal texts have equal hashes at all places.

    Args:
      prefix: the sums of the characters' hashes times powers of the base, up to each character.
    """
    total = prefix[spans.ends] - prefix[spans.starts]
    total *= _powers(len(prefix), inverse=True)[spans.starts]
    return total


def _nan_unless(known: Mask, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the values, NaN where they have no meaning."""
    return np.where(known, values, np.nan)


_POWERS: dict[bool, U64] = {}


def _powers(count: int, inverse: bool = False) -> U64:
    """Return the first `count` powers of the base or its inverse, from a cache."""
    known = _POWERS.get(inverse)
    if known is None or len(known) < count:
        known = _POWERS[inverse] = stop_words.powers(max(count, CHUNK * 2), inverse)
    return known[:count]
