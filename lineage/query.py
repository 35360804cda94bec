"""`tamga query`: find records of all releases by their properties.

Without --release or --as-of a row is an interval: a record with one outcome, the first release that
has it and the last one (empty: the latest release still has it).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import polars as pl

from lineage import store_options
from lineage.store.store import FILTERS, Store
from schemas import command_line
from schemas.command_entry import with_exit_code

EPILOG = """examples:
  tamga query --domain law.example.kz
  tamga query --licence CC-BY-4.0 --lang kk --release sample --csv > kk.csv
  tamga query --outcome refuse --by reason,source_id
  tamga query --url https://law.example.kz/news/1.html --json
  tamga query --by licence,source_id --as-of 2026-11-22
  tamga query --consent consent --reference "Agreement 8/2024"

All filters must match.  A filter that is repeated matches any of its values.  A reason that ends
with `:` or `-` matches all reasons that begin so.  Exit codes: 0 rows were found, 1 no rows,
2 wrong usage, or no store."""

#: Option -> column.
_OPTIONS = {
    "source": "source_id", "licence": "licence", "jurisdiction": "jurisdiction", "lang": "lang",
    "consent": "basis", "reference": "reference", "outcome": "outcome", "reason": "reason",
    "collection": "collection",
}  # fmt: skip
_TABLE = (
    "doc_id", "uri", "source_id", "licence", "lang", "outcome", "reason", "first", "last", "shard",
    "row",
)  # fmt: skip


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(argv)
    with store_options.readable():
        return _query(options)


def _parser() -> argparse.ArgumentParser:
    parser = store_options.store_parser("query", __doc__ or "", EPILOG)
    parser.add_argument("--doc", action="append", metavar="DOC_ID", help="this record")
    parser.add_argument("--url", action="append", help="records at this address")
    parser.add_argument("--domain", help="records of this host and its subdomains")
    helps = {"consent": "the kind of lawful basis: licence, consent, contract, statute"}
    for name, column in _OPTIONS.items():
        parser.add_argument(
            f"--{name}",
            action="append",
            metavar="VALUE",
            help=helps.get(name, f"records of this {column.removesuffix('_id')}"),
        )
    parser.add_argument("--released", action="store_true", help="only released documents")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--release", metavar="NAME[@SEQ]", help="as in this release")
    when.add_argument(
        "--as-of",
        type=command_line.day,
        metavar="DATE",
        help="as in the release that was current on this day",
    )
    parser.add_argument(
        "--by",
        type=_by,
        help="count by these columns, separated by commas: domain, " + ", ".join(FILTERS),
    )
    parser.add_argument(
        "--limit",
        type=int,
        help="the maximum number of rows; 0: all (default: 40 for a table, else all)",
    )
    parser.add_argument("--csv", action="store_true", help="print the answer as CSV")
    return parser


def _by(text: str) -> list[str]:
    """Parse columns separated by commas, for `argparse`."""
    by = [name.strip() for name in text.split(",")]
    if unknown := [name for name in by if name not in (*FILTERS, "domain")]:
        known = ", ".join(("domain", *FILTERS))
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {known}")
    return by


def _query(options: argparse.Namespace) -> int:
    store = store_options.open_store(options)
    at = store.release(options.release) if options.release else None
    at = store.as_of(options.as_of.isoformat()) if options.as_of else at
    form = "json" if options.json else "csv" if options.csv else "table"
    limit = (
        store_options.SHOWN if options.limit is None and form == "table" else options.limit or None
    )
    where = {c: v for o, c in _OPTIONS.items() if (v := getattr(options, o)) is not None}
    total = 0
    about: dict[str, Any] = {"release": f"{at.name}@{at.seq}" if at else None}
    if options.by:
        released = options.released or not {"outcome", "reason"} & {*options.by, *where}
        rows = store.roll_up(options.by, where, options.domain, at, released)
    elif options.doc or options.url:
        rows = store_options.with_release_names(_intervals_by_key(store, options, where), store)
        if at is not None:
            rows = _in_release(rows, store, at.seq)
    else:
        filters = (where, options.domain, at, options.released)
        rows = store_options.with_release_names(store.documents(*filters, limit=limit), store)
        total = rows.height if limit is None or rows.height < limit else store.count(*filters)
    total = max(total, rows.height)
    shown = rows.head(limit) if limit else rows
    if form == "table" and not options.by:
        shown = shown.select(_TABLE)
    store_options.print_rows(shown, form, about | {"total": total}, total)
    return 0 if total else 1


def _intervals_by_key(
    store: Store, options: argparse.Namespace, where: dict[str, list[str]]
) -> pl.DataFrame:
    """Find intervals by id or address, and apply the other filters."""
    keys = store_options.find_places(options).keys
    ids = [doc_id for doc_id in options.doc or [] if _is_id(doc_id)]
    frames = [store.by_id(ids)] if ids else []
    frames += [store.by_url(url, keys) for url in options.url or []]
    rows = pl.concat(frames).unique(maintain_order=True) if frames else store.by_id([])
    for column, values in where.items():
        rows = rows.filter(pl.col(column).is_in(values))
    return rows.filter(pl.col("outcome") == "keep") if options.released else rows


def _in_release(rows: pl.DataFrame, store: Store, seq: int) -> pl.DataFrame:
    """The intervals that contain a release; `first` and `last` are names of releases."""
    numbers = {f"{header.name}@{header.seq}": header.seq for header in store.releases}
    first = pl.col("first").replace_strict(numbers, default=None, return_dtype=pl.Int64)
    last = pl.col("last").replace_strict(numbers, default=None, return_dtype=pl.Int64)
    return rows.filter((first <= seq) & (last.is_null() | (last >= seq)))


def _is_id(text: str) -> bool:
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


if __name__ == "__main__":
    sys.exit(main())
