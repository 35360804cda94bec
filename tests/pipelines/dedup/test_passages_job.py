"""The job finds shared passages: spans to remove, with evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from helpers import dedup_job
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dedup import word_positions
from pipelines.personal_data.scrub import apply_findings
from pipelines.text import shingles
from schemas.sections import DedupParams, LineParams, SpanParams

SPANS = DedupParams(spans=SpanParams())


def make_text(name: str, words: int) -> str:
    return " ".join(f"{name}{n}" for n in range(words))


#: Two paragraphs, and the same words with other case and punctuation.
PASSAGE = f"«{make_text('Pass', 30)}».\n\n{make_text('age', 40)}!"
OTHER = PASSAGE.lower().replace("\n\n", " — ")
DOCUMENTS = {
    "a": ("x", f"{make_text('a', 90)}\n\n{PASSAGE}\n\n{make_text('aa', 90)}"),
    "b": ("y", f"{make_text('b', 90)}\n\n{OTHER}\n\n{make_text('bb', 90)}"),
    "c": ("y", f"{make_text('c', 90)} {PASSAGE} {make_text('cc', 90)} {make_text('Pass', 49)}"),
    "d": ("z", make_text("d", 200)),
    "e": ("z", ""),
    "f": ("z", "three words only"),
}


def read_spans(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "state/passages/*.parquet").sort("doc_id", "start")


def released(folder: Path, documents: dict[str, tuple[str, str]]) -> dict[str, str]:
    frame = pl.DataFrame({"doc_id": [*documents], "text": [t for _, t in documents.values()]})
    return dict(apply_findings(frame, read_spans(folder))[0].iter_rows())


def test_the_better_right_keeps_the_passage(tmp_path: Path) -> None:
    tables = []
    for number in (1, 4):
        home = tmp_path / str(number)
        job = dedup_job.run_dedup(home, DOCUMENTS, SPANS, number=number)
        assert job.kept == {*DOCUMENTS}
        evidence: Any = {d: e.get("passages") for d, e in job.evidence.items()}
        assert [d for d in evidence if evidence[d]] == ["b", "c"]
        assert evidence["b"]["min_words"] == 50 and evidence["b"]["removed"]
        (one,) = evidence["b"]["found"]
        source, here = DOCUMENTS["a"][1], DOCUMENTS["b"][1]
        assert one["kept_doc_id"] == "a" and one["words"] == 70
        assert here[one["start"] : one["end"]] == OTHER + "\n\n"
        assert source[one["kept_start"] : one["kept_end"]] == PASSAGE + "\n\n"
        places = {"start", "end", "kept_start", "kept_end"}
        assert set(one) == {"words", "kept_doc_id"} | places  # neither words nor digests of them
        left = released(home, DOCUMENTS)
        assert left["b"] == f"{make_text('b', 90)}\n\n{make_text('bb', 90)}"
        assert left["c"] == f"{make_text('c', 90)} {make_text('cc', 90)} {make_text('Pass', 49)}"
        assert all(left[d] == DOCUMENTS[d][1] for d in "adef")
        tables.append((read_spans(home).rows(), job.decisions.rows()))
    assert tables[0] == tables[1]


def test_passages_can_be_recorded_without_removal(tmp_path: Path) -> None:
    params = DedupParams(spans=SpanParams(mode="annotate"))
    job = dedup_job.run_dedup(tmp_path, DOCUMENTS, params)
    found: Any = job.evidence["b"]["passages"]
    assert len(found["found"]) == 1 and not found["removed"]
    assert read_spans(tmp_path).is_empty()


def test_a_removed_copy_keeps_no_passage(tmp_path: Path) -> None:
    """The keeper of a passage is a document that stays."""
    whole = DOCUMENTS["a"][1]
    documents = {"0": ("w", whole), "1": ("x", whole), "b": DOCUMENTS["b"]}
    job = dedup_job.run_dedup(tmp_path, documents, SPANS)
    assert job.kept == {"0", "b"}
    evidence: Any = job.evidence
    assert (
        "passages" not in evidence["1"]
        and evidence["b"]["passages"]["found"][0]["kept_doc_id"] == "0"
    )


def test_a_passage_that_occurs_twice_in_one_document(tmp_path: Path) -> None:
    documents = {"a": ("x", f"{PASSAGE}\n\n{make_text('a', 9)}\n\n{OTHER}\n\n{make_text('b', 9)}")}
    dedup_job.run_dedup(tmp_path, documents, SPANS, number=1)
    assert released(tmp_path, documents) == {
        "a": f"{PASSAGE}\n\n{make_text('a', 9)}\n\n{make_text('b', 9)}"
    }


def test_a_text_that_repeats_itself_has_one_passage(tmp_path: Path) -> None:
    """Of a table of zeros only the first run stays, and the evidence is short."""
    table = " ".join(["0,00"] * 5_000)
    documents = {"a": ("x", f"{make_text('a', 90)}\n{table}\n{make_text('b', 90)}")}
    job = dedup_job.run_dedup(tmp_path, documents, SPANS, number=1)
    evidence: Any = job.evidence["a"]["passages"]
    first = len(make_text("a", 90)) + 1
    assert evidence["number"] == 1 and evidence["found"] == [
        {
            "words": 4_950,
            "kept_doc_id": "a",
            "start": first + 5 * 50,
            "end": first + len(table),
            "kept_start": first,
            "kept_end": first + 5 * 50,
        }
    ]
    assert released(tmp_path, documents)["a"] == documents["a"][1].replace(table, table[:250])


def test_the_evidence_lists_a_hundred_passages(tmp_path: Path) -> None:
    shared = [make_text(f"s{n}x", 50) for n in range(120)]
    documents = {
        one: (
            "x",
            "\n".join(f"{make_text(f'{one}{n}x', 60)}\n{part}" for n, part in enumerate(shared)),
        )
        for one in "ab"
    }
    evidence: Any = dedup_job.run_dedup(tmp_path, documents, SPANS).evidence["b"]["passages"]
    assert evidence["number"] == 120 and len(evidence["found"]) == 100
    starts = [one["start"] for one in evidence["found"]]
    assert starts == sorted(starts) and read_spans(tmp_path).height == 120


def test_a_document_does_not_lose_all_its_words(tmp_path: Path) -> None:
    """A document consists of passages of other documents."""
    one, two = make_text("one", 60), make_text("two", 60)
    documents = {
        "a": ("x", f"{one} {make_text('a', 200)}"),
        "b": ("x", f"{two} {make_text('b', 200)}"),
        "c": ("y", f"{one}\n{two}"),
    }
    job = dedup_job.run_dedup(tmp_path, documents, SPANS)
    evidence: Any = job.evidence["c"]["passages"]
    assert (
        len(evidence["found"]) == 2 and not evidence["removed"] and read_spans(tmp_path).is_empty()
    )


def test_a_figure_ends_a_passage(tmp_path: Path) -> None:
    """Words are compared exactly, so no shared run crosses a different date."""
    order = f"{make_text('w', 40)} 12.05.2024 {make_text('v', 40)}"
    other = order.replace("12.05.2024", "13.05.2024")
    documents = {
        "a": ("x", f"{order} {make_text('a', 300)}"),
        "b": ("x", f"{other} {make_text('b', 300)}"),
    }
    assert "passages" not in dedup_job.run_dedup(tmp_path, documents, SPANS).evidence["b"]


def test_boilerplate_is_removed_first_and_keeps_no_passage(tmp_path: Path) -> None:
    """A removed line is not part of a passage; runs end at it."""
    line = make_text("menu", 60)
    documents = {f"a{n}": ("x", f"{line}\n{make_text(f'a{n}x', 80)}") for n in range(12)}
    documents["b"] = ("y", f"{line}\n{make_text('b', 80)}\n{make_text('a3x', 80)}")
    params = DedupParams(lines=LineParams(), spans=SpanParams())
    job = dedup_job.run_dedup(tmp_path, documents, params)
    evidence: Any = job.evidence["b"]["passages"]
    assert [one["kept_doc_id"] for one in evidence["found"]] == ["a3"]
    assert released(tmp_path, documents)["b"] == f"{line}\n{make_text('b', 80)}\n"
    assert sum("passages" in e for e in job.evidence.values()) == 1


def test_one_passage_in_thousands_of_documents(tmp_path: Path) -> None:
    shared = make_text("shared", 55)
    documents = {
        f"{n:05}": ("x", f"{n} {n + 1} a{n} {shared} b{n} {n + 2} {make_text(f'c{n}x', 20)}")
        for n in range(2_000)
    }
    params = DedupParams(threshold=0.99, spans=SpanParams())
    job = dedup_job.run_dedup(tmp_path, documents, params)
    assert len(job.kept) == 2_000
    found = read_spans(tmp_path)
    assert found.height == 1_999 and found["doc_id"].min() == "00001"
    assert (found["end"] - found["start"] == len(shared) + 1).all()


@given(
    st.lists(
        st.text(st.sampled_from("aBё,. \t\r\n\x1c\x85\u00a0\u2003\u3000\u200b—𝔘%-"), max_size=30),
        max_size=5,
    )
)
def test_words_are_at_their_positions(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    found = word_positions.locate_words(series)
    known = shingles.words(series)
    assert found["form"].to_list() == known.vocabulary.gather(known.codes).to_list()
    sizes = [found.filter(pl.col("text") == n).height for n in range(len(texts))]
    assert (
        sizes == known.offsets[1:].tolist()
        if not texts
        else sizes == [b - a for a, b in zip(known.offsets, known.offsets[1:], strict=False)]
    )
    for row in found.iter_rows(named=True):
        token = texts[row["text"]][row["start"] : row["end"]]
        assert shingles.words(pl.Series([token])).vocabulary.to_list() == [row["form"]]
