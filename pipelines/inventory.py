"""Which raw files a run reads: the patterns of params resolved, each file with its digest."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipelines import shards
from pipelines.readers import sniff
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


def containers(params: Params, remember: bool = True) -> list[Container]:
    """All raw files, sorted by collection and path, however the params list them.

    Args:
      params: names them by patterns.
      remember: keep their digests in the work folder for the next time.

    Raises:
      Invalid: where two collections claim one file.
    """
    found = _claimed(params)
    known = _Digests(params.work / ".state" / "digests.json")
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(known.of, [path for *_, path in found.values()]))
    if remember:
        known.save()
    return sorted(
        (
            Container(
                collection,
                sniff.kind(path) if format == "auto" else format,
                str(path),
                _uri(path, params.root),
                size,
                sha256,
                fields,
            )
            for (collection, format, fields, path), (size, sha256) in zip(
                found.values(), digests, strict=True
            )
        ),
        key=lambda c: (c.collection, c.uri),
    )


def total_bytes(params: Params) -> int:
    """How much there is to read, missing files left out."""
    return sum(path.stat().st_size for *_, path in _claimed(params).values() if path.is_file())


def _claimed(params: Params) -> dict[str, tuple[str, str, tuple[tuple[str, str], ...], Path]]:
    """Path relative to the params file -> collection, format, fields, path.

    Raises:
      Invalid: where two collections claim one file.
    """
    found: dict[str, tuple[str, str, tuple[tuple[str, str], ...], Path]] = {}
    problems = []
    for one in params.inputs:
        fields = tuple(sorted(one.fields.items()))
        for pattern in one.paths:
            for path in _files(params.root, pattern):
                claim = (one.collection, one.format, fields, path)
                held = found.setdefault(os.path.relpath(path, params.root), claim)
                if held[:3] != claim[:3]:
                    problems.append(
                        Problem(
                            str(params.path),
                            None,
                            "inputs",
                            f"{_uri(path, params.root)} is claimed by collections {held[0]} and "
                            f"{one.collection}; name it in one",
                        )
                    )
    if problems:
        raise Invalid(problems)
    return found


def _files(root: Path, pattern: str) -> list[Path]:
    """The files that a pattern fits, or all below the folder that it names; itself where there are
    none, so that it is accounted for."""
    if (root / pattern).is_dir():
        below = (Path(home, name) for home, _, names in os.walk(root / pattern) for name in names)
        return sorted(p for p in below if p.is_file() or p.is_symlink()) or [root / pattern]
    matches = [root / m for m in sorted(glob.glob(pattern, root_dir=root, recursive=True))]
    return [m for m in matches if not m.is_dir()] or [root / pattern]


def _uri(path: Path, root: Path) -> str:
    """A path relative to the params file; bytes of a name that are no UTF-8 as `\\xNN`."""
    name = Path(os.path.relpath(path, root)).as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class _Digests:
    """Digests of files, remembered by path, size and time of change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[str | int]] = {}
        try:
            known = json.loads(path.read_bytes())
            self._known = {k: v for k, v in known.items() if isinstance(v, list) and len(v) == 3}
        except (OSError, ValueError, AttributeError):  # not there, or not as it was written
            pass
        self._seen: dict[str, list[str | int]] = {}

    def of(self, path: Path) -> tuple[int, str | None]:
        try:
            stat = path.stat()
            name = ascii(str(path))
            entry = self._known.get(name)
            if not entry or entry[:2] != [stat.st_size, stat.st_mtime_ns]:
                entry = [stat.st_size, stat.st_mtime_ns, shards.sha256_file(path)]
            self._seen[name] = entry
            return stat.st_size, str(entry[2])
        except OSError:
            return 0, None

    def save(self) -> None:
        shards.write_json(self._path, self._seen)


def digests(found: list[Container]) -> Mapping[str, str]:
    """`collection:path` -> digest: what goes into a run's id."""
    return {
        f"{c.collection}:{c.uri}": f"{c.format} {c.sha256} {json.dumps(c.fields)}" for c in found
    }
