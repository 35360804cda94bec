"""The section `privacy` of the parameters: which personal data is searched, and what replaces it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

#: What can replace a value; `keep` leaves the value in the text.
OPERATORS: Final = ("replace", "mask", "surrogate", "pseudonym", "keep")


@dataclass(frozen=True)
class PrivacyRule:
    """An operator for classes, sources and jurisdictions (None: all of them)."""

    operator: str
    entities: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    jurisdictions: tuple[str, ...] | None = None

    def covers(self, entity: str, source: str | None, jurisdiction: str | None) -> bool:
        """Whether the rule applies to a finding of a class in a source."""
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
    """The parameters that `docs/data-engineers.md` explains; `key` is the path of the key, not the key."""

    entities: tuple[str, ...] | None = None  # None: all classes of the rules
    operator: str = "replace"
    rules: tuple[PrivacyRule, ...] = ()  # the first rule that covers a finding decides
    key: Path | None = None
    seed: int = 1  # of surrogates without a key
    drop_density: float | None = None  # findings per 1,000 characters; a denser document is dropped
    names: tuple[str, ...] = ()  # languages in which names of persons are searched
    officials: str = "replace"  # keep: names of officials in acts and of authors in bylines stay
    ner: tuple[NerParams, ...] = ()
    second_scan: int = 500  # released documents that are scanned again; 0: none

    def operator_for(self, entity: str, source: str | None, jurisdiction: str | None) -> str:
        """Return the operator for a finding of a class in a source."""
        covering = (r.operator for r in self.rules if r.covers(entity, source, jurisdiction))
        return next(covering, self.operator)

    @property
    def needs_key(self) -> bool:
        """Whether an operator needs a key."""
        return "pseudonym" in (self.operator, *(r.operator for r in self.rules))

    def canonical(self) -> dict[str, Any]:
        """Return the parameters that change the output, in one form.

        The key is left out.  Its fingerprint is among the stage's models instead.
        """
        fields = asdict(self)
        del fields["key"]
        sets = ("entities", "names")
        return fields | {k: v and sorted(set(v)) for k in sets if (v := fields[k]) is not None}


def build_privacy(value: Mapping[str, Any], key: Path | None) -> PrivacyParams:
    """Build the parameters from a section that passed the JSON schema; `key`: the resolved path."""
    fields: dict[str, Any] = {k: v for k, v in value.items() if k not in ("rules", "ner", "key")}
    for name in ("entities", "names"):
        if isinstance(fields.get(name), list):
            fields[name] = tuple(fields[name])
    if (density := fields.get("drop_density")) is not None:
        fields["drop_density"] = float(density)
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
    return PrivacyParams(**fields, rules=rules, ner=ner, key=key)


def _tuple(rule: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    return tuple(rule[name]) if name in rule else None
