"""Arrow schemas of documents, of stages' findings about them, and of the lineage tables.

`LINEAGE` holds a release's tables.  Stages pass `DOCUMENTS`, `LANGUAGE`, `QUALITY` and `FINDINGS` to
each other.  No stage changes a document that ingest wrote: later stages write their findings beside
it, keyed by `doc_id` in the same shard.  Only `language` can replace a document: by the parts into
which it splits it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from schemas import columns

SCHEMA_VERSION: Final = 1

OUTCOMES: Final = ("keep", "refuse", "drop", "damaged")

_text, _long = pa.string(), pa.int64()


def _schema(types: Mapping[str, str]) -> pa.Schema:
    return pa.schema(list(types.items()))


LINEAGE: Final = {name: _schema(types) for name, types in columns.LINEAGE.items()}
RECORDS: Final = LINEAGE["records"]
DECISIONS: Final = LINEAGE["decisions"]
DUPLICATES: Final = LINEAGE["duplicates"]
REDACTIONS: Final = LINEAGE["redactions"]
RELEASED: Final = LINEAGE["documents"]
PARTS: Final = LINEAGE["parts"]
TOKENS: Final = LINEAGE["tokens"]
SOURCES: Final = LINEAGE["sources"]
RUNS: Final = LINEAGE["runs"]

#: The output of ingest: the stored text and what identifies it.
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

#: The findings of `language` about a document; `langs`: the share of its letters in each language.
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

#: The findings of `quality` about a document: its domain and where that comes from (`source`, `url`,
#: `classifier`), a classifier's score, the rules that it failed, and the measures that rules judge.
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
#: exclusive.  `replacement`: the text that the release has instead.
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

#: Classes of spans that a release leaves out because they are repeated; they are not personal data.
BOILERPLATE, PASSAGE = REPEATED = ("BOILERPLATE", "PASSAGE")

DATA: Final = _schema(columns.DATA)
