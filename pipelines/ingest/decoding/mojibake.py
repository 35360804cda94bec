"""Repair mojibake: text that was decoded with the wrong charset.

There are two kinds. UTF-8 read as a single-byte charset leaves pairs that no language writes, for
example `Рё` for `и`. Such pairs are replaced where several follow each other, or inside Latin
words. A single-byte charset read as another (KOI8-U as KOI8-R, KZ-1048 as windows-1251) leaves
letters that no language of the region has. Such a text is encoded and decoded again, if
`pipelines.ingest.decoding.letter_model` leaves no doubt. All tables come from Python's codecs.

A run is a sequence of such pairs (or triples) without other characters between them.
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

#: The charsets that texts are read as by mistake, likeliest first.
WRONG = (
    "cp1251", "cp1252", "koi8-r", "cp866", "mac-cyrillic", "iso8859-5", "cp1254", "cp1257",
    "cp1250", "iso8859-1",
)  # fmt: skip
#: The charsets that a text can have been in. The others are too rare on the web.
RIGHT = frozenset(letter_model.CHARSETS) - {
    "cp775", "cp852", "cp857", "cp862", "cp1253", "cp1255", "iso8859-7", "iso8859-8", "iso8859-10",
    "iso8859-15", "iso8859-16",
}  # fmt: skip
#: First bytes in UTF-8 of the region's characters: signs, Latin, modifiers, Cyrillic, Armenian.
#: Then the first bytes of Georgian and further signs, which take three bytes, and their second.
PAIRS = b"\xc2\xc3\xc4\xc5\xc6\xc9\xca\xd0\xd1\xd2\xd3\xd4\xd5\xd6"
TRIPLES, SECOND = b"\xe1\xe2", bytes(range(0x80, 0x90))
CONTINUED = bytes(range(0x80, 0xC0))
SCRIPTS = frozenset({"LATIN", "CYRILLIC", "ARMENIAN", "GEORGIAN"})
APOSTROPHES = frozenset("‘’ʻʼ")
#: A run of RUN characters is no accident in a line of which runs cover HALF; a run of LONG_RUN
#: characters is none in any line. MIN_PAIRS such characters are evidence. If runs cover WHOLE of
#: the characters beyond ASCII, all are replaced.
RUN, LONG_RUN, HALF = 3, 8, 0.5
MIN_PAIRS, WHOLE = 3, 0.9
#: Limits (slack, doubt) of `Reading.plausible` for a text as it is, by whether its language is
#: Cyrillic. A text is repaired only if no language has such letters.
STRANGE = {True: (0.1, 2.5), False: (0.4, 4.0)}
MIN_CHANGED, MIN_SHARE, MAX_LOST = 5, 0.02, 0.01
PASSES = 2


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair of mojibake.

    Attributes:
      charset: the text's own charset.
      read_as: the charset that it was read as.
      characters: how many characters of the repaired text were wrong.
      apply: repairs another text of the same page in the same way.
    """

    charset: str
    read_as: str
    characters: int
    apply: Callable[[str], str]

    def __str__(self) -> str:
        return f"{self.charset} read as {self.read_as}"


def repair(text: str) -> tuple[str, tuple[Repair, ...]]:
    """Undo mojibake.

    Returns:
      The repaired text and the repairs; the text unchanged and no repairs if it is sound.
    """
    repairs: list[Repair] = []
    while len(repairs) < PASSES and not text.isascii():
        fix = _find_utf8_repair(text) or _find_charset_repair(text)
        if fix is None:
            break
        text = fix.apply(text)
        repairs.append(fix)
    return text, tuple(repairs)


def _find_utf8_repair(text: str) -> Repair | None:
    """Find UTF-8 that was read as a single-byte charset; None if there is none."""
    tried = [_PairRuns(wrong, text) for wrong in _possible_charsets(text)]
    best = max(tried, key=lambda runs: (runs.certain, runs.covered), default=None)
    if best is None or best.certain < MIN_PAIRS:
        return None
    wrong = best.wrong
    return Repair(
        "utf-8", wrong, best.undo()[1], lambda other: _PairRuns(wrong, other, True).undo()[0]
    )


def _possible_charsets(text: str) -> list[str]:
    """Return the charsets of `WRONG` in which the text can be misread UTF-8.

    Their pairs of a first byte and a continuation byte either follow each other three times, or
    are next to lower-case ASCII letters. Hardly any text but mojibake has such pairs.
    """
    first, second = _charset_masks()
    codes = np.minimum(np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32), 0xFFFF)
    pairs = first.take(codes[:-1])
    pairs &= second.take(codes[1:])
    positions = np.flatnonzero(pairs)
    if len(positions) < MIN_PAIRS - 1:
        return []
    at = positions + 6
    both = np.zeros(len(codes) + 9, np.uint16)
    both[at] = pairs[positions] | pairs[positions] >> 16
    chained = (both[at - 2] | both[at - 3]) & (both[at - 4] | both[at - 5] | both[at - 6])
    in_runs = int(np.bitwise_or.reduce(both[at] & chained))
    # At the text's ends, clipping repeats a character that is not ASCII or is examined anyway.
    near = codes.take(np.add.outer((-1, 2, 3), positions), mode="clip")
    beside = both[at[((near >= 97) & (near <= 122)).any(axis=0)]]
    return [
        wrong
        for i, wrong in enumerate(WRONG)
        if in_runs & (1 << i) or np.count_nonzero(beside & (1 << i)) >= MIN_PAIRS - 1
    ]


@cache
def _charset_masks() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return bit masks by character: for the first byte of a pair or triple, and for the second.

    Bit i is set if the character stands for such a byte of a pair in charset `WRONG[i]`. Bit
    i + 16 is the same for a triple.
    """
    tables = []
    for of_pairs, of_triples in ((PAIRS, TRIPLES), (CONTINUED, SECOND)):
        table = np.zeros(1 << 16, np.uint32)
        for members, shift in ((of_pairs, 0), (of_triples, 16)):
            for i, wrong in enumerate(WRONG):
                table[[ord(_characters_by_byte(wrong)[b]) for b in members]] |= 1 << (i + shift)
        tables.append(table)
    return tables[0], tables[1]


class _PairRuns:
    """The runs of a text that can be UTF-8 read as `wrong`.

    Args:
      wrong: the charset that the text was read as.
      text: the text.
      known: whether another text of the same page proved the charset already.
    """

    def __init__(self, wrong: str, text: str, known: bool = False) -> None:
        self.wrong = wrong
        self.pattern = _run_pattern(wrong)
        self.lines = text.split("\n")
        runs = [run for line in self.lines for run in self.pattern.findall(line)]
        self.covered = sum(len(run) for run in runs if _decode_run(run, wrong) is not None)
        beyond = _count_beyond_ascii(text)
        self.covers_all = self.covered >= WHOLE * beyond and beyond > 0
        self.certain = MIN_PAIRS if known else sum(self._count_certain(line) for line in self.lines)

    def _count_certain(self, line: str) -> int:
        """Count the characters of a line's runs that are mojibake without doubt."""
        covered = sum(map(len, self.pattern.findall(line))) >= HALF * _count_beyond_ascii(line)
        return sum(
            len(_decode_run(run[0], self.wrong) or "")
            for run in self.pattern.finditer(line)
            if self._is_certain(run, line, covered)
        )

    def _is_certain(self, run: re.Match[str], line: str, covered: bool) -> bool:
        """Whether a run is mojibake without doubt; `covered`: runs make up half of the line."""
        decoded = _decode_run(run[0], self.wrong)
        script = None if decoded is None else _script(decoded)
        if decoded is None or script is None:
            return False
        long = len(decoded) >= (RUN if covered else LONG_RUN)
        return long or (script in ("", "LATIN") and _is_inside_word(line, run.start(), run.end()))

    def undo(self) -> tuple[str, int]:
        """Replace the certain runs, or all of them if they cover nearly the whole text.

        Returns:
          The repaired text, and how many of its characters were replaced.
        """
        if self.certain < MIN_PAIRS:
            return "\n".join(self.lines), 0
        lines = [self._undo_line(line) for line in self.lines]
        return "\n".join(line for line, _ in lines), sum(count for _, count in lines)

    def _undo_line(self, line: str) -> tuple[str, int]:
        """Return a repaired line, and how many of its characters were replaced."""
        runs = self.pattern.findall(line)
        beyond, count = _count_beyond_ascii(line), 0
        every = self.covers_all or sum(map(len, runs)) == beyond
        covered = sum(map(len, runs)) >= HALF * beyond

        def repair_run(run: re.Match[str]) -> str:
            nonlocal count
            decoded = _decode_run(run[0], self.wrong)
            if decoded is None or not (every or self._is_certain(run, line, covered)):
                return run[0]
            count += len(decoded)
            return decoded

        return self.pattern.sub(repair_run, line), count


def _count_beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _is_inside_word(text: str, start: int, stop: int) -> bool:
    before, after = text[max(start - 1, 0) : start], text[stop : stop + 1]
    return (before.isascii() and before.islower()) or (after.isascii() and after.islower())


def _script(decoded: str) -> str | None:
    """Return the script of a decoded run's letters; empty for apostrophes alone.

    Returns:
      None if letters are less than half of the run, or are of several scripts or of one that is
      not in `SCRIPTS`.
    """
    letters = [c for c in decoded if c.isalpha() or c in APOSTROPHES]
    scripts = {unicodedata.name(c, "").split(" ")[0] for c in letters if c not in APOSTROPHES}
    if len(scripts) > 1 or not scripts <= SCRIPTS or 2 * len(letters) < len(decoded):
        return None
    return next(iter(scripts), "")


def _decode_run(run: str, wrong: str) -> str | None:
    """Decode a run as UTF-8 that was read as `wrong`; None if it is not valid."""
    try:
        return bytes(_bytes_by_character(wrong)[c] for c in run).decode("utf-8")
    except UnicodeDecodeError:
        return None


@cache
def _characters_by_byte(charset: str) -> dict[int, str]:
    """Map bytes beyond ASCII to characters; a byte without one to the same code point.

    Browsers do the same.
    """
    characters = {b: bytes([b]).decode(charset, "replace") for b in range(128, 256)}
    return {b: chr(b) if char == "\ufffd" else char for b, char in characters.items()}


@cache
def _bytes_by_character(charset: str) -> dict[str, int]:
    return {char: b for b, char in _characters_by_byte(charset).items()}


@cache
def _run_pattern(wrong: str) -> re.Pattern[str]:
    char = _characters_by_byte(wrong)
    pair, rest, triple, second = (
        "[" + "".join(re.escape(char[b]) for b in members) + "]"
        for members in (PAIRS, CONTINUED, TRIPLES, SECOND)
    )
    return re.compile(f"(?:{pair}{rest}|{triple}{second}{rest})+")


def _find_charset_repair(text: str) -> Repair | None:
    """Find a single-byte charset that was read as another; None if there is none."""
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
    """Map the characters of charset `wrong` to those that the same bytes have in `right`."""
    pairs = zip(
        _characters_by_byte(wrong).values(), _characters_by_byte(right).values(), strict=True
    )
    return {ord(misread): correct for misread, correct in pairs if misread != correct}
