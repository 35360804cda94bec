"""`tamga find`: is this text, address or domain in any release, and where?

A text is looked for as it is (by its SHA-256), as a near copy (with the similarity that was
measured), and by passages of 50 words or more that stand in it and in a released document."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage import store_options
from lineage.store.store import Store
from schemas.command_entry import with_exit_code
from schemas.errors import Usage

if TYPE_CHECKING:
    from pipelines.search.similarity import QueryText

EPILOG = """examples:
  tamga find --text letter.txt
  tamga find --text page.html --similarity 0.3 --json
  tamga find --url https://law.example.kz/news/1.html
  tamga find --domain law.example.kz --json

What is looked at are released texts, in which placeholders stand for personal data; of what was
refused, addresses and payloads' digests.  Where a text is not found, the digests are named between
which it would stand.  Exit codes: 0 it is in a release, 1 it is not, or a file with texts like it cannot be
read, 2 wrong usage, or no store."""


def find_text(
    store: Store, releases: Path, asked: QueryText, similarity: float, limit: int
) -> dict[str, Any]:
    """What the releases have of a text.

    Returns:
      text_sha256; exact, near (similarity at least as asked), passages (50 words or more) and
      kept_out (records with this payload that were refused or dropped): rows of
      `lineage.store.store.INTERVAL`, with what was measured; unread: files that hold texts to compare with
      and cannot be read; absence: the digests of released texts before and behind the text's, where
      it is not exactly there and nothing is unread.
    """
    from pipelines.search import similarity as likeness
    from pipelines.text import fingerprints

    digest = sha256(asked.text.encode())
    exact = likeness.exact_matches(store, asked.text)
    for other in (
        likeness.redacted_forms(asked.text, _release_kinds(store)) if exact.is_empty() else ()
    ):
        exact = exact if exact.height else likeness.exact_matches(store, other)
    measured = likeness.measure_similar(store, releases, asked, limit)
    like, lost = measured.drop("unread"), measured["unread"].drop_nulls().unique().sort()
    close = like.filter(pl.col("similarity") >= similarity)
    there = exact["doc_id"].implode()
    passages = like.filter(pl.col("words") >= fingerprints.PASSAGE)
    neighbours = store.neighbours(digest.digest())
    return {
        "text_sha256": digest.hexdigest(),
        "exact": _named_rows(exact, store),
        "near": _named_rows(close.filter(~pl.col("doc_id").is_in(there)), store),
        "passages": _named_rows(passages.filter(~pl.col("doc_id").is_in(there)), store),
        "kept_out": _named_rows(likeness.kept_out_records(store, asked), store),
        "unread": lost.to_list(),
        "absence": None
        if exact.height or len(lost)
        else {"before": neighbours[0], "behind": neighbours[1], "sorted": "text_sha256"},
    }


def _release_kinds(store: Store) -> set[tuple[str | None, str | None]]:
    """Language and jurisdiction of what was ever released."""
    by = ["lang", "jurisdiction"]
    return {row for one in store.releases for row in store.roll_up(by, at=one).select(by).rows()}


def count_by_domain(store: Store, domain: str) -> dict[str, Any]:
    """How many records of a host and its subdomains each release has, by outcome and reason."""
    parts = []
    for one in store.releases:
        rolled = store.roll_up(["outcome", "reason"], domain=domain, at=one, released=False)
        parts.append(rolled.with_columns(release=pl.lit(f"{one.name}@{one.seq}")))
    found = pl.concat(parts).select("release", "outcome", "reason", "records", "chars", "tokens")
    return {"domain": domain, "releases": found.to_dicts()}


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = store_options.store_parser("find", __doc__ or "", EPILOG)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", type=Path, metavar="FILE", help="this text, HTML page or document")
    what.add_argument("--url", help="this address")
    what.add_argument("--domain", help="this host and its subdomains")
    parser.add_argument(
        "--similarity",
        type=float,
        default=0.5,
        help="the least Jaccard similarity of a near copy (default: %(default)s)",
    )
    parser.add_argument(
        "--limit", type=int, default=20, help="documents to compare with (default: %(default)s)"
    )
    options = parser.parse_args(argv)
    with store_options.readable():
        return _find(options)


def _find(options: argparse.Namespace) -> int:
    store, place = store_options.open_store(options), store_options.find_places(options)
    if options.text:
        from pipelines.search import similarity as likeness  # an address needs no extractor

        asked = likeness.read_file(options.text)
        if isinstance(asked, str):
            raise Usage(f"{options.text}: {asked}")
        releases = Path(place.releases.removeprefix("file://"))
        answer = find_text(store, releases, asked, options.similarity, options.limit)
        rows = [row for kind in ("exact", "near", "passages") for row in answer[kind]]
        lines = _describe_text(answer)
    elif options.url:
        rows = _named_rows(store.by_url(options.url, place.keys), store)
        answer, lines = {"url": options.url, "rows": rows}, map(_describe_row, rows)
    else:
        answer = count_by_domain(store, options.domain)
        latest = f"{store.releases[-1].name}@{store.releases[-1].seq}"
        rows = [row | {"last": row["release"]} for row in answer["releases"]]
        rows = [row | {"last": None} if row["last"] == latest else row for row in rows]
        lines = map(_describe_release, answer["releases"])
    released = [row for row in rows if row["outcome"] == "keep"]
    live = any(row["last"] is None for row in released)
    if options.json:
        told = {"found": bool(released), "in_latest": live, **answer}
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        earlier = "It was in an earlier release, and is not in the latest."
        where = "It is in the latest release." if live else earlier
        untold = "It cannot be told whether it is in a release."
        absent = untold if answer.get("unread") else "It is in no release."
        print("\n".join([*lines, where if released else absent]))
    return 0 if released else 1


def _named_rows(rows: pl.DataFrame, store: Store) -> list[dict[str, Any]]:
    return store_options.with_release_names(rows, store).to_dicts()


def _describe_row(row: dict[str, Any]) -> str:
    last = f"to {row['last']}" if row["last"] else "on"
    what = f"{row['outcome']}: {row['reason']}" if row["reason"] else "released"
    where = f", {row['shard']} row {row['row']}" if row["shard"] else ""
    return (
        f"{row['doc_id']}  {what}, from {row['first']} {last}{where}; {row['source_id'] or '-'} "
        f"({row['licence'] or '-'}), {row['uri']}"
    )


def _describe_release(row: dict[str, Any]) -> str:
    what = f"{row['outcome']}: {row['reason']}" if row["reason"] else "released"
    return f"{row['release']}  {what}: {row['records']} records"


def _describe_text(answer: dict[str, Any]) -> Iterator[str]:
    yield f"SHA-256 of the text: {answer['text_sha256']}"
    for row in answer["exact"]:
        yield f"the same text: {_describe_row(row)}"
    for row in answer["near"]:
        yield f"similarity {row['similarity']:.2f}: {_describe_row(row)}"
    for row in answer["passages"]:
        yield f"{row['words']} words in common, there from word {row['word'] + 1} on: {_describe_row(row)}"
    for row in answer["kept_out"]:
        yield f"the same payload: {_describe_row(row)}"
    for file in answer["unread"]:
        yield f"{file} cannot be read: whether the text stands there cannot be told"
    if absence := answer["absence"]:
        yield (
            "The very text was never released: among the sorted digests of released texts it would "
            f"stand between {absence['before'] or 'the start'} and {absence['behind'] or 'the end'}."
        )


if __name__ == "__main__":
    sys.exit(main())
