"""The native verdict, compared with Great Expectations' on the same suites."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpers.stage_counts import BAD, COLUMNS, GOOD, IN_SET, SUM, Frame, frame
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine import data_docs, expectations
from pipelines.engine.expectations import Failure, Verdict
from schemas.errors import Invalid
from schemas.stages import STAGES

Values = st.SearchStrategy[Any]

COUNTS: tuple[Values, ...] = (
    st.just(0),
    st.integers(0, 2),
    st.one_of(st.none(), st.integers(-2, 9)),
    st.floats(-1, 3) | st.just(float("nan")),
    st.none(),
    st.sampled_from(["x", "y"]),
)
SHARES: tuple[Values, ...] = (
    st.none(),
    st.floats(0, 1),
    st.one_of(st.none(), st.floats(-2, 2), st.just(float("nan")), st.just(float("inf"))),
)
NAMES: tuple[Values, ...] = (
    st.sampled_from("abcdefgh"),
    st.one_of(st.none(), st.sampled_from("ab")),
)
#: Sums of texts cannot be derived; such a column stops the stage before it is judged.
SUMMED = {"records", "documents", "keep", "refuse", "drop", "damaged"}


@st.composite
def counts(draw: st.DrawFn) -> tuple[str, pl.DataFrame]:
    """A stage and a frame of its columns; each may have good values, other values or be missing."""
    stage = draw(st.sampled_from(STAGES))
    height = draw(st.integers(0, 8))
    columns: Frame = {}
    for name, good in GOOD[stage].items():
        fate = draw(st.sampled_from(["good"] * 6 + ["drawn"] * 3 + ["missing"]))
        if fate == "good":
            columns[name] = (good * height)[:height]
        elif fate == "drawn":
            kinds = COUNTS
            if name in ("shard", "lang"):
                kinds = NAMES
            elif any(isinstance(value, float) for value in good) or "_m" in name:
                kinds = SHARES
            elif name in SUMMED:
                kinds = COUNTS[:3]
            values = draw(st.sampled_from(kinds))
            columns[name] = draw(st.lists(values, min_size=height, max_size=height))
    if "shard" in columns and draw(st.booleans()):
        columns["shard"] = [f"s{i}" for i in range(height)]
    return stage, pl.DataFrame(columns, strict=False)


def judge(
    stage: str, aggregates: pl.DataFrame, docs: Path, min_keep_share: float | None = 0.0
) -> list[Verdict]:
    """Return the native verdict; check that Great Expectations' is equal.

    Only the reason of `no answer` may differ.
    """
    spec = expectations.suite(stage)
    values = expectations.parameters(min_keep_share)
    native = expectations.judge(spec, expectations.prepare_rows(aggregates, spec["meta"]), values)
    theirs = data_docs.write_data_docs(stage, aggregates, docs, min_keep_share=min_keep_share)
    assert [comparable(v) for v in native] == [comparable(v) for v in theirs]
    assert list(data_docs.contradictions(native, theirs)) == []
    return native


def comparable(verdict: Verdict) -> Verdict:
    head = "no answer"
    return verdict._replace(observed=head) if verdict.observed.startswith(head) else verdict


def failures(
    stage: str, aggregates: pl.DataFrame, docs: Path, min_keep_share: float | None = 0.0
) -> list[Failure]:
    verdicts = judge(stage, aggregates, docs, min_keep_share)
    return expectations.failures(expectations.suite(stage), verdicts)


@settings(max_examples=60, deadline=None)
@given(counts(), st.sampled_from([None, 0.0, 0.5]))
def test_both_verdicts_are_equal(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[str, pl.DataFrame], share: float | None
) -> None:
    judge(*drawn, tmp_path_factory.mktemp("docs") / "docs", share)


def test_a_zero_has_no_sign(tmp_path: Path) -> None:
    counts = frame("ingest").with_columns(null_sources=-0.0)
    assert all(verdict.success for verdict in judge("ingest", counts, tmp_path / "docs"))


@pytest.mark.parametrize("stage", STAGES)
def test_good_counts_pass(stage: str, tmp_path: Path) -> None:
    verdicts = judge(stage, frame(stage), tmp_path / "docs", 0.5)
    assert all(verdict.success for verdict in verdicts)
    assert len(verdicts) == len(expectations.suite(stage)["expectations"])


@pytest.mark.parametrize(("stage", "changed", "expectation", "column"), BAD)
def test_a_failure_names_the_expectation(
    stage: str, changed: Frame, expectation: str, column: str, tmp_path: Path
) -> None:
    failed = failures(stage, frame(stage, **changed), tmp_path / "docs")
    assert (expectation, column) in [failure[:2] for failure in failed]
    assert any(str(failure).startswith(f"{expectation}({column}): observed ") for failure in failed)


def test_a_failure_names_the_shards_and_the_requirement(tmp_path: Path) -> None:
    changed = frame("ingest", shard=["a", "b"], null_texts=[0, 3])
    assert failures("ingest", changed, tmp_path / "docs") == [
        (
            IN_SET,
            "null_texts",
            "1 of 2 shards: b (null_texts 3)",
            "A document has text (value_set [0])",
        )
    ]


def test_share_kept_over_all_shards(tmp_path: Path) -> None:
    kept = frame("language", keep=[1, 0], drop=[5, 0])
    assert failures("language", kept, tmp_path / "docs", 1 / 6) == []
    assert [failure[:2] for failure in failures("language", kept, tmp_path / "docs", 0.2)] == [
        ("expect_column_min_to_be_between", "kept_share")
    ]


def test_keeping_nothing_must_be_allowed(tmp_path: Path) -> None:
    nothing = frame("privacy", keep=[0, 0], drop=[2, 1])
    assert failures("privacy", nothing, tmp_path / "docs", None) == []
    no_input = frame("privacy", documents=[0, 0], keep=[0, 0], drop=[0, 0])
    assert failures("privacy", no_input, tmp_path / "docs", None) == []
    assert [failure[:2] for failure in failures("privacy", no_input, tmp_path / "docs", 0.5)] == [
        (SUM, "keep")
    ]


@pytest.mark.parametrize("empty", [pl.DataFrame(), frame("dedup").clear()])
def test_no_shards(empty: pl.DataFrame, tmp_path: Path) -> None:
    failed = failures("dedup", empty, tmp_path / "docs")
    assert [(failure.expectation, failure.observed) for failure in failed] == [
        ("expect_table_row_count_to_be_between", "0")
    ]


def test_missing_column(tmp_path: Path) -> None:
    short = frame("ingest").drop("refuse", "null_texts")
    failed = failures("ingest", short, tmp_path / "docs")
    assert [(failure.expectation, failure.observed) for failure in failed] == [
        (COLUMNS, "no null_texts, refuse")
    ]


def test_rows_without_a_name_are_numbered(tmp_path: Path) -> None:
    unnamed = frame("privacy", bad_spans=[0, 2]).drop("shard")
    failed = failures("privacy", unnamed, tmp_path / "docs")
    assert [failure.observed for failure in failed] == ["no shard", "1 of 2 shards: row 0"]


def test_texts_are_not_compared_with_numbers(tmp_path: Path) -> None:
    failed = failures("privacy", frame("privacy", bad_spans=["x", "y"]), tmp_path / "docs")
    assert failed[0].observed == "no answer, bad_spans holds String, not numbers"


def test_a_column_of_only_nulls_passes(tmp_path: Path) -> None:
    nulls: Frame = {"similarity_min": [None, None], "similarity_max": [None, None]}
    assert failures("dedup", frame("dedup", **nulls), tmp_path / "docs") == []


def test_different_verdicts_are_listed() -> None:
    own = [Verdict(IN_SET, "bad_spans", True, "0 of 2 shards: ")]
    other = [own[0]._replace(success=False, observed="1 of 2 shards: a (bad_spans 1)")]
    (line,) = data_docs.contradictions(own, other)
    assert line == (
        f"{IN_SET}(bad_spans) fails for Great Expectations (observed 1 of 2 shards: a (bad_spans 1)), "
        "and natively it holds (observed 0 of 2 shards: )"
    )
    assert list(data_docs.contradictions(own, [])) == [
        "the two verdicts are about different expectations"
    ]


def test_an_unknown_type_is_refused_by_file_and_type() -> None:
    spec = {"expectations": [{"type": SUM}, {"type": "expect_column_to_exist"}]}
    with pytest.raises(Invalid) as caught:
        expectations.check_types(spec, "schemas/expectations/mine.json")
    (problem,) = caught.value.problems
    assert (problem.file, problem.key) == ("schemas/expectations/mine.json", "expectations[1].type")
    assert "expect_column_to_exist is not implemented" in problem.message
    assert IN_SET in problem.message


@pytest.mark.parametrize("stage", STAGES)
def test_a_suite_is_the_file(stage: str) -> None:
    file = resources.files("schemas").joinpath("expectations", f"{stage}.json")
    assert expectations.suite(stage) == json.loads(file.read_text("utf-8"))


@given(st.lists(st.tuples(*[st.integers(0, 99)] * 2), min_size=1, max_size=9))
def test_derived_sums(counts: list[tuple[int, int]]) -> None:
    keep, drop = (pl.Series(column) for column in zip(*counts, strict=True))
    table = pl.DataFrame({"documents": keep + drop, "keep": keep, "drop": drop})
    derived = expectations.derive(table, expectations.suite("privacy")["meta"])
    assert {*derived["unaccounted"], *derived["uncounted"]} == {0}
    total = sum(map(sum, counts))
    share = sum(kept for kept, _ in counts) / total if total else 1.0
    assert derived["kept_share"].to_list() == [share] * table.height
    short = table.with_columns(pl.col("documents", "keep", "drop").cast(pl.UInt32)).with_columns(
        pl.col("drop") + 1
    )
    assert {*expectations.derive(short, expectations.suite("privacy")["meta"])["unaccounted"]} == {
        -1
    }
