"""The raw files that the parameters name.

Patterns are resolved; each file belongs to one collection.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage.storage import redacted_names, remote
from schemas.errors import Invalid, Problem
from schemas.params import Params


@dataclass(frozen=True, slots=True)
class Container:
    """A raw file.

    Attributes:
      uri: its path relative to the params file, or its URL.
      sha256: None if the file is missing or cannot be read.  A pattern without a match is one
        missing file.
    """

    collection: str
    format: str
    path: str
    uri: str
    size: int
    sha256: str | None
    fields: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """The name of the container's shards; it does not depend on other containers."""
        parts = (self.collection, self.uri, self.sha256 or "")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def total_bytes(params: Params) -> int:
    """Return the size of all raw files; missing files count as 0."""
    return sum(
        remote.file_size(path)
        if isinstance(path, str)
        else (path.stat().st_size if path.is_file() else 0)
        for *_, path in claimed_files(params).values()
    )


Claim = tuple[str, str, tuple[tuple[str, str], ...], Path | str]


def claimed_files(params: Params) -> dict[str, Claim]:
    """Resolve the patterns of all inputs.

    Returns:
      URL, or path relative to the params file -> collection, format, fields, URL or path.

    Raises:
      Invalid: if two collections claim one file, or no driver serves a URL.
    """
    claims: dict[str, Claim] = {}
    problems = []
    for entry in params.inputs:
        fields = tuple(sorted(entry.fields.items()))
        for pattern in entry.paths:
            try:
                matches = _matching_files(params.root, pattern)
            except (ImportError, ValueError) as error:
                problems.append(Problem(str(params.path), None, "inputs", f"{pattern}: {error}"))
                continue
            for path in matches:
                claim = (entry.collection, entry.format, fields, path)
                name = path if isinstance(path, str) else os.path.relpath(path, params.root)
                first = claims.setdefault(name, claim)
                if first[:3] != claim[:3]:
                    problems.append(
                        Problem(
                            str(params.path),
                            None,
                            "inputs",
                            f"{stored_uri(path, params.root)} is claimed by collections {first[0]} and "
                            f"{entry.collection}; name it in one",
                        )
                    )
    if problems:
        raise Invalid(problems)
    return claims


def _matching_files(root: Path, pattern: str) -> Sequence[Path | str]:
    """Return the files that match a pattern, or all files below the folder that it names.

    Without a match the pattern itself is returned, so that it is accounted for.
    """
    if remote.is_url(pattern):
        return remote.matching_urls(pattern)
    if (root / pattern).is_dir():
        below = (Path(home, name) for home, _, names in os.walk(root / pattern) for name in names)
        return sorted(p for p in below if p.is_file() or p.is_symlink()) or [root / pattern]
    matches = [root / m for m in sorted(glob.glob(pattern, root_dir=root, recursive=True))]
    return [m for m in matches if not m.is_dir()] or [root / pattern]


def stored_uri(path: Path | str, root: Path) -> str:
    """Return a URL unchanged, a path relative to the params file, personal data redacted."""
    return path if isinstance(path, str) else redacted_names.stored_name(path, root)
