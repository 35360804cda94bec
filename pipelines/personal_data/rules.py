"""What each identifier looks like, who issues it, and how far it may be trusted.

A rule is data: `identifiers/*.yaml`, a file per country and one for contacts.  Its keys:

  entity, about         the class, and what it is
  digits                so many digits, at most one separator or line break between two; or
  pattern               a regular expression over the plain view; `<<name>>` is a fragment
  reach                 how far a match may stretch before and after a cluster of digits
  needs                 fewest digits in that cluster (default: `digits`); or
  mark                  the character that every match holds (`@`, `/`, `:`)
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
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Any, Final

import yaml

from pipelines.personal_data import checksums, fragments, judges
from pipelines.personal_data.contexts import literal, stems
from pipelines.personal_data.views import View

THRESHOLD: Final = 0.4
#: What agreeing language and agreeing jurisdiction each add to a score.
NATIVE: Final = 0.1
VERSION: Final = "2"

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
    mark: str | None
    reach: tuple[int, int]
    source: str
    unverified: str
    drawn: str | None
    passes: float | None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.regex)

    def words(self, view: View) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
        """The searches for its own words and for those that it shares with others, of which
        `view.told` knows; None where there are none."""
        if (found := view.searches.get(self.name)) is None:
            told = None if view.told is None else view.told & self.literals
            found = view.searches[self.name] = _searches(self.stems, told)
        return found

    @property
    def needs_word(self) -> bool:
        """Whether a text without any of its words cannot hold it."""
        backed = self.judge in (judges.identifier, judges.beside, judges.birth)
        return self.judge in (judges.street, judges.post_code) or (backed and not self.alone)

    @cached_property
    def literals(self) -> frozenset[str]:
        """One of these stands in every folded text that holds one of its words."""
        return frozenset(literal(s.removeprefix("~")) for s in self.stems)

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


@lru_cache(maxsize=4096)
def _searches(
    written: tuple[str, ...], told: frozenset[str] | None
) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    some = [s for s in written if told is None or literal(s.removeprefix("~")) in told]
    own = [s for s in some if s[0] != "~"]
    shared = [s[1:] for s in some if s[0] == "~"]
    return stems(own) if own else None, stems(shared) if shared else None


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
        needs=int(raw.get("needs", digits or 0)),
        mark=raw.get("mark"),
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
