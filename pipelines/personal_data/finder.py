"""Find personal data in batches of texts, at the speed of what the texts hold.

The whole batch becomes one array of code points, in which what may begin something is found at
once (`places`): marks, clusters of digits, numbers of each length, and the beginnings of all words
of all rules, by one automaton.  A rule is tried only around those that can hold it; one that never
stands without a word, only near its words.  What is left is searched by the rule's own pattern and
judge: the very ones that a Presidio recogniser runs over the whole text, so that findings are the
same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.personal_data.contexts import AFTER, BEFORE
from pipelines.personal_data.findings import Span
from pipelines.personal_data.identifier_rule import LONGEST_ADDRESS, Rule, ScoredSpan
from pipelines.personal_data.pattern_views import BatchView, View, strip_invisible
from pipelines.personal_data.places import (
    find_digit_groups,
    find_marks,
    find_numbers_of,
    find_word_starts,
)
from pipelines.personal_data.rules import entities, load_rules

#: A text that fails this holds nothing (Rust's `\d` is any decimal digit).
_CANDIDATE_HINT: Final = r"\d|[@＠]|(?i:t\.me/|telegram\.|vk\.)"
#: Characters viewed at once: bounds the arrays to some tens of megabytes.
_BATCH_CHARACTERS: Final = 4_000_000
#: More places than this to look at: the whole text is searched in less time.
_MAX_WINDOWS: Final = 12
#: What a pattern may look ahead beyond its match.
_LOOKAHEAD: Final = 24

_Windows = list[tuple[int, int]]


class Finder:
    """The rules of the classes asked for (None: all); an unknown class raises ValueError."""

    def __init__(self, wanted: Iterable[str] | None = None) -> None:
        known = entities()
        asked = set(known if wanted is None else wanted)
        if unknown := asked - set(known):
            raise ValueError(f"unknown entities {sorted(unknown)}; known: {list(known)}")
        self.entities = tuple(e for e in known if e in asked)
        self.rules = tuple(r for r in load_rules() if r.entity in asked)
        self._words: dict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
        for rule in self.rules:
            for word, whole, shared in sorted(rule.literals):
                self._words[word].append((rule.name, whole, shared))
        self._marks = sorted({mark for rule in self.rules for mark in rule.marks})
        self._lengths = sorted({rule.digits for rule in self.rules if rule.digits})
        self._fewest = min((rule.needs for rule in self.rules if rule.needs), default=0)

    def find(self, texts: Sequence[str | None]) -> Iterator[tuple[int, list[Span]]]:
        """(index, candidates) of each text with candidates, doubtful and overlapping ones too."""
        possible = (
            pl.Series(texts, dtype=pl.String).str.contains(_CANDIDATE_HINT).fill_null(value=False)
        )
        chosen = [(i, text) for i in possible.arg_true().to_list() if (text := texts[i])]
        while chosen:
            size, some = 0, 0
            while some < len(chosen) and (not some or size < _BATCH_CHARACTERS):
                size, some = size + len(chosen[some][1]), some + 1
            part, chosen = chosen[:some], chosen[some:]
            read = [strip_invisible(text) for _, text in part]
            for at, spans in self._batch(BatchView([text for text, _ in read])):
                where = read[at][1]
                yield part[at][0], spans if where is None else [_map_back(s, where) for s in spans]

    def _batch(self, batch: BatchView) -> Iterator[tuple[int, list[Span]]]:
        before, after = (
            AFTER + LONGEST_ADDRESS,
            BEFORE + LONGEST_ADDRESS,
        )  # nothing is farther from its word
        words = find_word_starts(batch, list(self._words), before, after)
        numbers = find_numbers_of(batch, self._lengths)
        near = find_digit_groups(batch, self._fewest)
        marked = {mark: find_marks(batch, mark) for mark in self._marks}
        some = np.sum(
            [np.diff(rows.bounds) for rows in (words, numbers, near, *marked.values())], 0
        )
        for document in np.flatnonzero(some).tolist():
            places = _Places(list(near.in_document(document)))
            for mark, rows in marked.items():
                places.marks[mark] = [at for (at,) in rows.in_document(document)]
            for start, length, digits in numbers.in_document(document):
                places.numbers[digits].append((start, start + length))
            for at, word, ends in words.in_document(document):
                for rule, whole, shared in self._words[word]:
                    if ends or not whole:
                        places.words[rule][shared].append(at)
            view = View(batch.plain(document), batch.folded(document), places.words)
            if spans := list(self._spans(view, places)):
                yield document, spans

    def _spans(self, view: View, places: _Places) -> Iterator[Span]:
        for rule in self.rules:
            if not rule.needs_word or rule.marks or rule.name in places.words:
                for a, b, score in _search_rule(rule, view, places):
                    yield Span(a, b, rule.entity, score, rule.name)


def _map_back(span: Span, where: NDArray[np.int64]) -> Span:
    """A span of a text as it is seen, in the text as it is written."""
    return span._replace(start=int(where[span.start]), end=int(where[span.end - 1]) + 1)


class _Places:
    """What a text holds that a rule may begin with."""

    def __init__(self, clusters: list[tuple[int, int, int]]) -> None:
        self.clusters = clusters  # start, length, how many digits
        self.marks: dict[str, list[int]] = {}
        self.numbers: dict[int, list[tuple[int, int]]] = defaultdict(list)
        #: by rule: where its own words may begin, and those that it shares
        self.words: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))


def _search_rule(rule: Rule, view: View, places: _Places) -> Iterable[ScoredSpan]:
    if rule.digits:
        candidates = places.numbers.get(rule.digits)
        return rule.judge_candidates(view, candidates) if candidates else ()
    if not (windows := _windows(rule, places)):
        return ()
    if len(windows) > _MAX_WINDOWS:
        return rule.find(view)
    joined = _merge_windows(windows, len(view.plain))
    return (found for window in joined for found in rule.find(view, *window))


def _windows(rule: Rule, places: _Places) -> _Windows:
    """Where a match of the rule may stand."""
    before, after = rule.reach
    after += _LOOKAHEAD
    windows = [(at - before, at + after) for mark in rule.marks for at in places.marks[mark]]
    if rule.needs:
        windows += [
            (start - before, start + length + after)
            for start, length, digits in places.clusters
            if digits >= rule.needs
        ]
    if rule.needs_word and rule.name in places.words:
        before, after = rule.word_reach
        after += _LOOKAHEAD
        windows += [(at - before, at + after) for words in places.words[rule.name] for at in words]
    return windows


def _merge_windows(windows: _Windows, length: int) -> _Windows:
    """The windows, joined where they touch, within a text of some length."""
    joined: _Windows = []
    for low, high in sorted(windows):
        if joined and joined[-1][1] >= low:
            joined[-1] = (joined[-1][0], max(joined[-1][1], min(length, high)))
        else:
            joined.append((max(0, low), min(length, high)))
    return joined
