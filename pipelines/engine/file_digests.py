"""A cache of files' digests that lasts from one run to the next."""

from __future__ import annotations

import json
import os
from pathlib import Path

from lineage.storage import disk


class Digests:
    """SHA-256 of files; computed again only if a file's size, times or inode changed.

    The time of change (ctime) cannot be set back.  So other content is noticed even if its size
    and time of modification are the same.
    """

    def __init__(self, path: Path) -> None:
        """Load the cache from `path`; a file that cannot be read counts as empty."""
        self._path = path
        self._known: dict[str, list[str | int]] = {}
        try:
            known = json.loads(path.read_bytes())
            self._known = {k: v for k, v in known.items() if isinstance(v, list) and len(v) == 3}
        except (OSError, ValueError, AttributeError):  # missing or malformed
            pass
        self._seen: dict[str, list[str | int]] = {}

    def of(self, path: Path) -> tuple[int, str | None]:
        """Return a file's size and digest; `(0, None)` if it cannot be read."""
        try:
            stat = path.stat()
            entry = self._known.get(ascii(str(path)))
            if not entry or entry[:2] != _file_state(stat):
                entry = [*_file_state(stat), disk.sha256_file(path)]
            self._seen[ascii(str(path))] = entry
            return stat.st_size, str(entry[2])
        except OSError:
            return 0, None

    def note(self, path: Path, sha256: str) -> None:
        """Store the digest of a file that this process has written."""
        self._seen[ascii(str(path))] = [*_file_state(path.stat()), sha256]

    def save(self) -> None:
        """Write the cache: only the files that `of` or `note` was called with."""
        disk.write_json(self._path, self._seen)


def _file_state(stat: os.stat_result) -> list[str | int]:
    """What changes whenever the file's content does: size, times and inode."""
    return [stat.st_size, f"{stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"]
