"""What each identifier looks like, who issues it, and how far it may be trusted.

A rule is data: `identifiers/*.yaml`, a file per country and one for contacts.  Its keys:

  entity, about         the class, and what it is
  digits                so many digits, at most one separator or line break between two; or
  pattern               a regular expression over the plain view; `<<name>>` is a fragment
  mark, reach           what each match without a word holds (`places`; one of several), and how
                        far it may stretch before and after; or
  needs                 the digits that it holds at least, at most three characters apart
  check                 a function of `checksums` that the candidate, compacted, must pass
  stems                 words that back it (see `contexts`); `~` before one that is too common: the
                        document's language or jurisdiction must agree
  alone                 score without a word (absent: never stands without one)
  form, plausible       what the candidate must look like, or pass, to stand alone
  certain               no word is needed and no sum can look like it
  judge                 a function of `judges` that scores instead
  source, unverified    where this is from, and what of it nobody confirmed
  drawn, passes         how random strings are drawn (# a digit, @ a capital) and what share of
                        them passes `check`, measured (`passes_share`)

A score below `THRESHOLD` needs the document's language or jurisdiction to agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final

import yaml

from pipelines.personal_data import checksums, fragments, judges
from pipelines.personal_data.contexts import AFTER, BEFORE, Words, is_whole, literal, stems
from pipelines.personal_data.pattern_views import View

THRESHOLD: Final = 0.4
#: What agreeing language and agreeing jurisdiction each add to a score.
NATIVE: Final = 0.1
VERSION: Final = "3"
#: The longest match of any rule that needs a word, in characters; of an address; and in an address
#: before the word for a street.
BACKED: Final = 80
LONGEST: Final = 210
STREET_NAME: Final = 56

_JUNK: Final = re.compile(r"[^0-9A-Za-z]")
_KEYS: Final = frozenset(
    [
        "entity",
        "about",
        "digits",
        "pattern",
        "reach",
        "needs",
        "mark",
        "check",
        "stems",
        "alone",
        "form",
        "plausible",
        "certain",
        "judge",
        "source",
        "unverified",
        "drawn",
        "passes",
        "languages",
    ]
)


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
    checked: str | None  # the name of `check`
    alone: float
    form: re.Pattern[str]
    plausible: Callable[[str], bool]
    certain: bool
    judge: Callable[[Rule, View, int, int], float]
    needs: int
    marks: tuple[str, ...]
    reach: tuple[int, int]
    source: str
    unverified: str
    drawn: str | None
    passes: float | None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.regex)

    def words(self, view: View) -> tuple[Words | None, Words | None]:
        """The searches for its own words and for those that it shares with others; None where
        there are none, or `view.told` knows of none."""
        if (found := view.searches.get(self.name)) is None:
            at = (None, None) if view.told is None else view.told.get(self.name, ((), ()))
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
        return stems(own) if own else None, stems(shared) if shared else None

    @cached_property
    def needs_word(self) -> bool:
        """Whether nothing but one of its words, or a mark, lets a candidate stand."""
        backed = self.judge in (judges.identifier, judges.beside, judges.birth) and not self.alone
        return backed or self.judge in (judges.street, judges.post_code, judges.phone)

    @cached_property
    def word_reach(self) -> tuple[int, int]:
        """How far a match may stretch before and after the beginning of a word that it needs."""
        if self.judge is judges.street:
            return STREET_NAME, LONGEST
        if self.judge is judges.post_code:
            return judges.TO_STREET + BACKED, 0
        return AFTER + BACKED, BEFORE + BACKED

    @cached_property
    def literals(self) -> frozenset[tuple[str, bool, bool]]:
        """What its words begin with, whether they end there, and whether others share them."""
        return frozenset(
            (literal(s.removeprefix("~")), is_whole(s), s[0] == "~") for s in self.stems
        )

    def find(self, view: View, start: int = 0, end: int | None = None) -> Iterator[Found]:
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

    def among(self, view: View, candidates: Iterable[tuple[int, int]]) -> Iterator[Found]:
        """`find` where the candidates are known, sorted by start."""
        free = 0
        for a, b in candidates:
            if a >= free and (score := self.judge(self, view, a, b)):
                yield a, b, round(score, 3)
                free = b


Found = tuple[int, int, float]


def compact(value: str) -> str:
    """`value` of a plain view without its separators."""
    return _JUNK.sub("", value)


def _any(_: str) -> bool:
    return True


def _check(name: str | None) -> Callable[[str], bool]:
    if name is None:
        return _any
    validator: Callable[[str], bool] = getattr(checksums, name)
    return lambda value: validator(compact(value))


def _rule(raw: Mapping[str, Any], of: Mapping[str, Any], number: int) -> Rule:
    if unknown := set(raw) - _KEYS:
        raise ValueError(f"{raw.get('entity')}: unknown keys {sorted(unknown)}")
    digits, judge = raw.get("digits"), raw.get("judge", "identifier")
    before, after = raw.get("reach", (0, 0))
    marks = raw.get("mark", ())
    return Rule(
        name=f"{raw['entity'].lower()}-{number}/{VERSION}",
        entity=raw["entity"],
        country=of.get("country"),
        languages=tuple(raw.get("languages", of.get("languages", ()))),
        digits=digits,
        regex=fragments.digits(digits) if digits else fragments.expand(raw["pattern"]),
        stems=tuple(raw.get("stems", ())),
        check=_check(raw.get("check")),
        checked=raw.get("check"),
        alone=float(raw.get("alone", 0)),
        form=re.compile(raw.get("form", "[0-9A-Za-z]+")),
        plausible=_check(raw.get("plausible")),
        certain=bool(raw.get("certain", False)),
        judge=getattr(judges, judge),
        needs=int(raw.get("needs", 0)),
        marks=(marks,) if isinstance(marks, str) else tuple(marks),
        reach=(before, after),
        source=raw["source"],
        unverified=raw.get("unverified", ""),
        drawn=raw.get("drawn"),
        passes=raw.get("passes"),
    )


@cache
def load() -> tuple[Rule, ...]:
    """All rules, by file and place in it.  Raises ValueError for a key that is not known."""
    rules: list[Rule] = []
    seen: dict[str, int] = {}
    folder = resources.files(__package__) / "identifiers"
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".yaml"):
            continue
        of = yaml.load(
            file.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
        for raw in of["rules"]:
            number = seen[raw["entity"]] = seen.get(raw["entity"], 0) + 1
            rules.append(_rule(raw, of, number))
    return tuple(rules)


def entities() -> tuple[str, ...]:
    """The classes that the rules find, sorted."""
    return tuple(sorted({rule.entity for rule in load()}))


def passes_share(rule: Rule, draws: int = 20_000, seed: int = 1) -> float:
    """The share of random strings, drawn as `rule.drawn` says, that pass `rule.check`."""
    import random

    rng = random.Random(seed)
    alphabet = {"#": "0123456789", "@": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    drawn = rule.drawn or ""
    return (
        sum(
            rule.check("".join(rng.choice(alphabet.get(ch, ch)) for ch in drawn))
            for _ in range(draws)
        )
        / draws
    )
