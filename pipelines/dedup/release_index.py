"""The duplicates' index: signatures of earlier releases (`dedup.index: FOLDER`).

A new delivery is compared with earlier releases through the index, without reading their texts.

    FOLDER/<release>/index.json         parameters, algorithms, place in the order of releases, digests
    FOLDER/<release>/keys.parquet       key, row: `PARTS` row groups by range of keys, sorted
    FOLDER/<release>/documents.parquet  signatures and digests of released documents, no text

A release enters the index when it is published. If it is published again, it keeps its place and is
compared only with the releases before it. The keys are band keys, and half of each exact key.
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

LAYOUT = 2  # 2 added the columns by which withdrawals name pages, domains and texts
PARTS = 64
_PART_SHIFT = np.uint64(58)  # the upper 6 bits of a key are its part
_GROUP_ROWS = 4096
_KEY_SCHEMA = pa.schema([("key", pa.uint64()), ("row", pa.uint32())])
DOCUMENT_COLUMNS = (
    *("doc_id", "source_id", "uri", "text_sha256", "captured_at", "exact", "distinguish"),
    *(f"{p}{c}" for p in ("", "latin_") for c in ("shingles", "figured", "figures", "figures_at")),
)


@dataclass(frozen=True)
class ReleasedRights:
    """Which released documents still count. A plain value that travels to workers.

    Attributes:
      lawful: the sources that are lawful for this run.
      withdrawals: the recorded withdrawals.
      narrowed: the sources whose basis has a URL scope.
    """

    COLUMNS = ("doc_id", "source_id", "uri", "text_sha256")

    lawful: frozenset[str]
    withdrawals: WithdrawalIndex = field(default_factory=lambda: WithdrawalIndex.build(()))
    narrowed: Mapping[str, Source] = field(default_factory=dict)

    @classmethod
    def of(cls, register: Register, use: Use) -> ReleasedRights:
        """Compute the rights by the gate's rule: what it would refuse now does not count."""
        return cls(
            lawfulness.lawful_sources(register, use),
            WithdrawalIndex.build(register.withdrawals),
            {id: source for id, source in register.sources.items() if source.basis.url_scope},
        )

    @property
    def digest(self) -> str:
        """The digest of the lawful sources. Withdrawals and scopes are in the register's digest."""
        return hashlib.sha256(json.dumps(sorted(self.lawful)).encode()).hexdigest()

    def all_allowed(self, sources: Iterable[str]) -> bool:
        """Whether all documents of the sources count. If false, the documents must be read."""
        return (
            self.lawful.issuperset(sources)
            and self.narrowed.keys().isdisjoint(sources)
            and not self.withdrawals.scopes
        )

    def allow(self, documents: pl.DataFrame) -> pl.Series:
        """Return whether each document counts; `documents`: `COLUMNS`."""
        rows = documents.select(self.COLUMNS).iter_rows()
        return pl.Series([self._counts(*row) for row in rows], dtype=pl.Boolean)

    def _counts(self, doc_id: str, source_id: str, uri: str, digest: bytes | None) -> bool:
        """Whether a document counts; `digest`: SHA-256 of its text."""
        if source_id not in self.lawful:
            return False
        barred = self.withdrawals.find_by_record(
            source_id, uri, doc_id
        ) or self.withdrawals.find_by_text((digest or b"").hex())
        source = self.narrowed.get(source_id)
        return not barred and (source is None or not outside_scope(source, uri))


@dataclass(frozen=True)
class IndexEntry:
    """A release in the index. A plain value that travels to workers.

    `place` is its place in the order of releases, `documents` the number of its documents, and
    `digest` a SHA-256 over its files.
    """

    folder: str
    release: str
    place: int
    documents: int
    sources: tuple[str, ...]
    digest: str

    def pairs(self, part: int, keys: pl.DataFrame, rights: ReleasedRights) -> pl.DataFrame:
        """Find the released documents that share a key and still count.

        Args:
          part: a part of the index.
          keys: key, doc; the keys of that part.
          rights: which released documents count.

        Returns:
          row (of the released document), doc.
        """
        released = shards.read_group(Path(self.folder) / "keys.parquet", part)
        pairs = released.join(keys, on="key").select("row", "doc").unique()
        if pairs.is_empty() or rights.all_allowed(self.sources):
            return pairs
        rows = pairs["row"].unique().sort()
        allowed = rights.allow(self.read(rows.cast(pl.UInt64).to_numpy(), ReleasedRights.COLUMNS))
        return pairs.filter(pl.col("row").is_in(rows.filter(allowed).implode()))

    def read(self, rows: np.ndarray, columns: Sequence[str]) -> pl.DataFrame:
        """Read rows (ascending) of the documents; reads only the row groups that hold them."""
        groups = rows // np.uint64(_GROUP_ROWS)
        with pq.ParquetFile(Path(self.folder) / "documents.parquet") as file:
            frames = [
                batches.frame(file.read_row_group(int(group), columns=list(columns)))[
                    (rows[groups == group] % np.uint64(_GROUP_ROWS)).astype(np.int64)
                ]
                for group in np.unique(groups)
            ]
        return pl.concat(frames)


def index_keys(signed: pl.DataFrame, params: DedupParams) -> pl.DataFrame:
    """Compute the keys of documents in the index: `duplicates.BANDED` -> key, doc."""
    low = np.frombuffer(b"".join(k[:8] for k in signed["exact"]), "<u8")
    exact = pl.DataFrame({"key": pl.Series(low, dtype=pl.UInt64), "doc": signed["doc"]})
    return pl.concat([duplicates.band_keys(signed, params), exact])


def key_parts(keys: pl.Series) -> np.ndarray:
    """Return the parts of the index that hold the keys."""
    return keys.to_numpy() >> _PART_SHIFT


def comparison_parameters(params: DedupParams) -> dict[str, Any]:
    """Return the parameters that must be equal for all documents that are compared."""
    names = ("shingle", "shingle_of", "candidate", "recall", "rows", "seed")
    versions = {"layout": LAYOUT, "algorithm": duplicates.RULE_VERSION}
    return versions | {n: getattr(params, n) for n in names}


def load_index(params: Params) -> tuple[IndexEntry, ...]:
    """Load the entries of the releases before this run's release.

    Returns:
      The entries, oldest first; empty if the parameters name no index or it does not exist yet.

    Raises:
      Invalid: if a release was indexed with other parameters.
      StageError: if a file is missing or changed.
    """
    folder = params.dedup.index
    if folder is None or not Path(folder).is_dir():
        return ()
    digests, entries = Digests(params.work / ".state" / "index.digests.json"), []
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
        entries.append(
            IndexEntry(
                folder=str(Path(folder) / name),
                release=name,
                place=header["place"],
                documents=header["documents"],
                sources=tuple(header["sources"]),
                digest=digest,
            )
        )
    digests.save()
    return tuple(sorted(entries, key=lambda e: (e.place, e.release)))


def index_release(params: Params, run_id: str, released: pl.Series, signed: Iterable[Path]) -> None:
    """Write a release into the index. It replaces the entry with the same name and keeps its place.

    Args:
      params: the index's folder, the release's name, the parameters of comparison.
      run_id: the release's run. An entry of the same run stays as it is.
      released: doc_id of the released documents.
      signed: the files with the signatures of these documents.
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
    """Find the entries that hold documents of a withdrawal's scope or with these ids.

    Returns:
      Their folders.

    Raises:
      StageError: if an entry cannot be read.
    """
    folder = params.dedup.index
    entries = sorted(Path(folder).glob("*")) if folder else []
    return [p for p in entries if _is_entry(p) and (~_remaining(p, scope, ids)).any()]


def forget_documents(entry: Path, scope: Scope, ids: pl.Series) -> None:
    """Replace an entry by one without the documents of a scope or with these ids, atomically.

    Raises:
      StageError: if the entry cannot be read.
    """
    header, others = read_header(entry), _remaining(entry, scope, ids)
    documents = pl.read_parquet(entry / "documents.parquet").filter(others)
    keyed = pl.read_parquet(entry / "keys.parquet")
    stay = others.arg_true().cast(pl.UInt32)
    places = pl.DataFrame({"row": stay, "now": pl.Series(range(len(stay)), dtype=pl.UInt32)})
    keys = keyed.join(places, on="row").select("key", row="now")
    with disk.atomic_folder(entry) as fresh:
        _write_tables(fresh, _even_frames([documents]), [keys])
        sources = documents["source_id"].unique().sort().to_list()
        about = {"documents": documents.height, "sources": sources, "files": _file_digests(fresh)}
        disk.write_json(fresh / "index.json", header | about)


def _remaining(entry: Path, scope: Scope, ids: pl.Series) -> pl.Series:
    """Whether each document of an entry is outside the scope and has none of the ids."""
    try:
        rows = pl.read_parquet(entry / "documents.parquet", columns=list(ReleasedRights.COLUMNS))
    except (OSError, pl.exceptions.PolarsError):
        raise _damaged(entry / "documents.parquet") from None
    named = rows.with_columns(pl.col("text_sha256").bin.encode("hex"))
    return ~(matches(scope, named) | rows["doc_id"].is_in(ids.implode()))


def _file_digests(folder: Path) -> dict[str, Any]:
    """Return the size and digest of each file of an entry."""
    return {
        p.name: {"bytes": p.stat().st_size, "sha256": disk.sha256_file(p)}
        for p in sorted(folder.iterdir())
    }


def _write_entry(
    folder: Path, released: pl.Series, signed: Iterable[Path], params: DedupParams
) -> tuple[int, list[str]]:
    """Write both tables of an entry; return the number of documents and their sources."""
    wanted = released.to_frame("doc_id")
    columns = [c for c in dict.fromkeys([*DOCUMENT_COLUMNS, *duplicates.BANDED]) if c != "doc"]
    keys, sources = [_key_rows(pl.DataFrame(schema=duplicates.BAND_KEY))], set[str]()

    def documents() -> Iterator[pl.DataFrame]:
        rows = 0
        for path in signed:
            batch = pl.read_parquet(path, columns=columns).join(
                wanted, on="doc_id", how="semi", maintain_order="left"
            )
            numbered = pl.int_range(rows, rows + pl.len(), dtype=pl.UInt64).alias("doc")
            keys.append(_key_rows(index_keys(batch.with_columns(numbered), params)))
            sources.update(batch["source_id"].unique())
            rows += batch.height
            yield batch.select(DOCUMENT_COLUMNS)

    _write_tables(folder, _even_frames(documents()), keys)
    return released.len(), sorted(sources)


def _write_tables(
    folder: Path, groups: Iterator[pl.DataFrame], keys: Iterable[pl.DataFrame]
) -> None:
    """Write the documents, then their keys.

    Args:
      folder: the entry.
      groups: the documents, a frame per row group.
      keys: key, row. The iterable is read after the documents; reading these may still fill it.
    """
    first = next(groups)
    rest = (b for group in groups for b in batches.record_batches(group))
    shards.write_batches(
        folder / "documents.parquet",
        first.to_arrow().schema,
        itertools.chain(batches.record_batches(first), rest),
    )
    every = pl.concat(keys).select("key", pl.col("row").cast(pl.UInt32)).sort("key", "row")
    cuts = np.searchsorted(key_parts(every["key"]), np.arange(PARTS + 1)).tolist()
    parts = [every[a:b] for a, b in itertools.pairwise(cuts)]
    shards.write_groups(folder / "keys.parquet", parts, _KEY_SCHEMA)


def _key_rows(keyed: pl.DataFrame) -> pl.DataFrame:
    """Return key, doc as key, row."""
    return keyed.select("key", row="doc")


def _even_frames(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield the same rows in frames of `_GROUP_ROWS`; the last frame may be smaller.

    At least one frame is yielded if `frames` has one.
    """
    rest: pl.DataFrame | None = None
    for frame in frames:
        rest = frame if rest is None else pl.concat([rest, frame])
        while rest.height > _GROUP_ROWS:
            yield rest[:_GROUP_ROWS]
            rest = rest[_GROUP_ROWS:]
    if rest is not None:
        yield rest


def _is_entry(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def read_header(folder: Path) -> dict[str, Any]:
    """Read the `index.json` of an entry. Raises StageError if it is missing or incomplete."""
    try:
        header: dict[str, Any] = disk.read_json(folder / "index.json")
        if {"place", "documents", "sources", "parameters", "files", "run_id"} <= header.keys():
            return header
    except (OSError, ValueError, AttributeError):
        pass
    raise _damaged(folder / "index.json")


def _damaged(path: Path) -> StageError:
    return StageError(
        f"dedup.index: {path} is missing or changed; restore it, or remove the folder {path.parent} "
        f"and run the release {path.parent.name} again"
    )


def _check_parameters(params: Params, name: str, theirs: dict[str, Any]) -> None:
    """Raise Invalid if a release was indexed with other parameters than this run's."""
    own = comparison_parameters(params.dedup)
    differences = [
        f"{key}: {theirs.get(key)} there, {own.get(key)} here"
        for key in sorted(own.keys() | theirs.keys())
        if own.get(key) != theirs.get(key)
    ]
    if differences:
        message = (
            f"the release {name} was indexed with other parameters ({'; '.join(differences)}); use "
            "those parameters, or name another folder"
        )
        raise Invalid([Problem(str(params.path), None, "dedup.index", message)])
