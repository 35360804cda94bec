"""A unigram model of letters: how well bytes or characters fit the languages of the region.

The model counts characters beyond ASCII and the ASCII letters next to them. So markup has no
weight, and Latin letters inside Cyrillic words have much. The letter shares of a language come
from `letters.tsv` (language, then each letter with its share per 10,000), which
`benchmarks/letters.py` writes. Punctuation is the same in all languages. Each language has two
entries, in usual case and in capitals, because a wrong KOI8 charset swaps the case. A score is a
sum of natural logarithms of p.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import ascii_letters
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
SAMPLE = 1 << 16
CYRILLIC = frozenset(("ru", "uk", "be", "bg", "mk", "sr", "kk", "ky", "tt", "ba", "tg", "mn", "uz"))
#: Charsets that the letters alone can decide, with log p of each.
CHARSETS = {
    "cp1251": 0.0, "cp1252": 0.0, "koi8-r": -0.5, "cp1257": -0.5, "cp1250": -0.5, "cp1254": -0.5,
    "cp1253": -0.5, "cp1255": -0.5, "koi8-u": -0.75, "cp866": -0.75, "iso8859-5": -0.75,
    "kz1048": -0.75, "iso8859-2": -1.0, "iso8859-4": -1.0, "iso8859-13": -1.0, "iso8859-9": -1.0,
    "iso8859-7": -1.0, "iso8859-8": -1.0, "mac-cyrillic": -1.0, "ptcp154": -1.0, "koi8-t": -1.0,
    "cp1125": -1.0, "cp855": -1.0, "iso8859-15": -1.5, "iso8859-16": -1.5, "iso8859-10": -2.5,
    "cp852": -4.0, "cp857": -4.0, "cp775": -4.0, "cp862": -4.0,
}  # fmt: skip
#: log p of languages that are rare in the region's texts.
ELSEWHERE = {
    "de": -3.0,
    "fr": -3.0,
    "es": -3.0,
    "pt": -3.0,
    "fi": -3.0,
    "pl": -1.5,
    "hu": -1.5,
    "mk": -1.5,
    "az-spelt": -3.0,
}
#: log p of a text in capitals.
IN_CAPITALS = -6.0
#: The share of capitals in a usual text, and of small letters in a text in capitals.
CAPITAL, SMALL = 0.05, 0.15
#: p of each sign in Cyrillic text. In Latin text fewer letters are counted, so that signs weigh
#: `LATIN_PUNCTUATION` times as much.
PUNCTUATION = (
    dict.fromkeys("«»“”„’–—\xa0", 4e-3)
    | dict.fromkeys("‘…№°", 1e-3)
    | dict.fromkeys("§©®·•†€™½±×‹›‚\xad²³\ufeff\u200b−´`", 1e-4)
)
LATIN_PUNCTUATION = 4
#: p of characters that a language does not list: a Cyrillic letter in a Cyrillic language, a letter
#: in a Latin one, an ASCII letter, a frame character, any other, and what no text contains.
FOREIGN, FOREIGN_LATIN, ASCII, FRAME, OTHER, NEVER = 2e-5, 1e-4, 4e-5, 2e-5, 1e-6, 1e-8
#: p that a letter follows a character of this kind.
FOLLOWED = {"letter": 0.85, "before": 0.7, "sign": 0.05}
BEFORE_WORDS = frozenset("«“„‘’\xad")
#: The share of a language's letters that a charset must contain to be tried for it.
MIN_COVERED = 0.98
#: Substitute spellings from the time when charsets lacked these letters.
SPELT = {"az": str.maketrans("ə", "ä"), "ro": str.maketrans("șț", "şţ")}


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading of bytes as a charset, with the language that fits best.

    Attributes:
      charset: the charset; empty for a text that is decoded already.
      language: the language that fits best.
      counted: the number of characters counted.
      score: the sum of log p.
      divergence: how far the letter shares diverge from those of the language (Kullback and
        Leibler, in nats per character, less the bias of a small sample).
    """

    charset: str
    language: str
    counted: int
    score: float
    divergence: float

    def plausible(self, slack: float = 0.5, doubt: float | None = None) -> bool:
        """Whether the bytes can be a text of the language.

        Args:
          slack: the divergence allowed for a large sample.
          doubt: divided by the square root of the characters counted, what a small sample may
            diverge more. By default larger for Latin, where much of what is counted is punctuation.
        """
        if doubt is None:
            doubt = 5.0 if self.language in CYRILLIC else 6.0
        return self.counted > 0 and self.divergence < slack + doubt / self.counted**0.5


@dataclass(frozen=True, slots=True)
class Fit:
    """The best reading of bytes, and the best score of each charset."""

    best: Reading
    scores: dict[str, float]


@dataclass(frozen=True)
class _Languages:
    """Letter probabilities of the languages.

    `log_p[i, j]` belongs to character i in language `names[j]`. `index` maps a code point to its
    row i; row 0 stands for all other characters.
    """

    names: tuple[str, ...]
    log_p: Array
    index: Array
    shares: list[dict[str, float]]


@dataclass(frozen=True)
class _Readings:
    """Pairs of a charset and a language that it can write: one column each, grouped by charset.

    The rows of `log_p` are bytes 128 to 255 and the ASCII letters. The rows of `followed` are what
    to add for bytes without a letter after them, then for bytes with one.
    """

    charsets: tuple[str, ...]
    starts: Array
    languages: tuple[str, ...]
    log_p: Array
    followed: Array
    prior: Array


def fit_charsets(payload: bytes) -> Fit | None:
    """Score the charsets in `CHARSETS` for some bytes; None for plain ASCII."""
    histogram = _histogram(payload)
    if histogram is None:
        return None
    alone, before, letters = histogram
    table, counts = _reading_table(), np.concatenate([alone + before, letters])
    scores = counts @ table.log_p + np.concatenate([alone, before]) @ table.followed + table.prior
    column = int(np.argmax(scores))
    charset = int(np.searchsorted(table.starts, column, "right")) - 1
    best = Reading(
        table.charsets[charset],
        table.languages[column],
        int(counts.sum()),
        float(scores[column]),
        _divergence(counts, table.log_p[:, column]),
    )
    by_charset = np.maximum.reduceat(scores, table.starts).tolist()
    return Fit(best, dict(zip(table.charsets, by_charset, strict=True)))


def best_language(text: str) -> Reading:
    """Return the reading of a decoded text in the language that fits best."""
    table = _language_table()
    codes = np.frombuffer(text[:SAMPLE].encode("utf-32-le", "replace"), np.uint32)
    rows = table.index.take(
        np.minimum(codes.take(np.concatenate(_counted_positions(codes))), 0xFFFF)
    )
    counts = np.bincount(rows, minlength=len(table.log_p))
    scores = counts @ table.log_p
    column = int(np.argmax(scores))
    return Reading(
        "",
        table.names[column],
        len(rows),
        float(scores[column]),
        _divergence(counts, table.log_p[:, column]),
    )


def _histogram(payload: bytes) -> tuple[Array, Array, Array] | None:
    """Count bytes 128 to 255 and the ASCII letters next to them.

    Returns:
      Counts of bytes 128 to 255 without a letter after them, of those with one, and of ASCII
      letters in the order of `ascii_letters`; None if there are no bytes beyond ASCII.
    """
    data = np.frombuffer(payload[:SAMPLE], np.uint8)
    high, letter = _counted_positions(data)
    if not len(high):
        return None
    after = np.append(data, np.uint8(32))[high + 1]
    followed = np.where((after >= 128) | _ASCII_LETTER[np.minimum(after, 128)], 256, 0)
    beyond = np.bincount(data[high] + followed, minlength=512)
    beside = np.bincount(data[letter], minlength=128)
    return beyond[128:256], beyond[384:512], beside[_ASCII_CODES]


def _counted_positions(codes: Array) -> tuple[Array, Array]:
    """Return the positions of characters beyond ASCII, and of ASCII letters next to them."""
    beyond = codes >= 128
    near = np.zeros(len(codes), bool)
    near[1:] = beyond[:-1]
    near[:-1] |= beyond[1:]
    beside = (near > beyond).nonzero()[0]
    return beyond.nonzero()[0], beside[_ASCII_LETTER.take(codes.take(beside))]


def _divergence(counts: Array, log_p: Array) -> float:
    """Return the Kullback-Leibler divergence in nats, less the bias of a small sample."""
    total = int(counts.sum())
    if not total:
        return 0.0
    present = counts > 0
    share = counts[present] / total
    bias = (int(present.sum()) - 1) / (2 * total)
    return float(share @ (np.log(share) - log_p[present])) - bias


_ASCII_CODES = np.array([ord(c) for c in ascii_letters])
_ASCII_LETTER = np.zeros(129, bool)
_ASCII_LETTER[_ASCII_CODES] = True


@cache
def _language_table() -> _Languages:
    """Compute the letter probabilities of all languages, in usual case and in capitals."""
    rows = _letter_shares()
    known = {c for letters in rows.values() for c in letters}
    known |= {c.upper() for c in known} | set(PUNCTUATION) | set(ascii_letters)
    for charset in CHARSETS:
        known |= set(_upper_characters(charset))
    alphabet = sorted(c for c in known if len(c) == 1)
    names, shares, columns = [], [], []
    for name, letters in rows.items():
        for small in (1 - CAPITAL, SMALL):
            p = _character_probabilities(name, letters, small)
            column = np.array(
                [OTHER, *(p.get(c) or _fallback_probability(c, name) for c in alphabet)]
            )
            names.append(name)
            shares.append(letters)
            columns.append(np.log(column / column.sum()))
    index = np.zeros(1 << 16, np.intp)
    index[[ord(c) for c in alphabet]] = np.arange(1, len(alphabet) + 1)
    return _Languages(tuple(names), np.array(columns).T.copy(), index, shares)


@cache
def _reading_table() -> _Readings:
    """Compute the byte probabilities of all pairs of a charset and a language."""
    base = _language_table()
    charsets, starts, names, tables, follow, priors = [], [0], [], [], [], []
    for charset, prior in CHARSETS.items():
        chars = _upper_characters(charset)
        charset_chars = set(chars)
        writable = [
            j
            for j, letters in enumerate(base.shares)
            if sum(p for c, p in letters.items() if c in charset_chars or c.isascii())
            >= MIN_COVERED
        ]
        if not writable:
            continue
        rows = base.index[[ord(c) for c in (*chars, *ascii_letters)]]
        log_p = base.log_p[rows][:, writable]
        log_p[[i for i, c in enumerate(chars) if c == "\ufffd"]] = np.log(NEVER)
        after = np.array([FOLLOWED[_character_kind(c)] for c in chars])
        both = np.log(np.concatenate([1 - after, after]))
        charsets.append(charset)
        starts.append(starts[-1] + len(writable))
        names += [base.names[j] for j in writable]
        tables.append(log_p)
        follow.append(np.repeat(both[:, None], len(writable), axis=1))
        priors += [
            prior + ELSEWHERE.get(base.names[j], 0) + (IN_CAPITALS if j % 2 else 0)
            for j in writable
        ]
    return _Readings(
        tuple(charsets),
        np.array(starts[:-1]),
        tuple(names),
        np.concatenate(tables, axis=1),
        np.concatenate(follow, axis=1),
        np.array(priors),
    )


def _letter_shares() -> dict[str, dict[str, float]]:
    """Read `letters.tsv`: each language's lower-case letters with their shares."""
    rows = {}
    for line in (
        files("pipelines.ingest.decoding").joinpath("letters.tsv").read_text("utf-8").splitlines()
    ):
        name, shares = line.split("\t")
        rows[name] = _to_shares((part[0], float(part[1:])) for part in shares.split(" "))
    for name, spelt in SPELT.items():
        rows[f"{name}-spelt"] = {c.translate(spelt): p for c, p in rows[name].items()}
    russian = rows["ru"]
    for name in CYRILLIC:
        # Loanwords from Russian and names contain letters that the language hardly uses.
        rows[name] = {
            c: 0.97 * rows[name].get(c, 0) + 0.03 * russian.get(c, 0)
            for c in sorted({*russian, *rows[name]})
        }
    return rows


def _to_shares(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    counts = dict(pairs)
    total = sum(counts.values())
    return {c: n / total for c, n in counts.items()}


def _character_probabilities(
    name: str, letters: dict[str, float], small: float
) -> dict[str, float]:
    """Return p of each sign and letter of a language; `small` is the share of lower case."""
    weight = 1 if name in CYRILLIC else LATIN_PUNCTUATION
    probabilities = {c: p * weight for c, p in PUNCTUATION.items()}
    for c, p in letters.items():
        capital = "İ" if c == "i" and name[:2] in ("az", "tr") else c.upper()
        for form, share in ((c, small), (capital, 1 - small)):
            if len(form) == 1:
                probabilities[form] = probabilities.get(form, 0) + p * share
    return probabilities


def _fallback_probability(char: str, name: str) -> float:
    """Return p of a character that the language does not list."""
    if char.isascii():
        return ASCII
    if "\u2500" <= char <= "\u259f":
        return FRAME
    if "\x80" <= char <= "\x9f":
        return NEVER
    cyrillic = "\u0400" <= char <= "\u052f"
    if char.isalpha() and cyrillic == (name in CYRILLIC):
        return FOREIGN if cyrillic else FOREIGN_LATIN
    return OTHER


def _character_kind(char: str) -> str:
    return "letter" if char.isalpha() else "before" if char in BEFORE_WORDS else "sign"


def _upper_characters(charset: str) -> str:
    """Return the characters of bytes 128 to 255; U+FFFD for a byte without a character."""
    return bytes(range(128, 256)).decode(charset, "replace")
