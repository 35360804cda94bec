"""The log of releases, added to: one writer at a time, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineage import log
from pipelines import shards


def enter(path: Path, envelope: bytes, signed: Mapping[str, Any]) -> None:
    """Enter a release into a log, where it has no entry yet.

    Args:
      path: the log.
      envelope: the release's signed statement.
      signed: what it says.

    Raises:
      lineage.log.BadLog: where the log is torn.
    """
    with shards.in_turn(path.parent):
        entries = log.read(path)
        fresh = log.entry(len(entries), envelope, signed)
        if all(one["statement_sha256"] != fresh["statement_sha256"] for one in entries):
            shards.write_bytes(path, log.lines([*entries, fresh]))
