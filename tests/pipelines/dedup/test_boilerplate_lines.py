"""Lines that a source repeats become spans to remove. The stored text does not change."""

from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl
from helpers import dedup_job
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dedup.boilerplate_lines import (
    boilerplate_spans,
    count_lines,
    find_boilerplate,
    merge_removals,
    split_lines,
)
from pipelines.personal_data.scrub import apply_findings
from schemas.sections import DedupParams, LineParams
from schemas.tables import FINDINGS

HEAD, FOOT = "Портал — меню", "  © all rights\t"


def make_documents(texts: list[str], source: str = "a") -> pl.DataFrame:
    ids = [f"{source}{n:02}" for n in range(len(texts))]
    columns = {"doc_id": ids, "source_id": [source] * len(texts), "text": texts}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def remove_boilerplate(documents: pl.DataFrame, params: LineParams) -> list[str]:
    found = split_lines(documents)
    total = dict(documents["source_id"].value_counts().iter_rows())
    removals = boilerplate_spans(found, find_boilerplate(count_lines(found), total, params))
    return apply_findings(documents, removals)[0]["text"].to_list()


def test_lines_that_enough_documents_share_are_removed() -> None:
    documents = make_documents(
        [f"{HEAD}\nown {n}\n\n{FOOT}" for n in range(9)] + ["own 9\n" + HEAD, HEAD]
    )
    new = remove_boilerplate(documents, LineParams(min_documents=5, min_share=0.5))
    assert new == [*(f"own {n}\n\n" for n in range(9)), "own 9\n", HEAD]
    assert remove_boilerplate(documents, LineParams(12, 0.5)) == documents["text"].to_list()
    assert remove_boilerplate(documents, LineParams(2, 0.9)) == [
        *(f"own {n}\n\n{FOOT}" for n in range(9)), "own 9\n", HEAD
    ]  # fmt: skip
    other = pl.concat([documents, make_documents(["own 0", "x", "y"], "b")])
    assert remove_boilerplate(other, LineParams(5, 0.5))[-3:] == ["own 0", "x", "y"]


@given(st.lists(st.lists(st.sampled_from(["a", " a", "é\u0301", "", "𝔘 b", "c\r"])).map("\n".join)))
def test_spans_cover_complete_lines(texts: list[str]) -> None:
    found = split_lines(make_documents(texts))
    for row in found.iter_rows(named=True):
        text = texts[int(row["doc_id"][1:])]
        assert text[row["start"] : row["end"]].strip()
        assert row["start"] == 0 or text[row["start"] - 1] == "\n"
        assert row["end"] == len(text) or text[row["end"] - 1] == "\n"
    assert found.height == sum(bool(x.strip()) for t in texts for x in t.split("\n"))


def make_findings(entity: str, spans: list[tuple[str, int, int]]) -> pl.DataFrame:
    rows = [
        dict.fromkeys(FINDINGS.names) | {"doc_id": d, "entity_type": entity, "start": s, "end": e}
        for d, s, e in spans
    ]
    empty = pl.from_arrow(FINDINGS.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return pl.DataFrame(rows, schema=empty.schema)


def merge(
    findings: list[tuple[str, int, int]],
    removals: list[tuple[str, int, int]],
    texts: dict[str, str],
) -> list[tuple[str, str, int, int]]:
    documents = pl.DataFrame({"doc_id": [*texts], "text": [*texts.values()]})
    both = merge_removals(
        make_findings("EMAIL", findings), make_findings("BOILERPLATE", removals), documents
    )
    return both.select("entity_type", "doc_id", "start", "end").rows()


def test_a_removal_ends_where_a_finding_across_its_edge_begins() -> None:
    def both(start: int, end: int, text: str = "x" * 30) -> list[tuple[str, int, int]]:
        merged = merge([("a", start, end)], [("a", 10, 20)], {"a": text})
        return [(entity, low, high) for entity, _, low, high in merged]

    assert both(12, 15) == both(10, 20) == [("BOILERPLATE", 10, 20)]
    assert both(5, 12) == [("EMAIL", 5, 12), ("BOILERPLATE", 12, 20)]
    assert both(18, 25) == [("BOILERPLATE", 10, 18), ("EMAIL", 18, 25)]
    assert both(5, 25) == [("EMAIL", 5, 25)]
    assert both(5, 20) == [("EMAIL", 5, 20)] and both(10, 25) == [("EMAIL", 10, 25)]
    assert both(0, 10) == [("EMAIL", 0, 10), ("BOILERPLATE", 10, 20)]
    assert both(20, 22) == [("BOILERPLATE", 10, 20), ("EMAIL", 20, 22)]
    assert merge([], [("a", 0, 2)], {"a": "ab"}) == [("BOILERPLATE", "a", 0, 2)]
    assert merge([("a", 0, 2)], [], {"a": "ab"}) == [("EMAIL", "a", 0, 2)]


def test_blanks_stay_between_a_placeholder_and_what_follows() -> None:
    text = "tel 123 456 menu\nown"
    line = ("a", 8, 17)
    assert merge([("a", 4, 11)], [line], {"a": text})[1:] == [("BOILERPLATE", "a", 11, 16)]
    assert merge([("a", 4, 16)], [line], {"a": text}) == [("EMAIL", "a", 4, 16)]


SPANS = st.lists(st.integers(0, 40), unique=True, max_size=12).map(
    lambda places: list(zip(*[iter(sorted(places))] * 2, strict=False))
)


@given(st.lists(st.tuples(SPANS, SPANS), max_size=3), st.text("a \n", min_size=40, max_size=40))
def test_each_removed_or_replaced_character_stays_so(
    documents: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]], text: str
) -> None:
    """Compare with a model that decides for each character."""
    texts = {f"d{n}": text for n in range(len(documents))}
    findings, removals = (
        [(f"d{n}", *span) for n, both in enumerate(documents) for span in both[side]]
        for side in (0, 1)
    )
    merged = merge(findings, removals, texts)
    spans = [(doc, low, high) for _, doc, low, high in merged]
    assert spans == sorted(spans) and all(low < high for _, low, high in spans)
    for (doc, _, end), (other, start, _) in itertools.pairwise(spans):
        assert doc != other or end <= start
    kept = {tuple(span) for entity, *span in merged if entity == "EMAIL"}
    assert kept == {
        (d, s, e)
        for d, s, e in findings
        if not any(d == o and low <= s and e <= high for o, low, high in removals)
    }
    for doc in texts:
        wanted = {n for d, s, e in findings + removals if d == doc for n in range(s, e)}
        done = {n for d, s, e in spans if d == doc for n in range(s, e)}
        assert done <= wanted and all(text[n].isspace() for n in wanted - done)
        if not any(d == doc for d, _, _ in kept):
            assert done == wanted


def test_many_identifiers_in_one_document() -> None:
    """One document has thousands of findings and removals; they are not compared in pairs."""
    number = 50_000
    text = "x" * (10 * number)
    findings = [("a", 10 * n, 10 * n + 3) for n in range(number)]
    removals = [("a", 10 * n + 2, 10 * n + 8) for n in range(number)]
    merged = merge(findings, removals, {"a": text})
    assert merged[:2] == [("EMAIL", "a", 0, 3), ("BOILERPLATE", "a", 3, 8)]
    assert len(merged) == 2 * number


def test_the_job_counts_lines_over_all_shards(tmp_path: Path) -> None:
    documents = {f"d{n}": ("a", f"{HEAD}\ntext {n} alone") for n in range(12)}
    documents |= {f"e{n}": ("b", f"{HEAD}\nother {n}") for n in range(3)}
    for number in (1, 4):
        home = tmp_path / str(number)
        dedup_job.run_dedup(home, documents, DedupParams(lines=LineParams()), number=number)
        rows = pl.read_parquet(home / "state/removals/*.parquet").sort("doc_id")
        assert rows["doc_id"].to_list() == sorted(d for d in documents if d.startswith("d"))
        assert set(rows.select("start", "end", "score").iter_rows()) == {(0, len(HEAD) + 1, 1.0)}
