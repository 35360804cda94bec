"""The guard's shortfalls and its message."""

from __future__ import annotations

import pytest

from pipelines.engine import guard
from pipelines.engine.guard import Count, Shortfall
from pipelines.engine.published import StageError
from schemas.sections import GuardParams

PARAMS = GuardParams(max_source_loss=0.4, min_source_loss=10)
DOCUMENTS = {"a": 100, "b": 20, "c": 1000}


def short(params: GuardParams, *counts: Count) -> list[tuple[str, str]]:
    return [(s.count.name, s.limit) for s in guard.shortfalls(counts, params)]


def loss(name: str, lost: int) -> Count:
    seen = DOCUMENTS[guard.loss_sources(name)[0]]
    return Count("loss", name, seen, seen - lost)


@pytest.mark.parametrize("kind", ["stage", "source", "language"])
def test_floor_and_fall_at_their_limits(kind: guard.Kind) -> None:
    assert short(PARAMS, Count(kind, "x", 100, 1)) == [("x", "min_keep_share")]
    assert short(PARAMS, Count(kind, "x", 100, 2), Count(kind, "y", 99, 0)) == []
    assert short(PARAMS, Count(kind, "x", 500, 99, 200.0)) == [("x", "max_fall")]
    assert short(PARAMS, Count(kind, "x", 500, 100, 200.0)) == []
    assert short(PARAMS, Count(kind, "x", 500, 10, 99.0)) == []
    assert short(PARAMS, Count(kind, "x", 500, 0, 200.0)) == [("x", "min_keep_share")]


def test_losses_by_share_and_least_count_the_worst_first() -> None:
    assert short(PARAMS, loss("a > c", 41), loss("b > c", 9), loss("c > a", 400)) == [
        ("a > c", "max_source_loss")
    ]
    assert short(PARAMS, loss("a > c", 40)) == []
    both = short(PARAMS, loss("a > c", 41), loss("b > a", 20))
    assert [name for name, _ in both] == ["b > a", "a > c"]
    assert short(GuardParams(max_source_loss=0.29, min_source_loss=10), loss("a > c", 29)) == []


def test_allowed_shortfalls_do_not_stop_the_run() -> None:
    allow = GuardParams(min_documents=1, allow=("x", "source:y"), accept_source_loss=("a > c",))
    assert short(allow, Count("stage", "x", 9, 0), Count("language", "x", 9, 0)) == []
    assert short(allow, Count("source", "y", 9, 0)) == []
    assert short(allow, Count("language", "y", 9, 0)) == [("y", "min_keep_share")]
    assert short(allow, loss("a > c", 99), loss("c > a", 900)) == [("c > a", "max_source_loss")]
    assert guard.stage_floor("x", allow) == 0 and guard.stage_floor("y", allow) == 0.02


def test_the_message_names_counts_limits_and_what_allows_them() -> None:
    counts = (
        Count("language", "ky", 1000, 19),
        Count("source", "kz-news", 10, 9, 600.0),
        Count("stage", "dedup", 90, 45),
        loss("a > c", 41),
    )
    with pytest.raises(StageError) as stopped:
        guard.stop_if_short(
            counts,
            PARAMS,
            stage="release",
            explain=lambda shortfall: [f"because of {shortfall.limit}"],
        )
    assert str(stopped.value).split("\n") == [
        "release: the guard stops the run; no release is published",
        "guard: language ky: 19 kept of 1000; at least 2% must be kept (guard.min_keep_share)",
        "  because of min_keep_share",
        "guard: source a: 41 of 100 documents (41%) are lost to source c; at most 40% may be lost"
        " (guard.max_source_loss)",
        "  because of max_source_loss",
        "guard: source kz-news: 9 kept of 10; 600 are expected by the last release, and at least"
        " 50% of these must be kept (guard.max_fall)",
        "  because of max_fall",
        'to allow this, set `guard: {allow: ["language:ky", "source:kz-news"]}` in the parameters',
        'to allow this, set `guard: {accept_source_loss: ["a > c"]}` in the parameters',
    ]
    guard.stop_if_short(counts[2:3], PARAMS, stage="release", explain=lambda one: [])


def test_a_stage_that_keeps_nothing_cannot_be_allowed() -> None:
    nothing, little = (
        guard.message_lines([guard.under_floor("dedup", outcomes)], PARAMS, lambda one: [])
        for outcomes in ({"drop": 9}, {"drop": 999, "keep": 1})
    )
    assert nothing == [
        "guard: stage dedup: 0 kept of 9; at least 2% must be kept (guard.min_keep_share)"
    ]
    assert little[1:] == ['to allow this, set `guard: {allow: ["stage:dedup"]}` in the parameters']


def test_shares_refer_to_what_the_limit_refers_to() -> None:
    assert Shortfall(Count("stage", "x", 100, 1, 50.0), "min_keep_share").share == 0.01
    assert Shortfall(Count("stage", "x", 100, 1, 50.0), "max_fall").share == 0.02
    assert Shortfall(Count("source", "x", 0, 0), "min_keep_share").share == 0.0
