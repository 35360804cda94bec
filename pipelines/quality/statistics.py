"""The figures of documents that quality rules judge, all of a batch in one pass over code points.

Where the families Gopher (Rae et al. 2021, arXiv 2112.11446), C4 (Raffel et al. 2020, JMLR 21)
and FineWeb (Penedo et al. 2024, arXiv 2406.17557) count English tokens, here a word is a run of
letters, marks, digits and apostrophes, and each letter a word in scripts that write without
spaces; shares are of characters or words, so that they mean the same in all languages:

  mean_word_length        characters, of words that begin with a letter; null in unspaced scripts
  digit_, symbol_, emoji_, odd_share    of the characters that are no space
  code_share              of the same, {}=<>_\\^ that stand beside no other of their kind
  number_share            of words, those that begin with a digit
  stop_word_share         of words, those in the language's list; null where it has none
  long_run_share          of characters, those in runs without a space longer than LONG
  short_line_share        of lines, those up to SHORT_LINE characters and open at their end
  closed_line_share       of lines, those that end as a sentence does
  bullet_line_share       of lines, those that begin with a bullet and are open at their end
  ellipsis_line_share     of lines
  duplicate_line_share, duplicate_paragraph_share    of characters, in parts that stood before
  top_<n>gram_share       of words, those in the commonest sequence of n words
  duplicate_<n>gram_share    of all sequences of n words, those that stood before
  marker_rate             how many of MARKERS there are, per 100 words
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.quality import repeats, stop_words
from pipelines.quality.characters import KIND, KINDS, hashes, kinds
from schemas.tables import QUALITY

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Characters of a document that are judged; of a longer one, windows spread over all of it.
LIMIT: Final = 1 << 20
WINDOWS: Final = 16
#: Characters measured at a time: the arrays stay near the processor.
CHUNK: Final = 1 << 18
#: A run without a space that no word or address reaches in prose; a line that is a label.
LONG, SHORT_LINE = 60, 30
ORDERS: Final = (2, 3, 4, 5, 10)
#: Share of letters of unspaced scripts from which lengths of words and runs say nothing.
UNSPACED: Final = 0.1
#: What stands where a page's text should be: filler, and the words of an empty page's script.
#: Case does not count for ASCII alone, so other words lack the first letter, which may be large.
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
    """Where runs of characters begin and end, and whose they are."""

    starts: I64
    ends: I64
    owner: I64


def measure(texts: pl.Series, languages: Sequence[str | None]) -> pl.DataFrame:
    """The figures of each text.

    Args:
      texts: n strings; null counts as empty.
      languages: n language codes, for the lists of function words.

    Returns:
      n rows with the columns of `STATISTICS`.  Of a text longer than `LIMIT` characters, all but
      `n_chars` is found on `WINDOWS` windows spread over it, and `n_words` and `n_lines` are
      estimates; what has no meaning for a text is null.
    """
    full = texts.cast(pl.String).fill_null("").rename("text")
    lengths = full.str.len_chars().cast(pl.Int64).to_numpy()
    judged = spread_windows(full, lengths)
    parts = [
        _measure(judged[first:last], languages[first:last])
        for first, last in _chunks(np.minimum(lengths, LIMIT))
    ]
    empty = pl.DataFrame(schema=STATISTICS)
    found = pl.concat(parts) if parts else empty
    scale = pl.Series("scale", np.maximum(lengths / LIMIT, 1.0))
    markers = full.str.head(LIMIT).str.find_many([*MARKERS], ascii_case_insensitive=True).list.len()
    return found.with_columns(
        n_chars=pl.Series(lengths),
        n_words=(pl.col("n_words") * scale).round().cast(pl.Int64),
        n_lines=(pl.col("n_lines") * scale).round().cast(pl.Int64),
        marker_rate=markers * 100 / pl.max_horizontal("n_words", 1),
    ).select(pl.col(name).cast(kind) for name, kind in STATISTICS.items())


def spread_windows(texts: pl.Series, lengths: I64) -> pl.Series:
    """Texts of at most `LIMIT` characters as they are; of longer ones, evenly spread windows."""
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
    """Rows first to last of about `CHUNK` characters, and of no more documents than keys hold."""
    ends, first = np.cumsum(lengths), 0
    while first < len(lengths):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + CHUNK, "right")))
        last = min(last, first + repeats.DOCUMENTS)
        yield first, last
        first = last


def _measure(texts: pl.Series, languages: Sequence[str | None]) -> pl.DataFrame:
    n = len(texts)
    joined = "\n" + "\n".join(texts.to_list()) + "\n"
    codes = np.frombuffer(joined.encode("utf-32-le", "replace"), np.uint32)
    lengths = texts.str.len_chars().cast(pl.Int64).to_numpy()
    bounds = np.concatenate(([0], np.cumsum(lengths + 1)))  # each document's newline before it
    kind = kinds(codes)
    counted = _count(kind, bounds, n)
    code = np.flatnonzero(kind == KIND["code"])  # a rule of = or _ is none
    code = code[(codes[code] != codes[code - 1]) & (codes[code] != codes[code + 1])]
    n_code = np.bincount(np.searchsorted(bounds, code, "right") - 1, minlength=n)
    solid = np.maximum(lengths - counted["newline"] - counted["space"], 1)
    words = _words(kind, bounds)
    prefix = np.concatenate((np.zeros(1, np.uint64), hashes(codes)))
    prefix[1:] *= _powers(len(codes))
    np.cumsum(prefix, out=prefix)
    hashed = _hash(prefix, words)
    n_words = np.bincount(words.owner, minlength=n)
    number = kind[words.starts] == KIND["digit"]
    lexical = np.flatnonzero(~number & (kind[words.starts] != KIND["unspaced"]))
    n_lexical = np.bincount(words.owner[lexical], minlength=n)
    letters = np.bincount(words.owner[lexical], (words.ends - words.starts)[lexical], n)
    runs = _spans(~_BLANK[kind], bounds)
    length = runs.ends - runs.starts
    long = np.flatnonzero(length > LONG)
    unspaced = counted["unspaced"] / solid > UNSPACED
    stops = stop_words.count_stop_words(hashed, words.owner, languages)
    listed = np.array([language in stop_words.word_lists() for language in languages])
    figures = {
        "n_words": n_words,
        "mean_word_length": _where((n_lexical > 0) & ~unspaced, letters / np.maximum(n_lexical, 1)),
        "digit_share": counted["digit"] / solid,
        "symbol_share": (counted["symbol"] + counted["code"] + counted["bullet"]) / solid,
        "emoji_share": counted["emoji"] / solid,
        "code_share": n_code / solid,
        "odd_share": counted["odd"] / solid,
        "number_share": np.bincount(words.owner[number], minlength=n) / np.maximum(n_words, 1),
        "stop_word_share": _where(listed & (n_words > 0), stops / np.maximum(n_words, 1)),
        "long_run_share": _where(~unspaced, np.bincount(runs.owner[long], length[long], n) / solid),
        **_lines(kind, runs, prefix, n),
    }
    for order, found in repeats.ngrams(hashed, words.owner, n, ORDERS).items():
        if order < 5:
            most = np.where(found.most > 1, found.most * order, 0)
            figures[f"top_{order}gram_share"] = np.minimum(most / np.maximum(n_words, 1), 1)
        else:
            again = (found.total - found.distinct) / np.maximum(found.total, 1)
            figures[f"duplicate_{order}gram_share"] = again
    return pl.DataFrame({k: pl.Series(v, nan_to_null=True) for k, v in figures.items()})


def _count(kind: npt.NDArray[np.uint8], bounds: I64, n: int) -> dict[str, I64]:
    """How many characters of each kind a document has; its newline before it left out."""
    base = np.repeat(np.arange(n) * len(KINDS), np.diff(bounds))
    base += kind[:-1]
    table = np.bincount(base, minlength=n * len(KINDS)).reshape(n, len(KINDS))
    table[:, KIND["newline"]] -= 1
    return {name: table[:, i] for i, name in enumerate(KINDS)}


def _words(kind: npt.NDArray[np.uint8], bounds: I64) -> Spans:
    """Runs of letters, digits and apostrophes; letters of unspaced scripts stand alone."""
    wordy, alone = _WORDY[kind], kind == KIND["unspaced"]
    if not alone.any():
        return _spans(wordy, bounds)
    joined = wordy[1:] & wordy[:-1] & ~alone[1:] & ~alone[:-1]
    starts = np.flatnonzero(wordy[1:] & ~joined) + 1
    ends = np.flatnonzero(wordy[:-1] & ~joined) + 1
    return Spans(starts, ends, _owner(starts, bounds))


def _spans(inside: Mask, bounds: I64) -> Spans:
    """The runs of True; the first and the last place are False."""
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    return Spans(edges[::2], edges[1::2], _owner(edges[::2], bounds))


def _owner(starts: I64, bounds: I64) -> I64:
    return np.repeat(np.arange(len(bounds) - 1), np.diff(np.searchsorted(starts, bounds)))


def _lines(
    kind: npt.NDArray[np.uint8], runs: Spans, prefix: U64, n: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Of lines and paragraphs, which are what runs stand in."""
    place = np.searchsorted(np.flatnonzero(kind == KIND["newline"]), runs.starts)
    first = np.flatnonzero(np.diff(place, prepend=-1))
    last = np.append(first[1:], len(place)) - 1 if len(first) else first
    lines = Spans(runs.starts[first], runs.ends[last], runs.owner[first])
    n_lines = np.bincount(lines.owner, minlength=n)
    size = lines.ends - lines.starts
    ending = kind[lines.ends - 1]
    dots = (ending == KIND["terminal"]) & (size > 2)
    for back in (2, 3):  # three marks in a row
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
    """Of each span, its characters' hashes by Horner's rule, wherever it stands."""
    total = prefix[spans.ends] - prefix[spans.starts]
    total *= _powers(len(prefix), inverse=True)[spans.starts]
    return total


def _where(known: Mask, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values, NaN where they have no meaning."""
    return np.where(known, values, np.nan)


_POWERS: dict[bool, U64] = {}


def _powers(count: int, inverse: bool = False) -> U64:
    """The first `count` powers, kept and lengthened as needed."""
    known = _POWERS.get(inverse)
    if known is None or len(known) < count:
        known = _POWERS[inverse] = stop_words.powers(max(count, CHUNK * 2), inverse)
    return known[:count]
