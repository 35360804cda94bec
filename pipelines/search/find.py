"""`tamga find`: is this text, URL or domain in any release, and where?

A text is searched in three ways: exactly (by its SHA-256), as a near-duplicate (with the measured
similarity), and by passages of 50 words or more that a released document contains too."""

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

Released texts are searched; they hold placeholders instead of personal data. Of refused records
only URLs and digests of payloads are searched. If a text is not found, the answer names its two
neighbours in the sorted list of released digests, as evidence of absence.

Exit codes: 0 it is in a release, 1 it is not, or a file with similar texts cannot be read, 2 wrong
usage, or there is no store."""


def find_text(
    store: Store, releases: Path, query: QueryText, similarity: float, limit: int
) -> dict[str, Any]:
    """Find a text in the releases.

    Args:
      store: the store of queries.
      releases: the folder of releases.
      query: the text.
      similarity: the least Jaccard similarity of a near-duplicate.
      limit: how many documents are compared.

    Returns:
      text_sha256; exact, near, passages (50 words or more) and kept_out (records with this payload
      that were refused or dropped): rows of `lineage.store.store.INTERVAL` with the measurements;
      unread: files with texts to compare that cannot be read; absence: the digests of released
      texts before and behind the text's, null if the text is released or a file is unread.
    """
    from pipelines.search import similarity as text_similarity
    from pipelines.text import fingerprints

    digest = sha256(query.text.encode())
    exact = text_similarity.exact_matches(store, query.text)
    if exact.is_empty():
        for form in text_similarity.redacted_forms(query.text, _release_kinds(store)):
            exact = text_similarity.exact_matches(store, form)
            if exact.height:
                break
    measured = text_similarity.measure_similar(store, releases, query, limit)
    others = measured.drop("unread").filter(~pl.col("doc_id").is_in(exact["doc_id"].implode()))
    unread = measured["unread"].drop_nulls().unique().sort().to_list()
    near = others.filter(pl.col("similarity") >= similarity)
    passages = others.filter(pl.col("words") >= fingerprints.PASSAGE)
    neighbours = store.neighbours(digest.digest())
    return {
        "text_sha256": digest.hexdigest(),
        "exact": _named_rows(exact, store),
        "near": _named_rows(near, store),
        "passages": _named_rows(passages, store),
        "kept_out": _named_rows(text_similarity.kept_out_records(store, query), store),
        "unread": unread,
        "absence": None
        if exact.height or unread
        else {"before": neighbours[0], "behind": neighbours[1], "sorted": "text_sha256"},
    }


def _release_kinds(store: Store) -> set[tuple[str | None, str | None]]:
    """Return the pairs of language and jurisdiction of all released documents."""
    by = ["lang", "jurisdiction"]
    return {
        row for release in store.releases for row in store.roll_up(by, at=release).select(by).rows()
    }


def count_by_domain(store: Store, domain: str) -> dict[str, Any]:
    """Count the records of a host and its subdomains by release, outcome and reason."""
    counts = []
    for release in store.releases:
        rolled = store.roll_up(["outcome", "reason"], domain=domain, at=release, released=False)
        counts.append(rolled.with_columns(release=pl.lit(f"{release.name}@{release.seq}")))
    columns = ["release", "outcome", "reason", "records", "chars", "tokens"]
    return {"domain": domain, "releases": pl.concat(counts).select(columns).to_dicts()}


@with_exit_code
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = store_options.store_parser("find", __doc__ or "", EPILOG)
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument(
        "--text", type=Path, metavar="FILE", help="find the text of this file, page or document"
    )
    subject.add_argument("--url", help="find this URL")
    subject.add_argument("--domain", help="find this host and its subdomains")
    parser.add_argument(
        "--similarity",
        type=float,
        default=0.5,
        help="the least Jaccard similarity of a near-duplicate (default: %(default)s)",
    )
    parser.add_argument(
        "--limit", type=int, default=20, help="how many documents to compare (default: %(default)s)"
    )
    options = parser.parse_args(argv)
    with store_options.readable():
        return _find(options)


def _find(options: argparse.Namespace) -> int:
    store, place = store_options.open_store(options), store_options.find_places(options)
    if options.text:
        # Imported here: a search by URL does not need the extractors, which are slow to load.
        from pipelines.search import similarity as text_similarity

        query = text_similarity.read_file(options.text)
        if isinstance(query, str):
            raise Usage(f"{options.text}: {query}")
        releases = Path(place.releases.removeprefix("file://"))
        answer = find_text(store, releases, query, options.similarity, options.limit)
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
        result = {"found": bool(released), "in_latest": live, **answer}
        print(json.dumps(result, ensure_ascii=False, indent=1))
    else:
        print("\n".join([*lines, _verdict(bool(released), live, bool(answer.get("unread")))]))
    return 0 if released else 1


def _verdict(released: bool, live: bool, unread: bool) -> str:
    """Return the last line of the answer."""
    if live:
        return "It is in the latest release."
    if released:
        return "It was in an earlier release. It is not in the latest release."
    if unread:
        return "It is not known whether it is in a release: a file cannot be read."
    return "It is in no release."


def _named_rows(rows: pl.DataFrame, store: Store) -> list[dict[str, Any]]:
    """Return intervals as dictionaries, with releases by name."""
    return store_options.with_release_names(rows, store).to_dicts()


def _describe_row(row: dict[str, Any]) -> str:
    """Describe an interval on one line."""
    last = f"to {row['last']}" if row["last"] else "on"
    what = f"{row['outcome']}: {row['reason']}" if row["reason"] else "released"
    where = f", {row['shard']} row {row['row']}" if row["shard"] else ""
    return (
        f"{row['doc_id']}  {what}, from {row['first']} {last}{where}; {row['source_id'] or '-'} "
        f"({row['licence'] or '-'}), {row['uri']}"
    )


def _describe_release(row: dict[str, Any]) -> str:
    """Describe a count of a domain's records on one line."""
    what = f"{row['outcome']}: {row['reason']}" if row["reason"] else "released"
    return f"{row['release']}  {what}: {row['records']} records"


def _describe_text(answer: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe the answer of `find_text`."""
    yield f"SHA-256 of the text: {answer['text_sha256']}"
    for row in answer["exact"]:
        yield f"the same text: {_describe_row(row)}"
    for row in answer["near"]:
        yield f"similarity {row['similarity']:.2f}: {_describe_row(row)}"
    for row in answer["passages"]:
        yield (
            f"{row['words']} words in common, from word {row['word'] + 1} of the document on: "
            f"{_describe_row(row)}"
        )
    for row in answer["kept_out"]:
        yield f"the same payload: {_describe_row(row)}"
    for file in answer["unread"]:
        yield f"{file} cannot be read: it is not known whether it holds the text"
    if absence := answer["absence"]:
        yield (
            "The exact text was never released. In the sorted list of digests of released texts, its "
            f"digest lies between {absence['before'] or 'the start'} and "
            f"{absence['behind'] or 'the end'}."
        )


if __name__ == "__main__":
    sys.exit(main())
