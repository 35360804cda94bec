"""URIs and file names with personal data: stored redacted, and looked up by a keyed digest.

The key lies among the work files, never in a release.  Without the key a digest reveals nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path, PurePosixPath

from lineage.storage import disk
from schemas.errors import BAD_USAGE, TamgaError

KEY_BYTES = 32


class ShortKey(TamgaError):
    """The look-up key is too short; the message says what to do."""

    exit_code = BAD_USAGE


def lookup_key(folder: Path) -> bytes:
    """Load the look-up key of a work folder; create it if there is none.

    Only its owner can read the file.
    """
    path = folder / "lookup.key"
    if not path.exists():
        disk.create_file(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
    secret = path.read_bytes()
    if len(secret) < KEY_BYTES:
        raise ShortKey(f"{path} is too short for a key; remove the file, and a new key is created")
    return secret


def keyed_digest(secret: bytes, value: str) -> str:
    """HMAC-SHA-256 of a URI or file name, hex."""
    return hmac.new(secret, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def find_file(secret: bytes, keyed: str, redacted: str, root: Path) -> str | None:
    """Find the file whose name was stored redacted.

    The search begins in the deepest folder that the redacted name still names.

    Args:
      secret: the key.
      keyed: the keyed digest of the name.
      redacted: the name as stored, with `<ENTITY>` in place of personal data.
      root: the folder that names are relative to.

    Returns:
      The name relative to `root`; None if there is no such file.
    """
    folder = root
    for part in PurePosixPath(redacted).parts[:-1]:
        if not (folder / part).is_dir():
            break
        folder /= part
    for home, _, names in os.walk(folder):
        for name in names:
            stored = stored_name(Path(home, name), root)
            if hmac.compare_digest(keyed_digest(secret, stored), keyed):
                return os.path.relpath(Path(home, name), root)
    return None


def stored_name(path: Path, root: Path) -> str:
    """A file's name as lineage stores it: relative to `root`, with slashes.

    Bytes that are not UTF-8 become `\\xNN`.
    """
    name = Path(os.path.relpath(path, root)).as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")
