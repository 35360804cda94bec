"""Names of persons: by pattern in each language, by a model, and names that the policy keeps."""

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

from pipelines.personal_data import names, preconditions
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


def find_names(language: str, text: str) -> list[str]:
    return [text[s.start : s.end] for s in FullNames(language).find(text)]


@pytest.mark.parametrize(("language", "text", "name"), FOUND)
def test_full_names_with_a_mark_are_found(language: str, text: str, name: str) -> None:
    assert name in find_names(language, text)


@pytest.mark.parametrize(("language", "text"), PLAIN)
def test_other_words_are_not_found(language: str, text: str) -> None:
    assert find_names(language, text) == []


@pytest.mark.parametrize("bait", ["Аа " * 30_000, "А. " * 30_000, "А" * 90_000, "Аа-" * 30_000])
def test_time_is_linear_in_the_text(bait: str) -> None:
    namer = FullNames("kk")
    start = time.process_time()
    list(namer.find(bait))
    assert time.process_time() - start < 10


def test_natasha_finds_names_only_in_russian_texts() -> None:
    pytest.importorskip("natasha")
    finder = Names(PrivacyParams(names=("ru",)))
    text = ("Погода. " * 900) + "Вчера Анна Сергеевна Кузнецова приехала к Петру Волкову."
    spans = finder.find(text, "ru")
    assert [text[s.start : s.end] for s in spans] == ["Анна Сергеевна Кузнецова", "Петру Волкову"]
    assert spans[0].recogniser.startswith("natasha/")
    assert finder.find(text, "kk") == []


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
def test_the_policy_can_keep_officials_and_authors(text: str, kept: str) -> None:
    all_names = Names(PrivacyParams(names=("kk",))).find(text, "kk")
    replaced = Names(PrivacyParams(names=("kk",), officials="keep")).find(text, "kk")
    assert [text[s.start : s.end] for s in all_names if s not in replaced] == [kept]


def test_a_citizen_near_an_office_is_not_an_official() -> None:
    for text in (
        "Министр встретился с пострадавшей. Её зовут Олена Коваленко",
        "Министр принял жительницу по имени Олена Коваленко",
        "Пострадавшие встретились с министром.\nОлена Коваленко",
        "Министр принял: Олена Коваленко",
    ):
        at = text.index("Олена")
        assert not names.is_official(text, Span(at, len(text), "PERSON", 0.7, "x"))


def test_names_are_replaced_with_the_identifiers() -> None:
    documents = pl.DataFrame(
        {
            "doc_id": ["d", "e"],
            "text": ["Асанова Әйгүл Серікқызы, ЖСН 900101300017", "Иван Петренко"],
            "lang": ["kk", "ru"],
            "jurisdiction": ["KZ", "KZ"],
        }
    )
    findings = scrubber(PrivacyParams(names=("kk",))).find(documents)
    text, rows = apply_findings(documents, findings)
    assert text["text"].to_list() == ["<PERSON>, ЖСН <KZ_IIN>", "Иван Петренко"]
    assert rows["recogniser"][0] == "full-names-kk/3"
    only = scrubber(PrivacyParams(names=("kk",), entities=("PERSON",))).find(documents)
    assert only["entity_type"].to_list() == ["PERSON"]


def test_the_parameters_name_a_spacy_model_by_its_class(tmp_path: Path) -> None:
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
    finder = Names(PrivacyParams(ner=(model,)))
    text = "Місто Київ, Олена"
    assert [(s.start, s.end, s.entity) for s in finder.find(text, "uk")] == [(12, 17, "PERSON")]
    assert finder.find(text, "ru") == []


def test_coverage_names_languages_that_are_not_covered() -> None:
    model = NerParams("a.b.C", ("hy",))
    coverage = names.coverage(
        PrivacyParams(names=("ru", "kk"), ner=(model,)), ["ru", "kk", "hy", "ka"]
    )
    assert coverage == {
        "hy": "a.b.C",
        "ka": "not looked for",
        "kk": "full names by pattern; single names are not found",
        "ru": "natasha",
    }


def test_missing_models_are_problems_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "natasha", None)
    real = importlib.util.find_spec
    monkeypatch.setattr(names, "find_spec", lambda n: None if n == "natasha" else real(n))
    privacy = PrivacyParams(names=("ru",), ner=(NerParams("no_such_package.x.C", ("hy",)),))
    problems = preconditions.problems(dataclasses.replace(PARAMS, privacy=privacy), ())
    assert {p.key: p.message for p in problems} == {
        "privacy.names": "natasha, which finds Russian names, is not installed; "
        "run `pip install --no-deps -r requirements-names.lock`",
        "privacy.ner[0].recogniser": "module no_such_package.x is not installed; install the "
        "package that contains it",
    }
    unknown = preconditions.problems(
        dataclasses.replace(PARAMS, privacy=PrivacyParams(names=("fr",))), ()
    )
    assert unknown[0].message.startswith("fr: there is no pattern for names; known: az, ba, be")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = ROOT / "benchmarks/names.py"
    spec = importlib.util.spec_from_file_location("names_benchmark", path)
    assert spec and spec.loader
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    return bench


def test_findings_in_prose_are_listed(bench: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "Ieri Ion Ionescu.\nApoi Ana Popescu vine.\nNu.\nDa.\n", "utf-8"
    )
    assert bench.find_in_prose(FullNames("ro"), tmp_path / "a.txt") == (
        2,
        ["Apoi [Ana Popescu] vine."],
    )


@pytest.mark.parametrize("language", ["ka", "ro"])
def test_nouns_in_prose_are_not_found(bench: ModuleType, shared: Path, language: str) -> None:
    sentences, findings = bench.find_in_prose(
        FullNames(language), shared / f"data/sentences/{language}.txt"
    )
    assert sentences > 900 and len(findings) <= sentences / 1000


def test_names_of_the_sets_are_found(bench: ModuleType, shared: Path) -> None:
    kazakh = bench.read_kaznerd(shared / "data/names/kaznerd/IOB2_valid.txt", 2)
    figures = bench.measure("kk", FullNames("kk"), kazakh)
    assert figures["precision"] >= 0.93 and figures["recall"] >= 0.8
    pytest.importorskip("natasha")
    texts = list(bench.read_factrueval(shared / "data/names/factrueval/devset"))[:20]
    assert bench.measure("ru", names.Natasha(), texts)["f1"] >= 0.88


def test_names_of_the_own_sentences_are_covered(bench: ModuleType) -> None:
    sentences = yaml.safe_load(bench.OWN.read_text("utf-8"))
    assert len(sentences) == 13
    for language, texts in sentences.items():
        assert min(len(texts[kind].splitlines()) for kind in ("named", "plain")) >= 20
        figures = bench.measure(language, FullNames(language), bench.read_own_sentences(texts))
        assert min(figures["covered"], figures["touching"]) >= bench.LEAST, language
