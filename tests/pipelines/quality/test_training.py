"""Training a classifier."""

from __future__ import annotations

import json
import random
from pathlib import Path

import polars as pl
import pytest
from helpers.compressed import gzip_bytes

from pipelines.quality import train_command, training
from pipelines.quality.classifier import Classifier, ClassifierError, to_model_lines
from pipelines.quality.training import Columns

LAW = [
    "қаулы",
    "заң",
    "бап",
    "тармақ",
    "сот",
    "келісім",
    "статья",
    "закон",
    "суд",
    "договор",
    "приказ",
]
HEALTH = ["дәрігер", "аурухана", "ем", "дәрі", "врач", "больница", "лечение", "анализ", "пациент"]


def make_documents(words: list[str], label: str | list[str], count: int, seed: int) -> list[dict]:
    draw = random.Random(seed)
    return [
        {"text": " ".join(draw.choices(words, k=12)), "label": label, "lang": ("kk", "ru")[i % 2]}
        for i in range(count)
    ]


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.jsonl"
    rows = make_documents(LAW, "law", 60, 1) + make_documents(HEALTH, "health", 60, 2)
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return path


SMALL = ("--dim", "8", "--bucket", "1000", "--epoch", "20")


def train(*args: str | Path) -> int:
    """Run `tamga quality train` with small settings."""
    return train_command.main([*map(str, args), *SMALL])


def test_a_model_its_card_and_its_use(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "models/topics.bin"
    assert train(labelled, "--out", model, "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "models/topics.bin.card.json").read_text()) == card
    assert str(tmp_path) not in json.dumps(card)
    counts = card["documents"]["law"]
    assert counts["trained"] + counts["held_out"] == 60 and counts["held_out"] > 3
    rows = {(r["label"], r["lang"]): r for r in card["held_out"]}
    assert set(rows) == {(label, la) for label in ("law", "health") for la in ("*", "kk", "ru")}
    assert rows["law", "*"]["precision"] == rows["law", "*"]["recall"] == 1.0
    classifier = Classifier(model, "quality.classifier")
    assert classifier.sha256 == card["sha256"] and sorted(classifier.labels) == ["health", "law"]
    texts = pl.Series(["заң бап сот закон", "врач больница дәрі", "", None])
    scores = classifier.probability(texts, "law")
    assert scores[0] > 0.9 > 0.1 > scores[1] and 0 <= scores[2] <= 1
    assert classifier.best_label(texts, 0.9).to_list()[:2] == ["law", "health"]
    assert classifier.best_label(texts, 1.1).null_count() == 4
    with pytest.raises(ClassifierError, match="no label 'news'"):
        classifier.check("news")


def test_the_order_of_files_does_not_matter(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = labelled.read_text().splitlines(keepends=True)
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "b.jsonl.gz").write_bytes(gzip_bytes("".join(rows[:50]).encode()))
    rest = pl.read_ndjson("".join(reversed(rows[50:])).encode())
    rest.write_parquet(folder / "a.parquet")
    first, second = tmp_path / "first.bin", tmp_path / "second.bin"
    assert train(labelled, "--out", first) == train(folder, "--out", second) == 0
    assert first.read_bytes() == second.read_bytes()
    assert "precision" in capsys.readouterr().out


def test_curated_documents_and_several_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curated, raw = tmp_path / "good.txt", tmp_path / "raw.txt"
    for path, words in ((curated, LAW), (raw, HEALTH)):
        path.write_text("\n".join(r["text"] for r in make_documents(words, "", 40, 3)))
    assert train("--curated", curated, "--raw", raw, "--out", tmp_path / "q.bin", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert set(card["documents"]) == {"curated", "raw"}
    both = tmp_path / "both.jsonl"
    rows = make_documents(LAW, ["law"], 40, 4) + make_documents(HEALTH, ["health"], 40, 5)
    rows += make_documents(LAW + HEALTH, ["health", "law"], 40, 6)
    both.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert train(both, "--loss", "ova", "--out", tmp_path / "t.bin", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert sum(card["documents"]["law"].values()) == 80


def test_lines_with_labels(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("__label__law __label__kk қаулы\n\n__label__health дәрі\n")
    read = training.read_documents(path, Columns(), None)
    assert read["labels"].to_list() == [["law", "kk"], [], ["health"]]
    assert read["text"].str.strip_chars().to_list() == ["қаулы", "", "дәрі"]


def test_copies_become_one_document_with_all_labels() -> None:
    rows = [("Сот шешімі", ["law"], "kk"), ("сот  шешімі", ["news"], None), ("", ["law"], None)]
    rows += [(f"{word} {i}", [label], None) for i in range(30) for word, label in
             (("дәрі", "health"), ("заң", "law"))]  # fmt: skip
    documents = pl.DataFrame(rows, schema=training.DOCUMENTS, orient="row")
    prepared = training.prepare(documents, 0.3)
    assert prepared.height == 61 and 0 < prepared["held"].sum() < 61
    merged = prepared.filter(pl.col("line") == "сот шешімі")
    assert merged["labels"].to_list() == [["law", "news"]] and merged["lang"].item() == "kk"
    assert prepared.equals(training.prepare(documents.reverse(), 0.3))


def test_the_input_of_a_model() -> None:
    assert to_model_lines(pl.Series(["Сәлем,\n\nӘЛЕМ! __label__x", None])).to_list() == [
        "сәлем , әлем ! _ _ label _ _ x",
        "",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.jsonl", None, "is missing"),
        ("a.csv", b"text,label\n", "is not a training file"),
        ("a.jsonl", b'{"body": "x", "label": "y"}\n', "no column 'text'; its columns are body"),
        ("a.jsonl", b'{"text": "x"}\n', "no column 'label'"),
        ("a.jsonl", b"not json\n", "cannot be read"),
        ("a.jsonl.gz", b"not gzip", "cannot be read"),
        ("a.parquet", b"PAR1", "cannot be read"),
        ("a.txt", b"no label here\n", "1 lines without a __label__"),
        ("a.txt", b"\xff\xfe", "cannot be read"),
        ("a.jsonl", b'{"text": "x", "label": "two words"}\n', "white space is not allowed"),
        ("a.jsonl", b'{"text": "x", "label": "y"}\n', "at least two labels"),
    ],
)
def test_documents_that_cannot_be_used(
    name: str,
    content: bytes | None,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert train(path, "--out", tmp_path / "m.bin") == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "m.bin").exists()


def test_wrong_usage(labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--raw", labelled, "--out", tmp_path / "m.bin") == 2
    assert "--curated" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert train(tmp_path / "empty", "--out", tmp_path / "m.bin") == 2
    assert train(labelled, "--out", tmp_path / "m.bin", "--lr", "1e6") in (0, 2)
    with pytest.raises(SystemExit) as ended:
        train(labelled, "--out", tmp_path / "m.bin", "--held-out", "1.5")
    assert ended.value.code == 2
    assert train(labelled, "--out", tmp_path / "empty") == 2  # the path is a folder


@pytest.mark.parametrize("content", [b"", b"no model", b"\xba\x16\x4f\x2f" + bytes(500)])
def test_files_that_are_not_models(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(content)
    with pytest.raises(ClassifierError, match=r"quality\.classifier: .*m\.bin"):
        Classifier(path, "quality.classifier").check()
    with pytest.raises(ClassifierError, match="is missing"):
        Classifier(tmp_path / "absent.bin", "quality.classifier")


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_a_truncated_model_is_refused_in_time(labelled: Path, tmp_path: Path, share: float) -> None:
    assert train(labelled, "--out", tmp_path / "model.bin") == 0
    content = (tmp_path / "model.bin").read_bytes()
    dictionary = content.rfind(b"__label__") + 40
    (tmp_path / "m.bin").write_bytes(content[: int(dictionary * share)])
    with pytest.raises(ClassifierError, match=r"quality\.classifier: .*m\.bin is"):
        _ = Classifier(tmp_path / "m.bin", "quality.classifier").model
