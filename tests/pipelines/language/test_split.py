"""Records of two languages, split: the pieces by themselves, and through a whole run."""

from __future__ import annotations

import json
import shutil
from contextlib import redirect_stdout
from hashlib import sha256
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from helpers import release_tables
from helpers.commands import ROOT, tamga
from hypothesis import given
from hypothesis import strategies as st

from lineage import register_files
from lineage.configuration import load_params
from lineage.signing import keys
from lineage.storage import release_files
from lineage.verify import defects
from pipelines import clean, run
from pipelines.ingest import text_extraction
from pipelines.ingest.readers.records import Content
from pipelines.language.identifier import Identifier, model_path
from pipelines.language.split import SEAM, cut_ranges, part_id, split_documents
from pipelines.withdrawal import cases
from pipelines.withdrawal import command as withdraw
from schemas.tables import DOCUMENTS

RELEASE, SITE = "release/mixed", "https://gazette.example.kz/"


def texts(language: str) -> dict[str, list[str]]:
    """The sample's texts of a language, by id, as paragraphs."""
    found = yaml.safe_load((ROOT / f"samples/texts/{language}.yaml").read_text("utf-8"))
    return {one["id"]: one["text"].split("\n") for one in found["documents"]}


RU, UZ, KK = texts("ru"), texts("uz"), texts("kk")
MAIL = "Savollar uchun manzil: kutubxona@maktab-chorbog.example.com, har kuni javob beriladi."
ALTERNATE = [
    *RU["ru-pogoda"],
    *UZ["uz-maktab"],
    *RU["ru-muzey"],
    "",
    MAIL,
    *UZ["uz-osh"],
    *RU["ru-khleb"],
    *RU["ru-kniga"],
]


def records() -> dict[str, str]:
    """Address -> text."""
    return {
        "mixed": "\n".join(ALTERNATE),
        "copied": "\n".join([*RU["ru-poezd"], *RU["ru-ozero"], *UZ["uz-tarix"]]),
        "alone": "\n".join(UZ["uz-tarix"]),  # what the part of `copied` repeats
        "mostly": "\n".join([*RU["ru-shkola"], *RU["ru-dom"], *RU["ru-dacha"], UZ["uz-karta"][2]]),
        "plain": "\n".join(RU["ru-vaktsina"]),
        "kazakh": "\n".join(next(iter(KK.values()))),
    }


def home_of(folder: Path, **language: Any) -> Path:
    shutil.copytree(ROOT / "register", folder / "register")
    rows = [
        {"id": f"{SITE}{name}", "body": text, "date": "2026-03-01T00:00:00Z"}
        for name, text in records().items()
    ]
    (folder / "raw.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    base = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    wanted = ("as_of", "purpose", "storage_country", "register", "licences", "work")
    fields = {"uri": "id", "text": "body", "captured_at": "date"}
    about = {
        "collection": "gazette",
        "format": "jsonl",
        "paths": ["raw.jsonl"],
        "fields": fields,
    }
    told = {name: base[name] for name in wanted} | {
        "inputs": [about],
        "release": {"name": "mixed", "path": "release"},
        "language": language,
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(told))
    return folder


def ran(folder: Path) -> Any:
    with redirect_stdout(StringIO()) as told:
        assert run.main(["--params", str(folder / "params.yaml"), "--workers", "1", "--json"]) == 0
    return json.loads(told.getvalue())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = home_of(tmp_path_factory.mktemp("split"), mixed="split")
    return folder, ran(folder)


@pytest.fixture
def home(finished: tuple[Path, Any], tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[0], tmp_path / "home"))


def unsound(home: Path) -> list[str]:
    key = keys.public_key(home / "work/keys/signing.pub")
    return [str(one) for one in defects(home / RELEASE, key, home / "release" / release_files.LOG)]


def ids(home: Path, name: str) -> set[str]:
    rows = release_tables.read_table(home / RELEASE, "records")
    return {*rows.filter(pl.col("uri") == f"{SITE}{name}")["doc_id"]}


def parts(home: Path, name: str) -> dict[str, str]:
    """Language -> id of the released documents of a record."""
    data = release_tables.read_table(home / RELEASE, "data")
    own = data.filter(pl.col("doc_id").is_in(list(ids(home, name))))
    return dict(own.select("lang", "doc_id").iter_rows())


def trace(home: Path, query: str, *more: str) -> list[Any]:
    done = tamga("trace", query, "--params", home / "params.yaml", "--json", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return list(json.loads(done.stdout)["chains"])


def test_each_language_is_a_document(finished: tuple[Path, Any]) -> None:
    home, told = finished
    data = release_tables.read_table(home / RELEASE, "data")
    mixed = parts(home, "mixed")
    assert set(mixed) == {"ru", "uz"}
    text = dict(data.select("doc_id", "text").iter_rows())
    assert text[mixed["ru"]].startswith(RU["ru-pogoda"][0]) and UZ["uz-osh"][0] in text[mixed["uz"]]
    assert not any(line in text[mixed["ru"]] for line in UZ["uz-maktab"] if line)
    assert parts(home, "mostly").keys() == parts(home, "plain").keys() == {"ru"}
    assert parts(home, "kazakh").keys() == {"kk"}
    assert told["records"] == len(records())
    assert told["languages"]["uz"]["documents"] == 2


def test_all_is_accounted_for(finished: tuple[Path, Any]) -> None:
    home, told = finished
    assert unsound(home) == []
    counts = json.loads((home / RELEASE / "manifest.json").read_text())["counts"]
    assert counts["records"] == len(records()) and counts["parts"] == 2
    fates = release_tables.outcomes_by_document(home / RELEASE)
    released = set(release_tables.read_table(home / RELEASE, "documents")["doc_id"])
    assert len(fates) == len(records()) + 2
    assert {i for i, (outcome, _) in fates.items() if outcome == "keep"} == released
    decided = release_tables.read_table(home / RELEASE, "decisions")
    gate = decided.filter(pl.col("stage") == "ingest")
    assert set(gate["doc_id"]) == set(fates) and gate["doc_id"].is_unique().all()
    assert sum(told["outcomes"].values()) == len(fates)


def test_a_part_repeats_another_document(finished: tuple[Path, Any]) -> None:
    home, _ = finished
    copies = release_tables.read_table(home / RELEASE, "duplicates")
    part = part_id(min(ids(home, "copied") - set(releases_of_parts(home))), "uz")
    assert {part, *ids(home, "alone")} == set(copies["doc_id"])
    fates = release_tables.outcomes_by_document(home / RELEASE)
    gone = [fates[one] for one in copies["doc_id"] if fates[one][0] != "keep"]
    assert [reason for _, reason in gone] == ["exact-duplicate"]


def releases_of_parts(home: Path) -> list[str]:
    """The ids that only parts have."""
    rows = release_tables.read_table(home / RELEASE, "parts")
    return rows.filter(pl.col("doc_id") != pl.col("part_of"))["doc_id"].unique().to_list()


def test_from_a_part_to_its_place_in_the_record(finished: tuple[Path, Any]) -> None:
    home, _ = finished
    mixed = parts(home, "mixed")
    (chain,) = trace(home, mixed["uz"])
    assert chain["part"]["part_of"] == mixed["ru"] and chain["part"]["others"] == [mixed["ru"]]
    assert chain["document"]["text_matches"] and chain["bytes"]["payload_matches"]
    assert [step["stage"] for step in chain["decisions"]][:2] == ["ingest", "language"]
    assert chain["decisions"][1]["evidence"]["part_of"] == mixed["ru"]
    raw = records()["mixed"]
    pieces = [raw[start:end] for start, end in chain["part"]["ranges"]]
    assert len(pieces) == 2 and pieces[0] == "\n".join(UZ["uz-maktab"]).strip()
    released = release_tables.read_table(home / RELEASE, "data").filter(
        pl.col("doc_id") == mixed["uz"]
    )
    spans = release_tables.read_table(home / RELEASE, "redactions").filter(
        pl.col("doc_id") == mixed["uz"]
    )
    assert spans["entity_type"].to_list() == ["EMAIL_ADDRESS"]
    start, end, size = spans.select("start", "end", "original_length").row(0)
    text, cut_ = released["text"][0], SEAM.join(pieces)
    assert text[:start] == cut_[:start] and text[end:] == cut_[start + size :]
    assert {one["doc_id"] for one in trace(home, f"{SITE}mixed")} == set(mixed.values())
    told = tamga("trace", mixed["uz"], "--params", home / "params.yaml").stdout
    first, last = chain["part"]["ranges"][0]
    assert f"part of   {mixed['ru']}" in told and f"{first}–{last}" in told
    why = tamga("explain", mixed["uz"], "--params", home / "params.yaml")
    assert f"It is a part of {mixed['ru']}" in why.stdout


def test_a_passage_leads_to_its_part(home: Path) -> None:
    passage = home / "passage.txt"
    passage.write_text("\n".join(UZ["uz-maktab"]))
    done = tamga("find", "--text", passage, "--params", home / "params.yaml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert parts(home, "mixed")["uz"] in done.stdout


@pytest.mark.parametrize("by", ["record", "part", "url"])
def test_a_withdrawal_takes_all_parts(home: Path, by: str) -> None:
    mixed = parts(home, "mixed")
    scope = {
        "record": ("document", mixed["ru"]),
        "part": ("document", mixed["uz"]),
        "url": ("url", f"{SITE}mixed"),
    }[by]
    where = ("--params", str(home / "params.yaml"))
    said = ("--confirm", "--by", "counsel", "--ground", "letter 3")
    assert withdraw.main([*scope, *said, *where]) == 0
    assert unsound(home) == [] and parts(home, "mixed") == {}
    if by != "part":  # what the register then says is the same for the record
        return
    ran(home)
    assert unsound(home) == [] and parts(home, "mixed") == {}
    fates = release_tables.outcomes_by_document(home / RELEASE)
    assert fates[mixed["ru"]] == ("refuse", "withdrawn") and mixed["uz"] not in fates


def test_a_case_on_a_part_is_one_on_the_record(home: Path) -> None:
    mixed, where = parts(home, "mixed"), ("--by", "counsel", "--params", str(home / "params.yaml"))
    for number, kind in enumerate(("wrong-licence", "wrong-removal"), 1):
        assert cases.main(["open", kind, "document", mixed["uz"], *where]) == 0
        id = f"c-{number:04d}"
        assert cases.main(["decide", id, "upheld", "--reason", "file 12/7", *where]) == 0
        (one,) = register_files.recorded_withdrawals(home / "register")
        assert (one["value"], "lifted_on" in one) == (mixed["ru"], kind == "wrong-removal")


def test_a_withdrawn_part_stays_out_by_its_text(home: Path) -> None:
    """Of the text as it was read: neither the record's, nor what is released."""
    uz = parts(home, "mixed")["uz"]
    (chain,) = trace(home, uz)
    own = [records()["mixed"][start:end] for start, end in chain["part"]["ranges"]]
    (home / "withdrawn.txt").write_text(SEAM.join(own))
    where = ("--params", str(home / "params.yaml"))
    said = ("--confirm", "--by", "counsel", "--ground", "letter 4")
    assert withdraw.main(["text", str(home / "withdrawn.txt"), *said, *where]) == 0
    assert parts(home, "mixed").keys() == {"ru"} and unsound(home) == []
    ran(home)
    assert parts(home, "mixed").keys() == {"ru"} and unsound(home) == []
    assert release_tables.outcomes_by_document(home / RELEASE)[uz] == ("refuse", "withdrawn")


@pytest.mark.parametrize("lang", ["ru", "uz"])
def test_a_withdrawn_part_does_not_come_back_uncut(home: Path, lang: str) -> None:
    """By the digest of what was released; the next run splits no record."""
    data = release_tables.read_table(home / RELEASE, "data")
    (text,) = data.filter(doc_id=parts(home, "mixed")[lang])["text"]
    digest = sha256(text.encode()).hexdigest()
    where = ("--params", str(home / "params.yaml"))
    said = ("--confirm", "--by", "counsel", "--ground", "letter 5")
    assert withdraw.main(["text", digest, *said, *where]) == 0
    (other,) = {"ru", "uz"} - {lang}
    assert parts(home, "mixed").keys() == {other}
    told = (home / "params.yaml").read_text()
    (home / "params.yaml").write_text(told.replace("mixed: split", "mixed: keep"))
    ran(home)
    assert unsound(home) == [] and parts(home, "mixed") == {}
    (fate,) = {
        release_tables.outcomes_by_document(home / RELEASE)[one] for one in ids(home, "mixed")
    }
    assert fate == ("refuse", "withdrawn")


def test_same_in_same_out(home: Path) -> None:
    before = release_tables.file_digests(home / RELEASE)
    assert not any(one["fresh"] for one in ran(home)["stages"].values())
    shutil.rmtree(home / "work/language")
    again = ran(home)["stages"]
    assert [name for name, one in again.items() if one["fresh"]] == ["language"]
    assert release_tables.file_digests(home / RELEASE) == before


def test_texts_of_parts_are_told_as_personal_data(finished: tuple[Path, Any]) -> None:
    held = {
        one.folder.name: one.personal
        for one in clean.leftovers(load_params(finished[0] / "params.yaml"))
    }
    assert held["language"] and not held["quality"]


LINES = st.lists(
    st.tuples(st.text("аб \t\r\u00a0", max_size=6), st.sampled_from(["ru", "uz", "en", None])),
    min_size=1,
    max_size=12,
)


@given(LINES)
def test_ranges_hold_each_visible_character_once(lines: list[tuple[str, str | None]]) -> None:
    found = cut_ranges([line for line, _ in lines], [label for _, label in lines], ["ru", "uz"])
    text = "\n".join(line for line, _ in lines)
    spans = sorted(one for own in found.values() for one in own)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    # as few ranges as there can be: of another part, what stands between two of one
    assert all(text[a:b].strip() for own in found.values() for (_, a), (b, _) in pairwise(own))
    if found:
        kept = "".join(text[start:end] for start, end in spans)
        assert "".join(kept.split()) == "".join(text.split())
    else:
        assert not text.strip() or not {"ru", "uz"} & {label for _, label in lines}


def test_short_lines_stay_with_the_line_before() -> None:
    lines = ["", "первая", "", "кор", "иккинчи", "en", "третья"]
    found = cut_ranges(lines, [None, "ru", None, None, "uz", "en", "ru"], ["ru", "uz"])
    text = "\n".join(lines)
    told = {lang: [text[a:b] for a, b in own] for lang, own in found.items()}
    assert told == {"ru": ["первая\n\nкор", "третья"], "uz": ["иккинчи\nen"]}


@pytest.mark.parametrize("mark", ["\r", "\u2028", "\u2029", "\v", "\f", "\x85"])
def test_any_line_break_parts_languages(mark: str) -> None:
    identifier = Identifier(model_path(None, Path()))
    kk, ru = next(iter(KK.values())), RU["ru-pogoda"]
    text = mark.join(one for pair in zip(kk, ru, strict=False) for one in pair)
    read = text_extraction.extract_document(Content(text=text), 1 << 20).text
    record = dict.fromkeys(DOCUMENTS.names, "x") | {"doc_id": "0" * 32, "text": read}
    documents = pl.DataFrame([record])
    found = split_documents(documents, identifier.identify(documents), identifier, 0.8)
    assert found.documents.height == 2


def test_a_huge_record_is_split_too() -> None:
    """50 MB and more, in two lines mostly."""
    identifier = Identifier(model_path(None, Path()))
    ru, uz = (" ".join(one) + " " for one in (RU["ru-pogoda"], UZ["uz-maktab"]))
    text = "\n".join([ru * (14_000_000 // len(ru)), uz * (24_000_000 // len(uz)), *[uz, ru] * 200])
    record = dict.fromkeys(DOCUMENTS.names, "x") | {"doc_id": "0" * 32, "text": text}
    documents = pl.DataFrame([record])
    assert len(text.encode()) > 50_000_000
    found = split_documents(documents, identifier.identify(documents), identifier, 0.8)
    assert found.others == 1 and found.documents.height == 2
    sizes = (found.ranges["end"] - found.ranges["start"]).sum()
    assert 0.99 < sizes / len(text) <= 1
