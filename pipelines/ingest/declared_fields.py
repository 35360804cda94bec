"""What a record states of itself, taken over only where it has the form that it must have.

A field that holds something else than its name says (a person's name where the date belongs)
must not get into the lineage.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

#: A media type that is none: something was stated, and nobody knows what it is.
UNKNOWN_TYPE: Final = ""

_LONGEST_TYPE: Final = 127  # RFC 6838, 4.2
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, 5.6.2
_TYPE: Final = re.compile(rf"{_TOKEN}/{_TOKEN}")
_LONGEST_TIME: Final = 35  # 2026-01-01T00:00:00.000000000+00:00
_DIGEST: Final = re.compile(r"[A-Za-z0-9-]{2,16}:[A-Za-z0-9+/=_-]{1,172}")  # as WARC writes them
#: ISO 8601 of reduced precision, and days as the region writes them.
_DAYS: Final = (("%Y", 4), ("%Y-%m", 7), ("%d.%m.%Y", 10))


def capture_time(stated: str | None) -> str | None:
    """A date or time as it stands, less white space around it; None for anything else.

    ISO 8601 (years, months, days, times of up to nine decimals), or `DD.MM.YYYY`.
    """
    text = (stated or "").strip()
    if not text.isascii() or len(text) > _LONGEST_TIME:
        return None
    return text if _is_iso(text) or any(_is_day(text, *day) for day in _DAYS) else None


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_day(text: str, form: str, length: int) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return len(text) == length


def media_type(stated: str | None) -> str | None:
    """A media type (RFC 9110, 8.3.1: `token/token`), `UNKNOWN_TYPE` for what has not its form;
    None where nothing was stated."""
    if stated is None:
        return None
    return stated if len(stated) <= _LONGEST_TYPE and _TYPE.fullmatch(stated) else UNKNOWN_TYPE


def digest(stated: str) -> str | None:
    """A digest as WARC's headers write it, `algorithm:value`; None for anything else."""
    return stated if _DIGEST.fullmatch(stated) else None
