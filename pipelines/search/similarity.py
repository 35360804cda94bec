"""How much of a text stands in released ones: the very text, near copies, passages.

A text that is asked for is read as ingest would read it.  What is compared are released texts, with
placeholders where personal data was; refused texts are not stored, so of those only payloads' and
texts' digests can be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from lineage.store.segments import Header
from lineage.store.store import Store
from lineage.store.writer import holds_release
from pipelines.dedup import clusters
from pipelines.ingest import text_extraction
from pipelines.ingest.readers.records import Content
from pipelines.text import fingerprints, shingles
from pipelines.text.shingles import Shingles
from schemas.privacy import PrivacyParams

MAX_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class QueryText:
    """A text that is asked for: the bytes it came in, and the text as ingest stores it."""

    payload: bytes
    text: str

    @cached_property
    def sequence(self) -> shingles.U64:
        """Its shingles in order."""
        return shingles.shingle_sequence(pl.Series([self.text]), fingerprints.WIDTH)[0]

    @cached_property
    def keys(self) -> list[int]:
        """Its fingerprints."""
        found: list[int] = fingerprints.text_fingerprints(pl.Series([self.text])).hashes.tolist()
        return found

    def digests(self) -> list[bytes]:
        """SHA-256 of what a record's payload may be: the bytes, or a text in them."""
        whole = {self.payload, self.text.encode(), self.payload.strip()}
        return [sha256(one).digest() for one in sorted(whole)]


def extract_query(payload: bytes) -> QueryText | str:
    """A file's text as ingest would store it, or why there is none."""
    for media_type in (None, "text/plain"):
        found = text_extraction.extract_document(
            Content(payload=payload, media_type=media_type), MAX_BYTES
        )
        if found.error is None:
            break
    if found.error:
        return f"{found.error}: {found.detail}" if found.detail else found.error
    return QueryText(payload, found.text) if found.text.strip() else "it holds no text"


def read_file(path: Path) -> QueryText | str:
    """The text of a file, or why it cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return f"it is larger than {MAX_BYTES >> 20} MiB; ask for a part of it"
        return extract_query(path.read_bytes())
    except OSError as error:
        return str(error.strerror)


def exact_matches(store: Store, text: str) -> pl.DataFrame:
    """The intervals of documents that were released with this very text."""
    return store.by_key("texts", [sha256(text.encode()).digest()])


def kept_out_records(store: Store, asked: QueryText) -> pl.DataFrame:
    """The intervals of records with this payload that were refused or dropped."""
    found = store.by_key("payloads", [one[:16] for one in asked.digests()])
    return found.filter(pl.col("outcome") != "keep")


def measure_similar(store: Store, releases: Path, asked: QueryText, limit: int) -> pl.DataFrame:
    """What released documents have in common with a text, by measurement.

    Args:
      releases: the folder of releases, whose texts are compared.
      limit: how many documents are compared: those that share most fingerprints.

    Returns:
      INTERVAL of each, the latest that was released; `similarity` (Jaccard of the shingles),
      `containment` (of the smaller in the greater), `words` of the longest passage in common, and
      `word` with which it starts in the document; null where the text is not on disk any more, or
      cannot be read: then `unread` names the file.
    """
    found = store.candidates(asked.keys, limit)
    kept = store.by_id(found["doc_id"]).filter(pl.col("outcome") == "keep")
    latest = kept.sort("first_seq").unique("doc_id", keep="last", maintain_order=True)
    rows = found.select("doc_id").join(latest, on="doc_id", maintain_order="left")
    told = [(*_measure(asked, text), bad) for text, bad in released_texts(store, releases, rows)]
    schema = {
        "similarity": pl.Float64,
        "containment": pl.Float64,
        "words": pl.Int64,
        "word": pl.Int64,
        "unread": pl.String,
    }
    return rows.hstack(pl.DataFrame(told, schema=schema, orient="row"))


def released_texts(
    store: Store, releases: Path, rows: pl.DataFrame
) -> Iterator[tuple[str | None, str | None]]:
    """Of each interval the released text, or the file that should hold it and cannot be read;
    neither where its release was replaced."""
    there: dict[tuple[int, int], Header | None] = {}
    for row in rows.iter_rows(named=True):
        live = row["last_seq"] is None
        last = store.releases[-1].seq if live else row["last_seq"]
        of = (row["first_seq"], last)
        if of not in there:
            there[of] = _find_release(store, releases, *of)
        header = there[of] or (store.releases[-1] if live else None)
        if header is None or row["shard"] is None:
            yield None, None
            continue
        text = _read_text(releases / header.name, row)
        yield text, str(releases / header.name / row["shard"]) if text is None else None


def _find_release(store: Store, releases: Path, first: int, last: int) -> Header | None:
    """The latest release of an interval that still stands in the folder."""
    for header in reversed(store.releases):
        entry = {"statement_sha256": header.statement_sha256}
        if first <= header.seq <= last and holds_release(releases / header.name, entry):
            return header
    return None


def _read_text(release: Path, row: dict[str, Any]) -> str | None:
    try:
        scan = pl.scan_parquet(release / row["shard"], hive_partitioning=False, glob=False)
        there = scan.select("doc_id", "text").slice(row["row"], 1).collect()
    except (OSError, pl.exceptions.PolarsError):
        return None
    same = there.height and there["doc_id"][0] == row["doc_id"]
    return str(there["text"][0]) if same else None


def _measure(asked: QueryText, text: str | None) -> Sequence[float | int | None]:
    if text is None:
        return (None, None, None, None)
    theirs = shingles.shingle_sequence(pl.Series([text]), fingerprints.WIDTH)[0]
    sides = [np.unique(asked.sequence), np.unique(theirs)]
    both = Shingles(np.concatenate(sides), np.cumsum([0, *map(len, sides)]))
    pair = pl.DataFrame({"left": [0], "right": [1]}, {"left": pl.UInt64, "right": pl.UInt64})
    found = clusters.jaccard(pair, both).row(0, named=True)
    run, _, start = fingerprints.common_run(asked.sequence, theirs)
    words = run + fingerprints.WIDTH - 1 if run else 0
    return (found["similarity"], found["containment"], words, start)


def redacted_forms(
    text: str,
    kinds: Iterable[tuple[str | None, str | None]],
    policy: PrivacyParams | None = None,
) -> list[str]:
    """The other forms that a text takes where its personal data are replaced.

    Args:
      text: as ingest stores it.
      kinds: language and jurisdiction of documents that it may have been released as.
      policy: how personal data are replaced; None, and without its key: as by default.
    """
    from pipelines.personal_data.pseudonym_key import BadKey
    from pipelines.personal_data.scrub import Scrubber, apply_findings, scrubber

    try:
        found = scrubber(policy) if policy else Scrubber()
    except BadKey:
        found = Scrubber()
    forms = dict.fromkeys([text])
    for lang, jurisdiction in sorted(set(kinds), key=str):
        one = pl.DataFrame(
            [("-", text, lang, jurisdiction)],
            dict.fromkeys(("doc_id", "text", "lang", "jurisdiction"), pl.String),
            orient="row",
        )
        forms[str(apply_findings(one, found.find(one))[0]["text"][0])] = None
    return [*forms][1:]
