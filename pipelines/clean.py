"""`tamga clean`: remove what a run leaves between stages, texts with their personal data first.

Keys, validation results, metrics and the release stay; the next run starts from the raw records.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineage.configuration import load_params
from lineage.storage import locks
from pipelines.engine.published import StageError
from schemas import command_line, stages
from schemas.command_entry import with_exit_code
from schemas.params import Params

STATE: Final = ".state"
#: Folder of `work` -> what it holds, and whether that is personal data as it was read.
HOLDS: Final[dict[str, tuple[str, bool]]] = dict(
    sorted(
        {
            **{s.name: (s.leaves, s.texts == "all") for s in stages.TABLE if s.leaves},
            "preview": ("texts with their personal data marked, to look at", True),
            STATE: ("unfinished work of any stage, texts among it; names of raw files", True),
        }.items(),
        key=lambda entry: not entry[1][1],  # those with personal data first
    )
)

EXAMPLES = """examples:
  tamga clean --dry-run
  tamga clean --params params.yaml --json

Exit codes: 0 removed (or nothing there), 1 a run is at work, 2 wrong usage or parameters."""


@dataclass(frozen=True)
class Leftover:
    """A folder between stages."""

    folder: Path
    holds: str
    personal: bool
    bytes: int

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "holds": self.holds,
            "personal_data": self.personal,
            "bytes": self.bytes,
        }


def leftovers(params: Params) -> list[Leftover]:
    """The folders of `work` that a clean would remove, those with personal data first.

    A folder that holds the release, the register or the parameters is not among them.
    """
    target = params.release_folder
    needed = [p.resolve() for p in (target, params.register, params.path, params.work / "keys")]
    found = []
    for name, (holds, personal) in HOLDS.items():
        folder = params.work / name
        if folder.is_dir() and not any(p.is_relative_to(folder.resolve()) for p in needed):
            size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
            texts = personal or (folder / "documents").is_dir()
            found.append(Leftover(folder, holds, texts, size))
    return found


def clean(params: Params) -> list[Leftover]:
    """Remove them; returns what was removed.

    Raises:
      StageError: where a stage is at work there.
    """
    found = leftovers(params)
    with ExitStack() as held:
        for stage in (*stages.STAGES, "preview"):
            lock = params.work / STATE / f"{stage}.lock"
            if found and not held.enter_context(locks.exclusive_lock(lock)):
                raise StageError(
                    f"clean: {stage} is at work in {params.work}; wait for it, then clean"
                )
        for one in found:
            for path in sorted(one.folder.iterdir()):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.suffix != ".lock":
                    path.unlink()
    for folder in {*(one.folder for one in found), params.work / STATE}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return found


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = command_line.parser("clean", __doc__, EXAMPLES)
    command_line.add_params(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be removed, and remove nothing"
    )
    parser.add_argument("--json", action="store_true", help="print what it is as JSON")
    options = parser.parse_args(argv)
    return _clean(options)


def _clean(options: argparse.Namespace) -> int:
    params = load_params(options.params)
    found = leftovers(params) if options.dry_run else clean(params)
    if options.json:
        print(json.dumps({"removed": [] if options.dry_run else [o.as_json() for o in found],
                          "would_remove": [o.as_json() for o in found] if options.dry_run else []},
                         ensure_ascii=False, indent=1))  # fmt: skip
        return 0
    for one in found:
        mark = " (personal data)" if one.personal else ""
        print(f"{'would remove' if options.dry_run else 'removed'} {one.folder}: "
              f"{one.holds}{mark}, {one.bytes:,} bytes")  # fmt: skip
    if not found:
        print(f"nothing to remove in {params.work}")
    return 0
