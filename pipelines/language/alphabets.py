"""Alphabet evidence: which languages a paragraph's letters fit, and which script it is in.

A unigram model of letters.  `alphabets.tsv` (language, script, sources, each letter with its share
per 100,000; made by `benchmarks/alphabets.py`) holds the languages whose letters are known; all
others are left to other evidence.  Letters of every paragraph of a batch are counted at once: a
table from code point to class, one `bincount`, one product with the matrix of log p (natural).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl

Array = np.ndarray[Any, Any]

#: Scripts told apart (ISO 15924) -> their Unicode properties; letters of all others are `Zyyy`.
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
    "Zyyy": r"\p{L}",
}
#: A letter that the language lacks costs log of this; names and loans bring a share of the
#: script's lingua franca.
FOREIGN, LOANS, LENDER = 1e-5, 0.02, {"Cyrl": "ru", "Latn": "en"}
#: Alphabets into which names are respelt by rule (Pravopis; so ы or щ is no loan, as it is in Kazakh):
#: they borrow no letter.  In Latin letters Serbian keeps foreign spellings.
RESPELLING = (("sr", "Cyrl"), ("mk", "Cyrl"))
#: Log p is kept in fractions of this power of two, so that sums are exact in any order: what is
#: said of a text does not depend on the texts beside it.
EXACT = 1 << 10
#: Sums over as many letters as this fit the 24 bits of a 32-bit float, fractions and all: a letter
#: costs at most log(1 / FOREIGN) = 11.6 nats.
SHORT = (1 << 24) // (12 * EXACT)
#: Letters of other alphabets that stand for a script's own in careless spelling.
TWINS = dict(zip("aceikopxyæăĕçöüəhs", "асеікорхуӕӑӗҫӧүәһѕ", strict=True))
#: How many code points have a class, and how many paragraphs are counted at once: a table of their
#: counts stays in the cache.
_CODES, _ROWS = 0x32000, 256


@dataclass(frozen=True)
class Paragraphs:
    """Pieces of texts: paragraph i is `codes[starts[i]:starts[i] + sizes[i]]` of the document
    `documents[i]` (ascending); codes are Unicode code points."""

    codes: Array
    starts: Array
    sizes: Array
    documents: Array

    def __len__(self) -> int:
        return len(self.starts)

    def texts(self, rows: Array) -> list[str]:
        """Some of them as strings."""
        spans = zip(self.starts[rows], self.sizes[rows], strict=True)
        return [self.codes[a : a + n].tobytes().decode("utf-32-le") for a, n in spans]


@dataclass(frozen=True)
class Letters:
    """Of n paragraphs: `log_p` (n, languages) under each of `Alphabets.names`, `scripts`
    (n, len(SCRIPTS)) letters of each script."""

    log_p: Array
    scripts: Array

    def script(self) -> Array:
        """(n,) place in `SCRIPTS` of the script of at least half of the letters, that of `Zyyy`
        where there is none such, -1 where there is no letter."""
        total, most = self.scripts.sum(axis=1), self.scripts.max(axis=1, initial=0)
        found = np.where(2 * most >= total, self.scripts.argmax(axis=1), len(SCRIPTS) - 1)
        return np.where(total > 0, found, -1)

    def take(self, rows: Array) -> Letters:
        """The evidence of some of the paragraphs."""
        return Letters(self.log_p[rows], self.scripts[rows])

    def of_documents(self, paragraphs: Paragraphs, documents: int) -> Letters:
        """The sums over each document's paragraphs."""
        bounds = np.searchsorted(paragraphs.documents, np.arange(documents + 1))
        return Letters(_sums(self.log_p, bounds), _sums(self.scripts, bounds))


@dataclass(frozen=True)
class Alphabets:
    """`names[j]` and `scripts[j]`: language and script of column j of `log_p`; `classes[code]`:
    the row that counts a code point; `members`: which rows are of which script; `blocks`: the rows
    and columns of each script that has an alphabet, outside of which `log_p` is 0; `entropy[j]`:
    what a letter of the language's own texts costs (nats)."""

    names: tuple[str, ...]
    scripts: tuple[str, ...]
    classes: Array
    log_p: Array
    members: Array
    blocks: tuple[tuple[slice, slice], ...]
    entropy: Array

    def letters(self, paragraphs: Paragraphs) -> Letters:
        """The evidence of each paragraph's letters."""
        n, rows = len(paragraphs), len(self.log_p)
        classes = self.classes.take(paragraphs.codes, mode="clip")
        _untwin(classes, paragraphs.codes, self.classes, self.members)
        log_p, scripts = np.empty((n, len(self.names))), np.empty((n, len(SCRIPTS)))
        for first in range(0, n, _ROWS):
            sizes = paragraphs.sizes[first : first + _ROWS]
            start = int(paragraphs.starts[first])
            last = first + len(sizes) - 1
            stop = int(paragraphs.starts[last] + paragraphs.sizes[last])
            spans = np.diff(np.append(paragraphs.starts[first : first + len(sizes)], stop))
            base = np.repeat(np.arange(len(sizes)) * rows, spans)
            base += classes[start:stop]
            # exact in either; half as much is moved in the smaller
            kind = np.float32 if sizes.max() <= SHORT else np.float64
            counts = np.bincount(base, minlength=len(sizes) * rows).astype(kind)
            table = counts.reshape(len(sizes), rows)
            some = log_p[first : first + len(sizes)]
            for own, columns in self.blocks:
                some[:, columns] = table[:, own] @ self.log_p[own, columns].astype(kind)
            scripts[first : first + len(sizes)] = table @ self.members.astype(kind)
        return Letters(log_p, scripts)


@cache
def alphabets() -> Alphabets:
    """The known alphabets."""
    shares: dict[tuple[str, str], dict[str, float]] = {}
    data = files("pipelines.language").joinpath("alphabets.tsv").read_text("utf-8")
    for line in data.splitlines():
        language, script, _, row = line.split("\t")
        found = {part[0]: float(part[1:]) for part in row.split(" ")}
        shares[language, script] = found
    script_of = _script_of()
    letters = sorted({c for row in shares.values() for c in row})
    # class 0: no letter; then of each script a class for any letter, and those that are known
    own = [[c for c in letters if script_of[ord(c)] == place] for place in range(len(SCRIPTS))]
    starts = np.cumsum([1, *(1 + len(some) for some in own)])
    classes = np.zeros(_CODES, np.int16)
    classes[:] = np.append(starts[:-1], 0)[script_of]
    place = {
        c: int(at) + 1 + i
        for at, some in zip(starts, own, strict=False)
        for i, c in enumerate(some)
    }
    for c, row_number in place.items():
        classes[ord(c)] = row_number
        if len(c.upper()) == 1 and c.upper().lower() == c:  # I is i's, not dotless ı's
            classes[ord(c.upper())] = row_number
    rows = int(starts[-1])
    members = np.repeat(np.eye(len(SCRIPTS)), np.diff(starts), axis=0)
    members = np.vstack([np.zeros(len(SCRIPTS)), members])
    names = list(SCRIPTS)
    log_p, entropy = np.zeros((rows, len(shares))), np.zeros(len(shares))
    keys = sorted(shares, key=lambda key: names.index(key[1]))
    for j, (language, script) in enumerate(keys):
        at = names.index(script)
        own_rows = slice(starts[at], starts[at + 1])
        p = np.zeros(rows)
        for source, share in ((shares[language, script], 1 - LOANS),
                              (shares[LENDER[script], script], LOANS)):  # fmt: skip
            total = sum(source.values())
            for c, n in source.items():
                p[place[c]] += share * n / total
        entropy[j] = -p @ np.log(np.maximum(p, FOREIGN))
        if (language, script) in RESPELLING:
            p[[place[c] for c in letters if c not in shares[language, script]]] = 0
        log_p[own_rows, j] = np.round(np.log(np.maximum(p[own_rows], FOREIGN)) * EXACT) / EXACT
    languages, scripts = tuple(k[0] for k in keys), tuple(k[1] for k in keys)
    blocks = tuple(
        (
            slice(starts[at], starts[at + 1]),
            slice(scripts.index(name), scripts.index(name) + scripts.count(name)),
        )
        for at, name in enumerate(names)
        if name in scripts
    )
    return Alphabets(languages, scripts, classes, log_p, members, blocks, entropy)


def paragraphs(texts: Sequence[str]) -> Paragraphs:
    """The lines of the texts; every text has at least one, be it empty."""
    lengths = np.array([len(t) for t in texts], np.int64)
    joined = "\n".join(texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    ends = np.append(np.flatnonzero(codes == 10), len(codes))
    starts = np.append(0, ends[:-1] + 1)
    documents = np.searchsorted(np.cumsum(lengths + 1) - 1, starts)
    if not len(texts):
        starts = ends = documents = np.empty(0, np.int64)
    return Paragraphs(codes, starts, ends - starts, documents)


def _untwin(classes: Array, codes: Array, table: Array, members: Array) -> None:
    """Count a Latin letter inside a Cyrillic word as the Cyrillic one that it stands for."""
    kind = (members[:, 0] + 2 * members[:, 1]).astype(np.uint8)[classes]
    beside = np.flatnonzero(kind[:-1] + kind[1:] == 3)
    if not len(beside):
        return
    at = np.unique(np.concatenate([beside, beside + 1]))
    at = at[kind[at] == 2]
    classes[at] = _twins(table)[np.minimum(codes[at], 0xFFFF)]


@cache
def _twin_codes() -> tuple[Array, Array]:
    latin = [form for c in TWINS for form in (c, c.upper())]
    cyrillic = [form for c in TWINS.values() for form in (c, c.upper())]
    return np.array([ord(c) for c in latin]), np.array([ord(c) for c in cyrillic])


def _twins(table: Array) -> Array:
    twins = table[: 1 << 16].copy()
    latin, cyrillic = _twin_codes()
    twins[latin] = table[cyrillic]
    return twins


def _script_of() -> Array:
    """Code point -> its script's place in `SCRIPTS`, -1 where it is no letter."""
    points = [chr(c) if not 0xD800 <= c < 0xE000 else " " for c in range(_CODES)]
    chars = pl.Series(points)
    found = np.full(_CODES, -1, np.intp)
    letter = chars.str.contains(r"\p{L}").to_numpy()
    for place, pattern in reversed(list(enumerate(SCRIPTS.values()))):
        found[chars.str.contains(pattern).to_numpy() & letter] = place
    return found


def _sums(values: Array, bounds: Array) -> Array:
    """Sums of runs of rows, zero for an empty run."""
    if not len(values):
        return np.zeros((len(bounds) - 1, values.shape[1]), values.dtype)
    sums = np.add.reduceat(values, np.minimum(bounds[:-1], len(values) - 1), axis=0)
    sums[np.diff(bounds) == 0] = 0
    return sums
