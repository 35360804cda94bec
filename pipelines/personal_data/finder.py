"""Find personal data in batches of texts, at the speed of what the texts hold.

Three passes, each over less than the one before.  The whole batch becomes one array of code
points, in which clusters of digits and marks (`@`, `/`, `:`) are found at once; a rule is tried
only around those that can hold it.  A rule that never stands without a word is tried only in
texts that hold one (all words of all rules, in one automaton).  What is left is searched by the
rule's own pattern and judge: the very ones that a Presidio recogniser runs over the whole text,
so that findings are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import polars as pl

from pipelines.personal_data.findings import Span
from pipelines.personal_data.numbers import numbers
from pipelines.personal_data.rules import Found, Rule, entities, load
from pipelines.personal_data.views import Batch, View

#: A text that fails this holds nothing (Rust's `\d` is any decimal digit).
_ANYTHING: Final = r"\d|[@＠]|(?i:t\.me/|telegram\.|vk\.)"
#: Characters viewed at once: bounds the arrays to some tens of megabytes.
_AT_ONCE: Final = 4_000_000
#: More places than this to look at: the whole text is searched in less time.
_MANY: Final = 12
#: What a pattern may look ahead beyond its match.
_AHEAD: Final = 24

_Places = list[tuple[int, int, int]]  # start, end, digits


class Finder:
    """The rules of the classes asked for (None: all); an unknown class raises ValueError."""

    def __init__(self, wanted: Iterable[str] | None = None) -> None:
        known = entities()
        asked = set(known if wanted is None else wanted)
        if unknown := asked - set(known):
            raise ValueError(f"unknown entities {sorted(unknown)}; known: {list(known)}")
        self.entities = tuple(e for e in known if e in asked)
        self.rules = tuple(r for r in load() if r.entity in asked)
        self._literals: dict[str, list[int]] = defaultdict(list)
        for number, rule in enumerate(self.rules):
            for literal in rule.literals:
                self._literals[literal].append(number)
        self._free = frozenset(n for n, rule in enumerate(self.rules) if not rule.needs_word)
        self._marks = sorted({rule.mark for rule in self.rules if rule.mark})
        self._shortest = min((r.digits for r in self.rules if r.digits), default=0)
        self._fewest = min((r.needs for r in self.rules if not r.mark), default=0)

    def find(self, texts: Sequence[str | None]) -> Iterator[tuple[int, list[Span]]]:
        """(index, candidates) of each text with candidates, doubtful and overlapping ones too."""
        possible = pl.Series(texts, dtype=pl.String).str.contains(_ANYTHING).fill_null(value=False)
        chosen = [(i, text) for i in possible.arg_true().to_list() if (text := texts[i])]
        while chosen:
            size, some = 0, 0
            while some < len(chosen) and (not some or size < _AT_ONCE):
                size, some = size + len(chosen[some][1]), some + 1
            part, chosen = chosen[:some], chosen[some:]
            batch = Batch([text for _, text in part])
            for at, spans in self._batch(batch):
                yield part[at][0], spans

    def _batch(self, batch: Batch) -> Iterator[tuple[int, list[Span]]]:
        places = self._places(batch)
        documents = sorted(places)
        folded = [batch.folded(d) for d in documents]
        for document, text, told in zip(documents, folded, self._told(folded), strict=True):
            view = View(batch.plain(document), text, told)
            if spans := list(self._spans(view, places[document])):
                yield document, spans

    def _spans(self, view: View, places: dict[str, _Places]) -> Iterator[Span]:
        most = max((p[2] for p in places.get("", ())), default=0)
        written = numbers(view.plain) if most >= self._shortest else {}
        assert view.told is not None
        for number in sorted(self._free.union(*(self._literals[w] for w in view.told))):
            rule = self.rules[number]
            found = (
                rule.among(view, written.get(rule.digits, ()))
                if rule.digits
                else _search(rule, view, places)
            )
            for a, b, score in found:
                yield Span(a, b, rule.entity, score, rule.name)

    def _places(self, batch: Batch) -> dict[int, dict[str, _Places]]:
        """Document to what may hold something: clusters of digits under "", and marks."""
        found: dict[int, dict[str, _Places]] = defaultdict(lambda: defaultdict(list))
        clusters = batch.clusters()
        enough = clusters.digits >= self._fewest
        for document, *place in zip(*(column[enough].tolist() for column in clusters), strict=True):
            found[document][""].append(tuple(place))
        for mark in self._marks:
            for document, at in zip(*(c.tolist() for c in batch.marks(mark)), strict=True):
                found[document][mark].append((at, at + 1, 0))
        return found

    def _told(self, folded: list[str]) -> list[frozenset[str]]:
        """For each text the beginnings of words in it, of those that back a rule."""
        if not self._literals:
            return [frozenset()] * len(folded)
        hits = pl.Series(folded, dtype=pl.String).str.extract_many(
            list(self._literals), overlapping=True
        )
        return [frozenset(told) for told in hits.to_list()]


def _search(rule: Rule, view: View, places: dict[str, _Places]) -> Iterator[Found]:
    needs, (before, after) = rule.needs, rule.reach
    here = [p for p in places.get(rule.mark or "", ()) if p[2] >= needs]
    for start, end in _windows(here, before, after, len(view.plain)):
        yield from rule.find(view, start, end)


def _windows(places: _Places, before: int, after: int, length: int) -> list[tuple[int, int]]:
    """The places with what may stand around them, joined where they touch."""
    if len(places) > _MANY:
        return [(0, length)]
    joined: list[tuple[int, int]] = []
    for start, end, _ in places:
        low, high = max(0, start - before), min(length, end + after + _AHEAD)
        if joined and joined[-1][1] >= low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined
