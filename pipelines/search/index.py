"""`tamga index`: enter the releases on disk into the store that queries read.

Every run enters its release.  This is for releases that were copied here, and with --rebuild for a
store that is torn or of another format.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

import lineage
from lineage import withdrawal_scope
from lineage.configuration import required_params
from lineage.signing import release_log
from lineage.storage import disk, locks, release_files
from lineage.storage.release_tables import NoRelease, readable
from lineage.store import erasure, segments, writer
from pipelines.engine.published import StageError
from pipelines.text import fingerprints
from schemas import command_line
from schemas.command_entry import with_exit_code

INSTEAD = "a folder of releases by --releases"
EPILOG = """examples:
  tamga index
  tamga index --releases release --rebuild --json

A release whose folder was replaced by a later one of its name cannot be entered again: a rebuilt
store begins to know its documents with the later one.

Exit codes: 0 all releases of the log are in the store, 1 some are not on disk any more, 2 wrong
usage, no releases, or a log that is torn."""


def enter_all(folder: Path, rebuild: bool = False) -> tuple[list[str], list[str]]:
    """Enter the releases of a folder, in the order of its log.

    Returns:
      The names of those that were entered now, and of those that are not on disk any more and not
      in the store: `NAME@SEQ`.

    Raises:
      release_log.BadLog, segments.BadStore, release_tables.NoRelease: if a file is damaged.
    """
    entries = release_log.read(folder / release_files.LOG)
    place = folder / segments.FOLDER
    with locks.folder_lock(folder):
        if rebuild:
            shutil.rmtree(place, ignore_errors=True)
        _drop_unknown_segments(place, entries)
        store = lineage.open(folder)
        known = {one.seq for one in store.releases}
        latest = max(known, default=-1)
        entered, gone = [], []
        for entry in entries:
            name = f"{entry['name']}@{entry['seq']}"
            if entry["seq"] in known:
                continue
            if entry["seq"] > latest and writer.holds_release(folder / entry["name"], entry):
                writer.enter_release(
                    folder / entry["name"],
                    lineage.open(folder),
                    entry,
                    fingerprints.document_fingerprints,
                    fingerprints.ALGORITHM,
                )
                entered.append(name)
            else:
                gone.append(name)
    return entered, gone


def misnamed_folders(folder: Path) -> dict[str, str]:
    """Folders of releases that are not called as their manifests say, which nothing enters: the
    folder's name -> the release's."""
    found = {
        one.folder.name: one.manifest()["name"]
        for one in withdrawal_scope.release_folders(folder, folder)
    }
    return {at: str(name) for at, name in found.items() if at != name}


def forget_records(folder: Path, ids: pl.Series, aside: Path) -> None:
    """Enter the releases of a folder, and erase records from what the store knows.

    Killed at any time and called again, it ends with the same; where the store cannot be read, it
    is made anew of the releases on disk.

    Args:
      folder: of releases.
      ids: of the records (hex digits).
      aside: a place beside the store for the new one; the caller removes it, the old one in it.
    """
    try:
        enter_all(folder)
        _erase_records(folder, ids, aside)
    except (segments.BadStore, pl.exceptions.PolarsError, FileNotFoundError) as error:
        print(f"warning: the store is made anew, its history is lost: {error}", file=sys.stderr)
        enter_all(folder, rebuild=True)
        _erase_records(folder, ids, aside)


def _erase_records(folder: Path, ids: pl.Series, aside: Path) -> None:
    with locks.folder_lock(folder):
        shutil.rmtree(aside, ignore_errors=True)
        store = lineage.open(folder)
        if store.releases:
            erasure.rewrite_without(store, erasure.binary_ids(ids), aside)
            disk.swap_folder(aside, store.folder)


def enter_into_store(folder: Path) -> None:
    """What a run does when its release stands.

    Raises:
      pipelines.engine.published.StageError: where the store or the log is torn.
    """
    try:
        enter_all(folder)
    except (NoRelease, release_log.BadLog, segments.BadStore) as error:
        raise StageError(f"the release is whole, and not in the store: {error}") from None


def _drop_unknown_segments(place: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Segments of releases that the log does not have, and what a killed process left."""
    known = {f"{e['seq']:06}-{e['statement_sha256'][:16]}" for e in entries}
    for one in place.glob("*"):
        if one.name not in known:
            shutil.rmtree(one, ignore_errors=True)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = command_line.parser("index", __doc__, EPILOG)
    command_line.add_params(parser)
    parser.add_argument("--releases", type=Path, help="the folder of releases, else that of params")
    parser.add_argument("--rebuild", action="store_true", help="make the store anew")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(argv)
    folder = options.releases or required_params(options.params, INSTEAD).releases
    with readable():
        entered, gone = enter_all(folder, options.rebuild)
        others = misnamed_folders(folder)
    total = len(lineage.open(folder).releases)
    if options.json:
        told = {"entered": entered, "not_on_disk": gone, "releases": total, "misnamed": others}
        print(json.dumps(told, ensure_ascii=False))
    else:
        print(f"{', '.join(entered) or 'nothing new'} entered; {total} releases in the store")
        for name in gone:
            print(f"{name} is not on disk any more: the store does not know it", file=sys.stderr)
    for at, name in others.items():
        print(
            f"warning: the folder {at} holds the release {name}, and is not entered: give it that "
            "name, or move the copy elsewhere",
            file=sys.stderr,
        )
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
