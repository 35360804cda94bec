"""A stage's published folder: its files by digest, and whether they are unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.engine.file_digests import Digests
from schemas.errors import NO, TamgaError


class StageError(TamgaError):
    """A stage that must not go on; the message says what is wrong and what helps."""

    exit_code = NO


@dataclass(frozen=True)
class Published:
    """A stage's published folder.

    Attributes:
      summary: its `stage.json`.
      seconds: how long the stage ran; 0 if it did not run now.
      fresh: whether the stage ran now.
    """

    folder: Path
    summary: Mapping[str, Any]
    seconds: float = 0.0
    fresh: bool = False

    @property
    def run_id(self) -> str:
        return str(self.summary["run_id"])

    @property
    def shards(self) -> list[str]:
        return list(self.summary["shards"])

    @property
    def totals(self) -> Mapping[str, Any]:
        totals: Mapping[str, Any] = self.summary["totals"]
        return totals

    @property
    def digests(self) -> dict[str, str]:
        """Path -> SHA-256 of all files, those for the whole stage included."""
        files = self.summary["files"] | self.summary["added"]
        return {name: about["sha256"] for name, about in files.items()}

    @property
    def digest(self) -> str:
        """Digest of the shards' files; an input of the next stage."""
        return digest(self.summary["files"])

    def path(self, table: str, shard: str) -> Path:
        return self.folder / table / f"{shard}.parquet"


def load(folder: Path, stage: str) -> Published:
    """Load a published stage.

    Raises:
      StageError: if it has not run.
    """
    path = folder / "stage.json"
    if not path.is_file():
        raise StageError(f"{path} is not there: run `tamga {stage}` first, or `tamga run` for all")
    return Published(folder, json.loads(path.read_bytes()))


def digest(files: Mapping[str, Any]) -> str:
    """Return a SHA-256 over the descriptions of a stage's files, their digests included."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def load_unchanged(folder: Path, target: Path, run_id: str, known: Path) -> Published | None:
    """Load a published stage if it can be reused.

    It can if the same run published it, and the folder holds exactly its files, with their digests.

    Args:
      folder: holds `stage.json`.
      target: holds the files.
      run_id: of the run that wants to reuse it.
      known: the cache of digests; files unchanged since the last check are not read.

    Returns:
      The stage, or None.
    """
    path = folder / "stage.json"
    if not path.is_file():
        return None
    summary = json.loads(path.read_bytes())
    if summary.get("run_id") != run_id:
        return None
    published = Published(target, summary)
    here = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    if target == folder:
        here -= {"stage.json", "run.json"}
    if here != published.digests.keys():
        return None
    digests = Digests(known)
    unchanged = all(digests.of(target / n)[1] == sha256 for n, sha256 in published.digests.items())
    digests.save()
    return published if unchanged else None


def store_digests(published: Published, known: Path) -> None:
    """Store the digests of files that were just written, so that they need not be read."""
    digests = Digests(known)
    for name, sha256 in published.digests.items():
        digests.note(published.folder / name, sha256)
    digests.save()
