"""Lines that a source repeats are spans to remove; the text stays as it is."""

from __future__ import annotations

from pathlib import Path

import dedup_job
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.personal_data.scrub import apply
from pipelines.repeated_lines import boilerplate, counts, lines, merged, spans
from schemas.sections import DedupParams, LineParams
from schemas.tables import FINDINGS

HEAD, FOOT = "Портал — меню", "  © all rights\t"


def frame(texts: list[str], source: str = "a") -> pl.DataFrame:
    ids = [f"{source}{n:02}" for n in range(len(texts))]
    columns = {"doc_id": ids, "source_id": [source] * len(texts), "text": texts}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def removed(documents: pl.DataFrame, params: LineParams) -> list[str]:
    found = lines(documents)
    total = dict(documents["source_id"].value_counts().iter_rows())
    told = spans(found, boilerplate(counts(found), total, params))
    return apply(documents, told)[0]["text"].to_list()


def test_what_enough_documents_share_goes() -> None:
    documents = frame([f"{HEAD}\nown {n}\n\n{FOOT}" for n in range(9)] + ["own 9\n" + HEAD, HEAD])
    new = removed(documents, LineParams(min_documents=5, min_share=0.5))
    assert new == [*(f"own {n}\n\n" for n in range(9)), "own 9\n", HEAD]
    assert removed(documents, LineParams(12, 0.5)) == documents["text"].to_list()
    assert removed(documents, LineParams(2, 0.9)) == [
        *(f"own {n}\n\n{FOOT}" for n in range(9)), "own 9\n", HEAD
    ]  # fmt: skip
    other = pl.concat([documents, frame(["own 0", "x", "y"], "b")])
    assert removed(other, LineParams(5, 0.5))[-3:] == ["own 0", "x", "y"]


@given(st.lists(st.lists(st.sampled_from(["a", " a", "é\u0301", "", "𝔘 b", "c\r"])).map("\n".join)))
def test_spans_hold_whole_lines(texts: list[str]) -> None:
    found = lines(frame(texts))
    for row in found.iter_rows(named=True):
        text = texts[int(row["doc_id"][1:])]
        assert text[row["start"] : row["end"]].strip()
        assert row["start"] == 0 or text[row["start"] - 1] == "\n"
        assert row["end"] == len(text) or text[row["end"] - 1] == "\n"
    assert found.height == sum(bool(x.strip()) for t in texts for x in t.split("\n"))


def finding(start: int, end: int, entity: str = "EMAIL") -> pl.DataFrame:
    row = dict.fromkeys(FINDINGS.names)
    row |= {"doc_id": "a", "entity_type": entity, "start": start, "end": end}
    empty = pl.from_arrow(FINDINGS.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return pl.DataFrame([row], schema=empty.schema)


def test_removals_and_findings_lie_apart() -> None:
    removal = finding(10, 20, "BOILERPLATE")

    def both(start: int, end: int) -> list[str]:
        return merged(finding(start, end), removal)["entity_type"].to_list()

    assert both(12, 15) == both(10, 20) == ["BOILERPLATE"]
    assert both(5, 12) == both(18, 25) == both(5, 25) == ["EMAIL"]
    assert both(0, 10) == ["EMAIL", "BOILERPLATE"] and both(20, 22) == ["BOILERPLATE", "EMAIL"]
    assert merged(finding(0, 3), removal.clear()).height == 1


def test_the_job_writes_them_over_all_shards(tmp_path: Path) -> None:
    documents = {f"d{n}": ("a", f"{HEAD}\ntext {n} alone") for n in range(12)}
    documents |= {f"e{n}": ("b", f"{HEAD}\nother {n}") for n in range(3)}
    for number in (1, 4):
        home = tmp_path / str(number)
        dedup_job.run(home, documents, DedupParams(lines=LineParams()), number=number)
        rows = pl.read_parquet(home / "state/removals/*.parquet").sort("doc_id")
        assert rows["doc_id"].to_list() == sorted(d for d in documents if d.startswith("d"))
        assert set(rows.select("start", "end", "score").iter_rows()) == {(0, len(HEAD) + 1, 1.0)}
