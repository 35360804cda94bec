"""Tests of the register: which source governs a record."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from helpers.register_folders import entry_text, write_register

from lineage.register_files import load_register


def test_the_most_specific_entry_governs(tmp_path: Path) -> None:
    texts = {
        id: entry_text(id).replace("domains: [one.example.kz]", m)
        for id, m in (
            ("host", "domains: [example.kz]"),
            ("sub", "domains: [law.example.kz]"),
            ("page", "url_prefixes: ['https://law.example.kz/acts']"),
            ("coll", "collections: [gazette]"),
        )
    }
    texts["page"] += "  url_scope: ['https://law.example.kz/acts/2']\n"
    found = load_register(write_register(tmp_path, texts))
    uris = pl.Series(
        [
            "https://example.kz/",
            "https://x.example.kz/",
            "https://a.law.example.kz/",
            "https://law.example.kz/acts/1",
            "https://law.example.kz/acts/2/a",
            "https://law.example.kz/actsx",
            "https://other.kz/",
            "letter-1.txt",
            None,
        ]
    )
    expected = ["host", "host", "sub", "page", "page", "sub", None, None, None]
    ids = found.match(uris, "web")
    assert ids.to_list() == expected
    assert found.match(uris, "gazette").to_list() == [x or "coll" for x in expected]
    assert found.match(pl.Series([], dtype=pl.String), "web").len() == 0
