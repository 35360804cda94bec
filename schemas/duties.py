"""What a licence asks of whoever passes a text on: attribution, and the same licence for it.

Of listed SPDX licences as their texts have it; of a `LicenseRef-…` as `register/licences.yaml`
says.  What is in neither is not known, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.licences import single_licences

#: Pattern of an SPDX identifier -> (attribution or notice, share-alike); the first that fits.
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
    """None: not known here, the licence's text says it."""

    attribution: bool | None
    share_alike: bool | None

    @property
    def description(self) -> str:
        """The duties in words; those that are not known are named as such."""
        words = ((self.attribution, "attribution"), (self.share_alike, "share-alike"))
        named = [name for asked, name in words if asked]
        unknown = [f"{name} not known" for asked, name in words if asked is None]
        return ", ".join(named + unknown) or "none"


def duties(expression: str, terms: Mapping[str, Mapping[str, Any]]) -> Duties:
    """The duties of an SPDX expression.  Of an OR those of all branches: which one is taken up is
    the user's choice.

    Args:
      expression: as the register has it.
      terms: `LicenseRef-…` -> at least `attribution`, `share_alike`.
    """
    found = [_one(name, terms) for name in single_licences(expression)]
    return Duties(_any([f.attribution for f in found]), _any([f.share_alike for f in found]))


def _one(name: str, terms: Mapping[str, Mapping[str, Any]]) -> Duties:
    known = terms.get(name)
    if known is not None:
        return Duties(known["attribution"], known["share_alike"])
    listed = next((d for pattern, d in _LISTED if pattern.fullmatch(name)), (None, None))
    return Duties(*listed)


def _any(asked: list[bool | None]) -> bool | None:
    if True in asked:
        return True
    return None if None in asked else False
