"""Measure how much of a text the releases hold: exact copies, near-duplicates, passages.

The text is read as ingest would read it. Released texts are compared, with placeholders instead of
personal data. Refused texts are not stored, so only the digests of their payloads can match.
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
    """A text to search for: the bytes of its file, and the text as ingest stores it."""

    payload: bytes
    text: str

    @cached_property
    def sequence(self) -> shingles.U64:
        """The text's shingles, in order."""
        return shingles.shingle_sequence(pl.Series([self.text]), fingerprints.WIDTH)[0]

    @cached_property
    def keys(self) -> list[int]:
        """The text's fingerprints."""
        keys: list[int] = fingerprints.text_fingerprints(pl.Series([self.text])).hashes.tolist()
        return keys

    def digests(self) -> list[bytes]:
        """Return the SHA-256 of each possible payload: the bytes, or a text in them."""
        payloads = {self.payload, self.text.encode(), self.payload.strip()}
        return [sha256(payload).digest() for payload in sorted(payloads)]


def extract_query(payload: bytes) -> QueryText | str:
    """Extract the text of a file as ingest would, or return why there is none."""
    for media_type in (None, "text/plain"):
        extracted = text_extraction.extract_document(
            Content(payload=payload, media_type=media_type), MAX_BYTES
        )
        if extracted.error is None:
            break
    if extracted.error:
        return f"{extracted.error}: {extracted.detail}" if extracted.detail else extracted.error
    return QueryText(payload, extracted.text) if extracted.text.strip() else "it holds no text"


def read_file(path: Path) -> QueryText | str:
    """Read the text of a file, or return why it cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return f"it is larger than {MAX_BYTES >> 20} MiB; search for a part of it"
        return extract_query(path.read_bytes())
    except OSError as error:
        return str(error.strerror)


def exact_matches(store: Store, text: str) -> pl.DataFrame:
    """Return the intervals of documents that were released with exactly this text."""
    return store.by_key("texts", [sha256(text.encode()).digest()])


def kept_out_records(store: Store, query: QueryText) -> pl.DataFrame:
    """Return the intervals of records with this payload that were refused or dropped."""
    records = store.by_key("payloads", [digest[:16] for digest in query.digests()])
    return records.filter(pl.col("outcome") != "keep")


def measure_similar(store: Store, releases: Path, query: QueryText, limit: int) -> pl.DataFrame:
    """Compare a text with the released documents that share most fingerprints with it.

    Args:
      store: the store of queries.
      releases: the folder of releases, from which texts are read.
      query: the text.
      limit: how many documents are compared.

    Returns:
      The latest released INTERVAL of each document, with: `similarity` (Jaccard of the shingles);
      `containment` (of the smaller set in the larger); `words` (length of the longest passage in
      common); `word` (number of its first word in the document); `unread` (the file, if it cannot
      be read). The measurements are null if the text is no longer on disk or cannot be read.
    """
    candidates = store.candidates(query.keys, limit)
    released = store.by_id(candidates["doc_id"]).filter(pl.col("outcome") == "keep")
    latest = released.sort("first_seq").unique("doc_id", keep="last", maintain_order=True)
    rows = candidates.select("doc_id").join(latest, on="doc_id", maintain_order="left")
    measured = [
        (*_measure(query, text), unread) for text, unread in released_texts(store, releases, rows)
    ]
    schema = {
        "similarity": pl.Float64,
        "containment": pl.Float64,
        "words": pl.Int64,
        "word": pl.Int64,
        "unread": pl.String,
    }
    return rows.hstack(pl.DataFrame(measured, schema=schema, orient="row"))


def released_texts(
    store: Store, releases: Path, rows: pl.DataFrame
) -> Iterator[tuple[str | None, str | None]]:
    """Yield the released text of each interval, or the file that should hold it.

    Args:
      store: the store of queries.
      releases: the folder of releases.
      rows: INTERVAL.

    Yields:
      (text, None); (None, file) if the file cannot be read; (None, None) if the release was
      replaced.
    """
    on_disk: dict[tuple[int, int], Header | None] = {}
    for row in rows.iter_rows(named=True):
        live = row["last_seq"] is None
        last = store.releases[-1].seq if live else row["last_seq"]
        interval = (row["first_seq"], last)
        if interval not in on_disk:
            on_disk[interval] = _find_release(store, releases, *interval)
        header = on_disk[interval] or (store.releases[-1] if live else None)
        if header is None or row["shard"] is None:
            yield None, None
            continue
        text = _read_text(releases / header.name, row)
        yield text, str(releases / header.name / row["shard"]) if text is None else None


def _find_release(store: Store, releases: Path, first: int, last: int) -> Header | None:
    """Return the latest release of an interval that is still in the folder."""
    for header in reversed(store.releases):
        entry = {"statement_sha256": header.statement_sha256}
        if first <= header.seq <= last and holds_release(releases / header.name, entry):
            return header
    return None


def _read_text(release: Path, row: dict[str, Any]) -> str | None:
    """Read a document's text; None if the file is missing, damaged or holds another document."""
    try:
        scan = pl.scan_parquet(release / row["shard"], hive_partitioning=False, glob=False)
        document = scan.select("doc_id", "text").slice(row["row"], 1).collect()
    except (OSError, pl.exceptions.PolarsError):
        return None
    same = document.height and document["doc_id"][0] == row["doc_id"]
    return str(document["text"][0]) if same else None


def _measure(query: QueryText, text: str | None) -> Sequence[float | int | None]:
    """Return (similarity, containment, words, word), see `measure_similar`."""
    if text is None:
        return (None, None, None, None)
    released = shingles.shingle_sequence(pl.Series([text]), fingerprints.WIDTH)[0]
    sides = [np.unique(query.sequence), np.unique(released)]
    both = Shingles(np.concatenate(sides), np.cumsum([0, *map(len, sides)]))
    pair = pl.DataFrame({"left": [0], "right": [1]}, {"left": pl.UInt64, "right": pl.UInt64})
    measured = clusters.jaccard(pair, both).row(0, named=True)
    run, _, start = fingerprints.common_run(query.sequence, released)
    words = run + fingerprints.WIDTH - 1 if run else 0
    return (measured["similarity"], measured["containment"], words, start)


def redacted_forms(
    text: str,
    kinds: Iterable[tuple[str | None, str | None]],
    policy: PrivacyParams | None = None,
) -> list[str]:
    """Return the forms that a text takes when its personal data are replaced.

    Args:
      text: as ingest stores it.
      kinds: the possible languages and jurisdictions of the released document.
      policy: how personal data are replaced. The defaults apply if it is None or its key is
        missing.

    Returns:
      The distinct forms that differ from the text.
    """
    from pipelines.personal_data.pseudonym_key import BadKey
    from pipelines.personal_data.scrub import Scrubber, apply_findings, scrubber

    try:
        redactor = scrubber(policy) if policy else Scrubber()
    except BadKey:
        redactor = Scrubber()
    forms = dict.fromkeys([text])
    for lang, jurisdiction in sorted(set(kinds), key=str):
        document = pl.DataFrame(
            [("-", text, lang, jurisdiction)],
            dict.fromkeys(("doc_id", "text", "lang", "jurisdiction"), pl.String),
            orient="row",
        )
        forms[str(apply_findings(document, redactor.find(document))[0]["text"][0])] = None
    return [*forms][1:]
