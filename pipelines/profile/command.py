"""`tamga profile`: shows a release as one HTML page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineage.configuration import required_params
from lineage.release_folder import ReleaseFolder
from lineage.storage import disk
from lineage.storage.release_tables import readable
from schemas import command_line
from schemas.command_entry import with_exit_code

EPILOG = """examples:
  tamga profile
  tamga profile release/sample --out sample.html
  tamga profile --params params.yaml --with-texts --out work/profile.html
  tamga profile release/sample --json

The page loads nothing from other places. It shows texts of released documents only, with personal
data replaced. --with-texts adds texts of dropped documents as they were read.

Exit codes: 0 written, 1 damaged tables, 2 wrong usage, no release or a wrong path of the page, 3 the
disk failed."""


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = command_line.parser("profile", __doc__, EPILOG)
    parser.add_argument(
        "release",
        nargs="?",
        type=Path,
        metavar="RELEASE",
        help="a release's folder (default: the one in params)",
    )
    command_line.add_params(parser, "whose release and work folder")
    parser.add_argument(
        "--out", type=Path, help="the page (default: NAME-profile.html in this folder)"
    )
    parser.add_argument(
        "--with-texts",
        action="store_true",
        help="also show texts of dropped documents from the work folder; they can hold personal data",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the figures as JSON; a page only with --out"
    )
    options = parser.parse_args(argv)
    with readable():
        return _profile(options)


def _profile(options: argparse.Namespace) -> int:
    """Count a release and write the page; return the exit code."""
    from pipelines.profile import edges
    from pipelines.profile.page import page
    from pipelines.profile.release_counts import count_release

    folder, work = _folders(options)
    release = ReleaseFolder(folder, folder)
    counts = count_release(release, work)
    if options.json:
        print(json.dumps(counts, ensure_ascii=False, indent=1))
    if options.json and not options.out:
        return 0
    ids = _example_ids(counts)
    texts = edges.excerpts(release, ids)
    missing = [i for i in ids if i not in texts]
    raw = edges.raw_excerpts(work, missing) if work and options.with_texts else {}
    out = options.out or Path(f"{folder.resolve().name}-profile.html")
    disk.make_folder(out.parent)
    disk.write_output(out, page(counts, raw | texts, raw=bool(raw)).encode())
    if not options.json:
        print(f"{counts['totals']['documents']} documents profiled: {out}")
    return 0


def _folders(options: argparse.Namespace) -> tuple[Path, Path | None]:
    """Return the release's folder, and the work folder of its run if params name it."""
    if options.release and not options.with_texts:
        return options.release, None
    params = required_params(options.params, "" if options.with_texts else "a release")
    folder = options.release or params.release_folder
    return folder, params.work


def _example_ids(counts: dict[str, Any]) -> list[str]:
    """Return the ids of the examples on the page, and of the kept copies of removed duplicates."""
    examples = [e for gauge in counts["gauges"] for e in gauge["examples"]]
    return list(dict.fromkeys(i for e in examples for i in (e["doc_id"], e["other"]) if i))


if __name__ == "__main__":
    sys.exit(main())
