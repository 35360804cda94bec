"""Find personal data in batches of texts; the time depends on how many candidates the texts contain.

The texts of a batch become one array of code points.  `places` finds in it all places where a match
may be: marks, groups of digits, numbers of each length, and the words of all rules (by one
automaton).  A rule is tried only around the places that it needs.  There the finder runs the rule's
own pattern and judge.  A Presidio recogniser runs the same pattern and judge over the complete text,
so the findings are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.personal_data.findings import Span
from pipelines.personal_data.identifier_rule import LONGEST_ADDRESS, Rule, ScoredSpan
from pipelines.personal_data.nearby_words import AFTER, BEFORE
from pipelines.personal_data.pattern_views import BatchView, View, strip_invisible
from pipelines.personal_data.places import (
    find_digit_groups,
    find_marks,
    find_numbers_of,
    find_word_starts,
)
from pipelines.personal_data.rules import entities, load_rules

#: A text without a match of this has no candidates (Rust's `\d` is any decimal digit).
_CANDIDATE_HINT: Final = r"\d|[@＠]|(?i:t\.me/|telegram\.|vk\.)"
#: Characters of a batch: limits the arrays to some tens of megabytes.
_BATCH_CHARACTERS: Final = 4_000_000
#: With more windows than this, searching the complete text takes less time.
_MAX_WINDOWS: Final = 12
#: A pattern looks ahead at most this far beyond its match, in characters.
_LOOKAHEAD: Final = 24

_Windows = list[tuple[int, int]]


class Finder:
    """Finds the classes in `wanted` (None: all classes).

    Raises:
      ValueError: a class is unknown.
    """

    def __init__(self, wanted: Iterable[str] | None = None) -> None:
        known = entities()
        classes = set(known if wanted is None else wanted)
        if unknown := classes - set(known):
            raise ValueError(f"unknown entities {sorted(unknown)}; known: {list(known)}")
        self.entities = tuple(e for e in known if e in classes)
        self.rules = tuple(r for r in load_rules() if r.entity in classes)
        self._words: dict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
        for rule in self.rules:
            for word, is_exact, shared in sorted(rule.literals):
                self._words[word].append((rule.name, is_exact, shared))
        self._marks = sorted({mark for rule in self.rules for mark in rule.marks})
        self._lengths = sorted({rule.digits for rule in self.rules if rule.digits})
        self._fewest = min((rule.needs for rule in self.rules if rule.needs), default=0)

    def find(self, texts: Sequence[str | None]) -> Iterator[tuple[int, list[Span]]]:
        """Yield (index, candidates) of each text with candidates.

        Candidates may overlap, and may have scores below the threshold.
        """
        possible = (
            pl.Series(texts, dtype=pl.String).str.contains(_CANDIDATE_HINT).fill_null(value=False)
        )
        chosen = [(i, text) for i in possible.arg_true().to_list() if (text := texts[i])]
        while chosen:
            size, count = 0, 0
            while count < len(chosen) and (not count or size < _BATCH_CHARACTERS):
                size, count = size + len(chosen[count][1]), count + 1
            part, chosen = chosen[:count], chosen[count:]
            visible = [strip_invisible(text) for _, text in part]
            for at, spans in self._find_in_batch(BatchView([text for text, _ in visible])):
                where = visible[at][1]
                yield part[at][0], spans if where is None else [_map_back(s, where) for s in spans]

    def _find_in_batch(self, batch: BatchView) -> Iterator[tuple[int, list[Span]]]:
        before, after = (
            AFTER + LONGEST_ADDRESS,
            BEFORE + LONGEST_ADDRESS,
        )  # no match is farther from its word
        words = find_word_starts(batch, list(self._words), before, after)
        numbers = find_numbers_of(batch, self._lengths)
        near = find_digit_groups(batch, self._fewest)
        marked = {mark: find_marks(batch, mark) for mark in self._marks}
        place_counts = np.sum(
            [np.diff(rows.bounds) for rows in (words, numbers, near, *marked.values())], 0
        )
        for document in np.flatnonzero(place_counts).tolist():
            places = _Places(list(near.in_document(document)))
            for mark, rows in marked.items():
                places.marks[mark] = [at for (at,) in rows.in_document(document)]
            for start, length, digits in numbers.in_document(document):
                places.numbers[digits].append((start, start + length))
            for at, word, ends in words.in_document(document):
                for rule, is_exact, shared in self._words[word]:
                    if ends or not is_exact:
                        places.words[rule][shared].append(at)
            view = View(batch.plain(document), batch.folded(document), places.words)
            if spans := list(self._spans(view, places)):
                yield document, spans

    def _spans(self, view: View, places: _Places) -> Iterator[Span]:
        for rule in self.rules:
            if not rule.needs_word or rule.marks or rule.name in places.words:
                for start, end, score in _search_rule(rule, view, places):
                    yield Span(start, end, rule.entity, score, rule.name)


def _map_back(span: Span, where: NDArray[np.int64]) -> Span:
    """Map a span of the visible text to the original text."""
    return span._replace(start=int(where[span.start]), end=int(where[span.end - 1]) + 1)


class _Places:
    """The places in one text where a rule may match."""

    def __init__(self, groups: list[tuple[int, int, int]]) -> None:
        #: (start, length, number of digits)
        self.groups = groups
        self.marks: dict[str, list[int]] = {}
        self.numbers: dict[int, list[tuple[int, int]]] = defaultdict(list)
        #: rule name -> positions of its own words, and of words that it shares
        self.words: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))


def _search_rule(rule: Rule, view: View, places: _Places) -> Iterable[ScoredSpan]:
    """Return the matches of a rule in a text, searched only where they are possible."""
    if rule.digits:
        candidates = places.numbers.get(rule.digits)
        return rule.judge_candidates(view, candidates) if candidates else ()
    if not (windows := _windows(rule, places)):
        return ()
    if len(windows) > _MAX_WINDOWS:
        return rule.find(view)
    joined = _merge_windows(windows, len(view.plain))
    return (span for window in joined for span in rule.find(view, *window))


def _windows(rule: Rule, places: _Places) -> _Windows:
    """Return the (start, end) ranges in which a match of the rule is possible."""
    before, after = rule.reach
    after += _LOOKAHEAD
    windows = [(at - before, at + after) for mark in rule.marks for at in places.marks[mark]]
    if rule.needs:
        windows += [
            (start - before, start + length + after)
            for start, length, digits in places.groups
            if digits >= rule.needs
        ]
    if rule.needs_word and rule.name in places.words:
        before, after = rule.word_reach
        after += _LOOKAHEAD
        windows += [(at - before, at + after) for words in places.words[rule.name] for at in words]
    return windows


def _merge_windows(windows: _Windows, length: int) -> _Windows:
    """Merge windows that touch, and cut them to a text of `length` characters."""
    joined: _Windows = []
    for low, high in sorted(windows):
        if joined and joined[-1][1] >= low:
            joined[-1] = (joined[-1][0], max(joined[-1][1], min(length, high)))
        else:
            joined.append((max(0, low), min(length, high)))
    return joined
