"""What earlier releases hold, kept so that a new delivery is compared with it and nothing is read
again: `dedup.index: FOLDER`.

    FOLDER/<release>/index.json         parameters, algorithms, place in the order of releases, digests
    FOLDER/<release>/keys.parquet       key, row: a row group for each `PARTS`th of the keys, sorted
    FOLDER/<release>/documents.parquet  what a released document is compared by; digests, no text

A release enters when it is published; made again, it takes its old place and is compared with what
stood before it only.  Keys are those of bands, and half of each exact key.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lineage.storage import disk
from lineage.withdrawal_scope import Scope, matches
from pipelines.dedup import duplicates
from pipelines.engine import batches, shards
from pipelines.engine.file_digests import Digests
from pipelines.engine.published import StageError
from schemas import lawfulness
from schemas.errors import Invalid, Problem
from schemas.lawfulness import Use, outside_scope
from schemas.params import Params
from schemas.register import Register, Source
from schemas.sections import DedupParams
from schemas.tables import SCHEMA_VERSION
from schemas.withdrawal_index import WithdrawalIndex

LAYOUT = 2  # since 2 with what withdrawals of pages, domains and texts are known by
PARTS = 64
_BITS = np.uint64(58)
_ROWS = 4096
_KEY_SCHEMA = pa.schema([("key", pa.uint64()), ("row", pa.uint32())])
DOCUMENT_COLUMNS = (
    *("doc_id", "source_id", "uri", "text_sha256", "captured_at", "exact", "distinguish"),
    *(f"{p}{c}" for p in ("", "latin_") for c in ("shingles", "figured", "figures", "figures_at")),
)


@dataclass(frozen=True)
class ReleasedRights:
    """Which released documents still count; a plain value that travels to workers."""

    READ = ("doc_id", "source_id", "uri", "text_sha256")

    lawful: frozenset[str]  # sources
    withdrawals: WithdrawalIndex = field(default_factory=lambda: WithdrawalIndex.build(()))
    narrowed: Mapping[str, Source] = field(default_factory=dict)  # those with a URL scope

    @classmethod
    def of(cls, register: Register, use: Use) -> ReleasedRights:
        """The rights by the gate's own rule: what it would refuse today does not count."""
        return cls(
            lawfulness.lawful_sources(register, use),
            WithdrawalIndex.build(register.withdrawals),
            {id: source for id, source in register.sources.items() if source.basis.url_scope},
        )

    @property
    def digest(self) -> str:
        """Of the lawful sources; withdrawals and scopes are in the register's digest."""
        return hashlib.sha256(json.dumps(sorted(self.lawful)).encode()).hexdigest()

    def bar_none(self, sources: Iterable[str]) -> bool:
        """Whether that is known of the sources without a look at their documents."""
        return (
            self.lawful.issuperset(sources)
            and self.narrowed.keys().isdisjoint(sources)
            and not self.withdrawals.scopes
        )

    def allow(self, documents: pl.DataFrame) -> pl.Series:
        """`READ` of documents -> whether each counts."""
        rows = documents.select(self.READ).iter_rows()
        return pl.Series([self._counts(*row) for row in rows], dtype=pl.Boolean)

    def _counts(self, doc_id: str, source_id: str, uri: str, digest: bytes | None) -> bool:
        if source_id not in self.lawful:
            return False
        barred = self.withdrawals.find_by_record(
            source_id, uri, doc_id
        ) or self.withdrawals.find_by_text((digest or b"").hex())
        source = self.narrowed.get(source_id)
        return not barred and (source is None or not outside_scope(source, uri))


@dataclass(frozen=True)
class IndexEntry:
    """A release in the index; a plain value that travels to workers."""

    folder: str
    release: str
    place: int
    documents: int
    sources: tuple[str, ...]
    digest: str

    def pairs(self, part: int, keys: pl.DataFrame, rights: ReleasedRights) -> pl.DataFrame:
        """Keys [key, doc] of one part -> [row, doc] of the documents here that share one and may
        still be released."""
        found = shards.read_group(Path(self.folder) / "keys.parquet", part)
        met = found.join(keys, on="key").select("row", "doc").unique()
        if met.is_empty() or rights.bar_none(self.sources):
            return met
        rows = met["row"].unique().sort()
        allowed = rights.allow(self.read(rows.cast(pl.UInt64).to_numpy(), ReleasedRights.READ))
        return met.filter(pl.col("row").is_in(rows.filter(allowed).implode()))

    def read(self, rows: np.ndarray, columns: Sequence[str]) -> pl.DataFrame:
        """These rows (ascending) of what is kept of documents; reads only the row groups that
        hold them."""
        groups = rows // np.uint64(_ROWS)
        with pq.ParquetFile(Path(self.folder) / "documents.parquet") as file:
            found = [
                batches.frame(file.read_row_group(int(group), columns=list(columns)))[
                    (rows[groups == group] % np.uint64(_ROWS)).astype(np.int64)
                ]
                for group in np.unique(groups)
            ]
        return pl.concat(found)


def index_keys(signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """`duplicates.BANDED` -> [key, doc]: what meets the index."""
    low = np.frombuffer(b"".join(k[:8] for k in signed["exact"]), "<u8")
    exact = pl.DataFrame({"key": pl.Series(low, dtype=pl.UInt64), "doc": signed["doc"]})
    return pl.concat([duplicates.band_keys(signed, params), exact])


def key_parts(keys: pl.Series) -> np.ndarray:
    """Keys -> the parts that hold them."""
    return keys.to_numpy() >> _BITS


def comparison_parameters(params: DedupParams) -> dict[str, Any]:
    """What must be the same wherever documents are compared."""
    names = ("shingle", "shingle_of", "candidate", "recall", "rows", "seed")
    said = {"layout": LAYOUT, "algorithm": duplicates.RULE_VERSION}
    return said | {n: getattr(params, n) for n in names}


def load_index(params: Params) -> tuple[IndexEntry, ...]:
    """The releases before this run's, oldest first; none where no index is named or there is none
    yet.

    Raises:
      Invalid: where one was indexed with other parameters.
      StageError: where a file is missing or is not as it was written.
    """
    folder = params.dedup.index
    if folder is None or not Path(folder).is_dir():
        return ()
    digests, found = Digests(params.work / ".state" / "index.digests.json"), []
    headers = {p.name: read_header(p) for p in sorted(Path(folder).iterdir()) if _is_entry(p)}
    own = headers.pop(params.release.name, None)
    for name, header in headers.items():
        if own is not None and header["place"] > own["place"]:
            continue
        _check_parameters(params, name, header["parameters"])
        for file, about in header["files"].items():
            path = Path(folder) / name / file
            if digests.of(path) != (about["bytes"], about["sha256"]):
                raise _damaged(path)
        digest = hashlib.sha256(json.dumps(header["files"], sort_keys=True).encode()).hexdigest()
        found.append(
            IndexEntry(
                str(Path(folder) / name),
                name,
                header["place"],
                header["documents"],
                tuple(header["sources"]),
                digest,
            )
        )
    digests.save()
    return tuple(sorted(found, key=lambda e: (e.place, e.release)))


def index_release(params: Params, run_id: str, released: pl.Series, signed: Iterable[Path]) -> None:
    """Put a release into the index, in the place of what the same name had there.

    Args:
      params: name the index, the release and what its documents are compared by.
      run_id: of the release; what it has entered already stays.
      released: doc_id.
      signed: the files of signatures that hold them.
    """
    folder = params.dedup.index
    if folder is None:
        return
    root, name = Path(folder), params.release.name
    headers = {p.name: read_header(p) for p in root.glob("*") if _is_entry(p)}
    old = headers.pop(name, None)
    if old is not None and old["run_id"] == run_id:
        return
    place = old["place"] if old else 1 + max((h["place"] for h in headers.values()), default=-1)
    with disk.atomic_folder(root / name) as fresh:
        documents, sources = _write_entry(fresh, released, signed, params.dedup)
        header = {
            "schema_version": SCHEMA_VERSION,
            "release": name,
            "run_id": run_id,
            "place": place,
            "documents": documents,
            "sources": sources,
            "parameters": comparison_parameters(params.dedup),
            "files": _file_digests(fresh),
        }
        disk.write_json(fresh / "index.json", header)


def entries_with(params: Params, scope: Scope, ids: pl.Series) -> list[Path]:
    """The entries in which documents of a scope, or with some ids, stand: their folders.

    Raises:
      StageError: where an entry cannot be read.
    """
    folder = params.dedup.index
    entries = sorted(Path(folder).glob("*")) if folder else []
    return [p for p in entries if _is_entry(p) and (~_remaining(p, scope, ids)).any()]


def forget_documents(entry: Path, scope: Scope, ids: pl.Series) -> None:
    """Write an entry anew without documents of a scope, or with some ids: whole or not at all.

    Raises:
      StageError: where it cannot be read.
    """
    header, others = read_header(entry), _remaining(entry, scope, ids)
    documents = pl.read_parquet(entry / "documents.parquet").filter(others)
    keyed = pl.read_parquet(entry / "keys.parquet")
    stay = others.arg_true().cast(pl.UInt32)
    places = pl.DataFrame({"row": stay, "now": pl.Series(range(len(stay)), dtype=pl.UInt32)})
    left = keyed.join(places, on="row").select("key", row="now")
    with disk.atomic_folder(entry) as fresh:
        _write_tables(fresh, _even_frames([documents]), [left])
        sources = documents["source_id"].unique().sort().to_list()
        about = {"documents": documents.height, "sources": sources, "files": _file_digests(fresh)}
        disk.write_json(fresh / "index.json", header | about)


def _remaining(entry: Path, scope: Scope, ids: pl.Series) -> pl.Series:
    """Whether each document of an entry stays when these go."""
    try:
        rows = pl.read_parquet(entry / "documents.parquet", columns=list(ReleasedRights.READ))
    except (OSError, pl.exceptions.PolarsError):
        raise _damaged(entry / "documents.parquet") from None
    named = rows.with_columns(pl.col("text_sha256").bin.encode("hex"))
    return ~(matches(scope, named) | rows["doc_id"].is_in(ids.implode()))


def _file_digests(folder: Path) -> dict[str, Any]:
    """Size and digest of what was written of an entry."""
    return {
        p.name: {"bytes": p.stat().st_size, "sha256": disk.sha256_file(p)}
        for p in sorted(folder.iterdir())
    }


def _write_entry(
    folder: Path, released: pl.Series, signed: Iterable[Path], params: DedupParams
) -> tuple[int, list[str]]:
    """Write both tables; returns how many documents there are, and their sources."""
    wanted = released.to_frame("doc_id")
    columns = [c for c in dict.fromkeys([*DOCUMENT_COLUMNS, *duplicates.BANDED]) if c != "doc"]
    found, sources = [_key_rows(pl.DataFrame(schema=duplicates.BAND_KEY))], set[str]()

    def documents() -> Iterator[pl.DataFrame]:
        rows = 0
        for path in signed:
            some = pl.read_parquet(path, columns=columns).join(
                wanted, on="doc_id", how="semi", maintain_order="left"
            )
            numbered = pl.int_range(rows, rows + pl.len(), dtype=pl.UInt64).alias("doc")
            found.append(_key_rows(index_keys(some.with_columns(numbered), params)))
            sources.update(some["source_id"].unique())
            rows += some.height
            yield some.select(DOCUMENT_COLUMNS)

    _write_tables(folder, _even_frames(documents()), found)
    return released.len(), sorted(sources)


def _write_tables(
    folder: Path, groups: Iterator[pl.DataFrame], found: Iterable[pl.DataFrame]
) -> None:
    """Write documents, and their keys [key, row], which are complete once the documents are read."""
    first = next(groups)
    rest = (b for group in groups for b in batches.record_batches(group))
    shards.write_batches(
        folder / "documents.parquet",
        first.to_arrow().schema,
        itertools.chain(batches.record_batches(first), rest),
    )
    every = pl.concat(found).select("key", pl.col("row").cast(pl.UInt32)).sort("key", "row")
    cuts = np.searchsorted(key_parts(every["key"]), np.arange(PARTS + 1)).tolist()
    parts = [every[a:b] for a, b in itertools.pairwise(cuts)]
    shards.write_groups(folder / "keys.parquet", parts, _KEY_SCHEMA)


def _key_rows(keyed: pl.DataFrame) -> pl.DataFrame:
    return keyed.select("key", row="doc")


def _even_frames(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in frames of `_ROWS`, the last one smaller; at least one frame."""
    left: pl.DataFrame | None = None
    for frame in frames:
        left = frame if left is None else pl.concat([left, frame])
        while left.height > _ROWS:
            yield left[:_ROWS]
            left = left[_ROWS:]
    if left is not None:
        yield left


def _is_entry(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def read_header(folder: Path) -> dict[str, Any]:
    """The `index.json` of an entry. Raises StageError where it is missing or incomplete."""
    try:
        header: dict[str, Any] = disk.read_json(folder / "index.json")
        if {"place", "documents", "sources", "parameters", "files", "run_id"} <= header.keys():
            return header
    except (OSError, ValueError, AttributeError):
        pass
    raise _damaged(folder / "index.json")


def _damaged(path: Path) -> StageError:
    return StageError(
        f"dedup.index: {path} is missing or not as it was written; restore it, or remove the folder "
        f"{path.parent} and run the release {path.parent.name} again"
    )


def _check_parameters(params: Params, name: str, theirs: dict[str, Any]) -> None:
    own = comparison_parameters(params.dedup)
    told = [
        f"{key}: {theirs.get(key)} there, {own.get(key)} here"
        for key in sorted(own.keys() | theirs.keys())
        if own.get(key) != theirs.get(key)
    ]
    if told:
        message = (
            f"the release {name} was indexed with other parameters ({'; '.join(told)}); use those, "
            "or name another folder"
        )
        raise Invalid([Problem(str(params.path), None, "dedup.index", message)])
