"""The duties of those who pass a text on under a licence: attribution, and share-alike.

The duties of listed SPDX licences follow from the licences' texts; those of a `LicenseRef-…` are in
`register/licences.yaml`.  The duties of any other licence are reported as not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.licences import single_licences

#: Pattern of an SPDX identifier -> (attribution or notice, share-alike).  The first match counts.
_LISTED: Final = tuple(
    (re.compile(pattern), duties)
    for pattern, duties in (
        (r"CC0-1\.0|PDDL-1\.0|CC-PDDC|Unlicense|0BSD|MIT-0", (False, False)),
        (r"CC-BY-(NC-)?SA-.+|ODbL-1\.0|GFDL-.+|CC-SA-1\.0", (True, True)),
        (r"CC-BY-.+|ODC-By-1\.0|OGL-UK-.+|MIT|Apache-2\.0|BSD-[23]-Clause", (True, False)),
    )
)


@dataclass(frozen=True)
class Duties:
    """Duties of a licence or an expression; None: not known here, see the licence's text."""

    attribution: bool | None
    share_alike: bool | None

    @property
    def description(self) -> str:
        """The duties in words; those that are not known are named as such."""
        words = ((self.attribution, "attribution"), (self.share_alike, "share-alike"))
        named = [name for demanded, name in words if demanded]
        unknown = [f"{name} not known" for demanded, name in words if demanded is None]
        return ", ".join(named + unknown) or "none"


def duties(expression: str, terms: Mapping[str, Mapping[str, Any]]) -> Duties:
    """Return the duties of an SPDX expression.  An OR has the duties of all its branches, because the
    user chooses the branch.

    Args:
      expression: the expression in the register.
      terms: `LicenseRef-…` -> at least `attribution`, `share_alike`.
    """
    found = [_licence_duties(name, terms) for name in single_licences(expression)]
    return Duties(
        _any_demanded([f.attribution for f in found]), _any_demanded([f.share_alike for f in found])
    )


def _licence_duties(name: str, terms: Mapping[str, Mapping[str, Any]]) -> Duties:
    known = terms.get(name)
    if known is not None:
        return Duties(known["attribution"], known["share_alike"])
    listed = next((d for pattern, d in _LISTED if pattern.fullmatch(name)), (None, None))
    return Duties(*listed)


def _any_demanded(demands: list[bool | None]) -> bool | None:
    """Return True if one licence demands it, None if that is not known, else False."""
    if True in demands:
        return True
    return None if None in demands else False
