"""Alphabet evidence: which languages a paragraph's letters fit, and which script it is in.

This is a unigram model of letters.  `alphabets.tsv` holds the languages whose letters are known:
language, script, sources, and each letter with its share per 100,000.  `benchmarks/alphabets.py`
makes that file.  Other evidence decides about all other languages.

The letters of all paragraphs of a batch are counted at once: a table from code point to class, one
`bincount`, and one product with the matrix of log p (natural logarithm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl

Array = np.ndarray[Any, Any]

#: Script (ISO 15924) -> its Unicode property.  Letters of all other scripts count as `Zyyy`.
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
#: The probability of a letter that the language lacks.
FOREIGN = 1e-5
#: Names and loanwords bring this share of letters from the script's lingua franca.
LOANS, LENDER = 0.02, {"Cyrl": "ru", "Latn": "en"}
#: These alphabets borrow no letter: their orthography (Pravopis) respells foreign names, so ы or щ
#: is not a loan as it is in Kazakh.  Serbian in Latin letters keeps foreign spellings.
RESPELLING = (("sr", "Cyrl"), ("mk", "Cyrl"))
#: Log p is rounded to fractions of this power of two.  Sums are then exact in any order, so the
#: result for a text does not depend on the texts beside it.
EXACT = 1 << 10
#: Sums over this many letters fit the 24 bits of a 32-bit float, fractions included: a letter
#: costs at most log(1 / FOREIGN) = 11.6 nats.
SHORT = (1 << 24) // (12 * EXACT)
#: Latin letters that replace look-alike Cyrillic letters in careless spelling.
TWINS = dict(zip("aceikopxyæăĕçöüəhs", "асеікорхуӕӑӗҫӧүәһѕ", strict=True))
#: How many code points have a class, and how many paragraphs are counted at once.  The table of
#: their counts stays in the processor's cache.
_CODES, _ROWS = 0x32000, 256


@dataclass(frozen=True)
class Paragraphs:
    """Paragraphs of a batch of texts.

    Paragraph i is `codes[starts[i]:starts[i] + sizes[i]]` and belongs to the document
    `documents[i]` (ascending).  `codes` holds Unicode code points.
    """

    codes: Array
    starts: Array
    sizes: Array
    documents: Array

    def __len__(self) -> int:
        return len(self.starts)

    def texts(self, rows: Array) -> list[str]:
        """Return the paragraphs of the given rows as strings."""
        spans = zip(self.starts[rows], self.sizes[rows], strict=True)
        return [self.codes[a : a + n].tobytes().decode("utf-32-le") for a, n in spans]


@dataclass(frozen=True)
class Letters:
    """The evidence of the letters of n paragraphs or documents.

    `log_p` (n, languages): the log probability under each of `Alphabets.names`.
    `scripts` (n, len(SCRIPTS)): the number of letters of each script.
    """

    log_p: Array
    scripts: Array

    def main_script(self) -> Array:
        """Return (n,) indexes into `SCRIPTS`.

        The script is the one of at least half of the letters, else `Zyyy`.  It is -1 where there
        is no letter.
        """
        total, most = self.scripts.sum(axis=1), self.scripts.max(axis=1, initial=0)
        main = np.where(2 * most >= total, self.scripts.argmax(axis=1), len(SCRIPTS) - 1)
        return np.where(total > 0, main, -1)

    def take(self, rows: Array) -> Letters:
        """Return the evidence of the given rows."""
        return Letters(self.log_p[rows], self.scripts[rows])

    def sum_by_document(self, paragraphs: Paragraphs, documents: int) -> Letters:
        """Sum the evidence over the paragraphs of each of `documents` documents."""
        bounds = np.searchsorted(paragraphs.documents, np.arange(documents + 1))
        return Letters(_run_sums(self.log_p, bounds), _run_sums(self.scripts, bounds))


@dataclass(frozen=True)
class Alphabets:
    """The known alphabets as one matrix.

    Attributes:
      names, scripts: language and script of each column of `log_p`.
      classes: code point -> the row of `log_p` that counts it.
      log_p: (classes, alphabets) log probability of a letter; 0 outside of `blocks`.
      members: (classes, scripts) 1 where a class belongs to a script.
      blocks: rows and columns of each script that has an alphabet.
      entropy: (alphabets,) mean cost of a letter in the language's own texts, in nats.
    """

    names: tuple[str, ...]
    scripts: tuple[str, ...]
    classes: Array
    log_p: Array
    members: Array
    blocks: tuple[tuple[slice, slice], ...]
    entropy: Array

    def letters(self, paragraphs: Paragraphs) -> Letters:
        """Count the letters of each paragraph and return their evidence."""
        n, rows = len(paragraphs), len(self.log_p)
        classes = self.classes.take(paragraphs.codes, mode="clip")
        _replace_twins(classes, paragraphs.codes, self.classes, self.members)
        log_p, scripts = np.empty((n, len(self.names))), np.empty((n, len(SCRIPTS)))
        for first in range(0, n, _ROWS):
            sizes = paragraphs.sizes[first : first + _ROWS]
            start = int(paragraphs.starts[first])
            last = first + len(sizes) - 1
            stop = int(paragraphs.starts[last] + paragraphs.sizes[last])
            spans = np.diff(np.append(paragraphs.starts[first : first + len(sizes)], stop))
            base = np.repeat(np.arange(len(sizes)) * rows, spans)
            base += classes[start:stop]
            # Both types are exact; the smaller one halves the memory traffic.
            kind = np.float32 if sizes.max() <= SHORT else np.float64
            counts = np.bincount(base, minlength=len(sizes) * rows).astype(kind)
            table = counts.reshape(len(sizes), rows)
            block_log_p = log_p[first : first + len(sizes)]
            for own, columns in self.blocks:
                block_log_p[:, columns] = table[:, own] @ self.log_p[own, columns].astype(kind)
            scripts[first : first + len(sizes)] = table @ self.members.astype(kind)
        return Letters(log_p, scripts)


@cache
def alphabets() -> Alphabets:
    """Load `alphabets.tsv`."""
    shares = _read_shares()
    classes, class_of, starts = _number_classes({c for row in shares.values() for c in row})
    members = np.repeat(np.eye(len(SCRIPTS)), np.diff(starts), axis=0)
    members = np.vstack([np.zeros(len(SCRIPTS)), members])
    names = list(SCRIPTS)
    log_p, entropy = np.zeros((int(starts[-1]), len(shares))), np.zeros(len(shares))
    keys = sorted(shares, key=lambda key: names.index(key[1]))
    for j, (language, script) in enumerate(keys):
        place = names.index(script)
        own_rows = slice(starts[place], starts[place + 1])
        lender = shares[LENDER[script], script]
        p = _probabilities(shares[language, script], lender, class_of, len(log_p))
        entropy[j] = -p @ np.log(np.maximum(p, FOREIGN))
        if (language, script) in RESPELLING:
            p[[row for c, row in class_of.items() if c not in shares[language, script]]] = 0
        log_p[own_rows, j] = np.round(np.log(np.maximum(p[own_rows], FOREIGN)) * EXACT) / EXACT
    languages, scripts = tuple(k[0] for k in keys), tuple(k[1] for k in keys)
    blocks = tuple(
        (
            slice(starts[place], starts[place + 1]),
            slice(scripts.index(name), scripts.index(name) + scripts.count(name)),
        )
        for place, name in enumerate(names)
        if name in scripts
    )
    return Alphabets(languages, scripts, classes, log_p, members, blocks, entropy)


def _read_shares() -> dict[tuple[str, str], dict[str, float]]:
    """Return (language, script) -> letter -> share per 100,000."""
    shares = {}
    data = files("pipelines.language").joinpath("alphabets.tsv").read_text("utf-8")
    for line in data.splitlines():
        language, script, _, row = line.split("\t")
        shares[language, script] = {cell[0]: float(cell[1:]) for cell in row.split(" ")}
    return shares


def _number_classes(letters: set[str]) -> tuple[Array, dict[str, int], Array]:
    """Number the classes of letters.

    Class 0 is for code points that are not letters.  Then each script has one class for any of
    its letters, and one for each known letter.

    Args:
      letters: the known letters, in lower case.

    Returns:
      code point -> class; known letter -> class; the first class of each script, and their end.
    """
    script_of = _script_by_code()
    ordered = sorted(letters)
    known = [[c for c in ordered if script_of[ord(c)] == place] for place in range(len(SCRIPTS))]
    starts = np.cumsum([1, *(1 + len(row) for row in known)])
    classes = np.zeros(_CODES, np.int16)
    classes[:] = np.append(starts[:-1], 0)[script_of]
    class_of = {
        c: int(start) + 1 + i
        for start, row in zip(starts, known, strict=False)
        for i, c in enumerate(row)
    }
    for c, number in class_of.items():
        classes[ord(c)] = number
        if len(c.upper()) == 1 and c.upper().lower() == c:  # I belongs to i, not to dotless ı
            classes[ord(c.upper())] = number
    return classes, class_of, starts


def _probabilities(
    own: Mapping[str, float], lender: Mapping[str, float], class_of: Mapping[str, int], classes: int
) -> Array:
    """Return (classes,) the probability of each class of letters in a language.

    Args:
      own: letter -> share in the language.
      lender: letter -> share in the lingua franca of its script, see `LOANS`.
      class_of: letter -> class.
      classes: how many classes there are.
    """
    p = np.zeros(classes)
    for source, part in ((own, 1 - LOANS), (lender, LOANS)):
        total = sum(source.values())
        for c, share in source.items():
            p[class_of[c]] += part * share / total
    return p


def paragraphs(texts: Sequence[str]) -> Paragraphs:
    """Split texts into their lines; each text has at least one line, which may be empty."""
    lengths = np.array([len(t) for t in texts], np.int64)
    joined = "\n".join(texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    ends = np.append(np.flatnonzero(codes == 10), len(codes))
    starts = np.append(0, ends[:-1] + 1)
    documents = np.searchsorted(np.cumsum(lengths + 1) - 1, starts)
    if not len(texts):
        starts = ends = documents = np.empty(0, np.int64)
    return Paragraphs(codes, starts, ends - starts, documents)


def _replace_twins(classes: Array, codes: Array, table: Array, members: Array) -> None:
    """Count a Latin letter beside a Cyrillic one as its Cyrillic twin; changes `classes`."""
    kind = (members[:, 0] + 2 * members[:, 1]).astype(np.uint8)[classes]
    neighbours = np.flatnonzero(kind[:-1] + kind[1:] == 3)
    if not len(neighbours):
        return
    latin = np.unique(np.concatenate([neighbours, neighbours + 1]))
    latin = latin[kind[latin] == 2]
    classes[latin] = _twin_classes(table)[np.minimum(codes[latin], 0xFFFF)]


@cache
def _twin_codes() -> tuple[Array, Array]:
    """Return the code points of the Latin twins and of their Cyrillic letters."""
    latin = [form for c in TWINS for form in (c, c.upper())]
    cyrillic = [form for c in TWINS.values() for form in (c, c.upper())]
    return np.array([ord(c) for c in latin]), np.array([ord(c) for c in cyrillic])


def _twin_classes(table: Array) -> Array:
    """Return code point (below 2**16) -> class, with Latin twins in their Cyrillic class."""
    twins = table[: 1 << 16].copy()
    latin, cyrillic = _twin_codes()
    twins[latin] = table[cyrillic]
    return twins


def _script_by_code() -> Array:
    """Return code point -> index of its script in `SCRIPTS`, -1 where it is not a letter."""
    points = [chr(c) if not 0xD800 <= c < 0xE000 else " " for c in range(_CODES)]
    chars = pl.Series(points)
    scripts = np.full(_CODES, -1, np.intp)
    letter = chars.str.contains(r"\p{L}").to_numpy()
    for place, pattern in reversed(list(enumerate(SCRIPTS.values()))):
        scripts[chars.str.contains(pattern).to_numpy() & letter] = place
    return scripts


def _run_sums(values: Array, bounds: Array) -> Array:
    """Sum runs of rows: run i is rows `bounds[i]` to `bounds[i + 1]`.  An empty run gives 0."""
    if not len(values):
        return np.zeros((len(bounds) - 1, values.shape[1]), values.dtype)
    sums = np.add.reduceat(values, np.minimum(bounds[:-1], len(values) - 1), axis=0)
    sums[np.diff(bounds) == 0] = 0
    return sums
