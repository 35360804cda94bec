"""Read the key of pseudonyms from a file or the environment.

The pipeline writes the key to no file.  A module without imports of its own: commands load it early.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Final

from schemas.errors import BAD_USAGE, TamgaError

#: The environment variable that holds the key; it precedes the file that the parameters name.
ENVIRONMENT: Final = "TAMGA_PRIVACY_KEY"
#: In bytes, the length of the digest (NIST SP 800-107: an HMAC key has at least the security strength).
SHORTEST: Final = 32


class BadKey(TamgaError):
    """The key cannot be read or is too short; the message names the place."""

    exit_code = BAD_USAGE


def read(named: Path | None) -> bytes | None:
    """Return the key without blanks and line ends around it; None if no place is named.

    Args:
      named: the key's file; the environment variable precedes it.

    Raises:
      BadKey: the file cannot be read, or the key is shorter than `SHORTEST` bytes.
    """
    from_environment = os.environ.get(ENVIRONMENT, "")
    if from_environment:
        place, key = ENVIRONMENT, from_environment.encode()
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
    """Return 16 hex digits of an HMAC of a constant: they identify the key and reveal nothing of it."""
    return hmac.digest(key, b"tamga privacy key", "sha256").hex()[:16]
