"""Find the released documents that `tamga withdraw text FILE` means.

The file is read as ingest reads it.  A document matches in each of these cases: its released text
equals the file's text; it equals the file's text after personal data was replaced; its record came in
with the file's bytes; its text in the work folder equals the file's text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from unicodedata import normalize

import polars as pl

from lineage import register_files, withdrawal_scope
from lineage.release_folder import ReleaseFolder
from lineage.store import store
from lineage.withdrawal_scope import Scope
from pipelines.search import similarity
from pipelines.search.similarity import QueryText
from schemas import withdrawals
from schemas.errors import NO, Invalid, Problem, TamgaError
from schemas.params import Params
from schemas.stages import TEXTS

#: A released text is similar from this similarity, or this share of the shorter text, on.
MIN_SIMILARITY = 0.5
#: At most so many released documents are compared.
COMPARED = 20


class OnlySimilar(TamgaError):
    """No released document is the text, but similar ones exist; the message names them."""

    exit_code = NO


@dataclass(frozen=True)
class Matches:
    """Documents that match a text: by the digest (hex) of their text, and by other means."""

    texts: pl.DataFrame  # doc_id, text_sha256
    others: pl.Series  # doc_id


def scope_of(params: Params, path: Path) -> Scope:
    """Return the scope that a file with a text names.

    Returns:
      `value` is the first of these digests that exists: of the text as it was withdrawn before, as
      it was released, as ingest would store it.  `ids` are the matching documents whose text has
      another digest.

    Raises:
      Invalid: if the file holds no text.
      OnlySimilar: if no released document matches, but similar ones exist.
    """
    query = similarity.read_file(path)
    if isinstance(query, str):
        raise Invalid([Problem(str(path), None, "", query)])
    releases = list(withdrawal_scope.release_folders(params.releases, params.root))
    plain = _digests(_plain_forms(query))
    redacted = similarity.redacted_forms(
        query.text, set().union(*map(_kinds, releases)), params.privacy
    )
    digests = list(dict.fromkeys([*plain, *_digests(redacted)]))
    matches = [_released_matches(release, digests, query) for release in releases]
    matches.append(_work_matches(params, query))
    texts = pl.concat([match.texts for match in matches])
    barred = register_files.recorded_withdrawals(params.register)
    active = [digest for digest in digests if withdrawals.active_entry(barred, "text", digest)]
    value = next(
        iter([*active, *(digest for digest in plain if digest in texts["text_sha256"])]), plain[0]
    )
    others = texts.filter(pl.col("text_sha256") != value)["doc_id"]
    ids = pl.concat([others, *(match.others for match in matches)]).unique().sort()
    scope = Scope("text", value, ids=tuple(ids))
    if not active and not any(_is_released(release, scope) for release in releases):
        _check_similar(params, query, path, value)
    return scope


def text_files(params: Params) -> list[Path]:
    """Return the files of texts in the work folder: texts as ingest read them, then the parts of
    split records."""
    return [
        path
        for stage in TEXTS
        for path in sorted((params.work / stage / "documents").glob("*.parquet"))
    ]


def _plain_forms(query: QueryText) -> list[str]:
    """Return the text as ingest stores it, then as it is in the file: the file may hold a released
    text that only looks like markup."""
    content = query.payload.decode("utf-8-sig", "replace")
    return [query.text, normalize("NFC", content).strip(), content.strip(), content]


def _digests(forms: Iterable[str]) -> list[str]:
    return [sha256(form.encode()).hexdigest() for form in forms]


def _kinds(release: ReleaseFolder) -> set[tuple[str | None, str | None]]:
    """Return the pairs of language and jurisdiction of a release's documents."""
    homes = release.table("sources").select("source_id", "jurisdiction")
    rows = release.table("documents").join(homes, on="source_id", how="left")
    return set(rows.select("lang", "jurisdiction").unique().collect().rows())


def _released_matches(release: ReleaseFolder, digests: Sequence[str], query: QueryText) -> Matches:
    """Find the documents of a release by the digest of their text, or of their record's bytes."""
    same = pl.col("text_sha256").is_in(digests)
    rows = release.table("documents").select("doc_id", "text_sha256").filter(same).collect()
    same_bytes = pl.col("payload_sha256").is_in([digest.hex() for digest in query.digests()])
    records = release.table("records").filter(same_bytes).select("doc_id").collect()["doc_id"]
    return Matches(rows, records)


def _work_matches(params: Params, query: QueryText) -> Matches:
    """Find documents by their text in the work folder.  Their released text can differ: it is
    redacted, or has lost a passage."""
    rows = pl.DataFrame(schema={"doc_id": pl.String, "text": pl.String})
    if files := text_files(params):
        texts = pl.scan_parquet(files, hive_partitioning=False).select("doc_id", "text")
        rows = texts.filter(pl.col("text").is_in(_plain_forms(query))).collect()
    digests = pl.Series("text_sha256", _digests(rows["text"]), dtype=pl.String)
    return Matches(rows.select("doc_id", digests), rows["doc_id"])


def _is_released(release: ReleaseFolder, scope: Scope) -> bool:
    """Whether a release holds documents in scope."""
    return (
        withdrawal_scope.documents_in_scope(
            release, withdrawal_scope.records_in_scope(release, scope)
        ).height
        > 0
    )


def _check_similar(params: Params, query: QueryText, path: Path, value: str) -> None:
    """Raise `OnlySimilar` if released documents are similar to a text, or cannot be compared."""
    place = store.open(params.releases)
    if not place.releases:
        return
    rows = similarity.measure_similar(place, params.releases, query, COMPARED)
    close = rows.filter(
        (pl.col("similarity") >= MIN_SIMILARITY) | (pl.col("containment") >= MIN_SIMILARITY)
    )
    unread = rows["unread"].drop_nulls().unique().sort()
    lines = [
        f"  {row['doc_id']}  similarity {row['similarity']:.2f}, {row['containment']:.2f} of the "
        f"shorter text, in {row['shard']}"
        for row in close.iter_rows(named=True)
    ] + [f"  {file} cannot be read" for file in unread]
    if lines:
        first = f"{path}: no released document has exactly this text; these are or may be similar:"
        last = (
            "nothing was changed; to withdraw a similar document: `tamga withdraw document ID`; "
            f"to bar only this text: `tamga withdraw text {value}`"
        )
        raise OnlySimilar("\n".join([first, *lines, last]))
