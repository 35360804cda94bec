"""A passage that two letters share, in a whole run: released once, and reported everywhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml
from helpers import release_tables
from helpers.commands import tamga

from pipelines.withdrawal import command as withdraw

OWN = {
    "osen": (
        "Осенью мы снова собрались в старом доме у реки, где когда-то жил наш дедушка.",
        "Утром над водой стоял туман, а к обеду вышло солнце, и дети побежали собирать листья. "
        "Мы нашли на чердаке коробку с письмами и весь вечер читали их вслух, смеялись и "
        "вспоминали соседей, которых давно нет. Пишите мне на osen.dom@example.com, если у вас "
        "остались снимки той улицы.",
    ),
    "sad": (
        "Наш школьный сад посадили выпускники сорок лет назад, и яблони в нём ещё цветут.",
        "Весной учителя зовут всех на уборку: кто-то белит стволы, кто-то носит воду, а младшие "
        "классы рисуют таблички с названиями сортов. Говорят, что участок хотят отдать под "
        "стоянку, и мы просим редакцию рассказать о нём, пока деревья стоят на своём месте.",
    ),
}
SHARED = (
    "Напомним условия нашего конкурса. Рассказ должен быть написан вами и нигде раньше не "
    "напечатан, его длина не больше трёх страниц, а подписать его можно любым именем. "
    "Принимаются письма от читателей всех возрастов, и каждое из них прочтут не меньше двух "
    "членов жюри. Лучшие работы выйдут отдельным сборником, который получат все участники, их "
    "школы и районные библиотеки, а победителя мы пригласим на встречу с писателями города."
)


@pytest.fixture(scope="module")
def home(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("shared-passage")
    shutil.copytree(sample_home / "register", home / "register")
    letters = home / "letters"
    letters.mkdir()
    for name, (head, tail) in OWN.items():
        (letters / f"{name}.txt").write_text("\n\n".join([head, SHARED, tail]), "utf-8")
    params = yaml.safe_load((sample_home / "params.yaml").read_text())
    params["inputs"] = [{"collection": "letters", "format": "text", "paths": ["letters/*.txt"]}]
    params["tokens"] = {}
    params["dedup"] = {"spans": {"min_words": 50}}
    (home / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    done = tamga("run", "--params", home / "params.yaml", "--workers", "1")
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope="module")
def texts(home: Path) -> dict[str, dict[str, str]]:
    """File -> its row of data."""
    rows = release_tables.read_table(home / "release/sample", "data").to_dicts()
    return {Path(row["uri"]).stem: row for row in rows}


def test_it_is_released_once(home: Path, texts: dict[str, dict[str, str]]) -> None:
    keepers = [name for name, row in texts.items() if SHARED in row["text"]]
    assert set(texts) == {*OWN} and len(keepers) == 1
    (other,) = {*OWN} - {*keepers}
    head, tail = OWN[other]
    left = tail.replace("osen.dom@example.com", "<EMAIL_ADDRESS>")
    assert texts[other]["text"] == f"{head}\n\n{left}"
    assert texts[other]["n_chars"] == len(texts[other]["text"])
    spans = release_tables.read_table(home / "release/sample", "redactions")
    (passage,) = spans.filter(pl.col("entity_type") == "PASSAGE").to_dicts()
    assert passage["doc_id"] == texts[other]["doc_id"] and passage["original_length"] == len(
        SHARED + "\n\n"
    )
    assert passage["start"] == passage["end"] == len(head) + 2
    (mail,) = spans.filter(pl.col("entity_type") == "EMAIL_ADDRESS").to_dicts()
    assert texts["osen"]["text"][mail["start"] : mail["end"]] == "<EMAIL_ADDRESS>"


def test_a_withdrawal_shows_where_its_words_stay(
    home: Path, texts: dict[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    kept, other = sorted(texts.values(), key=lambda row: SHARED not in row["text"])
    params = ("--params", str(home / "params.yaml"))
    for withdrawn, other_copy, kind, message in (
        (other, kept, "stay", "a copy of a passage stays: 1 of"),
        (
            kept,
            other,
            "take_over",
            "a passage comes back at the next run in another document: 1 of",
        ),
    ):
        assert withdraw.main(["document", withdrawn["doc_id"], *params, "--json"]) == 0
        copies = json.loads(capsys.readouterr().out)["releases"][0]["copies"]
        (copy,) = copies.pop(kind)
        assert copy["kinds"] == ["passage"] and copy["examples"] == [other_copy["doc_id"]]
        assert copy["licence"] and copy["basis"] and not any(copies.values())
        assert withdraw.main(["document", withdrawn["doc_id"], *params]) == 0
        assert message in capsys.readouterr().out


def test_queries_name_the_document_that_keeps_it(
    home: Path, texts: dict[str, dict[str, str]]
) -> None:
    params = ("--params", home / "params.yaml")
    kept, other = sorted(texts.values(), key=lambda row: SHARED not in row["text"])
    chain = json.loads(tamga("trace", other["doc_id"], *params, "--json").stdout)["chains"][0]
    assert chain["document"]["text_matches"] and chain["bytes"]["payload_matches"]
    (step,) = [d for d in chain["decisions"] if d["stage"] == "dedup"]
    (passage,) = step["evidence"]["passages"]["found"]
    assert passage["kept_doc_id"] == kept["doc_id"] and "sha256" not in passage
    source = (home / "letters" / f"{Path(other['uri']).stem}.txt").read_text("utf-8")
    assert source[passage["start"] : passage["end"]] == SHARED + "\n\n"
    shown = tamga("explain", other["doc_id"], *params).stdout
    assert "1 passage of 50 words or more is also in " in shown
    assert f"in {kept['doc_id']}, word for word. It was removed from this document" in shown
    (home / "asked").write_text(SHARED, "utf-8")
    answer = json.loads(tamga("find", "--text", home / "asked", *params, "--json").stdout)
    assert [row["doc_id"] for row in answer["passages"]] == [kept["doc_id"]]
    summary = json.loads((home / "work/dedup/stage.json").read_text())["totals"]["passages"]
    assert summary == {"found": 1, "documents": 1, "removed": 1, "documents shortened": 1}
    counts = json.loads((home / "release/sample/manifest.json").read_text())["counts"]
    assert counts["redactions"] == {"EMAIL_ADDRESS": 1} and counts["repeated"] == {"PASSAGE": 1}
    assert tamga("verify", home / "release/sample", *params).returncode == 0


def test_a_withdrawn_text_does_not_come_back_with_the_passage(
    home: Path, texts: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """The withdrawn text is the released one, without the passage. Then its keeper is removed too."""
    kept, other = sorted(texts.values(), key=lambda row: SHARED not in row["text"])
    for name in ("register", "work", "release", "letters"):
        shutil.copytree(home / name, tmp_path / name)
    shutil.copy(home / "params.yaml", tmp_path)
    params = ("--params", tmp_path / "params.yaml")
    digest = hashlib.sha256(other["text"].encode()).hexdigest()
    confirmed = ("--confirm", "--by", "counsel", "--ground", "letter 5")
    done = tamga("withdraw", "text", digest, *confirmed, *params)
    assert done.returncode == 0, done.stderr
    (tmp_path / kept["uri"]).unlink()
    (tmp_path / "letters/drugoe.txt").write_text(OWN[Path(kept["uri"]).stem][1], "utf-8")
    done = tamga("run", *params, "--workers", "1")
    assert done.returncode == 0, done.stderr
    left = release_tables.read_table(tmp_path / "release/sample", "data")
    assert [Path(uri).stem for uri in left["uri"]] == ["drugoe"]
    assert release_tables.outcomes_by_document(tmp_path / "release/sample")[other["doc_id"]] == (
        "refuse",
        "withdrawn",
    )
