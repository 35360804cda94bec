"""The key of pseudonyms: from a file or the environment, in no file that the pipeline writes."""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Final

from schemas.errors import BAD_USAGE, TamgaError

#: Holds the key itself; goes before the file that the parameters name.
ENVIRONMENT: Final = "TAMGA_PRIVACY_KEY"
#: NIST SP 800-107: a key of HMAC has at least the strength wanted; here the digest's length.
SHORTEST: Final = 32


class BadKey(TamgaError):
    """There is no key, or it is too short; the message says where it was looked for."""

    exit_code = BAD_USAGE


def read(named: Path | None) -> bytes | None:
    """The key, without line ends around it; None where neither place names one.

    Raises:
      BadKey: where what is named cannot be read, or is shorter than `SHORTEST` bytes.
    """
    told = os.environ.get(ENVIRONMENT, "")
    if told:
        place, key = ENVIRONMENT, told.encode()
    elif named is not None:
        place = str(named)
        try:
            key = named.read_bytes()
        except OSError as error:
            raise BadKey(f"{named}: {error.strerror or 'cannot be read'}") from None
    else:
        return None
    if len(key := key.strip()) < SHORTEST:
        raise BadKey(f"{place} holds {len(key)} bytes; a key has at least {SHORTEST}")
    return key


def fingerprint(key: bytes) -> str:
    """Says which key it was, and nothing about it: 16 hex digits of an HMAC of a constant."""
    return hmac.digest(key, b"tamga privacy key", "sha256").hex()[:16]
