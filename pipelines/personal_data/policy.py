"""Whether a run can do what its parameters say of personal data: asked before anything is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pipelines.personal_data import names, ner, pseudonym_key
from pipelines.personal_data.rules import entities
from schemas.errors import Problem
from schemas.params import Params
from schemas.privacy import PrivacyParams


def problems(params: Params, sources: Collection[str]) -> list[Problem]:
    """What is wrong with the section `privacy` beyond its shape; `sources`: those registered."""
    found = _policy_problems(params.privacy, sources)
    return [Problem(str(params.path), None, f"privacy.{key}", told) for key, told in found]


def known_classes(policy: PrivacyParams) -> set[str]:
    """All classes that can be found by rules, names and recognisers, asked for or not."""
    named = {"PERSON"} if policy.names else set()
    return {*entities(), *(e for one in policy.ner for e in one.entities), *named}


def _policy_problems(policy: PrivacyParams, sources: Collection[str]) -> Iterator[tuple[str, str]]:
    if told := names.names_problem(policy):
        yield "names", told
    for number, one in enumerate(policy.ner):
        if told := ner.missing(one):
            yield f"ner[{number}].recogniser", told
    known = known_classes(policy)
    named = [("entities", e) for e in policy.entities or ()]
    for number, rule in enumerate(policy.rules):
        named += [(f"rules[{number}].entities", e) for e in rule.entities or ()]
        for source in rule.sources or ():
            if source not in sources:
                yield f"rules[{number}].sources", f"the register has no source {source}"
    for key, entity in named:
        if entity not in known:
            yield key, f"unknown class {entity}; known here: {', '.join(sorted(known))}"
    try:
        if pseudonym_key.read(policy.key) is None and policy.needs_key:
            yield (
                "key",
                "pseudonyms need a key: name its file, or put it into the environment as "
                f"{pseudonym_key.ENVIRONMENT} (`openssl rand -hex 32` makes one)",
            )
    except pseudonym_key.BadKey as error:
        yield "key", f"{error}; `openssl rand -hex 32` makes one"
