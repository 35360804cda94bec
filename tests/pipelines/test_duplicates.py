"""Who stays of documents that are alike, and what is measured of those that go."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import duplicates
from schemas.params import DedupParams

PARAMS = DedupParams()
WORDS = [f"word{n}" for n in range(60)]
TEXT = " ".join(WORDS)
LIKE = " ".join([*WORDS[:50], "other", *WORDS[51:]])
APART = " ".join(f"elsewhere{n}" for n in range(60))


def documents(*rows: tuple[str, str | None, str | None, str]) -> pl.DataFrame:
    some = [
        {"doc_id": i, "uri": f"urn:{i}", "source_id": s, "captured_at": t, "text": x}
        for i, s, t, x in rows
    ]
    return pl.DataFrame(
        some, schema=dict.fromkeys(("doc_id", "uri", "source_id", "captured_at", "text"), pl.String)
    )


def resolved(*rows: tuple[str, str | None, str | None, str]) -> dict[str, tuple[str, str, float]]:
    """doc_id -> (kept_doc_id, kind, similarity), all steps run as the stage does."""
    signed = duplicates.sign(documents(*rows), {"best": 0, "good": 1}, PARAMS)
    signed = signed.with_columns(duplicates.numbers(3, signed.height))
    exact = duplicates.exact_pairs(signed.select("exact", "doc", "right", "captured_at", "doc_id"))
    left = signed.join(exact, on="doc", how="anti")
    keys = duplicates.bands(left, PARAMS)
    pairs = [(a, b) for (_,), g in keys.group_by("band_key") for a, b in pairwise(sorted(g["doc"]))]
    frame = pl.DataFrame(pairs, {"left": pl.UInt64, "right": pl.UInt64}, orient="row")
    edges = duplicates.verify(frame, left, PARAMS.threshold)
    about = signed.select("doc", "right", "captured_at", "doc_id")
    names = dict(signed.select("doc", "doc_id").iter_rows())
    found = duplicates.resolve(exact, edges, about)
    return {
        names[r["doc"]]: (r["kept_doc_id"], r["kind"], r["similarity"])
        for r in found.iter_rows(named=True)
    }


def test_the_better_right_stays_then_the_earlier_capture_then_the_id():
    assert resolved(("a", "good", "2020", TEXT), ("b", "best", "2026", TEXT)) == {
        "a": ("b", "exact", 1.0),
        "b": ("b", "exact", 1.0),
    }
    assert resolved(("a", "good", "2021", TEXT), ("b", "good", "2020", TEXT))["a"][0] == "b"
    assert resolved(("a", "good", None, TEXT), ("b", "good", "2020", TEXT))["a"][0] == "b"
    assert resolved(("b", "good", "2020", TEXT), ("a", "good", "2020", TEXT))["b"][0] == "a"
    assert resolved(("a", "unknown", "2020", TEXT), ("b", "good", "2020", TEXT))["a"][0] == "b"


def test_near_duplicates_are_measured():
    found = resolved(
        ("a", "best", "2020", TEXT), ("b", "good", "2020", LIKE), ("c", "good", "2020", APART)
    )
    assert set(found) == {"a", "b"} and found["b"][:2] == ("a", "near")
    assert PARAMS.threshold <= found["b"][2] < 1.0


def test_an_exact_copy_of_what_goes_goes_with_it():
    found = resolved(
        ("a", "best", "2020", TEXT), ("b", "good", "2020", LIKE), ("c", "good", "2021", LIKE)
    )
    assert found["b"][:2] == found["c"][:2] == ("a", "near")
    assert found["b"][2] == found["c"][2] < 1.0 and found["a"] == ("a", "exact", 1.0)


def test_texts_without_words():
    found = resolved(
        ("a", "good", "2020", "..."), ("b", "good", "2020", "?!"), ("c", "good", "2020", TEXT)
    )
    assert "c" not in found
    assert duplicates.sign(documents(), {}, PARAMS).height == 0
    assert resolved(("a", "good", "2020", "")) == {}


def test_numbers_say_the_place():
    docs = duplicates.numbers(7, 3)
    assert duplicates.place_of(docs).tolist() == [7] * 3 and docs.n_unique() == 3
    pairs = pl.DataFrame(
        {"left": [docs[0]], "right": [docs[2] + (1 << 32)], "x": [1]},
        {"left": pl.UInt64, "right": pl.UInt64, "x": pl.Int64},
    )
    ((a, b, group),) = duplicates.shards_of(pairs)
    assert (a, b) == (7, 8) and group.columns == pairs.columns


def test_union():
    assert duplicates.union([], {"a": pl.Int64}).schema == {"a": pl.Int64}
    one = pl.DataFrame({"a": [1]})
    assert duplicates.union([one, one.clear(), one], {"a": pl.Int64})["a"].to_list() == [1, 1]


CASES = st.tuples(
    st.lists(st.integers(0, 3), min_size=2, max_size=12),  # which text each has
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(70, 99)), max_size=6),
    st.lists(st.integers(0, 2), min_size=12, max_size=12),
    st.randoms(use_true_random=False),
)


@given(CASES)
def test_every_document_that_goes_was_measured_against_the_one_kept(case):
    texts, between, rights, random = case
    docs = list(range(len(texts)))
    about = pl.DataFrame(
        {
            "doc": docs,
            "right": rights[: len(docs)],
            "captured_at": [str(n % 3) for n in docs],
            "doc_id": [f"{n:02}" for n in docs],
        },
        {"doc": pl.UInt64, "right": pl.Int64, "captured_at": pl.String, "doc_id": pl.String},
    )
    keys = about.with_columns(exact=pl.Series([str(t) for t in texts]))
    exact = duplicates.exact_pairs(keys)
    stays = {t: d for d, t in zip(docs, texts, strict=True) if d not in exact["doc"].to_list()}
    similar = {(a, b): s / 100 for a, b, s in between if a < b and a in stays and b in stays}
    rows = [(stays[a], stays[b], s) for (a, b), s in similar.items()]
    schema = {"left": pl.UInt64, "right": pl.UInt64, "similarity": pl.Float64}

    def resolve(flip: bool) -> pl.DataFrame:
        some = [(b, a, s) if flip and random.random() < 0.5 else (a, b, s) for a, b, s in rows]
        random.shuffle(some)
        edges = pl.DataFrame(some, schema, orient="row")
        return duplicates.resolve(
            exact.sample(fraction=1, shuffle=True, seed=random.randrange(99)),
            edges,
            about.sample(fraction=1, shuffle=True, seed=1),
        )

    found = resolve(False)
    assert found.equals(resolve(True))
    assert found["doc"].is_unique().all() and found["kept_doc_id"].null_count() == 0
    kept = dict(found.select("doc", "kept_doc_id").iter_rows())
    for row in found.iter_rows(named=True):
        target = int(row["kept_doc_id"])
        assert kept[target] == row["kept_doc_id"]  # who is kept is kept by itself
        pair = tuple(sorted((texts[row["doc"]], texts[target])))
        assert row["similarity"] == (1.0 if pair[0] == pair[1] else similar[pair])  # type: ignore[index]
        assert row["kind"] == ("exact" if pair[0] == pair[1] else "near")
    gone = {doc for doc, name in kept.items() if int(name) != doc}
    assert set(exact["doc"]) <= gone
    left = [d for d in docs if d not in gone]
    assert not any(
        (min(texts[a], texts[b]), max(texts[a], texts[b])) in similar
        for a in left
        for b in left
        if a < b
    )


def test_nothing_to_resolve():
    empty = pl.DataFrame(schema={"doc": pl.UInt64, "kept": pl.UInt64})
    edges = pl.DataFrame(schema={"left": pl.UInt64, "right": pl.UInt64, "similarity": pl.Float64})
    about = pl.DataFrame(
        schema={"doc": pl.UInt64, "right": pl.Int64, "captured_at": pl.String, "doc_id": pl.String}
    )
    found = duplicates.resolve(empty, edges, about)
    assert found.height == 0 and set(found.columns) == {
        "doc",
        "kept_doc_id",
        "similarity",
        "kind",
        "cluster_id",
    }


def test_a_document_without_a_rank_is_an_error():
    edges = pl.DataFrame(
        {"left": [1], "right": [2], "similarity": [0.8]},
        {"left": pl.UInt64, "right": pl.UInt64, "similarity": pl.Float64},
    )
    about = pl.DataFrame(
        {"doc": [1], "right": [0], "captured_at": ["x"], "doc_id": ["a"]},
        {"doc": pl.UInt64, "right": pl.Int64, "captured_at": pl.String, "doc_id": pl.String},
    )
    with pytest.raises(KeyError):
        duplicates.resolve(pl.DataFrame(schema={"doc": pl.UInt64, "kept": pl.UInt64}), edges, about)
