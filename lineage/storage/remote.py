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
    """The URLs of the files that a pattern fits, or of all below the folder that it names; itself
    where there are none, so that it is accounted for.

    Raises:
      ImportError: where the driver of the URL's scheme is not installed.
      ValueError: where there is none, or the store cannot be asked (no connection, no right).
    """
    filesystem, path = _file_system(pattern)
    try:
        if _MAGIC.search(path):
            about = filesystem.glob(path, detail=True)
            found = [name for name, one in about.items() if one["type"] == "file"]
        else:
            found = filesystem.find(path)
    except FileNotFoundError:
        found = []
    except Exception as error:  # drivers raise what their libraries do
        told = f"{type(error).__name__}: cannot be listed; check the endpoint and the credentials"
        raise ValueError(told) from error
    return sorted(filesystem.unstrip_protocol(name) for name in found) or [pattern]


def file_size(url: str) -> int:
    """How many bytes a file has; 0 where it is not there."""
    filesystem, path = _file_system(url)
    try:
        return int(filesystem.info(path)["size"] or 0)
    except Exception:  # drivers raise what their libraries do
        return 0


def read_bytes(url: str) -> bytes:
    """A file's bytes; OSError where it cannot be had."""
    filesystem, path = _file_system(url)
    return bytes(filesystem.cat_file(path))


def fetch_file(url: str, folder: Path) -> Path:
    """A copy of a file in `folder`, made anew where the file changed; a path where nothing is, where
    it cannot be had."""
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
