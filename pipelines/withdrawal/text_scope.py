"""Which released documents are a text that is to be withdrawn: `tamga withdraw text FILE`.

The file is read as ingest would read it.  A document is of it whose released text is the file's, as it
is or with personal data replaced, whose record came in with the same bytes, or whose text in the work
folder is the same.
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

#: From which similarity, or share of the smaller text, on a released text is like another.
LIKE = 0.5
COMPARED = 20


class OnlyLike(TamgaError):
    """No released document is the very text, and some are like it; the message names them."""

    exit_code = NO


@dataclass(frozen=True)
class Known:
    """Documents that are the text: by the digest (hex) of theirs, and by other means."""

    texts: pl.DataFrame  # doc_id, text_sha256
    others: pl.Series  # doc_id


def scope_of(params: Params, path: Path) -> Scope:
    """The scope that a file with a text names.

    `value` is the digest of the text as it was withdrawn before, as it is found, or as ingest would
    store it; `ids` are the documents of it whose text has another digest.

    Raises:
      Invalid: where the file holds no text.
      OnlyLike: where nothing released is the text, but something is like it.
    """
    asked = similarity.read_file(path)
    if isinstance(asked, str):
        raise Invalid([Problem(str(path), None, "", asked)])
    releases = list(withdrawal_scope.release_folders(params.releases, params.root))
    plain = _digests(_plain(asked))
    redacted = similarity.redacted_forms(
        asked.text, set().union(*map(_kinds, releases)), params.privacy
    )
    digests = list(dict.fromkeys([*plain, *_digests(redacted)]))
    known = [_known(one, digests, asked) for one in releases] + [_at_hand(params, asked)]
    found = pl.concat([one.texts for one in known])
    barred = register_files.recorded_withdrawals(params.register)
    standing = [one for one in digests if withdrawals.standing(barred, "text", one)]
    value = next(
        iter([*standing, *(one for one in plain if one in found["text_sha256"])]), plain[0]
    )
    others = found.filter(pl.col("text_sha256") != value)["doc_id"]
    ids = pl.concat([others, *(one.others for one in known)]).unique().sort()
    scope = Scope("text", value, ids=tuple(ids))
    if not standing and not any(_released(one, scope) for one in releases):
        _none_like(params, asked, path, value)
    return scope


def texts(params: Params) -> list[Path]:
    """The files of texts in the work folder: as ingest read them, then the parts of those that were
    split."""
    return [
        path
        for stage in TEXTS
        for path in sorted((params.work / stage / "documents").glob("*.parquet"))
    ]


def _plain(asked: QueryText) -> list[str]:
    """The text as ingest stores it; and as it stands in the file, which may be a released one that
    only looks like markup."""
    stands = asked.payload.decode("utf-8-sig", "replace")
    return [asked.text, normalize("NFC", stands).strip(), stands.strip(), stands]


def _digests(forms: Iterable[str]) -> list[str]:
    return [sha256(one.encode()).hexdigest() for one in forms]


def _kinds(release: ReleaseFolder) -> set[tuple[str | None, str | None]]:
    """Language and jurisdiction of a release's documents."""
    homes = release.table("sources").select("source_id", "jurisdiction")
    rows = release.table("documents").join(homes, on="source_id", how="left")
    return set(rows.select("lang", "jurisdiction").unique().collect().rows())


def _known(release: ReleaseFolder, digests: Sequence[str], asked: QueryText) -> Known:
    same = pl.col("text_sha256").is_in(digests)
    rows = release.table("documents").select("doc_id", "text_sha256").filter(same).collect()
    came = pl.col("payload_sha256").is_in([one.hex() for one in asked.digests()])
    records = release.table("records").filter(came).select("doc_id").collect()["doc_id"]
    return Known(rows, records)


def _at_hand(params: Params, asked: QueryText) -> Known:
    """Of the work folder: what was released of these is redacted, or lost a passage."""
    rows = pl.DataFrame(schema={"doc_id": pl.String, "text": pl.String})
    if files := texts(params):
        every = pl.scan_parquet(files, hive_partitioning=False).select("doc_id", "text")
        rows = every.filter(pl.col("text").is_in(_plain(asked))).collect()
    digests = pl.Series("text_sha256", _digests(rows["text"]), dtype=pl.String)
    return Known(rows.select("doc_id", digests), rows["doc_id"])


def _released(release: ReleaseFolder, scope: Scope) -> bool:
    return (
        withdrawal_scope.documents_in_scope(
            release, withdrawal_scope.records_in_scope(release, scope)
        ).height
        > 0
    )


def _none_like(params: Params, asked: QueryText, path: Path, value: str) -> None:
    """Raises `OnlyLike` where released documents are like a text, or may be."""
    place = store.open(params.releases)
    if not place.releases:
        return
    rows = similarity.measure_similar(place, params.releases, asked, COMPARED)
    close = rows.filter((pl.col("similarity") >= LIKE) | (pl.col("containment") >= LIKE))
    lost = rows["unread"].drop_nulls().unique().sort()
    told = [
        f"  {one['doc_id']}  similarity {one['similarity']:.2f}, {one['containment']:.2f} of the "
        f"shorter, in {one['shard']}"
        for one in close.iter_rows(named=True)
    ] + [f"  {file} cannot be read" for file in lost]
    if told:
        first = f"{path}: no released document is this very text; these are like it, or may be:"
        last = (
            "nothing was changed: withdraw them each, by `tamga withdraw document ID`; "
            f"`tamga withdraw text {value}` bars this text alone"
        )
        raise OnlyLike("\n".join([first, *told, last]))
