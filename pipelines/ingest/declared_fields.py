"""Validate the metadata fields that a record declares: capture time, media type, digest.

A field may hold something else than its name says, for example a person's name in the date
field. Such a value must not reach the lineage.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

#: Stands for a declared media type that does not have the form of a media type.
UNKNOWN_TYPE: Final = ""

_LONGEST_TYPE: Final = 127  # RFC 6838, 4.2
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, 5.6.2
_TYPE: Final = re.compile(rf"{_TOKEN}/{_TOKEN}")
_LONGEST_TIME: Final = 35  # 2026-01-01T00:00:00.000000000+00:00
_DIGEST: Final = re.compile(r"[A-Za-z0-9-]{2,16}:[A-Za-z0-9+/=_-]{1,172}")  # as WARC writes them
#: ISO 8601 of reduced precision, and the region's way to write a day. Format and exact length.
_DAYS: Final = (("%Y", 4), ("%Y-%m", 7), ("%d.%m.%Y", 10))


def capture_time(declared: str | None) -> str | None:
    """Return a declared date or time, stripped; None if it has another form.

    Allowed are ISO 8601 (year, month, day, or time with up to nine decimals) and `DD.MM.YYYY`.
    """
    text = (declared or "").strip()
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


def media_type(declared: str | None) -> str | None:
    """Return a declared media type (RFC 9110, 8.3.1: `token/token`).

    Returns:
      The media type; `UNKNOWN_TYPE` if it has another form; None if none was declared.
    """
    if declared is None:
        return None
    return (
        declared if len(declared) <= _LONGEST_TYPE and _TYPE.fullmatch(declared) else UNKNOWN_TYPE
    )


def digest(declared: str) -> str | None:
    """Return a digest in the form of WARC headers, `algorithm:value`; None if it has another."""
    return declared if _DIGEST.fullmatch(declared) else None
