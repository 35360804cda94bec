"""The parameters `privacy`: what is looked for, and what is put in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

#: What may stand in a value's place; `keep` leaves it.
OPERATORS: Final = ("replace", "mask", "surrogate", "pseudonym", "keep")


@dataclass(frozen=True)
class PrivacyRule:
    """An operator for some classes, in some sources, under some jurisdictions; None: any."""

    operator: str
    entities: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    jurisdictions: tuple[str, ...] | None = None

    def covers(self, entity: str, source: str | None, jurisdiction: str | None) -> bool:
        """Whether the rule speaks of such a finding."""
        return (
            (self.entities is None or entity in self.entities)
            and (self.sources is None or source in self.sources)
            and (self.jurisdictions is None or jurisdiction in self.jurisdictions)
        )


@dataclass(frozen=True)
class NerParams:
    """A recogniser of Presidio by its class: `package.module.Class`, called with `options`."""

    recogniser: str
    languages: tuple[str, ...]
    entities: tuple[str, ...] = ("PERSON",)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PrivacyParams:
    """See `docs/data-engineers.md`; `key` is where the key of pseudonyms lies, never the key."""

    entities: tuple[str, ...] | None = None  # None: all that rules find
    operator: str = "replace"
    rules: tuple[PrivacyRule, ...] = ()  # the first that covers a finding decides
    key: Path | None = None
    seed: int = 1  # of surrogates, where there is no key
    drop_density: float | None = None  # findings per 1,000 characters; above: dropped
    names: tuple[str, ...] = ()  # languages whose names are looked for
    officials: str = "replace"  # or keep: their names in acts, and authors' in bylines
    ner: tuple[NerParams, ...] = ()
    second_scan: int = 500  # released documents that are looked at again; 0: none

    def operator_for(self, entity: str, source: str | None, jurisdiction: str | None) -> str:
        """What is done with a finding of a class in a source."""
        covering = (r.operator for r in self.rules if r.covers(entity, source, jurisdiction))
        return next(covering, self.operator)

    @property
    def needs_key(self) -> bool:
        """Whether some operator cannot do without a key."""
        return "pseudonym" in (self.operator, *(r.operator for r in self.rules))

    def canonical(self) -> dict[str, Any]:
        """All that changes what comes out; the key does so too, and stands for itself by a
        fingerprint among the stage's models."""
        told = asdict(self)
        del told["key"]
        sets = ("entities", "names")
        return told | {k: v and sorted(set(v)) for k in sets if (v := told[k]) is not None}


def build_privacy(value: Mapping[str, Any], key: Path | None) -> PrivacyParams:
    """The section as the JSON schema admits it; `key` resolved."""
    told = {k: v for k, v in value.items() if k not in ("rules", "ner", "key")}
    for name in ("entities", "names"):
        if isinstance(told.get(name), list):
            told[name] = tuple(told[name])
    if (density := told.get("drop_density")) is not None:
        told["drop_density"] = float(density)
    rules = tuple(
        PrivacyRule(
            r["operator"], *(_tuple(r, k) for k in ("entities", "sources", "jurisdictions"))
        )
        for r in value.get("rules") or ()
    )
    ner = tuple(
        NerParams(
            n["recogniser"],
            tuple(n["languages"]),
            tuple(n.get("entities", ("PERSON",))),
            dict(n.get("options") or {}),
        )
        for n in value.get("ner") or ()
    )
    return PrivacyParams(**told, rules=rules, ner=ner, key=key)


def _tuple(rule: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    return tuple(rule[name]) if name in rule else None
