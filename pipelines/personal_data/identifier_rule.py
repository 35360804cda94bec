"""`Rule`: one way to write one identifier, as data; and the reader of the rule files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final

import yaml

from pipelines.personal_data.nearby_words import (
    AFTER,
    BEFORE,
    Words,
    compile_stems,
    is_exact_word,
    literal_prefix,
)
from pipelines.personal_data.pattern_views import View

#: The longest match of a rule that needs a word, in characters.
LONGEST_BACKED: Final = 80
#: The longest match of an address, in characters.
LONGEST_ADDRESS: Final = 210
#: The longest part of an address before the word for a street, in characters.
LONGEST_STREET_NAME: Final = 56
#: A street begins at most this far after a post code, in characters.
STREET_DISTANCE: Final = 120

ScoredSpan = tuple[int, int, float]
"""(start, end, score) of a finding; end exclusive, score in 0-1."""


@dataclass(frozen=True)
class Rule:
    """One way to write one identifier.  `pipelines.personal_data.rules` explains the fields.

    `country` is an ISO 3166-1 code; `languages` are those of the country.
    """

    name: str
    entity: str
    country: str | None
    languages: tuple[str, ...]
    digits: int | None
    regex: str
    stems: tuple[str, ...]
    check: Callable[[str], bool]
    check_name: str | None
    alone: float
    form: re.Pattern[str]
    plausible: Callable[[str], bool]
    certain: bool
    judge: Callable[[Rule, View, int, int], float]
    judge_name: str
    needs: int
    marks: tuple[str, ...]
    reach: tuple[int, int]
    source: str
    unverified: str
    sample_form: str | None
    pass_share: float | None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.regex)

    def words(self, view: View) -> tuple[Words | None, Words | None]:
        """Return the searches for its own words and for the words that it shares with other rules.

        A search is None if the rule has no such words, or if `view.word_positions` has no position.
        """
        if (searches := view.searches.get(self.name)) is None:
            known = view.word_positions
            at = (None, None) if known is None else known.get(self.name, ((), ()))
            own, shared = (
                Words(search, where) if search and (where is None or where) else None
                for search, where in zip(self._searches, at, strict=True)
            )
            searches = view.searches[self.name] = (own, shared)
        return searches

    @cached_property
    def _searches(self) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
        own = [s for s in self.stems if s[0] != "~"]
        shared = [s[1:] for s in self.stems if s[0] == "~"]
        return compile_stems(own) if own else None, compile_stems(shared) if shared else None

    @cached_property
    def needs_word(self) -> bool:
        """Whether a candidate is accepted only beside one of the rule's words, or with a mark."""
        backed = self.judge_name in ("identifier", "beside", "birth") and not self.alone
        return backed or self.judge_name in ("street", "post_code", "phone")

    @cached_property
    def word_reach(self) -> tuple[int, int]:
        """Return how far a match may reach before and after the beginning of a word that it needs."""
        if self.judge_name == "street":
            return LONGEST_STREET_NAME, LONGEST_ADDRESS
        if self.judge_name == "post_code":
            return STREET_DISTANCE + LONGEST_BACKED, 0
        return AFTER + LONGEST_BACKED, BEFORE + LONGEST_BACKED

    @cached_property
    def literals(self) -> frozenset[tuple[str, bool, bool]]:
        """Return (prefix, whether the word ends there, whether other rules share it) of its words."""
        return frozenset(
            (literal_prefix(s.removeprefix("~")), is_exact_word(s), s[0] == "~") for s in self.stems
        )

    def find(self, view: View, start: int = 0, end: int | None = None) -> Iterator[ScoredSpan]:
        """Yield the findings in `view[start:end]`.

        After a refused candidate the search continues at the candidate's second character: the
        match may have begun with another number right before the identifier.
        """
        end = len(view.plain) if end is None else end
        search, judge = self.pattern.search, self.judge
        while match := search(view.plain, start, end):
            low, high = match.span()
            if score := judge(self, view, low, high):
                yield low, high, round(score, 3)
                start = max(high, low + 1)
            else:
                start = low + 1

    def judge_candidates(
        self, view: View, candidates: Iterable[tuple[int, int]]
    ) -> Iterator[ScoredSpan]:
        """Yield the findings among known candidates, (start, end) sorted by start."""
        free = 0
        for low, high in candidates:
            if low >= free and (score := self.judge(self, view, low, high)):
                yield low, high, round(score, 3)
                free = high


@cache
def identifier_files() -> tuple[Mapping[str, Any], ...]:
    """Return the parsed files of `identifiers/`, sorted by name: `rules`, `country`, `languages`."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = resources.files(__package__) / "identifiers"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return tuple(yaml.load(file.read_text("utf-8"), Loader=loader) for file in files)


def label_stems() -> list[str]:
    """Return the sorted stems for identifiers that a country issues, without shared stems (`~`)."""
    issued = (file for file in identifier_files() if file.get("country"))
    words = (stem for file in issued for raw in file["rules"] for stem in raw.get("stems", ()))
    return sorted({word for word in words if word[0] != "~"})
