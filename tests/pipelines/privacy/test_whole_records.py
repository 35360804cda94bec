"""What a whole record says of the parts that it was split into."""

from __future__ import annotations

import json
import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import release_tables
from helpers.commands import ROOT
from hypothesis import given
from hypothesis import strategies as st

from pipelines import run
from pipelines.language.split import SEAM
from pipelines.personal_data.findings import Span, merge_resolved
from pipelines.privacy import preview_command
from pipelines.privacy.whole_records import map_to_part

NUMBER = "4509 123456"


def texts(language: str) -> dict[str, list[str]]:
    found = yaml.safe_load((ROOT / f"samples/texts/{language}.yaml").read_text("utf-8"))
    return {one["id"]: one["text"].split("\n") for one in found["documents"]}


def released(folder: Path, mixed: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The documents that become of a record whose number is told by the line before it, and the
    run's summary."""
    ru, uz = texts("ru"), texts("uz")
    lines = [
        *ru["ru-pogoda"],
        *ru["ru-muzey"],
        "Его паспорт выдан в городе Москве отделением:",
        f"{NUMBER} — {uz['uz-osh'][0]}",
        *uz["uz-maktab"],
        *uz["uz-osh"][1:],
        *ru["ru-khleb"],
    ]
    shutil.copytree(ROOT / "register", folder / "register")
    row = {"id": "https://gazette.example.kz/x", "body": "\n".join(lines), "date": "2026-03-01"}
    (folder / "raw.jsonl").write_text(json.dumps(row))
    base = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    wanted = ("as_of", "purpose", "storage_country", "register", "licences", "work")
    fields = {"uri": "id", "text": "body", "captured_at": "date"}
    read = {"collection": "gazette", "format": "jsonl", "paths": ["raw.jsonl"], "fields": fields}
    told = {name: base[name] for name in wanted} | {
        "inputs": [read],
        "release": {"name": "mixed", "path": "release"},
        "language": {"mixed": mixed, "main_share": 0.9},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(told))
    where = ["--params", str(folder / "params.yaml"), "--workers", "1", "--json"]
    with redirect_stdout(StringIO()) as summary:
        assert run.main(where) == 0
    data = release_tables.read_table(folder / "release/mixed", "data").sort("lang")
    return data.to_dicts(), json.loads(summary.getvalue())


@pytest.mark.parametrize("mixed", ["keep", "split"])
def test_a_number_whose_word_went_to_another_part(tmp_path: Path, mixed: str) -> None:
    found, told = released(tmp_path, mixed)
    assert told["mixed"] == (1 if mixed == "keep" else 0)
    assert [one["lang"] for one in found] == (["ru"] if mixed == "keep" else ["ru", "uz"])
    assert not any(NUMBER in one["text"] for one in found)
    assert "<RU_PASSPORT> — " in found[-1]["text"]
    shown = StringIO()
    with redirect_stdout(shown):
        assert preview_command.main(["--params", str(tmp_path / "params.yaml"), "--json"]) == 0
    assert [one["entity_type"] for one in json.loads(shown.getvalue())["classes"]] == [
        "RU_PASSPORT"
    ]
    word = "Его паспорт выдан в городе Москве отделением:"
    assert [word in one["text"] for one in found] == ([True] if mixed == "keep" else [True, False])


SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from([0.5, 0.6, 0.9])), max_size=6
)


def apart(drawn: list[tuple[int, int, float]]) -> list[Span]:
    spans: list[Span] = []
    for start, size, score in sorted(drawn):
        if not spans or spans[-1].end <= start:
            spans.append(Span(start, start + size, f"E{score}", score, "r"))
    return spans


def covered(spans: list[Span]) -> list[int]:
    return [at for one in spans for at in range(one.start, one.end)]


@given(SPANS.map(apart), SPANS.map(apart))
def test_together_they_cover_what_each_covers(a: list[Span], b: list[Span]) -> None:
    both = merge_resolved(a, b)
    assert both == merge_resolved(b, a) == sorted(both)
    places = covered(both)
    assert len(places) == len(set(places))
    assert set(places) == {*covered(a), *covered(b)}
    best = max([*a, *b], key=lambda one: one.score, default=None)
    assert best is None or any(one in both for one in [*a, *b] if one.score == best.score)
    assert merge_resolved(a, []) == merge_resolved([], a) == merge_resolved(a, a) == a


@given(SPANS.map(apart), SPANS.map(apart))
def test_a_part_has_what_the_record_has_in_its_ranges(spans: list[Span], cut: list[Span]) -> None:
    ranges = [(one.start, one.end) for one in cut]
    record = [chr(0x4E00 + at) for at in range(60)]  # each character once
    part = SEAM.join("".join(record[start:end]) for start, end in ranges)
    found = list(map_to_part(spans, ranges))
    assert all(SEAM not in part[one.start : one.end] and one.start < one.end for one in found)
    hidden = [part[at] for at in covered(found)]
    inside = set(covered(cut))
    assert hidden == [record[at] for at in covered(spans) if at in inside]
