"""The complete job: documents that stay, documents that are removed, and their comparison."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from helpers import dedup_job

PLACES = ["Алматы", "Астана", "Шымкент", "Ақтау", "Орал", "Павлодар", "Тараз", "Семей"]
MONTHS = ["января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа"]


def make_orders(number: int, length: int) -> list[str]:
    """Return orders of one office that differ in number, date, place and sum."""
    draw = random.Random(length)
    body = [
        f"{draw.choice('бвгд')}{''.join(draw.choices('аеиоулмнр', k=6))}" for _ in range(length)
    ]
    texts = []
    for n in range(number):
        head = f"Приказ № {n + 100}-п от {draw.randint(1, 28)} {draw.choice(MONTHS)} 2026 года"
        details = f"город {draw.choice(PLACES)} выделить {draw.randint(1000, 9_999_999)} тенге"
        words = [*head.split(), *details.split()]
        rest = body[: length - len(words)]
        texts.append(" ".join([*words[:8], *rest[: length // 2], *words[8:], *rest[length // 2 :]]))
    return texts


@pytest.mark.parametrize("length", [80, 300])
def test_orders_stay_and_their_copies_are_removed(tmp_path: Path, length: int) -> None:
    texts = make_orders(200, length)
    documents = {f"o{n:03}": ("inst", text) for n, text in enumerate(texts)}
    assert {len(text.split()) for text in texts} == {length}
    for n in range(0, 200, 10):  # an exact copy, and a copy with a misprint
        documents[f"p{n:03}"] = ("inst", f"«{texts[n].upper()}»\n")
        words = texts[n].split()
        words[-20] = "опечатка"
        documents[f"q{n:03}"] = ("web", " ".join(words))
    found = dedup_job.run_dedup(tmp_path, documents)
    assert found.kept == {f"o{n:03}" for n in range(200)}
    kinds = dict(found.duplicates.select("doc_id", "kind").iter_rows())
    assert all(
        kinds[f"p{n:03}"] == "exact" and kinds[f"q{n:03}"] == "near" for n in range(0, 200, 10)
    )
    apart = found.evidence["o001"]["apart"]
    assert apart["similarity"] >= 0.7 and apart["differing"]["docket"] == 1
    assert not any(place in str(found.evidence) for place in PLACES)


def test_figures_ignored_on_the_web(tmp_path: Path) -> None:
    documents = {f"o{n}": ("web", text) for n, text in enumerate(make_orders(40, 300))}
    assert len(dedup_job.run_dedup(tmp_path, documents).kept) < 5


def make_corpus(number: int) -> dict[str, tuple[str, str]]:
    """Return families of texts from equal to different."""
    draw = random.Random(11)
    documents: dict[str, tuple[str, str]] = {}
    while len(documents) < number:
        words = [f"w{chr(97 + draw.randrange(26))}{draw.randrange(4000)}" for _ in range(60)]
        for _ in range(draw.randint(1, 7)):
            name = f"{draw.getrandbits(64):016x}"
            documents[name] = (draw.choice(["a", "b"]), " ".join(words))
            for _ in range(draw.choice([0, 0, 1, 1, 2])):
                words[draw.randrange(60)] = f"x{draw.randrange(9999)}"
    return documents


def grams(text: str) -> set[str]:
    words = text.split()
    return {" ".join(words[i : i + 5]) for i in range(len(words) - 4)}


def test_shards_rounds_and_order_do_not_change_the_result(tmp_path: Path) -> None:
    documents = make_corpus(400)
    first = dedup_job.run_dedup(tmp_path / "a", documents)
    turned = dict(reversed(documents.items()))
    again = dedup_job.run_dedup(tmp_path / "b", turned, number=7, claimed=8_000_000)
    assert first.decisions.equals(again.decisions) and first.duplicates.equals(again.duplicates)
    texts = {name: grams(text) for name, (_, text) in documents.items()}
    gone = first.duplicates.filter(pl.col("doc_id") != pl.col("kept_doc_id"))
    assert gone.height > 100 and set(gone["kept_doc_id"]) <= first.kept
    for doc, kept, similarity in gone.select("doc_id", "kept_doc_id", "similarity").iter_rows():
        a, b = texts[doc], texts[kept]
        assert similarity == len(a & b) / len(a | b) >= 0.7
    left = sorted(first.kept)
    assert not any(
        len(texts[a] & texts[b]) / len(texts[a] | texts[b]) >= 0.75
        for i, a in enumerate(left)
        for b in left[:i]
    )


def test_hostile_texts(tmp_path: Path) -> None:
    long = " ".join(f"слово{n}" for n in range(300_000))
    documents = {f"s{n:04}": ("a", "одно и то же") for n in range(500)}
    documents |= {f"t{n}": ("a", f"три слова {'абвгдежзик'[n]}") for n in range(10)}
    documents |= {"long": ("a", long), "longer": ("a", f"{long} и ещё"), "empty": ("a", "")}
    documents |= {"dots": ("a", "…"), "bangs": ("a", "!!!")}
    found = dedup_job.run_dedup(tmp_path, documents)
    assert found.kept == {"s0000", "long", "empty", "dots", "bangs", *(f"t{n}" for n in range(10))}


def test_no_documents(tmp_path: Path) -> None:
    assert dedup_job.run_dedup(tmp_path, {}, number=1).decisions.is_empty()
