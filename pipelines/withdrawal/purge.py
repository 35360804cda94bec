"""Purge a withdrawn text from places outside releases: work files, salts, DVC's cache and remotes.

Work files: whole stages are deleted.  The register has changed, so the next run could not reuse them.

DVC's cache, and remotes that are folders: each object that holds a withdrawn document is deleted, of
any version.  The salts and tables of that version, and its listing, are deleted with it.  Remotes
that are not folders are only named, with the objects to delete there.

DVC 3 stores an object at `files/md5/<2 hex>/<30 hex>`; a folder's listing ends with `.dir`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lineage.storage import disk, release_files
from lineage.withdrawal_scope import Scope, matches
from pipelines.engine import shards

#: Subfolders of the work folder that are kept: keys, counts, validation results, stages' locks.
KEPT_FOLDERS = ("keys", "metrics", "plots", "validation", ".state")
#: A Parquet file with these columns holds documents.
DOCUMENT_COLUMNS = {"doc_id", "text"}
#: Files of a version that describe its documents: they are purged with the documents.
COMPANIONS = (
    release_files.SALTS,
    "lineage/documents/",
    "lineage/redactions/",
    "lineage/tokens/",
    "tokens/",
)


@dataclass(frozen=True)
class Store:
    """A folder of DVC's objects: the cache, or a remote that is a folder."""

    name: str  # `cache`, `remote <name>`
    path: Path

    def objects(self) -> Iterator[tuple[str, Path]]:
        """Yield the MD5 (for a listing with `.dir`) and the path of each object."""
        for path in sorted((self.path / "files/md5").glob("[0-9a-f][0-9a-f]/*")):
            yield path.parent.name + path.name, path


def find_stores(folder: Path) -> tuple[list[Store], list[str]]:
    """Find the DVC repository that contains a folder.

    Returns:
      Its cache and its remotes that are folders; the names of its other remotes.
    """
    home = next((p for p in (folder, *folder.parents) if (p / ".dvc").is_dir()), None)
    if home is None:
        return [], []
    from dvc.config import Config  # type: ignore[import-untyped]

    config = Config(str(home / ".dvc"))
    cache = Path(config.get("cache", {}).get("dir") or home / ".dvc/cache")
    local, elsewhere = [Store("cache", cache)], []
    for name, remote in sorted(config.get("remote", {}).items()):
        url = str(remote["url"])
        if "://" in url and not url.startswith("file://"):
            elsewhere.append(name)
        else:
            local.append(Store(f"remote {name}", Path(url.removeprefix("file://"))))
    return local, elsewhere


def objects_to_purge(
    store: Store, scope: Scope, ids: pl.Series, replaced: Collection[str], kept: Collection[str]
) -> dict[str, Path]:
    """Return the objects of a store that must be deleted: MD5 to path.

    Args:
      store: the store.
      scope: what is withdrawn.
      ids: doc_id of the records in scope in releases.
      replaced: MD5 of the files that the redaction replaced.
      kept: MD5 of the COMPANIONS of the current releases.
    """
    places = dict(store.objects())
    purged = {
        name: path
        for name, path in places.items()
        if not name.endswith(".dir") and (name in replaced or _holds(path, scope, ids))
    }
    for name, path in places.items():
        listed = _listing(path) if name.endswith(".dir") else []
        if any(file["md5"] in purged for file in listed):
            purged[name] = path
            companions = [file["md5"] for file in listed if file["relpath"].startswith(COMPANIONS)]
            purged |= {name: places[name] for name in companions if name in places}
    return {name: path for name, path in purged.items() if name not in kept}


def companion_digests(release: Path) -> set[str]:
    """Return the MD5 of the COMPANIONS of a release."""
    return {
        md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in release.rglob("*")
        if path.is_file() and path.relative_to(release).as_posix().startswith(COMPANIONS)
    }


def _holds(path: Path, scope: Scope, ids: pl.Series) -> bool:
    """Whether a file holds documents, and one of them is withdrawn."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":
                return False
        columns = set(pq.read_schema(path).names)
        if not columns >= DOCUMENT_COLUMNS:
            return False
        wanted = [c for c in ("doc_id", "source_id", "uri") if c in columns]
        rows = pl.read_parquet(path, columns=wanted, hive_partitioning=False)
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError):
        return False
    if rows["doc_id"].is_in(ids.implode()).any():
        return True
    needed = {"source": "source_id", "url": "uri", "domain": "uri"}.get(scope.kind)
    if scope.kind == "text":
        return scope.key in _digests(path)
    return needed in columns and bool(matches(scope, rows).any())


def _digests(path: Path) -> Iterator[str]:
    """Yield the SHA-256 (hex) of each text of a Parquet file."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["text"]):
            yield from (sha256((t or "").encode()).hexdigest() for t in batch["text"].to_pylist())


def _listing(path: Path) -> list[dict[str, str]]:
    """Return the files (`md5`, `relpath`) that a folder's listing names; [] if it is unreadable."""
    try:
        rows = json.loads(path.read_bytes())
        return [row for row in rows if {"md5", "relpath"} <= row.keys()]
    except (OSError, ValueError, TypeError, AttributeError):
        return []


def work_files(work: Path) -> list[Path]:
    """Return the files and folders of the work folder that must be deleted."""
    state = [p for p in _children(work / ".state") if p.is_dir()]
    return sorted([p for p in _children(work) if p.name not in KEPT_FOLDERS] + state)


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def remove_paths(paths: Iterable[Path]) -> None:
    """Delete files and folders.  Missing paths are ignored.

    Raises:
      OSError: if a path cannot be deleted.
    """
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def forget_salts(keys: Path, ids: pl.Series) -> int:
    """Delete documents' salts from the salts kept for later releases; return their number."""
    path = keys / "salts.parquet"
    if not path.is_file():
        return 0
    stored = pq.read_table(path)
    rows = pl.DataFrame(stored)
    remaining = rows.filter(~pl.col("doc_id").is_in(ids.implode()))
    if remaining.height < rows.height:
        disk.write_bytes(path, shards.parquet_bytes(remaining.to_arrow().cast(stored.schema)))
    return rows.height - remaining.height


def to_jsonl(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the rows as lines of JSON, keys sorted."""
    return b"".join(json.dumps(line, sort_keys=True).encode() + b"\n" for line in lines)
