"""List the raw files of a run: resolve the patterns of the parameters, and digest each file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from lineage.storage import remote
from pipelines.engine.file_digests import Digests
from pipelines.engine.input_files import Container, claimed_files, stored_uri
from pipelines.ingest.readers import sniff
from schemas.params import Params


def containers(params: Params, remember: bool = True) -> list[Container]:
    """Return all raw files, sorted by collection and path.

    Args:
      params: the parameters, whose patterns name the files.
      remember: whether to store digests and copies in the work folder for the next run.

    Raises:
      Invalid: two collections claim the same file.
    """
    claims = claimed_files(params)
    known = Digests(params.work / ".state" / "digests.json")
    with TemporaryDirectory() as passing, ThreadPoolExecutor() as pool:
        # A dry run writes nothing into the work folder.
        folder = params.work / ".state" / "fetched" if remember else Path(passing)
        paths = list(pool.map(lambda claim: _local(claim[3], folder), claims.values()))
        digests = list(pool.map(known.of, paths))
        formats = [
            sniff.detect_format(path) if format == "auto" else format
            for (_, format, *_), path in zip(claims.values(), paths, strict=True)
        ]
    if remember:
        known.save()
    return sorted(
        (
            Container(
                collection, format, str(path), stored_uri(named, params.root), size, sha256, fields
            )
            for (collection, _, fields, named), format, path, (size, sha256) in zip(
                claims.values(), formats, paths, digests, strict=True
            )
        ),
        key=lambda c: (c.collection, c.uri),
    )


def _local(path: Path | str, folder: Path) -> Path:
    """Return a local path of a file; one in an object store is copied to `folder`."""
    return path if isinstance(path, Path) else remote.fetch_file(path, folder)


def digests(files: list[Container]) -> Mapping[str, str]:
    """Return digests by `collection:path`. They are part of the run's id."""
    return {
        f"{c.collection}:{c.uri}": f"{c.format} {c.sha256} {json.dumps(c.fields)}" for c in files
    }
