"""SPDX licence expressions, with the `LicenseRef-…` symbols that the register knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import license_expression as spdx

_REF: Final = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
MAX_CHARS: Final = 1000


@dataclass(frozen=True)
class LicenceTerms:
    """What a `LicenseRef-…` of `register/licences.yaml` grants, and its duties; `text` holds the
    terms themselves, where they stand nowhere else.  One that is `unverified` grants nothing."""

    id: str
    title: str
    url: str | None
    purposes: tuple[str, ...]
    attribution: bool
    share_alike: bool
    text: str | None = None
    jurisdiction: str | None = None  # whose law or state it comes from
    citation: str | None = None
    verified_on: str | None = None  # YYYY-MM-DD
    unverified: bool = False


@cache
def _symbols() -> tuple[Any, ...]:
    listed = spdx.get_spdx_licensing().known_symbols.values()
    return tuple(s for s in listed if not s.key.startswith("LicenseRef-"))


@lru_cache(256)
def _licensing(refs: frozenset[str]) -> Any:
    return spdx.Licensing([*_symbols(), *(spdx.LicenseSymbol(r) for r in sorted(refs))])


@lru_cache(4096)
def _parse(expression: str) -> Any:
    """The expression's tree, whatever `LicenseRef-…` it names; ValueError when it is none."""
    if len(expression) > MAX_CHARS:
        raise ValueError(f"longer than {MAX_CHARS} characters")
    licensing = _licensing(frozenset(_REF.findall(expression)))
    try:
        tree = licensing.parse(expression, validate=True, strict=True)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except Exception as error:  # the library raises several kinds
        raise ValueError(str(error) or "no SPDX expression") from None
    if tree is None:
        raise ValueError("empty")
    return tree


def references(expression: str) -> frozenset[str]:
    """The `LicenseRef-…` names in an expression."""
    return frozenset(_REF.findall(expression))


def normalise(expression: str, refs: Collection[str] | None = None) -> str:
    """The expression in canonical SPDX spelling.  `refs` are the known `LicenseRef-…` (None:
    any).  ValueError says why it is none."""
    tree = _parse(expression)
    unknown = references(expression) - set(refs) if refs is not None else ()
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is not in register/licences.yaml")
    return str(tree.render())


def single_licences(expression: str) -> list[str]:
    """The licences in an expression, each once, a WITH as one.  ValueError when it is none."""
    return sorted({leaf.render() for leaf in _leaves(_parse(expression))})


def _leaves(tree: Any) -> list[Any]:
    branches = _branches(tree)
    return [leaf for branch in branches for leaf in _leaves(branch)] if branches else [tree]


def is_single(expression: str) -> bool:
    """Whether the expression is one licence, alone or WITH an exception."""
    return not _branches(_parse(expression))


def _branches(tree: Any) -> tuple[Any, ...]:
    return tree.args if isinstance(tree, (spdx.AND, spdx.OR)) else ()


def is_allowed(expression: str, allow: Collection[str]) -> bool:
    """Whether licences of `allow` alone satisfy the expression: of an OR one branch, of an AND
    all; `X WITH Y` only where exactly that is allowed.  False for what cannot be read."""
    try:
        return _allowed(_parse(expression), _allow_set(frozenset(allow)))
    except ValueError:
        return False


@lru_cache(64)
def _allow_set(allow: frozenset[str]) -> frozenset[str]:
    out = set()
    for one in allow:
        try:
            out.add(normalise(one))
        except ValueError:
            continue
    return frozenset(out)


def _allowed(tree: Any, allow: frozenset[str]) -> bool:
    if branches := _branches(tree):
        combine = any if isinstance(tree, spdx.OR) else all
        return combine(_allowed(branch, allow) for branch in branches)
    return tree.render() in allow


def purposes_of(
    expression: str, terms: Mapping[str, LicenceTerms], allow: Collection[str] | None = None
) -> frozenset[str] | None:
    """The purposes that the terms of the expression's `LicenseRef-…` leave open; None: no
    limit, as listed SPDX licences set none.  An AND grants what all its branches grant, an OR
    what any does; with `allow`, an OR's branches that are not allowed do not count.
    ValueError when the expression cannot be read; an unknown `LicenseRef-…` grants nothing."""
    allow_set = None if allow is None else _allow_set(frozenset(allow))
    return _purposes(_parse(expression), terms, allow_set)


def _purposes(
    tree: Any, terms: Mapping[str, LicenceTerms], allow: frozenset[str] | None
) -> frozenset[str] | None:
    branches = _branches(tree)
    if not branches:
        names = references(tree.render())
        if not names:
            return None
        known = [frozenset(terms[n].purposes) if n in terms else frozenset[str]() for n in names]
        return frozenset[str].intersection(*known)
    either = isinstance(tree, spdx.OR)
    if either and allow is not None:
        branches = tuple(b for b in branches if _allowed(b, allow))
    grants = [_purposes(branch, terms, allow) for branch in branches]
    limits = [g for g in grants if g is not None]
    if either:
        return None if len(limits) < len(grants) else frozenset[str]().union(*limits)
    return frozenset[str].intersection(*limits) if limits else None
