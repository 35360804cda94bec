"""Files in object stores, by URL, through fsspec: `s3://`, `gs://`, `hdfs://`, `file://`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from lineage.storage import disk

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")
_MAGIC = re.compile(r"[*?\[]")


def is_url(path: str) -> bool:
    """Whether a path names a file system."""
    return _URL.match(path) is not None


def matching_urls(pattern: str) -> list[str]:
    """List the files that match a pattern, or that lie below a folder.

    Returns:
      Their URLs, sorted.  A pattern without a match is returned itself, so that it is recorded as
      a missing file.

    Raises:
      ImportError: if the driver of the URL's scheme is not installed.
      ValueError: if there is no such scheme, or the store cannot be listed (no connection, no
        permission).
    """
    filesystem, path = _file_system(pattern)
    try:
        if _MAGIC.search(path):
            entries = filesystem.glob(path, detail=True)
            names = [name for name, entry in entries.items() if entry["type"] == "file"]
        else:
            names = filesystem.find(path)
    except FileNotFoundError:
        names = []
    except Exception as error:  # drivers raise what their libraries do
        kind = type(error).__name__
        message = f"{kind}: cannot be listed; check the endpoint and the credentials"
        raise ValueError(message) from error
    return sorted(filesystem.unstrip_protocol(name) for name in names) or [pattern]


def file_size(url: str) -> int:
    """The size of a file in bytes; 0 if it is missing."""
    filesystem, path = _file_system(url)
    try:
        return int(filesystem.info(path)["size"] or 0)
    except Exception:  # drivers raise what their libraries do
        return 0


def read_bytes(url: str) -> bytes:
    """Read a file; raises OSError if it cannot be read."""
    filesystem, path = _file_system(url)
    return bytes(filesystem.cat_file(path))


def fetch_file(url: str, folder: Path) -> Path:
    """Copy a file to `folder`, unless the copy there has the same version.

    Returns:
      The path of the copy; a path without a file if the file cannot be read.
    """
    filesystem, path = _file_system(url)
    suffix = "".join(Path(path).suffixes[-2:])[-40:]
    try:
        version = str(filesystem.ukey(path))
    except Exception:
        version = ""
    name = hashlib.sha256(f"{url}\0{version}".encode()).hexdigest()
    copy = folder / f"{name}{suffix}"
    if version and copy.is_file():
        return copy
    try:
        with disk.atomic_path(copy) as part:
            filesystem.get_file(path, str(part))
    except Exception:  # drivers raise what their libraries do
        return folder / "not there"
    return copy


def _file_system(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    filesystem, path = url_to_fs(url)
    return filesystem, path
