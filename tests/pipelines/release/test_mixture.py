from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.engine import decisions
from pipelines.release.mixture import COLUMNS, fill_cap, leave_out
from schemas.mixture import Cap, Mixture

SCHEMA = {
    "doc_id": pl.String,
    "lang": pl.String,
    "domain": pl.String,
    "source_id": pl.String,
    "n_chars": pl.Int64,
    "score": pl.Float32,
}
LANGUAGES, DOMAINS, SOURCES = ("kk", "ru", "uz"), ("law", "news"), ("s-1", "s-2")


def table(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Return rows (lang, domain, source_id, n_chars, score) with ids computed from their number."""
    documents = [
        (f"{i * 0x9E3779B97F4A7C15 % 2**64:016x}{i:016x}", *row) for i, row in enumerate(rows)
    ]
    return pl.DataFrame(documents, SCHEMA, orient="row")


def kept(documents: pl.DataFrame, wanted: Mixture) -> pl.DataFrame:
    return documents.join(leave_out(documents, wanted), on="doc_id", how="anti")


rows = st.tuples(
    st.sampled_from(LANGUAGES),
    st.sampled_from((*DOMAINS, None)),
    st.sampled_from(SOURCES),
    st.integers(1, 1000),
    st.one_of(st.none(), st.floats(0, 1, width=32), st.just(float("nan"))),
)
tables = st.lists(rows, max_size=40).map(lambda documents: table(*documents))
filters = st.fixed_dictionaries(
    {},
    optional={
        "language": st.sampled_from(LANGUAGES),
        "domain": st.sampled_from(DOMAINS),
        "source": st.sampled_from(SOURCES),
    },
)
counted = st.builds(
    lambda unit, limit, where: Cap(unit, float(limit), **where),
    st.sampled_from(("documents", "chars")),
    st.integers(1, 3000),
    filters,
)
shared = st.builds(
    lambda share, where: Cap("share", share, **where), st.floats(0.01, 0.99), filters
)


def mixtures(cap: st.SearchStrategy[Cap]) -> st.SearchStrategy[Mixture]:
    return st.builds(
        Mixture,
        languages=st.one_of(st.none(), st.just(("kk", "ru"))),
        domains=st.one_of(st.none(), st.just(("law",))),
        caps=st.lists(cap, max_size=4).map(tuple),
        order=st.sampled_from(("quality", "hash")),
        seed=st.integers(0, 3),
    )


def members(documents: pl.DataFrame, named: dict[str, str]) -> pl.DataFrame:
    for key, value in named.items():
        documents = documents.filter(pl.col(COLUMNS[key]) == value)
    return documents


@settings(max_examples=50)
@given(tables, mixtures(st.one_of(counted, shared)))
def test_limits_hold_and_each_document_is_left_out_once(
    documents: pl.DataFrame, wanted: Mixture
) -> None:
    left, stays = leave_out(documents, wanted), kept(documents, wanted)
    assert left["doc_id"].is_unique().all() and left["doc_id"].is_sorted()
    assert left.height + stays.height == documents.height
    assert all(decisions.is_known_reason("drop", reason) for reason in left["reason"])
    for cap in wanted.caps:
        under = members(stays, cap.filters)
        if cap.unit == "documents":
            assert under.height <= cap.limit
        elif cap.unit == "chars":
            assert under["n_chars"].sum() <= cap.limit
    for reason, evidence in left.select("reason", "evidence").iter_rows():
        value = json.loads(evidence)
        if reason == "mixture-cap":
            cap = wanted.caps[value["cap"] - 1]
            under = members(stays, value["filter"])
            size = under.height if value["unit"] == "documents" else under["n_chars"].sum()
            assert value["filter"] == cap.filters and size <= value["limit"]
            assert cap.unit == "share" or value["limit"] == cap.limit


@settings(max_examples=50)
@given(tables, mixtures(st.one_of(counted, shared)), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    documents: pl.DataFrame, wanted: Mixture, random: Any
) -> None:
    order = list(range(documents.height))
    random.shuffle(order)
    assert leave_out(documents[order], wanted).equals(leave_out(documents, wanted))


@settings(max_examples=50)
@given(tables, mixtures(counted))
def test_a_mixture_changes_nothing_when_applied_again(
    documents: pl.DataFrame, wanted: Mixture
) -> None:
    assert leave_out(kept(documents, wanted), wanted).is_empty()


@settings(max_examples=50)
@given(tables, st.lists(st.floats(0.05, 0.95), min_size=1, max_size=3))
def test_shares_of_languages_are_exact_to_one_document(
    documents: pl.DataFrame, shares: list[float]
) -> None:
    caps = [Cap("share", s, language=lang) for s, lang in zip(shares, LANGUAGES, strict=False)]
    stays = kept(documents, Mixture(caps=tuple(caps)))
    whole = stays["n_chars"].sum()
    longest = sum(members(documents, c.filters)["n_chars"].max() or 0 for c in caps)
    for cap in caps:
        under = members(stays, cap.filters)["n_chars"].sum()
        assert under <= cap.limit * (whole + longest) + 1
    free = documents.filter(~pl.col("lang").is_in(LANGUAGES[: len(caps)]))
    assert free.join(stays, on="doc_id", how="anti").is_empty()


def test_a_share_refers_to_the_final_release() -> None:
    documents = table(*[("ru", None, "s-1", 10, None)] * 900, *[("kk", None, "s-1", 10, None)] * 60)
    stays = kept(documents, Mixture(caps=(Cap("share", 0.4, language="ru"),)))
    assert dict(stays["lang"].value_counts().iter_rows()) == {"kk": 60, "ru": 40}


def test_shares_that_add_up_to_one_balance() -> None:
    documents = table(*[("ru", None, "s-1", 7, None)] * 50, *[("kk", None, "s-1", 5, None)] * 20)
    wanted = Mixture(caps=(Cap("share", 0.5, language="ru"), Cap("share", 0.5, language="kk")))
    stays = dict(kept(documents, wanted)["lang"].value_counts().iter_rows())
    assert stays == {"kk": 20, "ru": 14}  # 100 and 98 characters


def test_a_share_that_nothing_can_fill() -> None:
    documents = table(*[("ru", None, "s-1", 7, None)] * 9)
    assert kept(documents, Mixture(caps=(Cap("share", 0.5, language="ru"),))).is_empty()


def test_the_best_scores_stay_first_and_missing_scores_last() -> None:
    scores = [0.1, None, 0.9, 0.5, float("nan")]
    documents = table(*[("ru", None, "s-1", 10, score) for score in scores])
    wanted = Mixture(caps=(Cap("documents", 3.0),), order="quality")
    stays = kept(documents, wanted)["score"].to_list()
    assert sorted(stays) == sorted(documents["score"][[0, 2, 3]])
    other = Mixture(caps=(Cap("documents", 1.0),), seed=1), Mixture(caps=(Cap("documents", 1.0),))
    assert kept(documents, other[0]).equals(kept(documents, other[1]))
    seeds = {kept(documents, Mixture(caps=other[0].caps, seed=s))["doc_id"][0] for s in range(40)}
    assert seeds == {*documents["doc_id"]}


def test_the_evidence_names_filter_and_limit() -> None:
    documents = table(
        ("ru", "law", "s-1", 10, 0.9), ("ru", "law", "s-1", 10, 0.8), ("uz", None, "s-2", 10, 0.7)
    )
    wanted = Mixture(
        domains=("law",), caps=(Cap("chars", 15.0, "ru", source="s-1"),), order="quality"
    )
    evidence = [json.loads(e) for e in leave_out(documents, wanted)["evidence"]]
    assert sorted(evidence, key=str) == [
        {"cap": 1, "filter": {"language": "ru", "source": "s-1"}, "limit": 15, "unit": "chars"},
        {"filter": "select.domains", "found": None},
    ]


def test_a_document_too_long_for_a_cap_does_not_block_the_rest() -> None:
    assert fill_cap(np.array([90, 5, 20, 4, 1]), 10).tolist() == [False, True, False, True, True]
    assert fill_cap(np.array([], int), 10).tolist() == []
