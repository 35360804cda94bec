"""Two folders change places in one step: whoever looks sees the one or the other, never none.

Linux: renameat2(2) with RENAME_EXCHANGE.  Elsewhere, and on file systems without it, two renames,
between which a reader may find nothing.
"""

from __future__ import annotations

import ctypes
import os
import secrets
from functools import cache
from pathlib import Path
from typing import Any

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@cache
def _renameat2() -> Any:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return call


def exchange(one: Path, other: Path) -> bool:
    """Let two folders of one file system change places; False where it took more than one step.

    Raises:
      OSError: where either is not there, or may not be moved.
    """
    call = _renameat2()
    if call:
        names = (os.fsencode(one), os.fsencode(other))
        if call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
            return True
    aside = one.with_name(f".{other.name}.{secrets.token_hex(16)}.old")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)
    return False


def sync(folder: Path) -> None:
    """Have a folder's entries on disk before what comes next."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
