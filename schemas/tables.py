"""Arrow schemas of the documents, of what stages find about them, and of the lineage tables.

A release's tables are the ones in `LINEAGE`; `DOCUMENTS`, `LANGUAGE`, `QUALITY` and `FINDINGS` are
how stages hand documents and findings to each other.  A document is immutable once ingest wrote
it; later stages write what they found beside it, keyed by `doc_id` within the same shard.  `language`
alone may put others in its place: the parts of a document that it split.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

SCHEMA_VERSION: Final = 1

OUTCOMES: Final = ("keep", "refuse", "drop", "damaged")

_text, _long = pa.string(), pa.int64()

#: A raw record as ingest saw it.  `offset` and `length` delimit its bytes in `container` as
#: `locator` says: `member` (a gzip member), `bytes` (after decompression), `row`, `entry`.
RECORDS: Final = pa.schema(
    [
        ("doc_id", _text),
        ("source_id", _text),
        ("uri", _text),
        ("uri_hmac", _text),
        ("collection", _text),
        ("container", _text),
        ("container_hmac", _text),
        ("container_sha256", _text),
        ("locator", _text),
        ("offset", _long),
        ("length", _long),
        ("payload_sha256", _text),
        ("captured_at", _text),
        ("media_type", _text),
        ("http_status", pa.int32()),
        ("charset_declared", _text),
        ("charset", _text),
    ]
)

DECISIONS: Final = pa.schema(
    [
        ("doc_id", _text),
        ("uri", _text),
        ("stage", _text),
        ("outcome", _text),
        ("reason", _text),
        ("rule", _text),
        ("rule_version", _text),
        ("evidence", _text),
        ("run_id", _text),
    ]
)

DUPLICATES: Final = pa.schema(
    [
        ("doc_id", _text),
        ("cluster_id", _text),
        ("kept_doc_id", _text),
        ("kind", _text),
        ("similarity", pa.float64()),
        ("licence", _text),
        ("source_id", _text),
    ]
)

REDACTIONS: Final = pa.schema(
    [
        ("doc_id", _text),
        ("entity_type", _text),
        ("start", _long),
        ("end", _long),
        ("original_length", _long),
        ("score", pa.float64()),
        ("recogniser", _text),
        ("operator", _text),
    ]
)

RELEASED: Final = pa.schema(
    [
        ("doc_id", _text),
        ("source_id", _text),
        ("lang", _text),
        ("shard", _text),
        ("row", _long),
        ("n_chars", _long),
        ("n_tokens", _long),
        ("text_sha256", _text),
        ("leaf_index", _long),
    ]
)

#: What a document was cut from, where its record was split by language: a row per range, in
#: characters (code points) of the record's text as ingest read it, end exclusive.  The part in the
#: main language has the record's own id; of each other part, the record's row in `records` and the
#: gate's decision about it stand once more under the part's id.
PARTS: Final = pa.schema(
    [
        ("doc_id", _text),
        ("part_of", _text),
        ("start", _long),
        ("end", _long),
    ]
)

#: Where a document's tokens lie.  The rows of a shard tile it, save for the separator that follows
#: a document's last token; a document that goes on in the next shard has a row in each.
#: `doc_token_start`: which of the document's tokens the row begins with.
TOKENS: Final = pa.schema(
    [
        ("tokenizer", _text),
        ("shard", _text),
        ("token_start", _long),
        ("n_tokens", _long),
        ("doc_id", _text),
        ("doc_token_start", _long),
    ]
)

SOURCES: Final = pa.schema(
    [
        ("source_id", _text),
        ("entry", _text),
        ("entry_sha256", _text),
        ("evidence_sha256", _text),
        ("licence", _text),
        ("jurisdiction", _text),
    ]
)

RUNS: Final = pa.schema(
    [
        ("run_id", _text),
        ("stage", _text),
        ("code_version", _text),
        ("params_sha256", _text),
        ("models", _text),
        ("runner", _text),
        ("started", _text),
        ("ended", _text),
        ("inputs", _text),
        ("outputs", _text),
    ]
)

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

#: What ingest hands on: the text as it is stored, with what identifies it.
DOCUMENTS: Final = pa.schema(
    [
        ("doc_id", _text),
        ("source_id", _text),
        ("uri", _text),
        ("captured_at", _text),
        ("title", _text),
        ("text", pa.large_string()),
    ]
)

#: What `language` found about a document; `langs`: the share of its letters in each language.
LANGUAGE: Final = pa.schema(
    [
        ("doc_id", _text),
        ("lang", _text),
        ("script", _text),
        ("score", pa.float32()),
        ("langs", pa.list_(pa.struct([("lang", _text), ("share", pa.float32())]))),
        ("n_bytes", _long),
    ]
)

#: What `quality` found about a document: its domain and what told it (`source`, `url`,
#: `classifier`), a classifier's score, the rules that it failed, and the figures they judge.
QUALITY: Final = pa.schema(
    [
        ("doc_id", _text),
        ("domain", _text),
        ("domain_by", _text),
        ("score", pa.float32()),
        ("failed", pa.list_(_text)),
        ("n_chars", _long),
        ("n_words", _long),
        ("n_lines", _long),
        *(
            (name, pa.float32())
            for name in (
                "mean_word_length",
                "digit_share",
                "symbol_share",
                "emoji_share",
                "code_share",
                "odd_share",
                "number_share",
                "stop_word_share",
                "long_run_share",
                "short_line_share",
                "closed_line_share",
                "bullet_line_share",
                "ellipsis_line_share",
                "duplicate_line_share",
                "duplicate_paragraph_share",
                "top_2gram_share",
                "top_3gram_share",
                "top_4gram_share",
                "duplicate_5gram_share",
                "duplicate_10gram_share",
                "marker_rate",
            )
        ),
    ]
)

#: Spans of personal data in a document's stored text, in characters (code points), end
#: exclusive; `replacement` is what the release puts in their place.
FINDINGS: Final = pa.schema(
    [
        ("doc_id", _text),
        ("entity_type", _text),
        ("start", _long),
        ("end", _long),
        ("score", pa.float64()),
        ("recogniser", _text),
        ("operator", _text),
        ("replacement", _text),
    ]
)

#: Classes of spans that a release leaves out because others have them: no personal data.
BOILERPLATE, PASSAGE = REPEATED = ("BOILERPLATE", "PASSAGE")

#: A row of a released shard.
DATA: Final = pa.schema(
    [
        ("doc_id", _text),
        ("text", pa.large_string()),
        ("lang", _text),
        ("script", _text),
        ("source_id", _text),
        ("licence", _text),
        ("uri", _text),
        ("captured_at", _text),
        ("n_chars", _long),
        ("n_tokens", _long),
        ("domain", _text),
        ("quality", pa.float32()),
    ]
)
