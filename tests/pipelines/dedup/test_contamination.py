"""Documents that hold parts of evaluation sets are found, counted and dropped."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from helpers import dedup_job
from helpers.compressed import gzip_bytes

from pipelines.dedup.contamination import check_sets, read_items
from schemas.errors import Invalid
from schemas.sections import DedupParams, EvaluationSet

ITEM = "Which of these four rivers flows into the sea that lies between the two old cities"
OTHER = "How many apples are left when seven of the nineteen were eaten by the children today"


@pytest.fixture
def sets(tmp_path: Path) -> tuple[EvaluationSet, ...]:
    rows = [{"question": ITEM, "n": 1}, {"question": "short one", "n": 2}]
    (tmp_path / "geo.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pl.DataFrame({"text": [OTHER]}).write_parquet(tmp_path / "sums.parquet")
    return (
        EvaluationSet("geo", str(tmp_path / "geo.jsonl"), "question"),
        EvaluationSet("sums", str(tmp_path / "sums.parquet")),
    )


def test_a_document_with_an_item_is_dropped_and_displaces_no_other(
    sets: tuple[EvaluationSet, ...], tmp_path: Path
) -> None:
    around = " ".join(f"word{n}" for n in range(80))
    documents = {
        "a": ("x", f"{around} {ITEM.upper()}!"),
        "b": ("y", f"{around} Which of these four rivers flows into another lake"),
        "c": ("x", f"{OTHER} and {' '.join(ITEM.split()[:13])}"),
        "d": ("x", " ".join(ITEM.split()[:12])),
        "e": ("x", "Short one."),
        "f": ("x", "A short one"),
    }
    found = dedup_job.run_dedup(tmp_path / "job", documents, DedupParams(decontaminate=sets))
    assert found.kept == {"b", "d", "f"}
    reasons = dict(found.decisions.select("doc_id", "reason").iter_rows())
    assert (
        reasons["a"] == reasons["e"] == "contaminated:geo" and reasons["c"] == "contaminated:sums"
    )
    assert found.evidence["a"] == {"runs": {"geo": 4}}
    assert found.evidence["c"] == {"runs": {"geo": 1, "sums": 4}}
    assert found.duplicates.is_empty()  # `b` would be like `a`, which is not kept


def test_items_of_text_files_and_compressed_json(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{ITEM}\n{OTHER}\n")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip_bytes(json.dumps({"text": ITEM}).encode()))
    assert read_items(EvaluationSet("a", str(tmp_path / "a.txt"))).to_list() == [ITEM, OTHER]
    assert read_items(EvaluationSet("b", str(tmp_path / "b.jsonl.gz"))).to_list() == [ITEM]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"body": "x"}', "has no field text; its fields: body"),
        ("a.jsonl", b'{"text": 3}', "holds no texts"),
        ("a.jsonl", b"{torn", "cannot be read"),
        ("a.parquet", b"PAR1", "cannot be read"),
        ("a.txt", b"\xff\xfe\xff", "cannot be read"),
        ("a.csv", b"text", "must end in"),
        ("gone.txt", None, "cannot be read"),
    ],
)
def test_a_set_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid) as error:
        check_sets([EvaluationSet("exam", str(tmp_path / name))], tmp_path / "params.yaml")
    assert message in str(error.value) and "exam" in str(error.value)
