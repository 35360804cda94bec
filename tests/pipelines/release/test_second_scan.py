"""The second scan of an unpublished release: its findings, its sample and its message."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import polars as pl
import pytest
from helpers.judged_records import PARAMS, SOURCES
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine.context import Context
from pipelines.engine.published import StageError
from pipelines.engine.shards import State
from pipelines.personal_data.residual_patterns import find_missed, sample_documents
from pipelines.release import second_scan
from pipelines.release.stage import ReleaseStage
from schemas.privacy import PrivacyParams, PrivacyRule
from schemas.register import Register

IIN = "900101300017"
LEFT = {
    "KZ_IIN": f"ЖСН: {IIN} берілді",
    "EMAIL_ADDRESS": "хат aigul@mail.example.kz.",
    "RU_INN": "ИНН 500100732259",
    "RU_SNILS": "СНИЛС 112-233-445 95",
    "IBAN_CODE": "IBAN GE29NB0000000101904917",
    "PHONE_NUMBER": "тел.: +7 701 234-56-78",
    "EE_ISIKUKOOD": "isikukood 37605030299",
}


@pytest.mark.parametrize("entity", sorted(LEFT))
def test_missed_personal_data_is_found(entity: str) -> None:
    text = LEFT[entity]
    (hit,) = find_missed(text)
    assert hit.entity == entity and text[hit.start : hit.end] in text
    assert list(find_missed(text, [(hit.start, hit.end)])) == []


@pytest.mark.parametrize(
    "text",
    [
        f"тапсырыс {IIN}",
        "ЖСН: 900101300018 жарамсыз",
        "ИНН 5001007322590",
        "logo@2x.png",
        "ЖСН <KZ_IIN>, <EMAIL_ADDRESS>",
        "тел. +7 000 000-00-00",
        "x@y.invalid",
    ],
)
def test_other_text_is_not_reported(text: str) -> None:
    assert list(find_missed(text)) == []


@pytest.mark.parametrize("bait", ["a@" * 50_000, "1" * 100_000, "a." * 50_000, "тел. +7 " * 10_000])
def test_time_grows_in_proportion_to_the_text(bait: str) -> None:
    start = time.process_time()
    list(find_missed(bait))
    assert time.process_time() - start < 10


@given(ids=st.lists(st.text("0123456789abcdef", min_size=4), max_size=40), size=st.integers(0, 50))
def test_a_sample_is_the_same_in_any_order(ids: list[str], size: int) -> None:
    chosen = sample_documents(ids, size)
    assert chosen == sample_documents(reversed(ids), size)
    assert len(chosen) == min(size, len({*ids})) and {*chosen} <= {*ids}
    assert sample_documents(ids, size + 1)[:size] == chosen


def test_a_file_of_each_language_is_opened() -> None:
    parts = [f"data/ru/part-{n:05d}.parquet" for n in range(90)] + ["data/kk/part-00000.parquet"]
    chosen = second_scan.choose_files(parts)
    assert len(chosen) == 48 and "data/kk/part-00000.parquet" in chosen
    assert chosen == second_scan.choose_files(parts[::-1])


def write_release(root: Path) -> State:
    text = "ЖСН <KZ_IIN>, ЖСН 900101300017"
    frames = {
        "data/kk/part-00000": {"doc_id": ["d1"], "text": [text], "source_id": ["good"]},
        "lineage/documents/part-kk-00000": {
            "doc_id": ["d1"],
            "shard": ["data/kk/part-00000.parquet"],
        },
        "lineage/redactions/part-kk-00000": {"doc_id": ["d1"], "start": [4], "end": [12]},
    }
    for name, rows in frames.items():
        path = root / f"{name}.parquet"
        path.parent.mkdir(parents=True)
        pl.DataFrame(rows).write_parquet(path)
    return State(str(root))


def make_context(policy: PrivacyParams) -> Context:
    register = Register({s.id: s for s in SOURCES}, {}, (), "0" * 64)
    return Context(dataclasses.replace(PARAMS, privacy=policy), register)


def test_a_finding_stops_the_run_and_the_message_hides_its_value(tmp_path: Path) -> None:
    state = write_release(tmp_path)
    with pytest.raises(StageError, match="document d1: KZ_IIN at 18-30") as raised:
        second_scan.stop_if_missed(make_context(PrivacyParams()), state)
    assert IIN not in str(raised.value)


def test_the_stage_scans_before_it_publishes(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="Nothing was published"):
        ReleaseStage.check(
            object.__new__(ReleaseStage), make_context(PrivacyParams()), write_release(tmp_path), {}
        )


@pytest.mark.parametrize(
    "policy",
    [
        PrivacyParams(second_scan=0),
        PrivacyParams(entities=("EMAIL_ADDRESS",)),
        PrivacyParams(rules=(PrivacyRule("keep", ("KZ_IIN",), ("good",), ("KZ",)),)),
    ],
    ids=["off", "not looked for", "kept"],
)
def test_classes_that_the_policy_keeps_are_not_reported(
    policy: PrivacyParams, tmp_path: Path
) -> None:
    second_scan.stop_if_missed(make_context(policy), write_release(tmp_path))
