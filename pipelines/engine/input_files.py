"""The raw files that the parameters name: patterns resolved, each file claimed by one collection."""

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
    """A raw file.  `uri` is its path relative to the params file; `sha256` is None where the
    file, or anything that the pattern fits, is missing or cannot be read."""

    collection: str
    format: str
    path: str
    uri: str
    size: int
    sha256: str | None
    fields: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """Names the container's shards: the same whatever else a run reads."""
        parts = (self.collection, self.uri, self.sha256 or "")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def total_bytes(params: Params) -> int:
    """How much there is to read, missing files left out."""
    return sum(
        remote.file_size(path)
        if isinstance(path, str)
        else (path.stat().st_size if path.is_file() else 0)
        for *_, path in claimed_files(params).values()
    )


Claim = tuple[str, str, tuple[tuple[str, str], ...], Path | str]


def claimed_files(params: Params) -> dict[str, Claim]:
    """URL, or path relative to the params file -> collection, format, fields, URL or path.

    Raises:
      Invalid: where two collections claim one file, or no driver serves a URL.
    """
    found: dict[str, Claim] = {}
    problems = []
    for one in params.inputs:
        fields = tuple(sorted(one.fields.items()))
        for pattern in one.paths:
            try:
                matches = _matching_files(params.root, pattern)
            except (ImportError, ValueError) as error:
                told = f"{pattern}: {error}"
                problems.append(Problem(str(params.path), None, "inputs", told))
                continue
            for path in matches:
                claim = (one.collection, one.format, fields, path)
                name = path if isinstance(path, str) else os.path.relpath(path, params.root)
                held = found.setdefault(name, claim)
                if held[:3] != claim[:3]:
                    problems.append(
                        Problem(
                            str(params.path),
                            None,
                            "inputs",
                            f"{stored_uri(path, params.root)} is claimed by collections {held[0]} and "
                            f"{one.collection}; name it in one",
                        )
                    )
    if problems:
        raise Invalid(problems)
    return found


def _matching_files(root: Path, pattern: str) -> Sequence[Path | str]:
    """The files that a pattern fits, or all below the folder that it names; itself where there are
    none, so that it is accounted for."""
    if remote.is_url(pattern):
        return remote.matching_urls(pattern)
    if (root / pattern).is_dir():
        below = (Path(home, name) for home, _, names in os.walk(root / pattern) for name in names)
        return sorted(p for p in below if p.is_file() or p.is_symlink()) or [root / pattern]
    matches = [root / m for m in sorted(glob.glob(pattern, root_dir=root, recursive=True))]
    return [m for m in matches if not m.is_dir()] or [root / pattern]


def stored_uri(path: Path | str, root: Path) -> str:
    """A URL as it is, a path relative to the params file."""
    return path if isinstance(path, str) else redacted_names.stored_name(path, root)
