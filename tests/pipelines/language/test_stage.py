"""Decisions about documents by their language."""

from __future__ import annotations

import json

import polars as pl
import pytest

from pipelines.language.stage import count_mixed, decide, floors
from schemas.sections import LanguageParams


def decide_document(
    params: LanguageParams, lang, script, score, *shares
) -> tuple[str, str | None, dict]:
    names = [lang, "ru", "en"]
    langs = [{"lang": n, "share": s} for n, s in zip(names, shares or (1.0,), strict=False)]
    schema = {
        "doc_id": pl.String, "uri": pl.String, "lang": pl.String, "script": pl.String,
        "score": pl.Float32,
        "langs": pl.List(pl.Struct({"lang": pl.String, "share": pl.Float32})),
    }  # fmt: skip
    labels = ("1", "u", lang, script, score, langs if lang else [])
    row = decide(pl.DataFrame([labels], schema=schema, orient="row"), params).row(0, named=True)
    return row["outcome"], row["reason"], json.loads(row["evidence"])


@pytest.mark.parametrize(
    ("params", "labels", "reason"),
    [
        (LanguageParams(), (None, None, 0.0), "language-no-letters"),
        (LanguageParams(), ("kk", "Cyrl", 0.1), "language-undetermined"),
        (LanguageParams(), ("kk", "Cyrl", 0.9), None),
        (LanguageParams(floors={"kk": 0.95}), ("kk", "Cyrl", 0.9), "language-undetermined"),
        (LanguageParams(floors={"uz-Cyrl": 0.95}), ("uz", "Cyrl", 0.9), "language-undetermined"),
        (LanguageParams(floors={"uz-Cyrl": 0.95}), ("uz", "Latn", 0.9), None),
        (LanguageParams(floor=0.7), ("nv", "Latn", 0.6), "language-undetermined"),
        (LanguageParams(allow=("ru",)), ("kk", "Cyrl", 0.9), "language-not-wanted"),
        (LanguageParams(), ("kk", "Cyrl", 0.9, 0.6, 0.4), None),
        (LanguageParams(mixed="drop"), ("kk", "Cyrl", 0.9, 0.6, 0.4), "language-mixed"),
        (LanguageParams(mixed="drop"), ("kk", "Cyrl", 0.9, 0.9, 0.1), None),
        (LanguageParams(mixed="drop", main_share=0.5), ("kk", "Cyrl", 0.9, 0.6, 0.4), None),
    ],
)
def test_reasons(params, labels, reason):
    assert decide_document(params, *labels)[:2] == ("keep" if reason is None else "drop", reason)


def test_mixed_documents_are_counted():
    schema = {"langs": pl.List(pl.Struct({"lang": pl.String, "share": pl.Float32}))}
    shares = [[0.6, 0.4], [0.79], [0.8, 0.2], [1.0], []]
    langs = [[{"lang": "ru", "share": share} for share in row] for row in shares]
    labels = pl.DataFrame({"langs": langs}, schema=schema)
    assert count_mixed(labels, LanguageParams(main_share=0.75)) == 1
    assert count_mixed(labels, LanguageParams(main_share=0.9)) == 3


def test_evidence_holds_value_and_threshold():
    evidence = decide_document(LanguageParams(floors={"kk": 0.95}), "kk", "Cyrl", 0.9, 0.6, 0.4)[2]
    assert evidence == {"lang": "kk", "script": "Cyrl", "score": 0.9, "floor": 0.95, "share": 0.6}


def test_shipped_floors():
    shipped = floors(LanguageParams())
    assert {"ru-Cyrl", "uz-Cyrl", "uz-Latn", "az-Cyrl", "os-Cyrl"} <= set(shipped)
    assert all(0.2 <= floor <= 0.5 for floor in shipped.values())
