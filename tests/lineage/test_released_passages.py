from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from helpers import release_tables

from lineage.release_folder import ReleaseFolder
from lineage.released_passages import BadPassage, documents_with_passage
from lineage.trace import main


@pytest.fixture(scope="module")
def release(sample_run: Path) -> ReleaseFolder:
    return ReleaseFolder(sample_run / "release/sample", sample_run)


def test_passages_of_every_document(release: ReleaseFolder) -> None:
    for doc_id, text in (
        release_tables.read_table(release.folder, "data").select("doc_id", "text").iter_rows()
    ):
        middle = text[len(text) // 3 : len(text) // 3 + 80]
        assert doc_id in documents_with_passage(release, middle)
        assert doc_id in documents_with_passage(release, "  " + " \n\t ".join(text.split()) + "\n")


def test_a_passage_that_is_not_released(release: ReleaseFolder) -> None:
    assert documents_with_passage(release, "no released text says this (?:or .* that)") == []
    with pytest.raises(BadPassage, match="12 to 20000 characters"):
        documents_with_passage(release, "  a \n b ")
    with pytest.raises(BadPassage, match="tamga find"):
        documents_with_passage(release, "word " * 5000)
    assert documents_with_passage(release, "слово " * 3000) == []


def test_the_command(
    release: ReleaseFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    doc_id, text = release_tables.read_table(release.folder, "data").select("doc_id", "text").row(0)
    place = ["--release", str(release.folder), "--root", str(release.root)]
    stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["--text", "-", *place, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert doc_id in [chain["record"]["doc_id"] for chain in answer["chains"]]
    passage = tmp_path / "passage.txt"
    passage.write_text("nobody has ever written this sentence down")
    assert main(["--text", str(passage), *place]) == 1
    assert "this passage" in capsys.readouterr().err
    assert main(["--text", str(tmp_path / "none"), *place]) == 2
    passage.write_bytes(b"\xff\x00")
    assert main(["--text", str(passage), *place]) == 2


def test_tables_and_shards_that_are_cut(
    release: ReleaseFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(release.folder, tmp_path / "sample")
    (tmp_path / "passage.txt").write_text("nobody has ever written this sentence down")
    place = ["--release", str(tmp_path / "sample"), "--root", str(release.root)]
    for table, query in (
        ("data", ["--text", str(tmp_path / "passage.txt")]),
        ("lineage/documents", ["kk/part-00000:0"]),
    ):
        for path in (tmp_path / "sample" / table).rglob("*.parquet"):
            path.write_bytes(path.read_bytes()[:100])
        assert main([*query, *place]) == 2
        assert "tamga verify" in capsys.readouterr().err


@pytest.mark.parametrize("charset", ["cp1251", "koi8-r", "utf-16"])
def test_a_file_that_is_not_utf_8_is_reported(
    release: ReleaseFolder, tmp_path: Path, charset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    passage = tmp_path / "passage.txt"
    passage.write_bytes("Такого нигде не печатали, ни разу".encode(charset))
    assert main(["--text", str(passage), "--release", str(release.folder)]) == 2
    error = capsys.readouterr().err
    assert f"{passage} is not UTF-8 at byte 0" in error and "tamga find --text" in error
