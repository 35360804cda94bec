"""A text in two scripts is recognised as a duplicate."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from helpers import dedup_job

from pipelines.text import transliteration

UZBEK = (
    "Ҳар бир ҳужжат ўз эгасининг ёзма розилиги билан топширилади, ер участкаси ҳақидаги маълумот "
    "эса 12 декабрь куни янгиланган рўйхатдан олинади ва вилоят архивида сақланади"
)
IN_LATIN = (
    "Har bir hujjat o‘z egasining yozma roziligi bilan topshiriladi, yer uchastkasi haqidagi "
    "ma’lumot esa 12 dekabr kuni yangilangan ro‘yxatdan olinadi va viloyat arxivida saqlanadi"
)


def key(text: str, language: str | None) -> str | None:
    return transliteration.latin_keys(pl.Series([text]), pl.Series([language], dtype=pl.String))[0]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("uz", "Ер поезди ёшлар юртига чиқди", "yer poyezdi yoshlar yurtiga chiqdi"),
        ("uz", "Конституция цирк", "konstitutsiya sirk"),
        ("az", "Һәр кәс јашамаг һүгугуна маликдир", "hər kəs yaşamaq hüququna malikdir"),
        ("kk", "Қазақ тілі", "qazaq tili"),
        ("tk", "Ер йүзи, җемгыет", "ýer ýüzi, jemgyýet"),
        ("tt", "җир", "cir"),
        ("tt", "qız", "kız"),
        ("ro", "чентру ши ким", "centru şi chim"),
        ("ro", "ын пэдуре", "în pădure"),
        ("ru", "ёлка", None),
        (None, "ёлка", None),
        ("uz", "faqat lotin", None),
        ("uz", "", None),
    ],
)
def test_keys(language: str | None, text: str, expected: str | None) -> None:
    assert key(text, language) == expected


def test_each_table_is_complete_and_in_lower_case() -> None:
    assert set(transliteration.tables()) == {"uz", "az", "kk", "tk", "tt", "ro"}
    for contexts, written, keys in transliteration.tables().values():
        assert len(written) == len(keys) == len(set(written)) >= 30
        assert all(w == w.lower() for w in written)
        assert all(re.compile(pattern) for pattern, _ in contexts)


def test_two_scripts_are_duplicates_and_figures_count(tmp_path: Path) -> None:
    documents = {
        "cyrl": ("inst", UZBEK),
        "latn": ("web", IN_LATIN),
        "other": ("inst", UZBEK.replace("12", "13")),
        "unknown": ("web", IN_LATIN.replace("12 dekabr", "5 may")),
    }
    result = dedup_job.run_dedup(tmp_path, documents, languages={"cyrl": "uz", "other": "uz"})
    assert result.kept == {"cyrl", "other", "unknown"}
    evidence = result.evidence["latn"]
    assert evidence["measure"] == "latin-jaccard" and evidence["kind"] == "near"
    assert evidence["kept_doc_id"] == "cyrl" and evidence["similarity"] == 1.0


@pytest.mark.parametrize(("language", "name"), [("uz", "uzn"), ("az", "azj")])
def test_the_declaration_in_two_scripts(
    language: str, name: str, shared: Path, tmp_path: Path
) -> None:
    texts = {
        script: re.findall(
            r"<para>(.*?)</para>",
            (shared / f"data/udhr/udhr_{name}_{script}.xml").read_text("utf-8"),
            re.S,
        )
        for script in ("cyrl", "latn")
    }
    documents = {script: ("web", "\n".join(text)) for script, text in texts.items()}
    result = dedup_job.run_dedup(tmp_path, documents, languages=dict.fromkeys(documents, language))
    (removed,) = set(documents) - result.kept
    assert result.evidence[removed]["measure"] == "latin-jaccard"
    assert result.evidence[removed]["similarity"] > 0.98
