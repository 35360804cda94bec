"""Splitting records of two languages: the functions, and a whole run."""

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
    sample = yaml.safe_load((ROOT / f"samples/texts/{language}.yaml").read_text("utf-8"))
    return {entry["id"]: entry["text"].split("\n") for entry in sample["documents"]}


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
        "alone": "\n".join(UZ["uz-tarix"]),  # the part of `copied` repeats it
        "mostly": "\n".join([*RU["ru-shkola"], *RU["ru-dom"], *RU["ru-dacha"], UZ["uz-karta"][2]]),
        "plain": "\n".join(RU["ru-vaktsina"]),
        "kazakh": "\n".join(next(iter(KK.values()))),
    }


def make_home(folder: Path, **language: Any) -> Path:
    """Write register, input and params; return the folder."""
    shutil.copytree(ROOT / "register", folder / "register")
    rows = [
        {"id": f"{SITE}{name}", "body": text, "date": "2026-03-01T00:00:00Z"}
        for name, text in records().items()
    ]
    (folder / "raw.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    base = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    copied = ("as_of", "purpose", "storage_country", "register", "licences", "work")
    fields = {"uri": "id", "text": "body", "captured_at": "date"}
    gazette = {
        "collection": "gazette",
        "format": "jsonl",
        "paths": ["raw.jsonl"],
        "fields": fields,
    }
    content = {name: base[name] for name in copied} | {
        "inputs": [gazette],
        "release": {"name": "mixed", "path": "release"},
        "language": language,
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return folder


def run_all(folder: Path) -> Any:
    """Run `tamga run`; return its summary."""
    with redirect_stdout(StringIO()) as output:
        assert run.main(["--params", str(folder / "params.yaml"), "--workers", "1", "--json"]) == 0
    return json.loads(output.getvalue())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = make_home(tmp_path_factory.mktemp("split"), mixed="split")
    return folder, run_all(folder)


@pytest.fixture
def home(finished: tuple[Path, Any], tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[0], tmp_path / "home"))


def defects_of(home: Path) -> list[str]:
    key = keys.public_key(home / "work/keys/signing.pub")
    return [
        str(defect) for defect in defects(home / RELEASE, key, home / "release" / release_files.LOG)
    ]


def ids(home: Path, name: str) -> set[str]:
    """The ids of the documents with this name."""
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
    home, summary = finished
    data = release_tables.read_table(home / RELEASE, "data")
    mixed = parts(home, "mixed")
    assert set(mixed) == {"ru", "uz"}
    text = dict(data.select("doc_id", "text").iter_rows())
    assert text[mixed["ru"]].startswith(RU["ru-pogoda"][0]) and UZ["uz-osh"][0] in text[mixed["uz"]]
    assert not any(line in text[mixed["ru"]] for line in UZ["uz-maktab"] if line)
    assert parts(home, "mostly").keys() == parts(home, "plain").keys() == {"ru"}
    assert parts(home, "kazakh").keys() == {"kk"}
    assert summary["records"] == len(records())
    assert summary["languages"]["uz"]["documents"] == 2


def test_each_record_and_part_has_an_outcome(finished: tuple[Path, Any]) -> None:
    home, summary = finished
    assert defects_of(home) == []
    counts = json.loads((home / RELEASE / "manifest.json").read_text())["counts"]
    assert counts["records"] == len(records()) and counts["parts"] == 2
    fates = release_tables.outcomes_by_document(home / RELEASE)
    released = set(release_tables.read_table(home / RELEASE, "documents")["doc_id"])
    assert len(fates) == len(records()) + 2
    assert {i for i, (outcome, _) in fates.items() if outcome == "keep"} == released
    decided = release_tables.read_table(home / RELEASE, "decisions")
    gate = decided.filter(pl.col("stage") == "ingest")
    assert set(gate["doc_id"]) == set(fates) and gate["doc_id"].is_unique().all()
    assert sum(summary["outcomes"].values()) == len(fates)


def test_a_part_repeats_another_document(finished: tuple[Path, Any]) -> None:
    home, _ = finished
    copies = release_tables.read_table(home / RELEASE, "duplicates")
    part = part_id(min(ids(home, "copied") - set(new_part_ids(home))), "uz")
    assert {part, *ids(home, "alone")} == set(copies["doc_id"])
    fates = release_tables.outcomes_by_document(home / RELEASE)
    removed = [fates[id] for id in copies["doc_id"] if fates[id][0] != "keep"]
    assert [reason for _, reason in removed] == ["exact-duplicate"]


def new_part_ids(home: Path) -> list[str]:
    """The ids of parts that are not ids of records."""
    rows = release_tables.read_table(home / RELEASE, "parts")
    return rows.filter(pl.col("doc_id") != pl.col("part_of"))["doc_id"].unique().to_list()


def test_a_part_is_traced_to_its_ranges_in_the_record(finished: tuple[Path, Any]) -> None:
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
    text, original = released["text"][0], SEAM.join(pieces)
    assert text[:start] == original[:start] and text[end:] == original[start + size :]
    assert {step["doc_id"] for step in trace(home, f"{SITE}mixed")} == set(mixed.values())
    output = tamga("trace", mixed["uz"], "--params", home / "params.yaml").stdout
    first, last = chain["part"]["ranges"][0]
    assert f"part of   {mixed['ru']}" in output and f"{first}–{last}" in output
    explained = tamga("explain", mixed["uz"], "--params", home / "params.yaml")
    assert f"It is a part of {mixed['ru']}" in explained.stdout


def test_a_passage_leads_to_its_part(home: Path) -> None:
    passage = home / "passage.txt"
    passage.write_text("\n".join(UZ["uz-maktab"]))
    done = tamga("find", "--text", passage, "--params", home / "params.yaml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert parts(home, "mixed")["uz"] in done.stdout


@pytest.mark.parametrize("by", ["record", "part", "url"])
def test_a_withdrawal_removes_all_parts(home: Path, by: str) -> None:
    mixed = parts(home, "mixed")
    scope = {
        "record": ("document", mixed["ru"]),
        "part": ("document", mixed["uz"]),
        "url": ("url", f"{SITE}mixed"),
    }[by]
    where = ("--params", str(home / "params.yaml"))
    order = ("--confirm", "--by", "counsel", "--ground", "letter 3")
    assert withdraw.main([*scope, *order, *where]) == 0
    assert defects_of(home) == [] and parts(home, "mixed") == {}
    if by != "part":  # the register holds the same entry for each of them
        return
    run_all(home)
    assert defects_of(home) == [] and parts(home, "mixed") == {}
    fates = release_tables.outcomes_by_document(home / RELEASE)
    assert fates[mixed["ru"]] == ("refuse", "withdrawn") and mixed["uz"] not in fates


def test_a_case_on_a_part_is_a_case_on_the_record(home: Path) -> None:
    mixed, where = parts(home, "mixed"), ("--by", "counsel", "--params", str(home / "params.yaml"))
    for number, kind in enumerate(("wrong-licence", "wrong-removal"), 1):
        assert cases.main(["open", kind, "document", mixed["uz"], *where]) == 0
        id = f"c-{number:04d}"
        assert cases.main(["decide", id, "upheld", "--reason", "file 12/7", *where]) == 0
        (entry,) = register_files.recorded_withdrawals(home / "register")
        assert (entry["value"], "lifted_on" in entry) == (mixed["ru"], kind == "wrong-removal")


def test_a_withdrawn_part_stays_out_by_its_text(home: Path) -> None:
    """The withdrawn text is the part's text as ingest read it, before redaction."""
    uz = parts(home, "mixed")["uz"]
    (chain,) = trace(home, uz)
    own = [records()["mixed"][start:end] for start, end in chain["part"]["ranges"]]
    (home / "withdrawn.txt").write_text(SEAM.join(own))
    where = ("--params", str(home / "params.yaml"))
    order = ("--confirm", "--by", "counsel", "--ground", "letter 4")
    assert withdraw.main(["text", str(home / "withdrawn.txt"), *order, *where]) == 0
    assert parts(home, "mixed").keys() == {"ru"} and defects_of(home) == []
    run_all(home)
    assert parts(home, "mixed").keys() == {"ru"} and defects_of(home) == []
    assert release_tables.outcomes_by_document(home / RELEASE)[uz] == ("refuse", "withdrawn")


@pytest.mark.parametrize("lang", ["ru", "uz"])
def test_a_withdrawn_part_does_not_come_back_uncut(home: Path, lang: str) -> None:
    """The withdrawal names the digest of the released text; the next run splits no record."""
    data = release_tables.read_table(home / RELEASE, "data")
    (text,) = data.filter(doc_id=parts(home, "mixed")[lang])["text"]
    digest = sha256(text.encode()).hexdigest()
    where = ("--params", str(home / "params.yaml"))
    order = ("--confirm", "--by", "counsel", "--ground", "letter 5")
    assert withdraw.main(["text", digest, *order, *where]) == 0
    (other,) = {"ru", "uz"} - {lang}
    assert parts(home, "mixed").keys() == {other}
    content = (home / "params.yaml").read_text()
    (home / "params.yaml").write_text(content.replace("mixed: split", "mixed: keep"))
    run_all(home)
    assert defects_of(home) == [] and parts(home, "mixed") == {}
    (fate,) = {
        release_tables.outcomes_by_document(home / RELEASE)[one] for one in ids(home, "mixed")
    }
    assert fate == ("refuse", "withdrawn")


def test_same_in_same_out(home: Path) -> None:
    before = release_tables.file_digests(home / RELEASE)
    assert not any(stage["fresh"] for stage in run_all(home)["stages"].values())
    shutil.rmtree(home / "work/language")
    again = run_all(home)["stages"]
    assert [name for name, stage in again.items() if stage["fresh"]] == ["language"]
    assert release_tables.file_digests(home / RELEASE) == before


def test_work_tables_with_parts_count_as_personal_data(finished: tuple[Path, Any]) -> None:
    personal = {
        leftover.folder.name: leftover.personal
        for leftover in clean.leftovers(load_params(finished[0] / "params.yaml"))
    }
    assert personal["language"] and not personal["quality"]


LINES = st.lists(
    st.tuples(st.text("аб \t\r\u00a0", max_size=6), st.sampled_from(["ru", "uz", "en", None])),
    min_size=1,
    max_size=12,
)


@given(LINES)
def test_ranges_hold_each_visible_character_once(lines: list[tuple[str, str | None]]) -> None:
    ranges = cut_ranges([line for line, _ in lines], [label for _, label in lines], ["ru", "uz"])
    text = "\n".join(line for line, _ in lines)
    spans = sorted(span for own in ranges.values() for span in own)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    # There are as few ranges as possible: another part lies between two ranges of one part.
    assert all(text[a:b].strip() for own in ranges.values() for (_, a), (b, _) in pairwise(own))
    if ranges:
        kept = "".join(text[start:end] for start, end in spans)
        assert "".join(kept.split()) == "".join(text.split())
    else:
        assert not text.strip() or not {"ru", "uz"} & {label for _, label in lines}


def test_short_lines_stay_with_the_line_before() -> None:
    lines = ["", "первая", "", "кор", "иккинчи", "en", "третья"]
    ranges = cut_ranges(lines, [None, "ru", None, None, "uz", "en", "ru"], ["ru", "uz"])
    text = "\n".join(lines)
    pieces = {lang: [text[a:b] for a, b in own] for lang, own in ranges.items()}
    assert pieces == {"ru": ["первая\n\nкор", "третья"], "uz": ["иккинчи\nen"]}


@pytest.mark.parametrize("mark", ["\r", "\u2028", "\u2029", "\v", "\f", "\x85"])
def test_each_kind_of_line_break_separates_languages(mark: str) -> None:
    identifier = Identifier(model_path(None, Path()))
    kk, ru = next(iter(KK.values())), RU["ru-pogoda"]
    text = mark.join(line for pair in zip(kk, ru, strict=False) for line in pair)
    read = text_extraction.extract_document(Content(text=text), 1 << 20).text
    record = dict.fromkeys(DOCUMENTS.names, "x") | {"doc_id": "0" * 32, "text": read}
    documents = pl.DataFrame([record])
    result = split_documents(documents, identifier.identify(documents), identifier, 0.8)
    assert result.documents.height == 2


def test_a_huge_record_is_split_too() -> None:
    """More than 50 MB, most of it in two lines."""
    identifier = Identifier(model_path(None, Path()))
    ru, uz = (" ".join(lines) + " " for lines in (RU["ru-pogoda"], UZ["uz-maktab"]))
    text = "\n".join([ru * (14_000_000 // len(ru)), uz * (24_000_000 // len(uz)), *[uz, ru] * 200])
    record = dict.fromkeys(DOCUMENTS.names, "x") | {"doc_id": "0" * 32, "text": text}
    documents = pl.DataFrame([record])
    assert len(text.encode()) > 50_000_000
    result = split_documents(documents, identifier.identify(documents), identifier, 0.8)
    assert result.new_ids == 1 and result.documents.height == 2
    sizes = (result.ranges["end"] - result.ranges["start"]).sum()
    assert 0.99 < sizes / len(text) <= 1
