"""Similar documents are measured, and one of each cluster stays."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dedup import clusters, duplicates
from schemas.sections import DedupParams

PARAMS = DedupParams()
WORDS = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(60)]
TEXT = " ".join(WORDS)
LIKE = " ".join([*WORDS[:50], "other", *WORDS[51:]])
APART = " ".join(w.replace("word", "elsewhere") for w in WORDS)
COLUMNS = ("doc_id", "uri", "source_id", "captured_at", "text", "lang")


def documents(*rows: tuple[str, str | None, str | None, str]) -> pl.DataFrame:
    rows_as_dicts = [
        {"doc_id": i, "uri": f"urn:{i}", "source_id": s, "captured_at": t, "text": x}
        for i, s, t, x in rows
    ]
    return pl.DataFrame(
        rows_as_dicts, schema=dict.fromkeys(COLUMNS, pl.String) | {"quality": pl.Float64}
    )


def signed(
    rows: list[tuple[str, str | None, str | None, str]], params: DedupParams = PARAMS
) -> pl.DataFrame:
    found = duplicates.compute_signatures(
        documents(*rows), {"best": 0, "good": 1}, ["best"], params
    )
    return found.with_columns(duplicates.document_numbers(3, found.height))


def edges(read: pl.DataFrame, params: DedupParams = PARAMS) -> pl.DataFrame:
    keys = duplicates.band_keys(read, params)
    pairs = [(a, b) for (_,), g in keys.group_by("key") for a, b in pairwise(sorted(g["doc"]))]
    frame = pl.DataFrame(pairs, duplicates.PAIR, orient="row")
    return duplicates.verify_pairs(frame, read, params)


def members(read: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """Return `MEMBER` of all documents as one component."""
    return read.join(copies, on="doc", how="left").select(
        "doc",
        pl.coalesce("text", "doc").alias("text"),
        pl.lit(0, pl.UInt64).alias("component"),
        "right",
        "quality",
        "captured_at",
        "doc_id",
        "source_id",
        pl.lit(None, pl.String).alias("refused_doc_id"),
    )


def resolved(
    *rows: tuple[str, str | None, str | None, str], params: DedupParams = PARAMS
) -> dict[str, tuple[str, str, float]]:
    """Run all steps as the stage does: doc_id -> (kept_doc_id, kind, similarity)."""
    read = signed(list(rows), params)
    copies = duplicates.exact_copies(read.select("exact", "doc"))
    found = edges(read.join(copies, on="doc", how="anti"), params).filter(~pl.col("apart"))
    names = dict(read.select("doc", "doc_id").iter_rows())
    clustered = duplicates.resolve_clusters(members(read, copies), found)
    return {
        names[r["doc"]]: (r["kept_doc_id"], r["kind"], r["similarity"])
        for r in clustered.iter_rows(named=True)
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


def test_of_equal_right_the_higher_quality_stays():
    read = signed(
        [("a", "good", "2020", TEXT), ("b", "good", "2021", TEXT), ("c", "good", "2019", TEXT)]
    )
    scored = read.with_columns(quality=pl.Series([0.2, 0.9, None], dtype=pl.Float64))
    assert duplicates.rank_members(members(scored, duplicates.exact_copies(scored)))[
        "doc_id"
    ].to_list() == [*"bac"]


def test_near_duplicates_are_measured():
    found = resolved(
        ("a", "best", "2020", TEXT), ("b", "good", "2020", LIKE), ("c", "good", "2020", APART)
    )
    assert set(found) == {"a", "b"} and found["b"][:2] == ("a", "near")
    assert PARAMS.threshold <= found["b"][2] < 1.0


def test_exact_copies_of_a_removed_text_are_removed_too():
    found = resolved(
        ("a", "best", "2020", TEXT), ("b", "good", "2020", LIKE), ("c", "good", "2021", LIKE)
    )
    assert found["b"][:2] == found["c"][:2] == ("a", "near")
    assert found["b"][2] == found["c"][2] < 1.0 and found["a"] == ("a", "exact", 1.0)


def test_the_best_copy_of_a_text_represents_it():
    found = resolved(
        ("a", "good", "2020", TEXT), ("b", "good", "2020", LIKE), ("c", "best", "2021", LIKE)
    )
    assert found["a"][:2] == ("c", "near") and found["b"][:2] == ("c", "exact")


def test_texts_without_words():
    found = resolved(
        ("a", "good", "2020", "..."), ("b", "good", "2020", "?!"), ("c", "good", "2020", "...")
    )
    assert set(found) == {"a", "c"} and found["c"] == ("a", "exact", 1.0)
    assert duplicates.compute_signatures(documents(), {}, [], PARAMS).height == 0
    assert resolved(("a", "good", "2020", "")) == {}


def test_three_words_match_only_their_exact_copies():
    found = resolved(
        ("a", "good", "2020", "one two three"),
        ("b", "good", "2020", "one two four"),
        ("c", "good", "2020", "One, two three."),
    )
    assert set(found) == {"a", "c"} and found["c"][1] == "exact"


FIGURED = f"{TEXT} № 12 {LIKE[::-1]}"


@pytest.mark.parametrize(
    ("source", "other", "stay"),
    [("best", "best", 2), ("good", "best", 2), ("good", "good", 1)],
)
def test_figures_distinguish_documents_if_either_source_says_so(source, other, stay):
    rows = [("a", source, "2020", FIGURED), ("b", other, "2020", FIGURED.replace("12", "13"))]
    found = edges(signed(rows))
    assert found.height == 1 and found["apart"].to_list() == [stay == 2]
    assert len(resolved(*rows)) == (0 if stay == 2 else 2)


def test_the_summary_of_documents_kept_apart():
    rows = [
        ("a", "best", "2020", f"{FIGURED} 7 мая 5 %"),
        ("b", "best", "2020", f"{FIGURED} 7 июня 5 %"),
        ("c", "best", "2020", f"{FIGURED} 8 июня 6 %"),
    ]
    read = signed(rows)
    pairs = pl.DataFrame(
        [(read["doc"][i], read["doc"][j]) for i, j in ((0, 1), (0, 2), (1, 2))],
        duplicates.PAIR,
        orient="row",
    )
    found = duplicates.summarize_apart(duplicates.verify_pairs(pairs, read, PARAMS), read)
    first = found.row(0, named=True)
    assert first["other_doc_id"] == "b" and first["documents"] == 2
    assert (first["number"], first["date"], first["docket"]) == (0, 1, 0)
    others = found.filter(pl.col("other_doc_id") == "b")
    assert first["at"] == [len(FIGURED.split()) + 1] and others.height == 1
    assert "июня" not in str(found.rows()) and "12" not in str(found["other_doc_id"].to_list())


def test_containment_counts_only_if_the_parameters_say_so():
    long, short = f"{TEXT} {APART}", TEXT
    rows = [("a", "good", "2020", long), ("b", "good", "2021", short)]
    read = signed(rows)
    pairs = pl.DataFrame([(read["doc"][0], read["doc"][1])], duplicates.PAIR, orient="row")
    assert duplicates.verify_pairs(pairs, read, PARAMS).is_empty()
    with_containment = dataclasses.replace(PARAMS, containment=0.95)
    found = duplicates.verify_pairs(pairs, read, with_containment)
    assert found["contained"].to_list() == [read["doc"][1]] and found["similarity"][0] == 1.0
    none = duplicates.exact_copies(read.select("exact", "doc"))
    clustered = duplicates.resolve_clusters(members(read, none), found)
    gone = clustered.filter(pl.col("measure") == "containment")
    assert gone["doc"].to_list() == [read["doc"][1]] and gone["kept_doc_id"].to_list() == ["a"]
    # The longer text is not removed for its part.
    better = members(read, none).with_columns(right=pl.Series([1, 0]))
    assert duplicates.resolve_clusters(better, found).is_empty()


def test_shingles_of_characters():
    params = dataclasses.replace(PARAMS, shingle_of="characters", shingle=9)
    found = resolved(("a", "good", "2020", TEXT), ("b", "good", "2021", LIKE), params=params)
    assert found["b"][:2] == ("a", "near") and found["b"][2] > 0.9


def test_a_number_holds_place_and_row():
    docs = duplicates.document_numbers(7, 3)
    assert duplicates.shard_places(docs).tolist() == [7] * 3 and docs.n_unique() == 3
    assert duplicates.shard_rows(docs).tolist() == [0, 1, 2]


CASES = st.tuples(
    st.lists(st.integers(0, 3), min_size=2, max_size=12),  # which text each has
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(70, 99)), max_size=6),
    st.lists(st.integers(0, 2), min_size=12, max_size=12),
    st.randoms(use_true_random=False),
)


@given(CASES)
def test_each_removed_document_was_compared_with_its_keeper(case):
    kinds, between, rights, random = case
    docs = list(range(len(kinds)))
    first = {kind: kinds.index(kind) for kind in kinds}
    similar = {(a, b): s / 100 for a, b, s in between if a < b and a in first and b in first}
    pairs = {tuple(sorted((first[a], first[b]))): s for (a, b), s in similar.items()}
    member_rows = pl.DataFrame(
        {
            "doc": docs,
            "text": [first[k] for k in kinds],
            "component": [0] * len(docs),
            "right": rights[: len(docs)],
            "quality": [n % 2 / 2 for n in docs],
            "captured_at": [str(n % 3) for n in docs],
            "doc_id": [f"{n:02}" for n in docs],
            "source_id": ["s"] * len(docs),
            "refused_doc_id": [None] * len(docs),
        },
        duplicates.MEMBER,
    )

    def resolve() -> pl.DataFrame:
        rows = [(a, b, s, "jaccard", None, False) for (a, b), s in pairs.items()]
        random.shuffle(rows)
        shuffled = member_rows.sample(fraction=1, shuffle=True, seed=random.randrange(99))
        return duplicates.resolve_clusters(
            shuffled, pl.DataFrame(rows, duplicates.EDGE, orient="row")
        )

    found = resolve()
    assert found.equals(resolve())
    assert found["doc"].is_unique().all() and found["kept_doc_id"].null_count() == 0
    kept = dict(found.select("doc", "kept_doc_id").iter_rows())
    for row in found.iter_rows(named=True):
        target = int(row["kept_doc_id"])
        assert kept[target] == row["kept_doc_id"]  # a keeper is its own keeper
        a, b = sorted((kinds[row["doc"]], kinds[target]))
        assert row["similarity"] == (1.0 if a == b else similar[a, b])
        assert row["kind"] == ("exact" if a == b else "near")
    gone = {doc for doc, name in kept.items() if int(name) != doc}
    left = [d for d in docs if d not in gone]
    assert len({kinds[d] for d in left}) == len(left)  # at most one of each text
    assert not any(tuple(sorted((kinds[a], kinds[b]))) in similar for a in left for b in left)


def test_nothing_to_resolve():
    nothing = pl.DataFrame(schema=duplicates.MEMBER)
    found = duplicates.resolve_clusters(nothing, pl.DataFrame(schema=duplicates.EDGE))
    assert found.height == 0 and {"doc", "kept_doc_id", "measure"} <= set(found.columns)


def test_a_text_without_a_rank_is_an_error():
    row = [(1, 2, 0.8, "jaccard", None, False)]
    with pytest.raises(KeyError):
        duplicates.resolve_clusters(
            pl.DataFrame(schema=duplicates.MEMBER),
            pl.DataFrame(row, duplicates.EDGE, orient="row"),
        )


def test_a_template_of_many_members_costs_a_bounded_number_of_pairs():
    """Most of each text is the template, so its bands are hot."""
    template = " ".join(f"form{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(70))
    rows = [
        (f"{n:04}", "good", "2020", template + " " + " ".join(f"w{n}x{k}" for k in range(20)))
        for n in range(600)
    ]
    keys = duplicates.band_keys(signed(rows), PARAMS)
    assert keys.group_by("key").len()["len"].max() > 200
    pairs = clusters.candidate_pairs(keys)
    assert pairs.height < 2 * keys.height
