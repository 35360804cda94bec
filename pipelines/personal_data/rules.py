"""Load the rules: what each identifier looks like, who issues it, and how it is scored.

Rules are data in `identifiers/*.yaml`, a file per country and one for contacts.  Keys of a rule:

  entity, about         the class, and a description
  digits                the number of digits, with at most one separator or line break between two;
                        or
  pattern               a regular expression over the plain view; `<<name>>` is a fragment
  mark, reach           the mark (`places`), or one of several, that each match without a word
                        contains; and how many characters a match may reach before and after it; or
  needs                 the least number of digits, at most three characters apart
  check                 a function of `checksums` that the candidate, compacted, must pass
  stems                 words that confirm it (see `contexts`); `~` before a word that other rules
                        share: the document's language or jurisdiction must agree
  alone                 score without a word (absent: a word is necessary)
  form, plausible       the pattern, or the function of `checksums`, that a candidate without a word
                        must match or pass
  certain               no word is necessary, and a sum cannot look like it
  judge                 the function of `judges` that scores it (default: `identifier`)
  source, unverified    where the rule comes from, and what is not confirmed
  drawn, passes         how random strings are drawn (# a digit, @ a capital) and what share of
                        them passes `check`, measured (`passes_share`)

A score below `THRESHOLD` needs the document's language or jurisdiction to agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from pipelines.personal_data import checksums, fragments, judges
from pipelines.personal_data.identifier_rule import Rule, identifier_files

THRESHOLD: Final = 0.4
#: A matching language and a matching jurisdiction each add this to a score.
NATIVE: Final = 0.1
VERSION: Final = "3"

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
        "sample_form",
        "pass_share",
        "languages",
    ]
)


def compact(value: str) -> str:
    """Remove the separators from a value of a plain view."""
    return _JUNK.sub("", value)


def _accept_any(_: str) -> bool:
    return True


def _check_of(name: str | None) -> Callable[[str], bool]:
    if name is None:
        return _accept_any
    validator: Callable[[str], bool] = getattr(checksums, name)
    return lambda value: validator(compact(value))


def _rule(raw: Mapping[str, Any], file: Mapping[str, Any], number: int) -> Rule:
    """Build a rule from its entry in a file; `number` counts the rules of its class."""
    if unknown := set(raw) - _KEYS:
        raise ValueError(f"{raw.get('entity')}: unknown keys {sorted(unknown)}")
    digits, judge = raw.get("digits"), raw.get("judge", "identifier")
    before, after = raw.get("reach", (0, 0))
    marks = raw.get("mark", ())
    return Rule(
        name=f"{raw['entity'].lower()}-{number}/{VERSION}",
        entity=raw["entity"],
        country=file.get("country"),
        languages=tuple(raw.get("languages", file.get("languages", ()))),
        digits=digits,
        regex=fragments.digits_pattern(digits)
        if digits
        else fragments.expand_fragments(raw["pattern"]),
        stems=tuple(raw.get("stems", ())),
        check=_check_of(raw.get("check")),
        check_name=raw.get("check"),
        alone=float(raw.get("alone", 0)),
        form=re.compile(raw.get("form", "[0-9A-Za-z]+")),
        plausible=_check_of(raw.get("plausible")),
        certain=bool(raw.get("certain", False)),
        judge=getattr(judges, judge),
        judge_name=judge,
        needs=int(raw.get("needs", 0)),
        marks=(marks,) if isinstance(marks, str) else tuple(marks),
        reach=(before, after),
        source=raw["source"],
        unverified=raw.get("unverified", ""),
        sample_form=raw.get("sample_form"),
        pass_share=raw.get("pass_share"),
    )


@cache
def load_rules() -> tuple[Rule, ...]:
    """Return all rules, by file and position in it.  Raises ValueError for an unknown key."""
    rules: list[Rule] = []
    numbers: dict[str, int] = {}
    for file in identifier_files():
        for raw in file["rules"]:
            number = numbers[raw["entity"]] = numbers.get(raw["entity"], 0) + 1
            rules.append(_rule(raw, file, number))
    return tuple(rules)


def entities() -> tuple[str, ...]:
    """Return the classes that the rules find, sorted."""
    return tuple(sorted({rule.entity for rule in load_rules()}))


def measure_pass_share(rule: Rule, draws: int = 20_000, seed: int = 1) -> float:
    """The share of random strings, drawn as `rule.sample_form` says, that pass `rule.check`."""
    import random

    rng = random.Random(seed)
    alphabet = {"#": "0123456789", "@": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    form = rule.sample_form or ""
    return (
        sum(
            rule.check("".join(rng.choice(alphabet.get(ch, ch)) for ch in form))
            for _ in range(draws)
        )
        / draws
    )
