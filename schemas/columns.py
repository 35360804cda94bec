"""Columns of a release's data and lineage tables: name to Arrow type.

Readers of a release need only the names, so this module imports no Arrow library.  `schemas.tables`
turns the columns into Arrow schemas.
"""

from __future__ import annotations

from typing import Final

#: A raw record as ingest read it.  `offset` and `length` delimit its bytes in `container` as
#: `locator` says: `member` (a gzip member), `bytes` (after decompression), `row`, `entry`.
RECORDS: Final = {
    "doc_id": "string",
    "source_id": "string",
    "uri": "string",
    "uri_hmac": "string",
    "collection": "string",
    "container": "string",
    "container_hmac": "string",
    "container_sha256": "string",
    "locator": "string",
    "offset": "int64",
    "length": "int64",
    "payload_sha256": "string",
    "captured_at": "string",
    "media_type": "string",
    "http_status": "int32",
    "charset_declared": "string",
    "charset": "string",
}

DECISIONS: Final = {
    "doc_id": "string",
    "uri": "string",
    "stage": "string",
    "outcome": "string",
    "reason": "string",
    "rule": "string",
    "rule_version": "string",
    "evidence": "string",
    "run_id": "string",
}

DUPLICATES: Final = {
    "doc_id": "string",
    "cluster_id": "string",
    "kept_doc_id": "string",
    "kind": "string",
    "similarity": "double",
    "licence": "string",
    "source_id": "string",
}

REDACTIONS: Final = {
    "doc_id": "string",
    "entity_type": "string",
    "start": "int64",
    "end": "int64",
    "original_length": "int64",
    "score": "double",
    "recogniser": "string",
    "operator": "string",
}

RELEASED: Final = {
    "doc_id": "string",
    "source_id": "string",
    "lang": "string",
    "shard": "string",
    "row": "int64",
    "n_chars": "int64",
    "n_tokens": "int64",
    "text_sha256": "string",
    "leaf_index": "int64",
}

#: The ranges of a record's text that a document consists of, if the record was split by language.
#: Ranges are in characters (code points) of the text as ingest read it; the end is exclusive.  The
#: part in the main language keeps the record's id.  For each other part, the record's row in `records`
#: and the gate's decision are repeated under the part's id.
PARTS: Final = {
    "doc_id": "string",
    "part_of": "string",
    "start": "int64",
    "end": "int64",
}

#: Where a document's tokens are.  The rows of a shard cover it completely, except for the separator
#: after a document's last token.  A document that continues in the next shard has a row in each.
#: `doc_token_start`: the index, within the document, of the row's first token.
TOKENS: Final = {
    "tokenizer": "string",
    "shard": "string",
    "token_start": "int64",
    "n_tokens": "int64",
    "doc_id": "string",
    "doc_token_start": "int64",
}

SOURCES: Final = {
    "source_id": "string",
    "entry": "string",
    "entry_sha256": "string",
    "evidence_sha256": "string",
    "licence": "string",
    "jurisdiction": "string",
}

RUNS: Final = {
    "run_id": "string",
    "stage": "string",
    "code_version": "string",
    "params_sha256": "string",
    "models": "string",
    "runner": "string",
    "started": "string",
    "ended": "string",
    "inputs": "string",
    "outputs": "string",
}

LINEAGE: Final = {
    "records": RECORDS,
    "decisions": DECISIONS,
    "duplicates": DUPLICATES,
    "redactions": REDACTIONS,
    "documents": RELEASED,
    "parts": PARTS,
    "tokens": TOKENS,
    "sources": SOURCES,
    "runs": RUNS,
}

#: A row of a released shard.
DATA: Final = {
    "doc_id": "string",
    "text": "large_string",
    "lang": "string",
    "script": "string",
    "source_id": "string",
    "licence": "string",
    "uri": "string",
    "captured_at": "string",
    "n_chars": "int64",
    "n_tokens": "int64",
    "domain": "string",
    "quality": "float",
}
