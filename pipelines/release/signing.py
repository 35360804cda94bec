"""Seal a release: write its leaves and salts, sign its statement, enter it into the log.

Each document gets a salt once. Salts are stored with the keys, so a document has the same leaf in
each release. An erased salt is never recreated.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lineage.signing import dsse, keys, merkle, release_log, seal
from lineage.signing.timestamps import NoTimestamp
from lineage.storage import disk, release_files
from pipelines.engine import batches, shards
from pipelines.engine.context import Context
from pipelines.engine.published import StageError
from pipelines.release import time_authority
from schemas.params import Params
from schemas.tables import RELEASED

SALTS = pa.schema([("doc_id", pa.string()), ("salt", pa.binary())])


def signing_key(params: Params) -> Ed25519PrivateKey:
    """Return the key that signs this run's release.

    Raises:
      StageError: if there is no key or it is not an Ed25519 key.
    """
    try:
        return keys.signing_key(params.seal.signing_key, params.work / "keys")
    except keys.BadKey as error:
        raise StageError(f"seal.signing_key: {error}") from None


def describe_key(context: Context) -> dict[str, str]:
    """Return the signing key's id, and the path of its public half if the project generated it."""
    params = context.params
    own = keys.is_generated(params.seal.signing_key)
    return {
        "key_id": keys.key_id(signing_key(params).public_key()),
        "key": str(params.work / "keys" / "signing.pub") if own else "configured",
    }


def seal_release(
    context: Context, root: Path, about: Mapping[str, Any], digests: Mapping[str, str]
) -> list[str]:
    """Write `seal/leaves`, `seal/salts` and `manifest.dsse.json` below `root`.

    Args:
      context: the run.
      root: the folder of the release's files, including `lineage/documents`.
      about: the manifest.
      digests: file name -> SHA-256 of the manifest and of the files that it does not list.

    Returns:
      The paths of the written files.

    Raises:
      StageError: if a time stamp is required and the authority gives none.
    """
    documents = _committed_documents(root)
    salts = _load_salts(context.params.work / "keys" / "salts.parquet", documents["doc_id"])
    leaves = seal.leaf_hashes(documents, salts)
    signed = dict(digests)
    for name, values in ((release_files.LEAVES, leaves), (release_files.SALTS, salts.to_list())):
        content = b"".join(values)
        disk.write_bytes(root / name, content)
        signed[name] = sha256(content).hexdigest()
    tree = len(leaves), merkle.root(leaves).hex()
    required = context.params.seal.timestamp == "required"
    head = release_log.tree_head(_read_log(context))
    statement = seal.statement(signed, about, tree, head, required)
    signature = dsse.sign(statement, signing_key(context.params))
    disk.write_bytes(root / release_files.STATEMENT, signature)
    try:
        stamped = time_authority.stamp_release(context.params, root)
    except NoTimestamp as error:
        if required:
            raise StageError(
                f"seal.timestamp_url: {error}; try again later, or set `seal.timestamp: optional`"
            ) from None
        print(f"warning: the release has no time stamp: {error}", file=sys.stderr)
        stamped = []
    return [release_files.LEAVES, release_files.SALTS, release_files.STATEMENT, *stamped]


def enter_log(context: Context, release: Path) -> None:
    """Enter a release into the log beside it, unless it has an entry.

    Raises:
      StageError: if the log is damaged, or another key signed the release.
    """
    envelope = (release / release_files.STATEMENT).read_bytes()
    try:
        signed = dsse.open_envelope(envelope, signing_key(context.params).public_key())
    except dsse.BadEnvelope as error:
        raise StageError(
            f"{release}/manifest.dsse.json {error}; name the key that signed it, or remove the "
            "release and run again to sign it with this key"
        ) from None
    _read_log(context)
    release_log.enter(_log_path(context), envelope, signed)


def _log_path(context: Context) -> Path:
    return context.params.releases / release_files.LOG


def _read_log(context: Context) -> list[dict[str, Any]]:
    try:
        return release_log.read(_log_path(context))
    except release_log.BadLog as error:
        raise StageError(f"{error}; restore the log from before the last release") from None


def _committed_documents(root: Path) -> pl.DataFrame:
    """Read the columns that leaves commit to, sorted by leaf index."""
    files = sorted((root / "lineage/documents").glob("*.parquet"))
    if not files:
        return batches.frame(RELEASED.empty_table())
    columns = ["leaf_index", *seal.COMMITTED]
    return pl.scan_parquet(files).select(columns).sort("leaf_index").collect()


def _load_salts(path: Path, doc_ids: pl.Series) -> pl.Series:
    """Return the documents' salts, in order. New salts are stored for later releases."""
    empty = batches.frame(SALTS.empty_table())
    stored = pl.read_parquet(path) if path.exists() else empty
    salted = seal.with_salts(doc_ids, stored)
    fresh = salted.join(stored, on="doc_id", how="anti")
    if fresh.height:
        rows = pl.concat([stored, fresh]).sort("doc_id").to_arrow().cast(SALTS)
        disk.write_bytes(path, shards.parquet_bytes(rows))
    return salted["salt"]
