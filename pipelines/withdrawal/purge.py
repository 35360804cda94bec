"""Purging: what holds a withdrawn text besides releases, and how it goes.

Work files go as whole stages: the next run, under another register, could not take them up anyway.
Of DVC's cache and of remotes that are folders, every object goes that holds a withdrawn document,
whatever version it is of, and with it what only makes sense beside it: the salts and tables of that
version, and its listing.  Remotes elsewhere are named, with the objects to remove there.

DVC 3: an object lies at `files/md5/<2 hex>/<30 hex>`, a folder's listing with `.dir` behind it.
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

#: What stays of a work folder: keys, counts, what was validated, and running stages' locks.
KEPT_FOLDERS = ("keys", "metrics", "plots", "validation", ".state")
#: Columns by which a Parquet file is one of documents.
DOCUMENT_COLUMNS = {"doc_id", "text"}
#: Files of a version that tell of its documents: they go with them.
COMPANIONS = (
    release_files.SALTS,
    "lineage/documents/",
    "lineage/redactions/",
    "lineage/tokens/",
    "tokens/",
)


@dataclass(frozen=True)
class Store:
    """A folder of DVC's objects."""

    name: str  # `cache`, `remote <name>`
    path: Path

    def objects(self) -> Iterator[tuple[str, Path]]:
        """MD5 (of a listing with `.dir`) and place of each object."""
        for path in sorted((self.path / "files/md5").glob("[0-9a-f][0-9a-f]/*")):
            yield path.parent.name + path.name, path


def find_stores(folder: Path) -> tuple[list[Store], list[str]]:
    """The cache and the local remotes of the DVC repository that holds a folder; and the names of
    the remotes that are elsewhere."""
    home = next((p for p in (folder, *folder.parents) if (p / ".dvc").is_dir()), None)
    if home is None:
        return [], []
    from dvc.config import Config  # type: ignore[import-untyped]

    config = Config(str(home / ".dvc"))
    cache = Path(config.get("cache", {}).get("dir") or home / ".dvc/cache")
    found, elsewhere = [Store("cache", cache)], []
    for name, about in sorted(config.get("remote", {}).items()):
        url = str(about["url"])
        if "://" in url and not url.startswith("file://"):
            elsewhere.append(name)
        else:
            found.append(Store(f"remote {name}", Path(url.removeprefix("file://"))))
    return found, elsewhere


def objects_to_purge(
    store: Store, scope: Scope, ids: pl.Series, replaced: Collection[str], kept: Collection[str]
) -> dict[str, Path]:
    """The objects of a store that must go, by MD5.

    Args:
      store: the store.
      scope: what was withdrawn.
      ids: doc_id of what was found of it in releases.
      replaced: MD5 of the files that redaction replaced.
      kept: MD5 of the files of BESIDE in the releases as they stand.
    """
    places = dict(store.objects())
    gone = {
        name: path
        for name, path in places.items()
        if not name.endswith(".dir") and (name in replaced or _holds(path, scope, ids))
    }
    for name, path in places.items():
        listed = _listing(path) if name.endswith(".dir") else []
        if any(one["md5"] in gone for one in listed):
            gone[name] = path
            with_it = [one["md5"] for one in listed if one["relpath"].startswith(COMPANIONS)]
            gone |= {name: places[name] for name in with_it if name in places}
    return {name: path for name, path in gone.items() if name not in kept}


def companion_digests(release: Path) -> set[str]:
    """MD5 of the files of BESIDE in a release."""
    return {
        md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in release.rglob("*")
        if path.is_file() and path.relative_to(release).as_posix().startswith(COMPANIONS)
    }


def _holds(path: Path, scope: Scope, ids: pl.Series) -> bool:
    """Whether a file is of documents, and one of them is withdrawn."""
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
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["text"]):
            yield from (sha256((t or "").encode()).hexdigest() for t in batch["text"].to_pylist())


def _listing(path: Path) -> list[dict[str, str]]:
    try:
        rows = json.loads(path.read_bytes())
        return [one for one in rows if {"md5", "relpath"} <= one.keys()]
    except (OSError, ValueError, TypeError, AttributeError):
        return []


def work_files(work: Path) -> list[Path]:
    """What goes of a work folder."""
    state = [p for p in _children(work / ".state") if p.is_dir()]
    return sorted([p for p in _children(work) if p.name not in KEPT_FOLDERS] + state)


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def remove_paths(paths: Iterable[Path]) -> None:
    """Remove files and folders; what is not there any more is well.

    Raises:
      OSError: where something cannot be removed.
    """
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def forget_salts(keys: Path, ids: pl.Series) -> int:
    """Remove documents' salts from those kept for releases to come; how many they were."""
    path = keys / "salts.parquet"
    if not path.is_file():
        return 0
    stored = pq.read_table(path)
    rows = pl.DataFrame(stored)
    left = rows.filter(~pl.col("doc_id").is_in(ids.implode()))
    if left.height < rows.height:
        disk.write_bytes(path, shards.parquet_bytes(left.to_arrow().cast(stored.schema)))
    return rows.height - left.height


def to_jsonl(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Lines of JSON."""
    return b"".join(json.dumps(one, sort_keys=True).encode() + b"\n" for one in lines)
