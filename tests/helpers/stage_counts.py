"""Counts per shard as the stages report them, in order and out of order."""

from __future__ import annotations

from typing import Any

import polars as pl

Frame = dict[str, list[Any]]

#: Stage -> counts of two shards that meet its suite.
GOOD: dict[str, Frame] = {
    "ingest": {
        "shard": ["a", "b"],
        "records": [10, 0],
        "keep": [6, 0],
        "refuse": [2, 0],
        "drop": [1, 0],
        "damaged": [1, 0],
        "documents": [6, 0],
        "null_doc_ids": [0, 0],
        "repeated_doc_ids": [0, 0],
        "null_texts": [0, 0],
        "null_sources": [0, 0],
        "unknown_reasons": [0, 0],
    },
    "language": {
        "shard": ["a", "b"],
        "documents": [6, 0],
        "keep": [4, 0],
        "drop": [2, 0],
        "null_langs": [0, 0],
        "null_scripts": [0, 0],
        "score_min": [0.2, None],
        "score_max": [1.0000002, None],
        "repeated_doc_ids": [0, 0],
    },
    "quality": {
        "shard": ["a", "b"],
        "documents": [4, 0],
        "keep": [3, 0],
        "drop": [1, 0],
        "null_words": [0, 0],
        "share_min": [0.0, None],
        "share_max": [1.0, None],
        "score_min": [None, None],
        "score_max": [None, None],
        "repeated_doc_ids": [0, 0],
    },
    "dedup": {
        "shard": ["a", "b"],
        "documents": [4, 1],
        "keep": [2, 1],
        "drop": [2, 0],
        "duplicates": [3, 0],
        "unresolved": [0, 0],
        "similarity_min": [0.71, None],
        "similarity_max": [1.0, None],
    },
    "privacy": {
        "shard": ["a", "b"],
        "documents": [2, 1],
        "keep": [2, 0],
        "drop": [0, 1],
        "findings": [5, 0],
        "bad_spans": [0, 0],
    },
    "release": {
        "shard": ["part-00000", "part-00000"],
        "lang": ["kk", "ru"],
        "rows": [1, 1],
        "null_texts": [0, 0],
        "null_sources": [0, 0],
        "null_licences": [0, 0],
        "repeated_doc_ids": [0, 0],
        "chars": [900, 40],
    },
}

IN_SET, BETWEEN = "expect_column_values_to_be_in_set", "expect_column_values_to_be_between"
UNIQUE, SUM = "expect_column_values_to_be_unique", "expect_column_sum_to_be_between"
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
COLUMNS = "expect_table_columns_to_match_set"

#: stage, what is changed, the expectation that must fail, its column.
BAD: list[tuple[str, Frame, str, str]] = [
    ("ingest", {"refuse": [1, 0]}, IN_SET, "unaccounted"),
    ("ingest", {"shard": ["a", "a"]}, UNIQUE, "shard"),
    ("ingest", {"damaged": [1, None]}, IN_SET, "uncounted"),
    ("ingest", {"documents": [5, 0]}, "expect_column_pair_values_to_be_equal", "documents,keep"),
    *[
        ("ingest", {name: [0, 1]}, IN_SET, name)
        for name in (
            "null_doc_ids",
            "repeated_doc_ids",
            "null_texts",
            "null_sources",
            "unknown_reasons",
        )
    ],
    ("ingest", {"keep": [0, 0], "documents": [0, 0], "drop": [7, 0]}, SUM, "keep"),
    ("language", {"drop": [1, 1]}, IN_SET, "unaccounted"),
    ("language", {"score_min": [-0.1, None]}, BETWEEN, "score_min"),
    ("language", {"score_min": [float("nan"), None]}, BETWEEN, "score_min"),
    ("language", {"score_max": [1.1, None]}, BETWEEN, "score_max"),
    ("language", {"score_max": [0.1, None]}, GREATER, "score_max,score_min"),
    *[
        ("language", {name: [0, 1]}, IN_SET, name)
        for name in ("null_langs", "null_scripts", "repeated_doc_ids")
    ],
    ("language", {"keep": [0, 0], "drop": [6, 0]}, SUM, "keep"),
    ("quality", {"drop": [0, 0]}, IN_SET, "unaccounted"),
    ("quality", {"share_max": [1.5, None]}, BETWEEN, "share_max"),
    ("quality", {"score_min": [-0.1, None], "score_max": [0.1, None]}, BETWEEN, "score_min"),
    *[("quality", {name: [0, 1]}, IN_SET, name) for name in ("null_words", "repeated_doc_ids")],
    ("dedup", {"keep": [2, 0]}, IN_SET, "unaccounted"),
    ("dedup", {"unresolved": [1, 0]}, IN_SET, "unresolved"),
    ("dedup", {"similarity_min": [-1.0, None]}, BETWEEN, "similarity_min"),
    ("dedup", {"similarity_max": [1.5, None]}, BETWEEN, "similarity_max"),
    ("dedup", {"similarity_max": [0.7, None]}, GREATER, "similarity_max,similarity_min"),
    ("privacy", {"bad_spans": [0, 2]}, IN_SET, "bad_spans"),
    ("privacy", {"findings": [-1, 0]}, BETWEEN, "findings"),
    ("privacy", {"drop": [0, 0]}, IN_SET, "unaccounted"),
    ("release", {"lang": ["ru", "ru"]}, "expect_compound_columns_to_be_unique", "lang,shard"),
    ("release", {"rows": [0, 0]}, SUM, "rows"),
    ("release", {"chars": [900, 0]}, GREATER, "chars,rows"),
    *[
        ("release", {name: [0, 1]}, IN_SET, name)
        for name in ("null_texts", "null_sources", "null_licences", "repeated_doc_ids")
    ],
]


def frame(stage: str, **changed: list[Any]) -> pl.DataFrame:
    """A stage's good counts, some columns replaced."""
    return pl.DataFrame({**GOOD[stage], **changed})
