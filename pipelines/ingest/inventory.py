"""Which raw files a run reads: the patterns of params resolved, each file with its digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from lineage.storage import remote
from pipelines.engine.file_digests import Digests
from pipelines.engine.input_files import Container, claimed, name_of
from pipelines.ingest.readers import sniff
from schemas.params import Params


def containers(params: Params, remember: bool = True) -> list[Container]:
    """All raw files, sorted by collection and path, however the params list them.

    Args:
      params: names them by patterns.
      remember: keep their digests in the work folder for the next time.

    Raises:
      Invalid: where two collections claim one file.
    """
    found = claimed(params)
    known = Digests(params.work / ".state" / "digests.json")
    with TemporaryDirectory() as passing, ThreadPoolExecutor() as pool:
        # a dry run writes nothing into the work folder
        folder = params.work / ".state" / "fetched" if remember else Path(passing)
        paths = list(pool.map(lambda claim: _local(claim[3], folder), found.values()))
        digests = list(pool.map(known.of, paths))
        formats = [
            sniff.detect_format(path) if format == "auto" else format
            for (_, format, *_), path in zip(found.values(), paths, strict=True)
        ]
    if remember:
        known.save()
    return sorted(
        (
            Container(
                collection, format, str(path), name_of(named, params.root), size, sha256, fields
            )
            for (collection, _, fields, named), format, path, (size, sha256) in zip(
                found.values(), formats, paths, digests, strict=True
            )
        ),
        key=lambda c: (c.collection, c.uri),
    )


def _local(path: Path | str, folder: Path) -> Path:
    """Where a file can be read: of an object store, a copy in `folder`."""
    return path if isinstance(path, Path) else remote.fetch_file(path, folder)


def digests(found: list[Container]) -> Mapping[str, str]:
    """`collection:path` -> digest: what goes into a run's id."""
    return {
        f"{c.collection}:{c.uri}": f"{c.format} {c.sha256} {json.dumps(c.fields)}" for c in found
    }
