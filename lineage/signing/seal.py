"""The seal of a release: a salted leaf per document, their root, a signed statement.

`seal/leaves` holds a hash of 32 bytes per released document, in the order of `leaf_index`, and
`seal/salts` its salt of 16.  A leaf commits to what the document is, whatever shard it lies in.
Once its salt is zeroed nothing links the leaf to a document any more, and the root stays.
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
#: What a leaf commits to, in the order of its canonical JSON.
COMMITTED = ("doc_id", "lang", "source_id", "text_sha256")


def with_salts(doc_ids: pl.Series, stored: pl.DataFrame) -> pl.DataFrame:
    """A salt for each document: the stored one, else a random one made here.

    Args:
      doc_ids: each once.
      stored: doc_id, salt (Binary, 16 bytes).

    Returns:
      doc_id, salt, in the order of `doc_ids`.
    """
    found = doc_ids.to_frame("doc_id").join(stored, on="doc_id", how="left", maintain_order="left")
    fresh = pl.Series(
        [secrets.token_bytes(SALT_BYTES) for _ in range(found["salt"].null_count())],
        dtype=pl.Binary,
    )
    place = found["salt"].is_null().cum_sum().cast(pl.Int64) - 1
    made = fresh.gather(place.clip(0)) if len(fresh) else found["salt"]
    return found.with_columns(salt=pl.when(pl.col("salt").is_null()).then(made).otherwise("salt"))


def leaf_hashes(documents: pl.DataFrame, salts: pl.Series) -> list[bytes]:
    """The leaves' hashes: RFC 6962's leaf hash over the salt and the canonical JSON of COMMITTED.

    Args:
      documents: COMMITTED and more, a row per leaf; none of the values needs escapes in JSON.
      salts: Binary, in the same order.
    """
    told = documents.select(_leaf_json()).to_series()
    return [merkle.leaf_hash(s + text.encode()) for s, text in zip(salts, told, strict=True)]


def _leaf_json() -> pl.Expr:
    parts: list[pl.Expr] = []
    for i, name in enumerate(COMMITTED):
        parts += [pl.lit(("," if i else "{") + f'"{name}":"'), pl.col(name), pl.lit('"')]
    return pl.concat_str([*parts, pl.lit("}")])


def pack(values: list[bytes]) -> bytes:
    """Leaves or salts as the bytes of their file."""
    return b"".join(values)


def unpack(content: bytes, width: int) -> list[bytes]:
    """Leaves or salts from the bytes of their file; ValueError where it is cut."""
    if len(content) % width:
        raise ValueError(f"{len(content)} bytes are no multiple of {width}")
    return [content[i : i + width] for i in range(0, len(content), width)]


def statement(
    digests: Mapping[str, str],
    about: Mapping[str, Any],
    tree: tuple[int, str],
    head: tuple[int, str],
    stamped: bool = False,
) -> dict[str, Any]:
    """The in-toto statement on a release.

    Args:
      digests: SHA-256 (hex) by name, of the manifest and of the files that it leaves out.
      about: the manifest's value.
      tree: size and root (hex) of the tree over the documents.
      head: size and root (hex) of the log of releases before this one.
      stamped: whether a time stamp belongs to the release, so that its absence is a defect.
    """
    counts = about["counts"]
    return dsse.statement(
        digests,
        PREDICATE_TYPE,
        {  # numbers as text: some readers of in-toto make floats of them
            "name": about["name"],
            "records": str(counts["records"]),
            "documents": str(counts["documents"]),
            "merkle": {"size": str(tree[0]), "root": tree[1]},
            "log": {"size": str(head[0]), "root": head[1]},
            **({"timestamp": "required"} if stamped else {}),
        },
    )
