"""The version of the code, as lineage records it."""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata
from pathlib import Path

PACKAGES = ("lineage", "pipelines", "schemas")


@functools.cache
def code_version() -> str:
    """Return `<release>+<12 hex digits of a SHA-256 over all files of the three packages>`.

    It is computed from the files, so it is right in a clone, in an installed wheel and in a tree with
    uncommitted changes.
    """
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                digest.update(path.relative_to(root).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    try:
        release = metadata.version("tamga")
    except metadata.PackageNotFoundError:
        release = "0"
    return f"{release}+{digest.hexdigest()[:12]}"
