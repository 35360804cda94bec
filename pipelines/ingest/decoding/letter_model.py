"""How well bytes or characters fit the languages of the region: a unigram model of letters.

Counted are characters beyond ASCII and the ASCII letters next to them, so that markup weighs
nothing and Latin letters inside Cyrillic words weigh much.  A language's letters come from
`letters.tsv` (language, then each letter and its share per 10,000), which `benchmarks/letters.py`
makes; punctuation is the same in all.  Each language stands twice, as usual and in capitals,
because a KOI8 charset in another's place turns the case round.  Scores are sums of log p, natural.
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
#: Charsets that letters alone may settle, and log p of meeting each.
CHARSETS = {
    "cp1251": 0.0, "cp1252": 0.0, "koi8-r": -0.5, "cp1257": -0.5, "cp1250": -0.5, "cp1254": -0.5,
    "cp1253": -0.5, "cp1255": -0.5, "koi8-u": -0.75, "cp866": -0.75, "iso8859-5": -0.75,
    "kz1048": -0.75, "iso8859-2": -1.0, "iso8859-4": -1.0, "iso8859-13": -1.0, "iso8859-9": -1.0,
    "iso8859-7": -1.0, "iso8859-8": -1.0, "mac-cyrillic": -1.0, "ptcp154": -1.0, "koi8-t": -1.0,
    "cp1125": -1.0, "cp855": -1.0, "iso8859-15": -1.5, "iso8859-16": -1.5, "iso8859-10": -2.5,
    "cp852": -4.0, "cp857": -4.0, "cp775": -4.0, "cp862": -4.0,
}  # fmt: skip
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
IN_CAPITALS = -6.0
#: The share of capitals in a usual text, and of small letters in one of capitals.
CAPITAL, SMALL = 0.05, 0.15
#: p of each such sign in Cyrillic text; in Latin text fewer letters are counted beside them.
PUNCTUATION = (
    dict.fromkeys("«»“”„’–—\xa0", 4e-3)
    | dict.fromkeys("‘…№°", 1e-3)
    | dict.fromkeys("§©®·•†€™½±×‹›‚\xad²³\ufeff\u200b−´`", 1e-4)
)
LATIN_PUNCTUATION = 4
#: p of each letter that the language lacks, each ASCII letter beside a Cyrillic one, each frame
#: character, any other character, and what no text has.
FOREIGN, FOREIGN_LATIN, ASCII, FRAME, OTHER, NEVER = 2e-5, 1e-4, 4e-5, 2e-5, 1e-6, 1e-8
#: p of being followed by a letter.
FOLLOWED = {"letter": 0.85, "before": 0.7, "sign": 0.05}
BEFORE_WORDS = frozenset("«“„‘’\xad")
MIN_HELD = 0.98
#: Spellings from before a charset could hold all letters.
SPELT = {"az": str.maketrans("ə", "ä"), "ro": str.maketrans("șț", "şţ")}


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes read as a charset: the language that fits best, how many characters were counted, the
    score, and by how much the letters' shares diverge from that language's (Kullback and Leibler,
    in nats per character, less the bias of a small sample)."""

    charset: str
    language: str
    counted: int
    score: float
    divergence: float

    def plausible(self, slack: float = 0.5, doubt: float | None = None) -> bool:
        """Whether it can be a text of the language: a small sample may diverge by more, and by
        more still where punctuation is much of what is counted."""
        if doubt is None:
            doubt = 5.0 if self.language in CYRILLIC else 6.0
        return self.counted > 0 and self.divergence < slack + doubt / self.counted**0.5


@dataclass(frozen=True, slots=True)
class Fit:
    """The best reading, and the best score of each charset."""

    best: Reading
    scores: dict[str, float]


@dataclass(frozen=True)
class _Languages:
    """`log_p[i, j]` of character i (0: any that is not in `index`) in language `names[j]`."""

    names: tuple[str, ...]
    log_p: Array
    index: Array
    shares: list[dict[str, float]]


@dataclass(frozen=True)
class _Readings:
    """Charsets crossed with languages that they can write, one column each, grouped by charset.
    Rows of `log_p`: bytes 128 to 255 and the ASCII letters; of `followed`: the addition for bytes
    that no letter follows, then for those that one does."""

    charsets: tuple[str, ...]
    starts: Array
    languages: tuple[str, ...]
    log_p: Array
    followed: Array
    prior: Array


def fit_charsets(payload: bytes) -> Fit | None:
    """How well the charsets that letters can settle fit; None for plain ASCII."""
    found = _histogram(payload)
    if found is None:
        return None
    alone, before, letters = found
    table, counts = _reading_table(), np.concatenate([alone + before, letters])
    scores = counts @ table.log_p + np.concatenate([alone, before]) @ table.followed + table.prior
    column = int(np.argmax(scores))
    place = int(np.searchsorted(table.starts, column, "right")) - 1
    best = Reading(
        table.charsets[place],
        table.languages[column],
        int(counts.sum()),
        float(scores[column]),
        _divergence(counts, table.log_p[:, column]),
    )
    by_charset = np.maximum.reduceat(scores, table.starts).tolist()
    return Fit(best, dict(zip(table.charsets, by_charset, strict=True)))


def best_language(text: str) -> Reading:
    """A text as it stands: the language that fits best."""
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
    """How often bytes 128 to 255 stand without and with a letter after them, and ASCII letters
    next to them; None where there are no such bytes."""
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
    """Where characters beyond ASCII are, and ASCII letters next to such."""
    beyond = codes >= 128
    near = np.zeros(len(codes), bool)
    near[1:] = beyond[:-1]
    near[:-1] |= beyond[1:]
    beside = (near > beyond).nonzero()[0]
    return beyond.nonzero()[0], beside[_ASCII_LETTER.take(codes.take(beside))]


def _divergence(counts: Array, log_p: Array) -> float:
    total = int(counts.sum())
    if not total:
        return 0.0
    seen = counts > 0
    share = counts[seen] / total
    bias = (int(seen.sum()) - 1) / (2 * total)
    return float(share @ (np.log(share) - log_p[seen])) - bias


_ASCII_CODES = np.array([ord(c) for c in ascii_letters])
_ASCII_LETTER = np.zeros(129, bool)
_ASCII_LETTER[_ASCII_CODES] = True


@cache
def _language_table() -> _Languages:
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
    base = _language_table()
    charsets, starts, names, tables, follow, priors = [], [0], [], [], [], []
    for charset, prior in CHARSETS.items():
        chars = _upper_characters(charset)
        some = set(chars)
        able = [
            j
            for j, letters in enumerate(base.shares)
            if sum(p for c, p in letters.items() if c in some or c.isascii()) >= MIN_HELD
        ]
        if not able:
            continue
        rows = base.index[[ord(c) for c in (*chars, *ascii_letters)]]
        log_p = base.log_p[rows][:, able]
        log_p[[i for i, c in enumerate(chars) if c == "\ufffd"]] = np.log(NEVER)
        after = np.array([FOLLOWED[_character_kind(c)] for c in chars])
        both = np.log(np.concatenate([1 - after, after]))
        charsets.append(charset)
        starts.append(starts[-1] + len(able))
        names += [base.names[j] for j in able]
        tables.append(log_p)
        follow.append(np.repeat(both[:, None], len(able), axis=1))
        priors += [
            prior + ELSEWHERE.get(base.names[j], 0) + (IN_CAPITALS if j % 2 else 0) for j in able
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
    """Each language's lower-case letters with their shares."""
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
        # words borrowed from Russian, and names, bring letters that the language hardly has
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
    more = 1 if name in CYRILLIC else LATIN_PUNCTUATION
    found = {c: p * more for c, p in PUNCTUATION.items()}
    for c, p in letters.items():
        capital = "İ" if c == "i" and name[:2] in ("az", "tr") else c.upper()
        for form, share in ((c, small), (capital, 1 - small)):
            if len(form) == 1:
                found[form] = found.get(form, 0) + p * share
    return found


def _fallback_probability(char: str, name: str) -> float:
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
    """Those of bytes 128 to 255, U+FFFD for a byte without one."""
    return bytes(range(128, 256)).decode(charset, "replace")
