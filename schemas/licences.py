"""SPDX licence expressions, with the `LicenseRef-…` symbols of the register."""

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
    """The grants and duties of a `LicenseRef-…` of `register/licences.yaml`.  `text` holds the terms
    if they are published nowhere else.  An `unverified` licence grants nothing."""

    id: str
    title: str
    url: str | None
    purposes: tuple[str, ...]
    attribution: bool
    share_alike: bool
    text: str | None = None
    jurisdiction: str | None = None  # the country whose law or state it comes from
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
    """Return the expression's tree; any `LicenseRef-…` is accepted.

    Raises:
      ValueError: if it is not an SPDX expression.
    """
    if len(expression) > MAX_CHARS:
        raise ValueError(f"longer than {MAX_CHARS} characters")
    licensing = _licensing(frozenset(_REF.findall(expression)))
    try:
        tree = licensing.parse(expression, validate=True, strict=True)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except Exception as error:  # the library raises several kinds
        raise ValueError(str(error) or "not an SPDX expression") from None
    if tree is None:
        raise ValueError("empty")
    return tree


def references(expression: str) -> frozenset[str]:
    """Return the `LicenseRef-…` names in an expression."""
    return frozenset(_REF.findall(expression))


def normalise(expression: str, refs: Collection[str] | None = None) -> str:
    """Return the expression in canonical SPDX spelling.

    Args:
      expression: the expression.
      refs: the known `LicenseRef-…`; None: any.

    Raises:
      ValueError: if it is not an SPDX expression, or names an unknown `LicenseRef-…`.
    """
    tree = _parse(expression)
    unknown = references(expression) - set(refs) if refs is not None else ()
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is not in register/licences.yaml")
    return str(tree.render())


def single_licences(expression: str) -> list[str]:
    """Return the licences in an expression, sorted, each once.  `X WITH Y` is one licence.

    Raises:
      ValueError: if it is not an SPDX expression.
    """
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
    """Whether the licences in `allow` satisfy the expression.  An OR needs one of its branches, an AND
    all of them.  `X WITH Y` must itself be in `allow`.  False for an invalid expression."""
    try:
        return _allowed(_parse(expression), _allow_set(frozenset(allow)))
    except ValueError:
        return False


@lru_cache(64)
def _allow_set(allow: frozenset[str]) -> frozenset[str]:
    out = set()
    for spelling in allow:
        try:
            out.add(normalise(spelling))
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
    """Return the purposes that an expression grants; None: no limit.

    Listed SPDX licences set no limit.  A `LicenseRef-…` grants the purposes of its terms; an unknown
    one grants nothing.  An AND grants what all its branches grant.  An OR grants what any branch
    grants; with `allow`, branches that are not allowed do not count.

    Raises:
      ValueError: if it is not an SPDX expression.
    """
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
