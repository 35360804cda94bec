"""Names of the files and folders in a release, and beside releases.  No other module spells them."""

from __future__ import annotations

from typing import Final

MANIFEST: Final = "manifest.json"
STATEMENT: Final = "manifest.dsse.json"
README: Final = "README.md"
LEAVES: Final = "seal/leaves"
SALTS: Final = "seal/salts"
#: The answer of a time stamping authority, and the signed statement about this answer.
TIMESTAMP: Final = "seal/statement.tsr"
STAMPED: Final = "seal/timestamp.dsse.json"

#: Beside releases, in the folder that holds them.
LOG: Final = "releases.jsonl"
RECEIPTS: Final = "receipts"
EXCLUSIONS: Final = "exclusions"


def lineage_part(shard: str) -> str:
    """The part of the lineage tables on documents that belongs to a shard of texts or tokens.

    It is `part-kk-00000` for `data/kk/part-00000.parquet` and `tokens/…/kk/part-00000-00003.npy`.
    """
    lang, name = shard.split("/")[-2:]
    return f"part-{lang}-{name.partition('.')[0].split('-')[1]}"
