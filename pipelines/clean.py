"""`tamga clean`: remove the files between stages, texts with personal data first.

Keys, validation results, metrics and the release stay.  The next run starts from the raw records.
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
#: Folder of `work` -> what it holds, and whether that is unredacted personal data.
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

Exit codes: 0 removed (or nothing to remove), 1 a run is at work, 2 wrong usage or parameters."""


@dataclass(frozen=True)
class Leftover:
    """A folder that `tamga clean` removes."""

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
    """Return the folders of `work` that `clean` removes, those with personal data first.

    A folder that holds the release, the register or the parameters is left out.
    """
    target = params.release_folder
    needed = [p.resolve() for p in (target, params.register, params.path, params.work / "keys")]
    folders = []
    for name, (holds, personal) in HOLDS.items():
        folder = params.work / name
        if folder.is_dir() and not any(p.is_relative_to(folder.resolve()) for p in needed):
            size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
            texts = personal or (folder / "documents").is_dir()
            folders.append(Leftover(folder, holds, texts, size))
    return folders


def clean(params: Params) -> list[Leftover]:
    """Remove the leftovers; return them.

    Raises:
      StageError: if a stage is at work in `work`.
    """
    removed = leftovers(params)
    with ExitStack() as stack:
        for stage in (*stages.STAGES, "preview"):
            lock = params.work / STATE / f"{stage}.lock"
            if removed and not stack.enter_context(locks.exclusive_lock(lock)):
                raise StageError(
                    f"clean: {stage} is at work in {params.work}; wait for it, then clean"
                )
        for leftover in removed:
            for path in sorted(leftover.folder.iterdir()):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.suffix != ".lock":
                    path.unlink()
    for folder in {*(leftover.folder for leftover in removed), params.work / STATE}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return removed


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = command_line.parser("clean", __doc__, EXAMPLES)
    command_line.add_params(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="list what would be removed; remove nothing"
    )
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    options = parser.parse_args(argv)
    return _clean(options)


def _clean(options: argparse.Namespace) -> int:
    params = load_params(options.params)
    folders = leftovers(params) if options.dry_run else clean(params)
    if options.json:
        print(json.dumps({"removed": [] if options.dry_run else [o.as_json() for o in folders],
                          "would_remove": [o.as_json() for o in folders] if options.dry_run else []},
                         ensure_ascii=False, indent=1))  # fmt: skip
        return 0
    for leftover in folders:
        mark = " (personal data)" if leftover.personal else ""
        print(f"{'would remove' if options.dry_run else 'removed'} {leftover.folder}: "
              f"{leftover.holds}{mark}, {leftover.bytes:,} bytes")  # fmt: skip
    if not folders:
        print(f"nothing to remove in {params.work}")
    return 0
