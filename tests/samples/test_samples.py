"""The sample corpus: same bytes each time, wide enough, and true to what it says of itself."""

from __future__ import annotations

import gzip
import importlib
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import chardet
import phonenumbers
import pyarrow.parquet as pq
import pytest
import yaml
from fastwarc.warc import ArchiveIterator, WarcRecordType
from helpers.commands import ROOT
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, luhn
from stdnum.ee import ik
from stdnum.lt import asmens
from stdnum.md import idno
from stdnum.ru import inn
from stdnum.ua import rntrc

SAMPLES = ROOT / "samples"
sys.path.insert(0, str(SAMPLES))
identifiers = importlib.import_module("identifiers")
REASONS = {
    "refuse": {
        "ungoverned", "consent-withdrawn", "consent-expired", "purpose-not-granted",
        "licence-not-allowed", "evidence-missing", "residency", "opted-out:robots",
        "opted-out:tdmrep", "opted-out:aipref", "opted-out:content-signal", "opted-out:noai",
    },
    "drop": {"signal", "empty", "personal-data"},
    "damaged": {"unreadable", "http-status", "unsupported-media-type"},
}  # fmt: skip


def build(out: Path) -> dict[str, bytes]:
    subprocess.run([sys.executable, SAMPLES / "build.py", "--out", out], check=True, timeout=60)
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return build(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def truth(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files["truth.jsonl"].splitlines()]


def texts() -> list[tuple[str, dict[str, Any]]]:
    pages = [yaml.safe_load(p.read_text("utf-8")) for p in sorted(SAMPLES.glob("texts/*.yaml"))]
    return [(page["language"], doc) for page in pages for doc in page["documents"]]


# ------------------------------------------------------------------ check digits, computed independently


def snils(value: str) -> bool:
    d = re.sub(r"\D", "", value)
    return sum(int(c) * w for c, w in zip(d, range(9, 0, -1), strict=False)) % 101 % 100 == int(
        d[9:]
    )


def iin(value: str) -> bool:
    for weights in (range(1, 12), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)):
        check = sum(int(c) * w for c, w in zip(value, weights, strict=False)) % 11
        if check < 10:
            return len(value) == 12 and check == int(value[11])
    return False


def mrz(pattern: str, value: str) -> bool:
    check = sum(int(c, 36) * (7, 3, 1)[i % 3] for i, c in enumerate(value[:-1])) % 10
    return bool(re.fullmatch(pattern, value)) and check == int(value[-1])


VALID = {
    "RU_INN": inn.is_valid,
    "RU_SNILS": snils,
    "RU_PASSPORT": lambda v: bool(re.fullmatch(r"\d{4} \d{6}", v)),
    "KZ_IIN": iin,
    "UA_RNOKPP": rntrc.is_valid,
    "BY_PERSONAL_NUMBER": lambda v: mrz(r"[3-6]\d{6}[ABCHKEM]\d{3}(PB|BA|BI)\d", v),
    "UZ_PINFL": lambda v: mrz(r"[3-6]\d{13}", v),
    "EE_ISIKUKOOD": ik.is_valid,
    "LT_ASMENS_KODAS": asmens.is_valid,
    "MD_IDNP": lambda v: idno.is_valid(v) or mrz(r"2\d{12}", v),
    "CREDIT_CARD": lambda v: bool(luhn.is_valid(v.replace(" ", ""))) and len(v) == 19,
    "IBAN_CODE": iban.is_valid,
    "PHONE_NUMBER": lambda v: phonenumbers.is_valid_number(phonenumbers.parse(v)),
    "EMAIL_ADDRESS": lambda v: bool(re.fullmatch(r"[\w.-]+@[a-z]+\.example\.[a-z]+", v)),
    "IP_ADDRESS": lambda v: all(0 < int(part) < 255 for part in v.split(".")),
}


@given(st.sampled_from(sorted(identifiers.MAKERS)), st.text(max_size=12))
def test_identifiers_pass_their_check_and_are_stable(kind: str, seed: str) -> None:
    value = identifiers.make(kind, seed)
    assert VALID[kind.split(":")[0]](value), (kind, value)
    assert value == identifiers.make(kind, seed)


def test_published_values_pass_the_checks_used_here() -> None:
    assert snils("112-233-445 95") and not snils("112-233-445 96")


# ------------------------------------------------------------------ the corpus


def test_two_builds_give_the_same_bytes(files: dict[str, bytes], tmp_path: Path) -> None:
    assert build(tmp_path) == files
    assert sum(map(len, files.values())) < 1_000_000


def test_the_texts_are_many_and_varied() -> None:
    docs = texts()
    languages = {lang for lang, _ in docs}
    words = {doc["id"]: len(doc["text"].split()) for _, doc in docs}
    assert len(docs) >= 84 and len(languages) >= 11
    assert all(60 <= n <= 160 for n in words.values()), words
    sentences = [s for _, doc in docs for s in re.split(r"(?<=[.!?։])\s+", doc["text"])]
    assert max(Counter(sentences).values()) == 1, "a sentence is used twice"
    letters = "".join(doc["text"] for _, doc in docs)
    for script in ("[А-я]", "[A-z]", "[ა-ჰ]", "[Ա-և]"):
        assert len(re.findall(script, letters)) > 1000


def test_released_share_is_wide(truth: list[dict[str, Any]]) -> None:
    kept = [row for row in truth if row["outcome"] == "keep"]
    assert len({row["text"] for row in kept}) >= 74
    assert len({row["lang"] for row in kept}) >= 10
    assert {row["script"] for row in kept} == {"Cyrl", "Latn", "Geor", "Armn"}


def test_truth_is_consistent(truth: list[dict[str, Any]]) -> None:
    uris = [row["uri"] for row in truth]
    assert len(set(uris)) == len(uris)
    seen: dict[str, set[str]] = defaultdict(set)
    for row in truth:
        seen[row["outcome"]].add(row["reason"])
        assert (row["source"] is None) == (row["reason"] == "ungoverned"), row["uri"]
    assert seen.pop("keep") == {None}
    assert dict(seen) == REASONS
    assert {row["text"] for row in truth} - {None} == {doc["id"] for _, doc in texts()}


def test_planted_values_are_valid(truth: list[dict[str, Any]]) -> None:
    planted = [p for row in truth for p in row["planted"]]
    assert all(VALID[p["type"]](p["value"]) for p in planted)
    assert sum(bool(row["planted"]) for row in truth) >= 18
    assert {p["type"] for p in planted} == set(VALID)
    assert sum(len(row["decoys"]) for row in truth) >= 10


def test_twins_are_near(truth: list[dict[str, Any]]) -> None:
    words = {doc["id"]: len(doc["text"].split()) for _, doc in texts()}
    groups = defaultdict(list)
    for row in truth:
        if row["twin"]:
            groups[row["twin"]].append(row)
            assert row["outcome"] == "keep"
            assert row["words_changed"] <= 0.01 * words[row["text"]]
    assert len(groups) >= 8
    assert all(len(rows) > 1 and len({r["text"] for r in rows}) == 1 for rows in groups.values())
    assert any(len({r["file"].split("/")[0] for r in rows}) > 1 for rows in groups.values())
    repeated = Counter(row["text"] for row in truth if row["text"])
    assert {t for t, n in repeated.items() if n > 1} == {r[0]["text"] for r in groups.values()}


def test_warc_records_stand_where_the_truth_says(
    files: dict[str, bytes], truth: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("web-00.warc.gz", "web-01.warc.gz"):
        rows = [row for row in truth if row["file"] == name]
        for row in rows:
            piece = files[name][row["offset"] : row["offset"] + row["length"]]
            if row["reason"] == "unreadable":
                with pytest.raises(EOFError):
                    gzip.decompress(piece)
            else:
                assert f"WARC-Target-URI: {row['uri']}\r\n".encode() in gzip.decompress(piece)
        path = tmp_path / name
        path.write_bytes(files[name])
        found = [
            str(record.headers["WARC-Target-URI"])
            for record in ArchiveIterator(path.open("rb"), record_types=WarcRecordType.response)
        ]
        expected = [row["uri"] for row in rows if row["reason"] != "unreadable"]
        assert found[: len(expected)] == expected


def test_undeclared_encodings_can_be_detected(
    files: dict[str, bytes], truth: list[dict[str, Any]]
) -> None:
    docs = {doc["id"]: doc for _, doc in texts()}
    for row in truth:
        if row["file"].startswith("letters/"):
            data = files[row["file"]]
        elif row["file"].startswith("web") and row["declared"] == "none":
            data = gzip.decompress(files[row["file"]][row["offset"] :][: row["length"]])
            data = data.split(b"\r\n\r\n", 2)[2]
        else:
            continue
        guess = chardet.detect(data)["encoding"]
        assert guess and docs[row["text"]]["title"] in data.decode(guess), (row["uri"], guess)


def test_institutional_files(files: dict[str, bytes], tmp_path: Path) -> None:
    lines = gzip.decompress(files["gazette.jsonl.gz"]).decode().splitlines()
    broken = [line for line in lines if not line.endswith("}")]
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    assert len(broken) == 1 and sum(not row["body"] for row in rows) == 1
    path = tmp_path / "archive.parquet"
    path.write_bytes(files["archive.parquet"])
    assert pq.read_table(path).column_names == ["identifier", "published", "content"]


# ------------------------------------------------------------------ its register and parameters


def test_register_and_truth_name_the_same_sources(truth: list[dict[str, Any]]) -> None:
    entries = {
        path.stem: yaml.safe_load(path.read_text("utf-8"))
        for path in (ROOT / "register/sources").glob("*.yaml")
    }
    sampled = {row["source"] for row in truth if row["source"]}
    assert sampled <= set(entries)
    assert all(entry["id"] == name for name, entry in entries.items())
    missing = {
        name
        for name in sampled
        if not (ROOT / "register/evidence" / entries[name]["basis"]["evidence"]).exists()
    }
    assert missing == {r["source"] for r in truth if r["reason"] == "evidence-missing"}
    own = [entries[name] for name in sampled]
    assert {entry["basis"]["kind"] for entry in own} == {
        "licence", "consent", "contract", "statute",
    }  # fmt: skip
    assert len({entry["jurisdiction"] for entry in own}) >= 8


def test_parameters_name_the_files_written(files: dict[str, bytes]) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    patterns = [pattern for item in params["inputs"] for pattern in item["paths"]]
    named = {n for n in files if any((Path("samples/raw") / n).match(p) for p in patterns)}
    assert named == set(files) - {"truth.jsonl"}
