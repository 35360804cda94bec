"""`tamga index`: enter the releases on disk into the store that queries read.

Each run enters its own release. Use this command for releases that were copied here. Use --rebuild
if the store is damaged or has another format.
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

#: What the user can name instead of params.yaml, for the message.
INSTEAD = "a folder of releases by --releases"
EPILOG = """examples:
  tamga index
  tamga index --releases release --rebuild --json

A later release replaces the folder of an earlier one with the same name. The earlier release cannot
be entered again, so a rebuilt store knows its documents only from the later release on.

Exit codes: 0 all releases of the log are in the store, 1 some are no longer on disk, 2 wrong usage,
no releases, or a damaged log."""


def enter_all(folder: Path, rebuild: bool = False) -> tuple[list[str], list[str]]:
    """Enter the releases of a folder into its store, in the order of the folder's log.

    Args:
      folder: the releases.
      rebuild: whether the store is deleted first.

    Returns:
      The releases that were entered now, and those that are neither on disk nor in the store, as
      `NAME@SEQ`.

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
        known = {release.seq for release in store.releases}
        latest = max(known, default=-1)
        entered, missing = [], []
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
                missing.append(name)
    return entered, missing


def misnamed_folders(folder: Path) -> dict[str, str]:
    """Find folders whose name differs from their release's name. `enter_all` skips them.

    Returns:
      The folder's name -> the release's name.
    """
    names = {
        release.folder.name: release.manifest()["name"]
        for release in withdrawal_scope.release_folders(folder, folder)
    }
    return {at: str(name) for at, name in names.items() if at != name}


def forget_records(folder: Path, ids: pl.Series, aside: Path) -> None:
    """Enter the releases of a folder, and erase records from the store.

    It can be interrupted at any time and called again. If the store cannot be read, it is rebuilt
    from the releases on disk.

    Args:
      folder: the releases.
      ids: the ids of the records (hex digits).
      aside: where the new store is written, beside the old one. Afterwards it holds the old store;
        the caller removes it.
    """
    try:
        enter_all(folder)
        _erase_records(folder, ids, aside)
    except (segments.BadStore, pl.exceptions.PolarsError, FileNotFoundError) as error:
        print(f"warning: the store is rebuilt, and its history is lost: {error}", file=sys.stderr)
        enter_all(folder, rebuild=True)
        _erase_records(folder, ids, aside)


def _erase_records(folder: Path, ids: pl.Series, aside: Path) -> None:
    """Write the store without the records into `aside`, and swap both."""
    with locks.folder_lock(folder):
        shutil.rmtree(aside, ignore_errors=True)
        store = lineage.open(folder)
        if store.releases:
            erasure.rewrite_without(store, erasure.binary_ids(ids), aside)
            disk.swap_folder(aside, store.folder)


def enter_into_store(folder: Path) -> None:
    """Enter the release of a run that has just published it.

    Raises:
      StageError: if the store or the log is damaged.
    """
    try:
        enter_all(folder)
    except (NoRelease, release_log.BadLog, segments.BadStore) as error:
        raise StageError(f"the release is complete but not in the store: {error}") from None


def _drop_unknown_segments(place: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Delete the segments that the log does not name, and the remains of killed processes."""
    known = {f"{e['seq']:06}-{e['statement_sha256'][:16]}" for e in entries}
    for segment in place.glob("*"):
        if segment.name not in known:
            shutil.rmtree(segment, ignore_errors=True)


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = command_line.parser("index", __doc__, EPILOG)
    command_line.add_params(parser)
    parser.add_argument("--releases", type=Path, help="the folder of releases (default: of params)")
    parser.add_argument(
        "--rebuild", action="store_true", help="delete the store and build it again"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(argv)
    folder = options.releases or required_params(options.params, INSTEAD).releases
    with readable():
        entered, missing = enter_all(folder, options.rebuild)
        misnamed = misnamed_folders(folder)
    total = len(lineage.open(folder).releases)
    if options.json:
        result = {
            "entered": entered,
            "not_on_disk": missing,
            "releases": total,
            "misnamed": misnamed,
        }
        print(json.dumps(result, ensure_ascii=False))
    else:
        print(f"{', '.join(entered) or 'nothing new'} entered; {total} releases in the store")
        for name in missing:
            print(f"{name}: no longer on disk, and not in the store", file=sys.stderr)
    for at, name in misnamed.items():
        print(
            f"warning: the folder {at} was not entered: it holds the release {name}; rename the "
            f"folder to {name}, or move it elsewhere",
            file=sys.stderr,
        )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
