"""Text that somebody decoded with the wrong charset: found by its letters, and undone.

Two kinds.  UTF-8 read as a single-byte charset leaves pairs that no language writes (`Рё` for
`и`); those pairs are replaced wherever they stand in rows, or inside Latin words.  A single-byte
charset read as another (KOI8-U as KOI8-R, KZ-1048 as windows-1251) leaves letters that no
language of the region has; a text is given back its bytes and read anew where
`pipelines.ingest.decoding.letter_model` leaves no doubt.  All tables are computed from Python's codecs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from pipelines.ingest.decoding import letter_model
from pipelines.ingest.decoding.charset import contradicts

#: What texts are read as by mistake, likeliest first.
WRONG = (
    "cp1251", "cp1252", "koi8-r", "cp866", "mac-cyrillic", "iso8859-5", "cp1254", "cp1257",
    "cp1250", "iso8859-1",
)  # fmt: skip
#: What a single-byte charset may be found to have been, the rest being too seldom on the web.
RIGHT = frozenset(letter_model.CHARSETS) - {
    "cp775", "cp852", "cp857", "cp862", "cp1253", "cp1255", "iso8859-7", "iso8859-8", "iso8859-10",
    "iso8859-15", "iso8859-16",
}  # fmt: skip
#: First bytes, in UTF-8, of what the region writes: signs, Latin, modifiers, Cyrillic, Armenian;
#: then those of Georgian and of more signs, which take three, and what can follow them.
PAIRS = b"\xc2\xc3\xc4\xc5\xc6\xc9\xca\xd0\xd1\xd2\xd3\xd4\xd5\xd6"
TRIPLES, SECOND = b"\xe1\xe2", bytes(range(0x80, 0x90))
CONTINUED = bytes(range(0x80, 0xC0))
SCRIPTS = frozenset({"LATIN", "CYRILLIC", "ARMENIAN", "GEORGIAN"})
APOSTROPHES = frozenset("‘’ʻʼ")
#: Rows of so many characters come by no chance in a line that they cover by half, and rows of so
#: many in any; so many such characters are evidence; so much of a text covered is all of it.
ROW, LONG_ROW, HALF = 3, 8, 0.5
MIN_PAIRS, WHOLE = 3, 0.9
#: The text as it stands: under these limits no language of its script has such letters.
STRANGE = {True: (0.1, 2.5), False: (0.4, 4.0)}
MIN_CHANGED, MIN_SHARE, MAX_LOST = 5, 0.02, 0.01
PASSES = 2


@dataclass(frozen=True, slots=True)
class Repair:
    """What was undone: the text's own charset, what it had been read as, and how many characters
    of the repaired text were wrong; `apply` does the same to a text from the same page."""

    charset: str
    read_as: str
    characters: int
    apply: Callable[[str], str]

    def __str__(self) -> str:
        return f"{self.charset} read as {self.read_as}"


def repair(text: str) -> tuple[str, tuple[Repair, ...]]:
    """Undo mojibake; the text itself, and no repairs, where there is none."""
    done: list[Repair] = []
    while len(done) < PASSES and not text.isascii():
        found = _find_utf8_repair(text) or _find_charset_repair(text)
        if found is None:
            break
        text = found.apply(text)
        done.append(found)
    return text, tuple(done)


def _find_utf8_repair(text: str) -> Repair | None:
    tried = [_PairRuns(wrong, text) for wrong in _possible_charsets(text)]
    best = max(tried, key=lambda rows: (rows.sure, rows.held), default=None)
    if best is None or best.sure < MIN_PAIRS:
        return None
    wrong = best.wrong
    return Repair(
        "utf-8", wrong, best.undo()[1], lambda other: _PairRuns(wrong, other, True).undo()[0]
    )


def _possible_charsets(text: str) -> list[str]:
    """Those of `WRONG` in which pairs of a first byte and a continuation stand in rows of three or
    beside small ASCII letters, as mojibake has them and hardly anything else."""
    first, then = _charset_masks()
    codes = np.minimum(np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32), 0xFFFF)
    pairs = first.take(codes[:-1])
    pairs &= then.take(codes[1:])
    found = np.flatnonzero(pairs)
    if len(found) < MIN_PAIRS - 1:
        return []
    at = found + 6
    both = np.zeros(len(codes) + 9, np.uint16)
    both[at] = pairs[found] | pairs[found] >> 16
    chained = (both[at - 2] | both[at - 3]) & (both[at - 4] | both[at - 5] | both[at - 6])
    row = int(np.bitwise_or.reduce(both[at] & chained))
    # clipped at the text's ends to what is no ASCII, or is looked at anyway
    near = codes.take(np.add.outer((-1, 2, 3), found), mode="clip")
    beside = both[at[((near >= 97) & (near <= 122)).any(axis=0)]]
    return [
        wrong
        for i, wrong in enumerate(WRONG)
        if row & (1 << i) or np.count_nonzero(beside & (1 << i)) >= MIN_PAIRS - 1
    ]


@cache
def _charset_masks() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """By character, a bit for each of `WRONG` in which it stands for the first byte of a pair, 16
    bits up for that of a triple; and the same for the byte that follows."""
    tables = []
    for of_pairs, of_triples in ((PAIRS, TRIPLES), (CONTINUED, SECOND)):
        table = np.zeros(1 << 16, np.uint32)
        for some, shift in ((of_pairs, 0), (of_triples, 16)):
            for i, wrong in enumerate(WRONG):
                table[[ord(_characters_by_byte(wrong)[b]) for b in some]] |= 1 << (i + shift)
        tables.append(table)
    return tables[0], tables[1]


class _PairRuns:
    """The rows of a text that can be UTF-8 read as `wrong`; `known` where that is settled."""

    def __init__(self, wrong: str, text: str, known: bool = False) -> None:
        self.wrong = wrong
        self.pattern = _run_pattern(wrong)
        self.lines = text.split("\n")
        rows = [row for line in self.lines for row in self.pattern.findall(line)]
        self.held = sum(len(row) for row in rows if _decode_run(row, wrong) is not None)
        beyond = _count_beyond_ascii(text)
        self.whole = self.held >= WHOLE * beyond and beyond > 0
        self.sure = MIN_PAIRS if known else sum(self._sure(line) for line in self.lines)

    def _sure(self, line: str) -> int:
        covered = sum(map(len, self.pattern.findall(line))) >= HALF * _count_beyond_ascii(line)
        return sum(
            len(_decode_run(row[0], self.wrong) or "")
            for row in self.pattern.finditer(line)
            if self._is_sure(row, line, covered)
        )

    def _is_sure(self, row: re.Match[str], line: str, covered: bool) -> bool:
        decoded = _decode_run(row[0], self.wrong)
        script = None if decoded is None else _script(decoded)
        if decoded is None or script is None:
            return False
        long = len(decoded) >= (ROW if covered else LONG_ROW)
        return long or (script in ("", "LATIN") and _is_inside_word(line, row.start(), row.end()))

    def undo(self) -> tuple[str, int]:
        """The text with its rows replaced, the sure ones or all, and how many characters those
        come to."""
        if self.sure < MIN_PAIRS:
            return "\n".join(self.lines), 0
        done = [self._undo_line(line) for line in self.lines]
        return "\n".join(line for line, _ in done), sum(count for _, count in done)

    def _undo_line(self, line: str) -> tuple[str, int]:
        found = self.pattern.findall(line)
        beyond, count = _count_beyond_ascii(line), 0
        every = self.whole or sum(map(len, found)) == beyond
        covered = sum(map(len, found)) >= HALF * beyond

        def undone(row: re.Match[str]) -> str:
            nonlocal count
            decoded = _decode_run(row[0], self.wrong)
            if decoded is None or not (every or self._is_sure(row, line, covered)):
                return row[0]
            count += len(decoded)
            return decoded

        return self.pattern.sub(undone, line), count


def _count_beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _is_inside_word(text: str, start: int, stop: int) -> bool:
    before, after = text[max(start - 1, 0) : start], text[stop : stop + 1]
    return (before.isascii() and before.islower()) or (after.isascii() and after.islower())


def _script(decoded: str) -> str | None:
    """The script of the region that its letters are of, empty for apostrophes alone; None where
    they are less than half of it, or of other scripts or several."""
    found = [c for c in decoded if c.isalpha() or c in APOSTROPHES]
    scripts = {unicodedata.name(c, "").split(" ")[0] for c in found if c not in APOSTROPHES}
    if len(scripts) > 1 or not scripts <= SCRIPTS or 2 * len(found) < len(decoded):
        return None
    return next(iter(scripts), "")


def _decode_run(row: str, wrong: str) -> str | None:
    try:
        return bytes(_bytes_by_character(wrong)[c] for c in row).decode("utf-8")
    except UnicodeDecodeError:
        return None


@cache
def _characters_by_byte(charset: str) -> dict[int, str]:
    """Bytes beyond ASCII to their characters; a byte without one stands for itself, as browsers
    have it."""
    found = {b: bytes([b]).decode(charset, "replace") for b in range(128, 256)}
    return {b: chr(b) if char == "\ufffd" else char for b, char in found.items()}


@cache
def _bytes_by_character(charset: str) -> dict[str, int]:
    return {char: b for b, char in _characters_by_byte(charset).items()}


@cache
def _run_pattern(wrong: str) -> re.Pattern[str]:
    char = _characters_by_byte(wrong)
    pair, rest, triple, second = (
        "[" + "".join(re.escape(char[b]) for b in some) + "]"
        for some in (PAIRS, CONTINUED, TRIPLES, SECOND)
    )
    return re.compile(f"(?:{pair}{rest}|{triple}{second}{rest})+")


def _find_charset_repair(text: str) -> Repair | None:
    sample = text[: letter_model.SAMPLE]
    beyond = _count_beyond_ascii(sample)
    if beyond < MIN_CHANGED:
        return None
    now = letter_model.best_language(sample)
    if now.plausible(*STRANGE[now.language in letter_model.CYRILLIC]):
        return None
    kinds = {char for char in set(sample) if not char.isascii()}
    best: tuple[float, str, str] | None = None
    for wrong in WRONG:
        if any(
            sample.count(c) > MAX_LOST * beyond for c in kinds - _bytes_by_character(wrong).keys()
        ):
            continue
        payload = sample.encode(wrong, "ignore")
        fit = letter_model.fit_charsets(payload)
        if fit is None or fit.best.charset not in RIGHT or not contradicts(fit, wrong):
            continue
        if best is None or fit.best.score > best[0]:
            best = fit.best.score, fit.best.charset, wrong
    if best is None:
        return None
    _, right, wrong = best
    table = _translation_table(right, wrong)
    count = len(text) - len(text.translate(dict.fromkeys(table)))
    if count < max(MIN_CHANGED, MIN_SHARE * beyond):
        return None
    return Repair(right, wrong, count, lambda other: other.translate(table))


@cache
def _translation_table(right: str, wrong: str) -> dict[int, str]:
    pairs = zip(
        _characters_by_byte(wrong).values(), _characters_by_byte(right).values(), strict=True
    )
    return {ord(was): rather for was, rather in pairs if was != rather}
