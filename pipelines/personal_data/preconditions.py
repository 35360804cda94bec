"""Check before a run starts that the section `privacy` of the parameters can be carried out."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pipelines.personal_data import names, pseudonym_key
from pipelines.personal_data.rules import entities
from schemas.errors import Problem
from schemas.params import Params
from schemas.privacy import PrivacyParams


def problems(params: Params, sources: Collection[str]) -> list[Problem]:
    """Return the problems of the section `privacy` that its JSON schema does not find.

    Args:
      sources: the ids of the register's sources.
    """
    return [
        Problem(str(params.path), None, f"privacy.{key}", message)
        for key, message in _policy_problems(params.privacy, sources)
    ]


def known_classes(policy: PrivacyParams) -> set[str]:
    """Return all classes that rules, names and models can find, whether or not the policy wants them."""
    named = {"PERSON"} if policy.names else set()
    return {*entities(), *(entity for model in policy.ner for entity in model.entities), *named}


def _policy_problems(policy: PrivacyParams, sources: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield (key inside the section, message) of each problem."""
    if message := names.names_problem(policy):
        yield "names", message
    for number, model in enumerate(policy.ner):
        if message := names.model_problem(model):
            yield f"ner[{number}].recogniser", message
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
                "pseudonyms need a key: set this key to the path of its file, or the environment "
                f"variable {pseudonym_key.ENVIRONMENT} to the key; `openssl rand -hex 32` makes one",
            )
    except pseudonym_key.BadKey as error:
        yield "key", f"{error}; `openssl rand -hex 32` makes one"
