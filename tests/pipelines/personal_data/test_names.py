"""Names of persons: by pattern in each language, by a model, and which of them stay."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
import spacy
import yaml
from helpers.commands import ROOT
from helpers.judged_records import PARAMS

from pipelines.personal_data import names, policy
from pipelines.personal_data.findings import Span
from pipelines.personal_data.names import FullNames, Names
from pipelines.personal_data.scrub import apply_findings, scrubber
from schemas.privacy import NerParams, PrivacyParams

FOUND = [
    ("uk", "вчора Петренко Іван Васильович виступив.", "Петренко Іван Васильович"),
    ("uk", "за словами Олени Петрівни Коваленко, так.", "Олени Петрівни Коваленко"),
    ("be", "Пісьменнік Янка Брылёў сказаў: Іван Пятровіч.", "Янка Брылёў"),
    ("kk", "кеше Асанова Әйгүл Серікқызы келді", "Асанова Әйгүл Серікқызы"),
    ("kk", "кеше Қ. Тоқаевтың сөзі", "Қ. Тоқаевтың"),
    ("kk", "мұғалім Қасым-Жомарт Бектаев айтты", "Қасым-Жомарт Бектаев"),
    ("ky", "мугалим Асанов Бакыт Токтогул уулу келди", "Асанов Бакыт Токтогул уулу"),
    ("uz", "kecha Karimov Botir Anvar o‘g‘li keldi", "Karimov Botir Anvar o‘g‘li"),
    ("uz", "кеча Каримова Нодира Анвар қизи келди", "Каримова Нодира Анвар қизи"),
    ("tg", "муаллим Фирӯз Раҳимзода гуфт", "Фирӯз Раҳимзода"),
    ("tk", "mugallym Orazow Merdan Nury ogly geldi", "Orazow Merdan Nury ogly"),
    ("az", "dünən Əliyev Rauf Heydər oğlu gəldi", "Əliyev Rauf Heydər oğlu"),
    ("hy", "երեկ Արամ Պետրոսյանը խոսեց", "Արամ Պետրոսյանը"),
    ("ka", "გუშინ გიორგი ბერიძემ თქვა", "გიორგი ბერიძემ"),
    ("ro", "ieri Andrei Munteanu a spus", "Andrei Munteanu"),
    ("lt", "vakar Jonas Petrauskas pasakė", "Jonas Petrauskas"),
    ("lv", "vakar Jānis Ozoliņš teica", "Jānis Ozoliņš"),
    ("et", "eile ütles J. T. Tamm nii", "J. T. Tamm"),
    ("tt", "кичә Гәрәев Илдар Рәис улы килде", "Гәрәев Илдар Рәис улы"),
    ("ka", "გუშინ რუსუდან გელაშვილის წიგნი", "რუსუდან გელაშვილის"),
    ("ka", "მოვიდა ე. ბერიძე", "ე. ბერიძე"),
    ("ky", "мугалим Асан Токтогулиндин китеби", "Асан Токтогулиндин"),
    ("tg", "муаллим Ш.М. Раҳимов гуфт", "Ш.М. Раҳимов"),
    ("tg", "муаллим Раҳимов Ш.М. гуфт", "Раҳимов Ш.М."),
    ("uk", "за словами Марини Бондаренко", "Марини Бондаренко"),
    ("ro", "ieri Paul Moldovean a venit", "Paul Moldovean"),
]
PLAIN = [
    ("kk", "Қазақстан Республикасы Білім және ғылым министрлігі Алматы қаласында"),
    ("uz", "O‘zbekiston Respublikasi Vazirlar Mahkamasi Toshkent shahrida"),
    ("uk", "Верховна Рада України ухвалила Закон про освіту"),
    ("hy", "Հայաստանի Հանրապետության կառավարությունը որոշեց"),
    ("hy", "Այս Նոբելյան մրցանակը"),
    ("ka", "ჩემი ბიძაშვილი, ბებიის შვილიშვილები და მეზობლის ქალიშვილმა"),
    ("ka", "მაღაზიაში იყიდა რძე და ბავშვმა რძის ფაფა ჭამა"),
    ("ka", "დილით ბავშვებმა გაიღვიძეს, გაჩნდა ე.წ. ახალი თაობა და ა.შ. სხვაც"),
    ("ka", "გაიხსნა შ.პ.ს. ახალი"),
    ("ky", "Билим Министрлигинин жана Улуттук Институтунун, Бул Мекеменин"),
    ("ky", "Шаардык Кеңештин чечими, Жаңы Университетин ачты"),
    ("ky", "Коңшу Айдардын уулу келди"),
    ("kk", "Менің Анардың қызы келді, Ыстық Пекин"),
    ("uz", "O‘rta Saylov kuni, Yangi Tanlovda, Toshkentning qizi"),
    ("tk", "Açyk Howa günü, Paýtagt Kiýew"),
    ("az", "Atanın oğlu, Böyük Alov"),
    ("ba", "Изге Мартин сиркәүе, Халыҡтың улы"),
    ("be", "Царква Святога Марціна, Саюз Журналістаў"),
    ("uk", "Спілка Журналістів, Червона Галичина, Динамо Київ"),
    ("ro", "Consiliul European și Dreptul Cetățeanului, Oceanul Indian"),
    ("lt", "Šv. Petro gatvė, Nr. Penki"),
    ("et", "St. Peterburi rong"),
    ("tg", "дар Ш.М. Додгоҳ, U.S. Steel"),
]


def found(language: str, text: str) -> list[str]:
    return [text[s.start : s.end] for s in FullNames(language).find(text)]


@pytest.mark.parametrize(("language", "text", "name"), FOUND)
def test_full_names_are_found_by_what_marks_them(language: str, text: str, name: str) -> None:
    assert name in found(language, text)


@pytest.mark.parametrize(("language", "text"), PLAIN)
def test_what_is_no_name_is_left(language: str, text: str) -> None:
    assert found(language, text) == []


@pytest.mark.parametrize("bait", ["Аа " * 30_000, "А. " * 30_000, "А" * 90_000, "Аа-" * 30_000])
def test_time_grows_with_the_text_and_no_faster(bait: str) -> None:
    namer = FullNames("kk")
    start = time.process_time()
    list(namer.find(bait))
    assert time.process_time() - start < 10


def test_natasha_finds_russian_names_and_only_there() -> None:
    pytest.importorskip("natasha")
    told = Names(PrivacyParams(names=("ru",)))
    text = ("Погода. " * 900) + "Вчера Анна Сергеевна Кузнецова приехала к Петру Волкову."
    spans = told.find(text, "ru")
    assert [text[s.start : s.end] for s in spans] == ["Анна Сергеевна Кузнецова", "Петру Волкову"]
    assert spans[0].recogniser.startswith("natasha/")
    assert told.find(text, "kk") == []


LAW = "1-бап. Осы Заң күшіне енеді.\n\nПрезидент\nҚ. Тоқаев\n\nӨтініш берген Асанов Бауыржан."
BYLINE = "Жаңа кітапхана ашылды.\nАвтор: Сәуле Асанова\nСуретте Марат Сейітов тұр."


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (LAW, "Қ. Тоқаев"),
        (LAW.replace("\nҚ.", " Қ."), "Қ. Тоқаев"),
        (BYLINE, "Сәуле Асанова"),
    ],
    ids=["below", "beside", "byline"],
)
def test_officials_and_authors_may_stay(text: str, kept: str) -> None:
    every = Names(PrivacyParams(names=("kk",))).find(text, "kk")
    some = Names(PrivacyParams(names=("kk",), officials="keep")).find(text, "kk")
    assert [text[s.start : s.end] for s in every if s not in some] == [kept]


def test_a_citizen_after_an_office_does_not_stay() -> None:
    for text in (
        "Министр встретился с пострадавшей. Её зовут Олена Коваленко",
        "Министр принял жительницу по имени Олена Коваленко",
        "Пострадавшие встретились с министром.\nОлена Коваленко",
        "Министр принял: Олена Коваленко",
    ):
        at = text.index("Олена")
        assert not names.is_official(text, Span(at, len(text), "PERSON", 0.7, "x"))


def test_names_are_replaced_like_all_else() -> None:
    one = pl.DataFrame(
        {
            "doc_id": ["d", "e"],
            "text": ["Асанова Әйгүл Серікқызы, ЖСН 900101300017", "Иван Петренко"],
            "lang": ["kk", "ru"],
            "jurisdiction": ["KZ", "KZ"],
        }
    )
    told = PrivacyParams(names=("kk",))
    text, rows = apply_findings(one, scrubber(told).find(one))
    assert text["text"].to_list() == ["<PERSON>, ЖСН <KZ_IIN>", "Иван Петренко"]
    assert rows["recogniser"][0] == "full-names-kk/3"
    only = scrubber(PrivacyParams(names=("kk",), entities=("PERSON",))).find(one)
    assert only["entity_type"].to_list() == ["PERSON"]


def test_a_model_of_spacy_is_taken_by_its_class(tmp_path: Path) -> None:
    pipeline = spacy.blank("uk")
    pipeline.add_pipe("entity_ruler").add_patterns(  # type: ignore[attr-defined]
        [{"label": "PER", "pattern": "Олена"}, {"label": "LOC", "pattern": "Київ"}]
    )
    pipeline.to_disk(tmp_path / "model")
    model = NerParams(
        "pipelines.personal_data.ner_spacy.SpacyModel",
        ("uk",),
        options={"model": str(tmp_path / "model")},
    )
    told = Names(PrivacyParams(ner=(model,)))
    text = "Місто Київ, Олена"
    assert [(s.start, s.end, s.entity) for s in told.find(text, "uk")] == [(12, 17, "PERSON")]
    assert told.find(text, "ru") == []


def test_what_is_not_covered_is_said() -> None:
    model = NerParams("a.b.C", ("hy",))
    told = names.coverage(PrivacyParams(names=("ru", "kk"), ner=(model,)), ["ru", "kk", "hy", "ka"])
    assert told == {
        "hy": "a.b.C",
        "ka": "not looked for",
        "kk": "full names by pattern; single names are not found",
        "ru": "natasha",
    }


def test_what_is_missing_is_said_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "natasha", None)
    real = importlib.util.find_spec
    monkeypatch.setattr(names, "find_spec", lambda n: None if n == "natasha" else real(n))
    told = PrivacyParams(names=("ru",), ner=(NerParams("no_such_package.x.C", ("hy",)),))
    wrong = policy.problems(dataclasses.replace(PARAMS, privacy=told), ())
    assert {p.key: p.message for p in wrong} == {
        "privacy.names": "natasha is not installed, which finds Russian names: "
        "pip install --no-deps -r requirements-names.lock",
        "privacy.ner[0].recogniser": "no module no_such_package.x: install the package that "
        "holds it",
    }
    unknown = policy.problems(dataclasses.replace(PARAMS, privacy=PrivacyParams(names=("fr",))), ())
    assert unknown[0].message.startswith("there is no pattern for names in fr; known: az, ba, be")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = ROOT / "benchmarks/names.py"
    spec = importlib.util.spec_from_file_location("names_benchmark", path)
    assert spec and spec.loader
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    return bench


def test_findings_in_prose_are_counted(bench: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "Ieri Ion Ionescu.\nApoi Ana Popescu vine.\nNu.\nDa.\n", "utf-8"
    )
    assert bench.prose(FullNames("ro"), tmp_path / "a.txt") == (2, ["Apoi [Ana Popescu] vine."])


@pytest.mark.parametrize("language", ["ka", "ro"])
def test_nouns_in_prose_without_such_surnames_are_left(
    bench: ModuleType, shared: Path, language: str
) -> None:
    read, found = bench.prose(FullNames(language), shared / f"data/sentences/{language}.txt")
    assert read > 900 and len(found) <= read / 1000


def test_names_of_the_sets_are_found(bench: ModuleType, shared: Path) -> None:
    kazakh = bench.kaznerd(shared / "data/names/kaznerd/IOB2_valid.txt", 2)
    told = bench.measure("kk", FullNames("kk"), kazakh)
    assert told["precision"] >= 0.93 and told["recall"] >= 0.8
    pytest.importorskip("natasha")
    texts = list(bench.factrueval(shared / "data/names/factrueval/devset"))[:20]
    assert bench.measure("ru", names.Natasha(), texts)["f1"] >= 0.88


def test_names_of_the_own_sentences_are_covered(bench: ModuleType) -> None:
    sentences = yaml.safe_load(bench.OWN.read_text("utf-8"))
    assert len(sentences) == 13
    for language, some in sentences.items():
        assert min(len(some[kind].splitlines()) for kind in ("named", "plain")) >= 20
        told = bench.measure(language, FullNames(language), bench.own(some))
        assert min(told["covered"], told["touching"]) >= bench.LEAST, language
