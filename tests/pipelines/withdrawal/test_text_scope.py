"""Withdraw a text by a file that holds it, in several forms: all exact matches of `find` are removed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any
from unicodedata import normalize

import polars as pl
import pytest
from helpers.release_tables import read_table

from lineage.register_files import load_register
from pipelines import clean
from pipelines.search import find
from pipelines.withdrawal import command as withdraw

BY = ("--confirm", "--by", "counsel", "--ground", "letter 12/7")


@pytest.fixture
def home(sample_copy: Path) -> Path:
    """A copy of the sample's run without the texts of the work folder (`tamga clean`)."""
    assert clean.main(["--params", str(sample_copy / "params.yaml")]) == 0
    return sample_copy


def run(home: Path, *args: str) -> int:
    return withdraw.main(["text", *args, "--params", str(home / "params.yaml")])


def documents(home: Path) -> pl.DataFrame:
    return read_table(home / "release/sample", "data").sort("doc_id")


def russian(home: Path) -> dict[str, Any]:
    long = pl.col("n_chars") > 400
    plain = ~pl.col("text").str.contains("[<\u04d8-\u04e9]")
    rows = documents(home).filter(long & plain, lang="ru").to_dicts()
    return next(
        row
        for row in rows
        if row["text"].encode("cp1251", "ignore").decode("cp1251") == row["text"]
    )


@pytest.mark.parametrize(
    "form", ["nbsp", "cp1251", "utf-16", "nfd", "tail", "personal-data", "payload"]
)
def test_exact_matches_of_find_are_withdrawn(
    home: Path, sample_run: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row, letter = russian(home), home / "letter.txt"
    if form == "personal-data":
        held = pl.col("text").str.contains("<EMAIL_ADDRESS>")
        row = documents(home).filter(held).row(0, named=True)
        letter.write_text(row["text"].replace("<EMAIL_ADDRESS>", "someone@example.org"), "utf-8")
    elif form == "payload":
        row = documents(home).filter(pl.col("uri").str.ends_with(".txt")).row(0, named=True)
        shutil.copy(sample_run / row["uri"], letter)
    else:
        text = row["text"]
        letter.write_bytes(
            {
                "nbsp": text.replace(" ", "\u00a0").encode(),
                "cp1251": text.encode("cp1251"),
                "utf-16": text.encode("utf-16"),
                "nfd": normalize("NFD", text).encode(),
                "tail": f"  \n{text}\n\n".encode(),
            }[form]
        )
    asked = ("--text", str(letter), "--params", str(home / "params.yaml"), "--json")
    assert find.main(asked) == 0
    same = [one["doc_id"] for one in json.loads(capsys.readouterr().out)["exact"]]
    assert row["doc_id"] in same
    assert run(home, str(letter), "--json") == 0
    assert json.loads(capsys.readouterr().out)["documents"] == len(same)
    assert run(home, str(letter), *BY) == 0
    assert not {*same} & {*documents(home)["doc_id"]}
    capsys.readouterr()
    assert run(home, str(letter)) == 0
    assert "already withdrawn" in capsys.readouterr().out


def test_similar_documents_are_named_and_nothing_changes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row, letter = russian(home), home / "letter.txt"
    letter.write_text(" ".join([*row["text"].split()[:-3], "и", "всё", "иначе"]), "utf-8")
    for args in ((), BY):
        assert run(home, str(letter), *args) == 1
        error = capsys.readouterr().err
        assert row["doc_id"] in error and "nothing was changed" in error
    assert not load_register(home / "register").withdrawals
    digest = re.search(r"\b[0-9a-f]{64}\b", error)[0]
    assert run(home, digest, *BY) == 0 and row["doc_id"] in {*documents(home)["doc_id"]}


@pytest.mark.parametrize("content", [b"", b" \n", b"%PDF-1.4 torn"], ids=len)
def test_a_file_without_a_text(
    home: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "letter").write_bytes(content)
    assert run(home, str(home / "letter")) == 2
    assert "letter" in capsys.readouterr().err
