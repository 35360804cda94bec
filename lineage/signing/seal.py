"""The seal of a release: a salted leaf per document, the Merkle root, and a signed statement.

`seal/leaves` holds a hash of 32 bytes per released document, in the order of `leaf_index`.
`seal/salts` holds a salt of 16 bytes per document.  A leaf commits to the document, not to its
shard.  After its salt is set to zero, nothing links a leaf to a document, and the root stays valid.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import polars as pl

from lineage.signing import dsse, merkle

SALT_BYTES, HASH_BYTES = 16, 32
ERASED = bytes(SALT_BYTES)
PREDICATE_TYPE = "urn:tamga:release:v1"
#: The columns that a leaf commits to, in the order of canonical JSON.
COMMITTED = ("doc_id", "lang", "source_id", "text_sha256")


def with_salts(doc_ids: pl.Series, stored: pl.DataFrame) -> pl.DataFrame:
    """Give each document a salt: the stored one, else a new random one.

    Args:
      doc_ids: without repetition.
      stored: doc_id, salt (Binary, 16 bytes).

    Returns:
      doc_id, salt, in the order of `doc_ids`.
    """
    rows = doc_ids.to_frame("doc_id").join(stored, on="doc_id", how="left", maintain_order="left")
    fresh = pl.Series(
        [secrets.token_bytes(SALT_BYTES) for _ in range(rows["salt"].null_count())],
        dtype=pl.Binary,
    )
    place = rows["salt"].is_null().cum_sum().cast(pl.Int64) - 1
    new = fresh.gather(place.clip(0)) if len(fresh) else rows["salt"]
    return rows.with_columns(salt=pl.when(pl.col("salt").is_null()).then(new).otherwise("salt"))


def leaf_hashes(documents: pl.DataFrame, salts: pl.Series) -> list[bytes]:
    """The hashes of the leaves: RFC 6962's leaf hash over the salt and the canonical JSON of COMMITTED.

    Args:
      documents: COMMITTED and more, a row per leaf.  No value may need escapes in JSON.
      salts: Binary, in the same order.
    """
    contents = documents.select(_leaf_json()).to_series()
    return [merkle.leaf_hash(s + text.encode()) for s, text in zip(salts, contents, strict=True)]


def _leaf_json() -> pl.Expr:
    """The canonical JSON of COMMITTED, as a string."""
    parts: list[pl.Expr] = []
    for i, name in enumerate(COMMITTED):
        parts += [pl.lit(("," if i else "{") + f'"{name}":"'), pl.col(name), pl.lit('"')]
    return pl.concat_str([*parts, pl.lit("}")])


def pack(values: list[bytes]) -> bytes:
    """Concatenate leaves or salts to the bytes of their file."""
    return b"".join(values)


def unpack(content: bytes, width: int) -> list[bytes]:
    """Split the bytes of a file into leaves or salts.

    Raises:
      ValueError: if the length is not a multiple of `width`.
    """
    if len(content) % width:
        raise ValueError(f"{len(content)} bytes are not a multiple of {width}")
    return [content[i : i + width] for i in range(0, len(content), width)]


def statement(
    digests: Mapping[str, str],
    about: Mapping[str, Any],
    tree: tuple[int, str],
    head: tuple[int, str],
    stamped: bool = False,
) -> dict[str, Any]:
    """Build the in-toto statement about a release.

    Args:
      digests: SHA-256 (hex) by name, of the manifest and of the files that it does not list.
      about: the value of the manifest.
      tree: size and root (hex) of the tree over the documents.
      head: size and root (hex) of the log of releases before this release.
      stamped: whether the release must have a time stamp, so that a missing one is a defect.
    """
    counts = about["counts"]
    return dsse.statement(
        digests,
        PREDICATE_TYPE,
        {  # numbers as text: some readers of in-toto turn numbers into floats
            "name": about["name"],
            "records": str(counts["records"]),
            "documents": str(counts["documents"]),
            "merkle": {"size": str(tree[0]), "root": tree[1]},
            "log": {"size": str(head[0]), "root": head[1]},
            **({"timestamp": "required"} if stamped else {}),
        },
    )
