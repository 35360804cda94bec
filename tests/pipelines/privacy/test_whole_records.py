"""Personal data in the parts of a record, found in the text of the complete record."""

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


def sample_lines(language: str) -> dict[str, list[str]]:
    """Return the lines of the sample's texts by id."""
    content = yaml.safe_load((ROOT / f"samples/texts/{language}.yaml").read_text("utf-8"))
    return {row["id"]: row["text"].split("\n") for row in content["documents"]}


def release_mixed_record(folder: Path, mixed: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Release a record whose number is named by the line before it.

    Returns:
      The documents of the release, by language, and the run's summary.
    """
    ru, uz = sample_lines("ru"), sample_lines("uz")
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
    source = {"collection": "gazette", "format": "jsonl", "paths": ["raw.jsonl"], "fields": fields}
    params = {name: base[name] for name in wanted} | {
        "inputs": [source],
        "release": {"name": "mixed", "path": "release"},
        "language": {"mixed": mixed, "main_share": 0.9},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    where = ["--params", str(folder / "params.yaml"), "--workers", "1", "--json"]
    with redirect_stdout(StringIO()) as summary:
        assert run.main(where) == 0
    data = release_tables.read_table(folder / "release/mixed", "data").sort("lang")
    return data.to_dicts(), json.loads(summary.getvalue())


@pytest.mark.parametrize("mixed", ["keep", "split"])
def test_a_number_is_found_if_its_word_is_in_another_part(tmp_path: Path, mixed: str) -> None:
    documents, summary = release_mixed_record(tmp_path, mixed)
    assert summary["mixed"] == (1 if mixed == "keep" else 0)
    assert [document["lang"] for document in documents] == (
        ["ru"] if mixed == "keep" else ["ru", "uz"]
    )
    assert not any(NUMBER in document["text"] for document in documents)
    assert "<RU_PASSPORT> — " in documents[-1]["text"]
    shown = StringIO()
    with redirect_stdout(shown):
        assert preview_command.main(["--params", str(tmp_path / "params.yaml"), "--json"]) == 0
    assert [row["entity_type"] for row in json.loads(shown.getvalue())["classes"]] == [
        "RU_PASSPORT"
    ]
    word = "Его паспорт выдан в городе Москве отделением:"
    assert [word in document["text"] for document in documents] == (
        [True] if mixed == "keep" else [True, False]
    )


SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from([0.5, 0.6, 0.9])), max_size=6
)


def without_overlaps(candidates: list[tuple[int, int, float]]) -> list[Span]:
    spans: list[Span] = []
    for start, size, score in sorted(candidates):
        if not spans or spans[-1].end <= start:
            spans.append(Span(start, start + size, f"E{score}", score, "r"))
    return spans


def covered_positions(spans: list[Span]) -> list[int]:
    return [at for span in spans for at in range(span.start, span.end)]


@given(SPANS.map(without_overlaps), SPANS.map(without_overlaps))
def test_merged_spans_cover_what_each_list_covers(a: list[Span], b: list[Span]) -> None:
    both = merge_resolved(a, b)
    assert both == merge_resolved(b, a) == sorted(both)
    places = covered_positions(both)
    assert len(places) == len(set(places))
    assert set(places) == {*covered_positions(a), *covered_positions(b)}
    best = max([*a, *b], key=lambda span: span.score, default=None)
    assert best is None or any(span in both for span in [*a, *b] if span.score == best.score)
    assert merge_resolved(a, []) == merge_resolved([], a) == merge_resolved(a, a) == a


@given(SPANS.map(without_overlaps), SPANS.map(without_overlaps))
def test_a_part_has_the_spans_of_its_ranges_in_the_record(
    spans: list[Span], cut: list[Span]
) -> None:
    ranges = [(piece.start, piece.end) for piece in cut]
    record = [chr(0x4E00 + at) for at in range(60)]  # each character once
    part = SEAM.join("".join(record[start:end]) for start, end in ranges)
    mapped = list(map_to_part(spans, ranges))
    assert all(SEAM not in part[s.start : s.end] and s.start < s.end for s in mapped)
    hidden = [part[at] for at in covered_positions(mapped)]
    inside = set(covered_positions(cut))
    assert hidden == [record[at] for at in covered_positions(spans) if at in inside]
