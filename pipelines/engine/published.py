"""A stage's finished folder: what is in it, by digest, and whether it still is."""

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
    """A stage's finished folder."""

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
        """Path -> SHA-256 of all files, those that cover the whole stage among them."""
        files = self.summary["files"] | self.summary["added"]
        return {name: about["sha256"] for name, about in files.items()}

    @property
    def digest(self) -> str:
        """Over the digests of all files: what the next stage has as its input."""
        return digest(self.summary["files"])

    def path(self, table: str, shard: str) -> Path:
        return self.folder / table / f"{shard}.parquet"


def load(folder: Path, stage: str) -> Published:
    """A published stage.

    Raises:
      StageError: where it has not run.
    """
    path = folder / "stage.json"
    if not path.is_file():
        raise StageError(f"{path} is not there: run `tamga {stage}` first, or `tamga run` for all")
    return Published(folder, json.loads(path.read_bytes()))


def digest(files: Mapping[str, Any]) -> str:
    """SHA-256 over the digests of all files of a stage."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def load_unchanged(folder: Path, target: Path, run_id: str, known: Path) -> Published | None:
    """A stage that was published by the same run and is still whole: every file there with its
    digest, and none that is not its own.  Files that did not change since they were last looked
    at are not read: `known` keeps their digests."""
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
    whole = all(digests.of(target / n)[1] == sha256 for n, sha256 in published.digests.items())
    digests.save()
    return published if whole else None


def store_digests(published: Published, known: Path) -> None:
    """Keep what is known of the files anyway, so that they need not be read for it."""
    digests = Digests(known)
    for name, sha256 in published.digests.items():
        digests.note(published.folder / name, sha256)
    digests.save()
