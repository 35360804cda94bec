"""Rules over statistics, and the shipped thresholds."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import polars as pl
import pytest

from pipelines.quality import rules
from pipelines.quality.statistics import measure

HEAD = "\t".join(rules.COLUMNS) + "\n"
DRAW = random.Random(2)
GOODS = [
    "ноутбук",
    "телефон",
    "планшет",
    "чехол",
    "кабель",
    "зарядка",
    "экран",
    "стекло",
    "батарея",
    "наушники",
]
NAMES = [
    "Иванов",
    "Петров",
    "Сидоров",
    "Ахметов",
    "Сериков",
    "Ким",
    "Ли",
    "Цой",
    "Пак",
    "Юн",
    "Жумабаев",
    "Омаров",
    "Касымов",
    "Алиев",
    "Мусаев",
    "Орлов",
    "Волков",
    "Зайцев",
    "Попов",
    "Лебедев",
    "Козлов",
    "Новиков",
    "Морозов",
    "Павлов",
    "Семёнов",
    "Голубев",
    "Виноградов",
    "Богданов",
    "Воробьёв",
    "Фёдоров",
    "Михайлов",
    "Беляев",
    "Тарасов",
    "Белов",
    "Комаров",
]
NOISE = bytes(DRAW.randrange(256) for _ in range(3000))

ORDER = """ПРИКАЗ

№ 34-п
от 12.05.2024

О назначении ответственного

1. Назначить Иванова И. И. ответственным за пожарную безопасность.
2. Контроль за исполнением приказа оставляю за собой.

Директор
А. Б. Сериков"""
CONTACT = """Байланыс

Мекенжайы: Алматы қ., Абай к-сі, 10
Телефон: +7 727 123 45 67
Факс: +7 727 123 45 68
Пошта: info@example.kz

Қабылдау бөлімі
+7 727 111 22 33
Бухгалтерия
+7 727 111 22 34
Жұмыс уақыты
Дс–Жм 9:00–18:00
Сб 10:00–14:00"""
TABLE = "Область\t2022\t2023\t2024\n" + "\n".join(
    f"{name}\t{DRAW.randint(100, 9999)}\t{DRAW.randint(100, 9999)}\t{DRAW.randint(100, 9999)}"
    for name in [
        "Акмола",
        "Актобе",
        "Алматы",
        "Атырау",
        "Жамбыл",
        "Караганда",
        "Костанай",
        "Павлодар",
    ]
)


def failed_rules(text: str, lang: str | None = "ru", kind: str = "web") -> list[str]:
    measured = measure(pl.Series([text]), [lang])
    labelled = measured.with_columns(
        lang=pl.lit(lang, pl.String), kind=pl.lit(kind), score=pl.lit(0.5)
    )
    with_failures = rules.find_failures(labelled, rules.load())
    return [failure["rule"] for failure in with_failures["failures"][0]]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "too-short"),
        ("слово", "too-short"),
        ("😀😂🔥👍🎉" * 60, "emoji"),
        ("Ура 😀😂🔥👍🎉🎉🎉 да 😀😀😀 " * 20, "emoji"),
        (base64.b64encode(NOISE).decode(), "long-runs"),
        (base64.encodebytes(NOISE).decode(), "long-runs"),
        (NOISE.hex(" ", 2), "stop-words"),
        ("if (a == b) { x[i] = f(a_b, c_d); } else { y = g->next; }\n" * 9, "code"),
        ('<div class="a"><p>text</p><a href="x">y</a></div>\n' * 20, "code"),
        ("\n".join(f"{i * 7919}\t{i * 104729}\t{i * 31}" for i in range(60)), "numbers"),
        (f"{'купить телефон москва недорого ' * 40}", "top-2gram"),
        (" ".join(DRAW.choice(GOODS) for _ in range(300)), "stop-words"),
        ("\n".join(["Главная", "О нас", "Контакты", "Новости", "Архив"] * 9), "short-lines"),
        ("Пожалуйста, включите JavaScript в настройках.", "markers"),
        ("Lorem ipsum dolor sit amet, consectetur adipiscing elit.", "markers"),
        ("\ufffd\ufffdо\ufffd\ufffdи " * 40, "damaged"),
        ("Вход. Поиск. Корзина.\n" * 30, "repeated-lines"),
        ("а" * 5000, "long-runs"),
    ],
)
def test_bad_texts_fail(text: str, rule: str) -> None:
    assert rule in failed_rules(text)


@pytest.mark.parametrize("kind", ["web", "institutional"])
@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("Закрыто на ремонт до 15 мая", "ru"),
        ("Кітапхана жексенбі күні жұмыс істемейді.", "kk"),
        (ORDER, "ru"),
        (CONTACT, "kk"),
        (TABLE, "ru"),
        ("\n".join(f"{i}. {name} {name[1].upper()}. А." for i, name in enumerate(NAMES)), "ru"),
        ("ბრძანება №12\n\nთბილისი\n\n1. დაინიშნოს გიორგი განყოფილების უფროსად.", "ka"),
        ("市民可以在网上查询新的政策。", "zh"),
        ("รัฐบาลประกาศนโยบายใหม่วันนี้", "th"),
        ("Нивх диф нивгун ихмудь", None),
    ],
)
def test_good_texts_pass(text: str, lang: str | None, kind: str) -> None:
    assert failed_rules(text, lang, kind) == []


def test_prose_with_a_wrong_language_passes() -> None:
    prose = "Owayesakuba nguMphathiswa wamaShishini oLuntu akabanjwanga emva kotyelelo. " * 2
    other = "Lokhu kuza emva kokuvimbanisa kwayo emgwaqweni ngoLwesine olwedlule. "
    text = "\n".join(f"{prose}{i} {other}" for i in range(8))
    assert measure(pl.Series([text]), ["en"])["stop_word_share"][0] == 0
    assert "stop-words" not in failed_rules(text, "en")


def test_documents_of_sentences_in_all_languages(shared: Path) -> None:
    draw, rows = random.Random(11), []
    for path in sorted((shared / "data/sentences").glob("*.txt")):
        lines = [line for line in path.read_text("utf-8").splitlines() if len(line.split()) > 5]
        for i in range(60):
            sample = draw.sample(lines, draw.randint(1, 22))
            joined = ("\n", "\n\n", " ")[i % 3].join(sample)
            rows.append((path.stem, ("web", "institutional")[i % 2], joined))
    documents = pl.DataFrame(rows, schema=["lang", "kind", "text"], orient="row")
    measured = measure(documents["text"], documents["lang"].to_list())
    with_failures = rules.find_failures(measured.hstack(documents), rules.load())
    failed = with_failures.filter(pl.col("failures").list.len() > 0)
    assert failed.select("lang", "failures").rows() == []
    assert with_failures["lang"].n_unique() == 33


def test_the_most_specific_value_applies(tmp_path: Path) -> None:
    path = tmp_path / "own.tsv"
    path.write_text(
        "# a comment\n"
        + HEAD
        + "short\tn_words\tmin\t10\tn_chars>=5\t*\t*\town\n"
        + "short\tn_words\tmin\t8\t\t*\tinstitutional\town\n"
        + "short\tn_words\tmin\t6\t\tkk\t*\town\n"
        + "short\tn_words\tmin\toff\t\tkk\tinstitutional\town\n"
    )
    (rule,) = rules.load(path)
    pairs = (("ru", "web"), ("ru", "institutional"), ("kk", "web"), ("kk", "institutional"))
    assert [rule.value(*pair) for pair in pairs] == [10, 8, 6, None]
    frame = pl.DataFrame(
        [(7, 9, "kk", "web"), (5, 9, "kk", "web"), (5, 4, "kk", "web"), (9, 9, None, "web")],
        schema=["n_words", "n_chars", "lang", "kind"],
        orient="row",
    )
    failures = rules.find_failures(frame, [rule])["failures"].to_list()
    failure = {
        "rule": "short",
        "statistic": "n_words",
        "value": 5.0,
        "bound": "min",
        "threshold": 6.0,
    }
    assert failures[:3] == [[], [failure], []] and failures[3][0]["threshold"] == 10


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("", "first line"),
        ("rule\tvalue\n", "first line"),
        (HEAD + "a\tb\n", ":2: 2 columns"),
        (HEAD + "A b\tn_words\tmin\t1\t\t*\t*\town\n", "small letters"),
        (HEAD + "a\tn_wrods\tmin\t1\t\t*\t*\town\n", "statistic 'n_wrods'"),
        (HEAD + "a\tn_words\tleast\t1\t\t*\t*\town\n", "bound 'least'"),
        (HEAD + "a\tn_words\tmin\tone\t\t*\t*\town\n", "value 'one'"),
        (HEAD + "a\tn_words\tmin\t1\tn_words>5\t*\t*\town\n", "when 'n_words>5'"),
        (HEAD + "a\tn_words\tmin\t1\t\tkk\t*\town\n", "first row"),
        (HEAD + "a\tn_words\tmin\t1\t\t*\tpress\town\n", "kind 'press'"),
        (HEAD + "a\tn_words\tmin\t1\t\t*\t*\town\n" * 2, ":3: rule 'a': second value"),
    ],
)
def test_an_error_names_the_line(content: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "own.tsv"
    path.write_text(content)
    with pytest.raises(rules.BadThresholds, match=r"own\.tsv") as caught:
        rules.load(path)
    assert where in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("absent", "binary"):
        with pytest.raises(rules.BadThresholds, match=name):
            rules.load(tmp_path / name)


def test_each_value_has_an_origin() -> None:
    lines = rules.THRESHOLDS.read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    assert all(len(row) == len(rules.COLUMNS) and row[-1] for row in rows)
    assert len({row[5] for row in rows}) > 30 and {row[6] for row in rows} == set(rules.KINDS)
