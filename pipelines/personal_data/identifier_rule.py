"""One way to write one identifier, as data, and the files that hold all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final

import yaml

from pipelines.personal_data.contexts import (
    AFTER,
    BEFORE,
    Words,
    compile_stems,
    is_exact_word,
    literal_prefix,
)
from pipelines.personal_data.pattern_views import View

#: The longest match of any rule that needs a word, in characters; of an address; and in an address
#: before the word for a street.
LONGEST_BACKED: Final = 80
LONGEST_ADDRESS: Final = 210
LONGEST_STREET_NAME: Final = 56
#: A street begins at most this far after a post code.
STREET_DISTANCE: Final = 120

ScoredSpan = tuple[int, int, float]
"""Start, end and score of a finding."""


@dataclass(frozen=True)
class Rule:
    """One way to write one identifier.  `country` is ISO 3166-1, `languages` its own."""

    name: str
    entity: str
    country: str | None
    languages: tuple[str, ...]
    digits: int | None
    regex: str
    stems: tuple[str, ...]
    check: Callable[[str], bool]
    check_name: str | None  # the name of `check`
    alone: float
    form: re.Pattern[str]
    plausible: Callable[[str], bool]
    certain: bool
    judge: Callable[[Rule, View, int, int], float]
    judge_name: str  # the name of `judge`
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
        """The searches for its own words and for those that it shares with others; None where
        there are none, or `view.word_positions` knows of none."""
        if (found := view.searches.get(self.name)) is None:
            at = (
                (None, None)
                if view.word_positions is None
                else view.word_positions.get(self.name, ((), ()))
            )
            own, shared = (
                Words(search, where) if search and (where is None or where) else None
                for search, where in zip(self._searches, at, strict=True)
            )
            found = view.searches[self.name] = (own, shared)
        return found

    @cached_property
    def _searches(self) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
        own = [s for s in self.stems if s[0] != "~"]
        shared = [s[1:] for s in self.stems if s[0] == "~"]
        return compile_stems(own) if own else None, compile_stems(shared) if shared else None

    @cached_property
    def needs_word(self) -> bool:
        """Whether nothing but one of its words, or a mark, lets a candidate stand."""
        backed = self.judge_name in ("identifier", "beside", "birth") and not self.alone
        return backed or self.judge_name in ("street", "post_code", "phone")

    @cached_property
    def word_reach(self) -> tuple[int, int]:
        """How far a match may stretch before and after the beginning of a word that it needs."""
        if self.judge_name == "street":
            return LONGEST_STREET_NAME, LONGEST_ADDRESS
        if self.judge_name == "post_code":
            return STREET_DISTANCE + LONGEST_BACKED, 0
        return AFTER + LONGEST_BACKED, BEFORE + LONGEST_BACKED

    @cached_property
    def literals(self) -> frozenset[tuple[str, bool, bool]]:
        """What its words begin with, whether they end there, and whether others share them."""
        return frozenset(
            (literal_prefix(s.removeprefix("~")), is_exact_word(s), s[0] == "~") for s in self.stems
        )

    def find(self, view: View, start: int = 0, end: int | None = None) -> Iterator[ScoredSpan]:
        """(start, end, score) of each in `view[start:end]`.

        After a refused candidate the search goes on from its next character: a number before
        the real one may have joined it.
        """
        end = len(view.plain) if end is None else end
        search, judge = self.pattern.search, self.judge
        while match := search(view.plain, start, end):
            a, b = match.span()
            if score := judge(self, view, a, b):
                yield a, b, round(score, 3)
                start = max(b, a + 1)
            else:
                start = a + 1

    def judge_candidates(
        self, view: View, candidates: Iterable[tuple[int, int]]
    ) -> Iterator[ScoredSpan]:
        """`find` where the candidates are known, sorted by start."""
        free = 0
        for a, b in candidates:
            if a >= free and (score := self.judge(self, view, a, b)):
                yield a, b, round(score, 3)
                free = b


@cache
def identifier_files() -> tuple[Mapping[str, Any], ...]:
    """The files of `identifiers/`, parsed, by name: `rules`, and what holds for all of them."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = resources.files(__package__) / "identifiers"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return tuple(yaml.load(file.read_text("utf-8"), Loader=loader) for file in files)


def label_stems() -> list[str]:
    """The words for identifiers that a country issues, sorted; none that several share."""
    issued = (of for of in identifier_files() if of.get("country"))
    words = (stem for of in issued for raw in of["rules"] for stem in raw.get("stems", ()))
    return sorted({word for word in words if word[0] != "~"})
