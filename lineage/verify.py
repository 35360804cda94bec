"""Verify that a release is what was signed: each byte, each count, the Merkle root, the log.

The order is from the outside in: the signature, the manifest, the files, the tables, the Merkle
root, the log of releases.  Only the release and the public key are needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import polars as pl
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lineage.signing import dsse, merkle, release_log, seal, timestamps
from lineage.signing.timestamps import NoTimestamp
from lineage.storage import release_files, release_tables


@dataclass(frozen=True)
class Defect:
    """A defect of a release: the file, and what is wrong with it."""

    file: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}"


def defects(
    folder: Path,
    key: Ed25519PublicKey,
    history: Path | None,
    trusted: Sequence[x509.Certificate] = (),
) -> Iterator[Defect]:
    """Verify a release; yield its defects, the outermost first.

    Verification stops at a defect in the signature, the manifest, the time stamp or the files.
    Later checks depend on these.

    Args:
      folder: the release.
      key: the public key of releases.
      history: the log of releases; None: the log is not checked.
      trusted: certificates of time stamping authorities, one of which must have stamped the
        release; empty: the signature of a time stamp is not verified.
    """
    try:
        envelope = (folder / release_files.STATEMENT).read_bytes()
        content = (folder / release_files.MANIFEST).read_bytes()
        signed = dsse.open_envelope(envelope, key)
    except OSError as error:
        yield Defect(Path(str(error.filename)).name, f"cannot be read ({error.strerror})")
        return
    except dsse.BadEnvelope as error:
        yield Defect(release_files.STATEMENT, str(error))
        return
    yield from (outer := list(_statement_defects(content, signed)))
    if outer:
        return
    required = bool(trusted) or signed["predicate"].get("timestamp") == "required"
    digests, outer = _timestamp_defects(folder, key, envelope, trusted, required)
    yield from outer
    if outer:
        return
    manifest = json.loads(content)
    digests |= {file["name"]: file["digest"]["sha256"] for file in signed["subject"]}
    digests |= {name: about["sha256"] for name, about in manifest["files"].items()}
    yield from (outer := list(_file_defects(folder, digests)))
    if outer:
        return
    yield from _table_defects(folder, manifest)
    yield from _token_defects(folder, manifest)
    yield from _root_defects(folder, manifest, signed["predicate"]["merkle"])
    if history is not None:
        yield from _chain_defects(history, envelope, signed)


def _statement_defects(content: bytes, signed: Any) -> Iterator[Defect]:
    """Check that the statement is about this manifest, and has its name and counts."""
    try:
        kind, predicate = signed["predicateType"], signed["predicate"]
        digests = {file["name"]: file["digest"]["sha256"] for file in signed["subject"]}
        tree = int(predicate["merkle"]["size"]), predicate["merkle"]["root"]
        head = int(predicate["log"]["size"]), predicate["log"]["root"]
        stamped = predicate.get("timestamp") == "required"
    except (LookupError, TypeError, ValueError):
        kind, digests = None, {}
    if kind != seal.PREDICATE_TYPE or release_files.MANIFEST not in digests:
        yield Defect(release_files.STATEMENT, "is not a statement about a release")
    elif digests[release_files.MANIFEST] != sha256(content).hexdigest():
        yield Defect(release_files.MANIFEST, "is not the manifest that was signed")
    elif seal.statement(digests, json.loads(content), tree, head, stamped) != signed:
        yield Defect(release_files.STATEMENT, "says other counts or another name than the manifest")


def _timestamp_defects(
    folder: Path,
    key: Ed25519PublicKey,
    envelope: bytes,
    trusted: Sequence[x509.Certificate],
    required: bool,
) -> tuple[dict[str, str], list[Defect]]:
    """Check the time stamp.

    Returns:
      The digests of its files (empty: there is no time stamp), and its defects.
    """
    file = release_files.STAMPED
    try:
        if not (folder / file).exists():
            missing = [Defect(file, "is missing, and the release must have a time stamp")]
            return {}, missing if required else []
        content = (folder / file).read_bytes()
        digests = timestamps.covered_digests(dsse.open_envelope(content, key))
        file = release_files.TIMESTAMP
        answer = (folder / file).read_bytes()
        _ = timestamps.verified_time(answer, envelope, trusted) if trusted else None
    except OSError as error:
        return {}, [Defect(file, f"cannot be read ({error.strerror})")]
    except (dsse.BadEnvelope, NoTimestamp) as error:
        return {}, [Defect(file, str(error))]
    return digests | {release_files.STAMPED: sha256(content).hexdigest()}, []


def _file_defects(folder: Path, digests: Mapping[str, str]) -> Iterator[Defect]:
    """Check that the folder has exactly the named files, with their digests."""
    for name, digest in sorted(digests.items()):
        path = folder / name
        if path.is_symlink() or not path.is_file():
            yield Defect(name, "is missing")
            continue
        with path.open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != digest:
                yield Defect(name, "does not have the bytes that were signed")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (path.is_symlink() or not path.is_dir()) and name not in {
            *digests,
            release_files.STATEMENT,
        }:
            yield Defect(name, "does not belong to the release")


def _scan(folder: Path, manifest: dict[str, Any], table: str) -> pl.LazyFrame:
    start = f"lineage/{table}/"
    files = [folder / name for name in sorted(manifest["files"]) if name.startswith(start)]
    if not files:  # e.g. nothing was released or redacted
        return release_tables.empty_table(table)
    return pl.scan_parquet(files, hive_partitioning=False)


def _table_defects(folder: Path, manifest: dict[str, Any]) -> Iterator[Defect]:
    """Check the tables: the numbers of rows, one end per record, and each document's text.

    Numbers must equal those in the manifest.  Each document must be in the shard and row that
    `documents` names, with the recorded digest.
    """
    table = partial(_scan, folder, manifest)
    for name, about in manifest["files"].items():
        if name.endswith(".parquet"):
            rows = pl.scan_parquet(folder / name).select(pl.len()).collect().item()
            if rows != about["rows"]:
                yield Defect(name, f"has {rows} rows; the manifest says {about['rows']}")
    counts = manifest["counts"]
    records = table("records").select("doc_id").collect()["doc_id"]
    documents = table("documents").collect()
    for place, rows, count in (
        ("lineage/records", len(records), counts["records"] + counts.get("parts", 0)),
        ("lineage/documents", documents.height, counts["documents"]),
    ):
        if rows != count:
            yield Defect(place, f"has {rows} rows; the manifest counts {count}")
    ended = table("decisions").filter(pl.col("outcome") != "keep").select("doc_id")
    ends = pl.concat([ended.collect()["doc_id"], documents["doc_id"]]).sort()
    if not ends.equals(records.sort()):
        yield Defect("lineage/decisions", "does not end each record exactly once")
    yield from _part_defects(table("parts").collect(), counts.get("parts", 0))
    for (shard,), rows in documents.sort("row").group_by("shard", maintain_order=True):
        yield from _shard_defects(folder, str(shard), rows)


def _part_defects(parts: pl.DataFrame, count: int) -> Iterator[Defect]:
    """Check the number of parts, and that no character of a record is in two parts."""
    others = parts.filter(pl.col("doc_id") != pl.col("part_of"))["doc_id"].n_unique()
    if others != count:
        yield Defect("lineage/parts", f"has {others} parts of records; the manifest counts {count}")
    before = pl.col("end").shift(1).over("part_of").fill_null(0)
    ordered = parts.sort("part_of", "start")
    if not ordered.filter(
        (pl.col("start") < before) | (pl.col("end") <= pl.col("start"))
    ).is_empty():
        yield Defect("lineage/parts", "has ranges of a record that overlap or are empty")


def _shard_defects(folder: Path, shard: str, rows: pl.DataFrame) -> Iterator[Defect]:
    try:
        data = pl.read_parquet(folder / shard, columns=["doc_id", "text"], hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError):
        yield Defect(shard, "cannot be read, and lineage/documents names it")
        return
    if not data["doc_id"].equals(rows["doc_id"]):
        yield Defect(shard, "has other documents than lineage/documents says")
        return
    digests = [sha256(text.encode()).hexdigest() for text in data["text"]]
    if digests != rows["text_sha256"].to_list():
        yield Defect(shard, "has a text whose digest is not the one in lineage/documents")


def _token_defects(folder: Path, manifest: dict[str, Any]) -> Iterator[Defect]:
    """Check each document's number of tokens, and that the ranges fill the token shards."""
    rows = _scan(folder, manifest, "tokens").sort("shard", "token_start", "n_tokens").collect()
    about = manifest.get("tokenizer")
    if about is None:
        if rows.height:
            yield Defect("lineage/tokens", "has rows, but the manifest names no tokenizer")
        return
    sums = rows.group_by("doc_id").agg(pl.col("n_tokens").sum()).sort("doc_id")
    documents = _scan(folder, manifest, "documents").select("doc_id", "n_tokens").sort("doc_id")
    if not sums.equals(documents.collect()):
        yield Defect("lineage/tokens", "counts other tokens of a document than lineage/documents")
    if sums["n_tokens"].sum() != manifest["counts"]["tokens"]:
        yield Defect("lineage/tokens", "counts other tokens than the manifest")
    shards = {n for n in manifest["files"] if n.startswith("tokens/") and n.endswith(".npy")}
    if shards != {*rows["shard"]}:
        yield Defect("lineage/tokens", "names other token shards than the manifest")
        return
    separators = 0
    for (shard,), placed in rows.group_by("shard", maintain_order=True):
        count = _separators(folder / str(shard), placed, about["separator_id"])
        if count is None:
            yield Defect(str(shard), "does not hold the ranges that lineage/tokens says")
            return
        separators += count
    if separators != (0 if about["separator_id"] is None else sums.height):
        yield Defect("lineage/tokens", "does not leave room for one separator per document")


def _separators(path: Path, rows: pl.DataFrame, separator: int | None) -> int | None:
    """Count the separators between the ranges of a token shard.

    Returns:
      Their number; None if the shard cannot be read, or ranges and separators do not fill it.
    """
    import numpy as np

    try:
        ids = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    starts, ends = rows["token_start"], rows["token_start"] + rows["n_tokens"]
    gaps = np.append(starts[1:].to_numpy(), len(ids)) - ends.to_numpy()
    between = ends.to_numpy()[gaps == 1]
    filled = starts[0] == 0 and bool(((gaps == 0) | (gaps == 1)).all())
    if not filled or (len(between) and not bool((ids[between] == separator).all())):
        return None
    return len(between)


def _root_defects(folder: Path, manifest: dict[str, Any], tree: dict[str, str]) -> Iterator[Defect]:
    """Check that the leaves have the signed root, and that each document has its leaf."""
    try:
        hashes = seal.unpack((folder / release_files.LEAVES).read_bytes(), seal.HASH_BYTES)
        salts = seal.unpack((folder / release_files.SALTS).read_bytes(), seal.SALT_BYTES)
    except (OSError, ValueError) as error:
        yield Defect("seal", str(error))
        return
    if len(hashes) != int(tree["size"]) or len(salts) != len(hashes):
        yield Defect(
            release_files.LEAVES, f"does not have the {tree['size']} leaves of the statement"
        )
        return
    if merkle.root(hashes).hex() != tree["root"]:
        yield Defect(release_files.LEAVES, "has another Merkle root than the statement")
        return
    documents = _scan(folder, manifest, "documents").sort("leaf_index").collect()
    live = [i for i, salt in enumerate(salts) if salt != seal.ERASED]
    if documents["leaf_index"].to_list() != live:
        yield Defect(
            release_files.SALTS, "does not have salts for exactly the leaves of the documents"
        )
        return
    salted = pl.Series([salts[i] for i in live], dtype=pl.Binary)
    if seal.leaf_hashes(documents, salted) != [hashes[i] for i in live]:
        yield Defect(release_files.LEAVES, "has a leaf that does not match its document")


def _chain_defects(history: Path, envelope: bytes, signed: Any) -> Iterator[Defect]:
    """Check that the release is in the log, after the head that its statement names."""
    try:
        entries = release_log.read(history)
    except release_log.BadLog as error:
        yield Defect(release_files.LOG, str(error))
        return
    digest = sha256(envelope).hexdigest()
    places = [e["seq"] for e in entries if e["statement_sha256"] == digest]
    if not places:
        yield Defect(release_files.LOG, "has no entry for this release")
        return
    if release_log.entry(places[0], envelope, signed) != entries[places[0]]:
        yield Defect(release_files.LOG, f"entry {places[0]} does not match the release")
    head = signed["predicate"]["log"]
    size = int(head["size"])
    if size > places[0] or release_log.tree_head(entries, size) != (size, head["root"]):
        yield Defect(release_files.LOG, "is not the log to which the release was added")
