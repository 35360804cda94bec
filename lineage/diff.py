"""`tamga diff`: which documents entered, left or changed between two releases, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lineage import store_options
from schemas.command_entry import with_exit_code

EPILOG = """examples:
  tamga diff v1 v2
  tamga diff sample@0 sample@3 --csv > changes.csv
  tamga diff 0 3 --json

Name a release by its name (the latest of that name), by NAME@SEQ, or by its number in the log.
Rows with `entered` and `changed` show the newer state.  Rows with `left` show it too, with the
reason, if the newer release still has the record.  Exit codes: 0 no difference, 1 differences,
2 wrong usage, or no store."""
_TABLE = (
    "change", "why", "doc_id", "uri", "source_id", "licence", "lang", "first", "last",
)  # fmt: skip


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = store_options.store_parser("diff", __doc__ or "", EPILOG)
    parser.add_argument("old", metavar="V1", help="a release")
    parser.add_argument("new", metavar="V2", help="a later release")
    parser.add_argument("--limit", type=int, default=store_options.SHOWN, help="rows shown; 0: all")
    parser.add_argument("--csv", action="store_true", help="print the answer as CSV")
    options = parser.parse_args(argv)
    with store_options.readable():
        return _diff(options)


def _diff(options: argparse.Namespace) -> int:
    store = store_options.open_store(options)
    old, new = store.release(options.old), store.release(options.new)
    rows = store_options.with_release_names(store.diff(old, new), store)
    counts = dict.fromkeys(("entered", "left", "changed"), 0)
    counts |= dict(rows.group_by("change").len().rows())
    form = "json" if options.json else "csv" if options.csv else "table"
    about = {"old": f"{old.name}@{old.seq}", "new": f"{new.name}@{new.seq}", "counts": counts}
    shown = rows
    if form == "table":
        summary = ", ".join(f"{n} {kind}" for kind, n in counts.items())
        print(f"from {about['old']} to {about['new']}: {summary}")
        for why, n in rows.filter(change="left")["why"].value_counts(sort=True).rows():
            print(f"  left, {why}: {n}")
        shown = rows.select(_TABLE).head(options.limit or rows.height)
    if form != "table" or rows.height:
        store_options.print_rows(shown, form, about, rows.height)
    return 1 if rows.height else 0


if __name__ == "__main__":
    sys.exit(main())
