"""Which words are figures, and what is told of those that differ."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text.numeric_tokens import KINDS, figure_differences, figure_kinds, find_figures
from pipelines.text.ragged import lists
from pipelines.text.shingles import words


def kind(word: str) -> str | None:
    (found,) = figure_kinds(words(pl.Series([word])).vocabulary)
    return KINDS[found] if found >= 0 else None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("15", "number"),
        ("12,5", "number"),
        ("-5", "number"),
        ("50%", "number"),
        ("1.000.000", "number"),
        ("XIV", "number"),
        ("٣", "number"),
        ("12.05.2024", "date"),
        ("2024-05-12", "date"),
        ("12/05/2024г", "date"),
        ("мая", "date"),
        ("Мамырдағы", "date"),
        ("сентября", "date"),
        ("yanvardagi", "date"),
        ("ივნისი", "date"),
        ("34-п", "docket"),
        ("№15", "docket"),
        ("7/215", "docket"),
        ("А40-12/2023", "docket"),
        ("маяк", None),
        ("приказ", None),
        ("Алматы", None),
        ("№", None),
    ],
)
def test_kinds(word: str, expected: str | None) -> None:
    assert kind(word) == expected


TEXTS = st.lists(st.sampled_from(["a", "слово", "12", "13", "мая", "7/2", "x-1"]), max_size=9)


def frame(texts: list[str]) -> pl.DataFrame:
    found = find_figures(words(pl.Series(texts, dtype=pl.String)))
    return pl.DataFrame(
        {
            "doc": range(len(texts)),
            "figures": lists(found.hashes, found.offsets),
            "figures_at": lists(found.at, found.offsets),
            "digest": pl.Series(found.digests()),
        }
    )


@given(TEXTS, TEXTS)
def test_digests_are_equal_for_the_same_figures_in_the_same_order(one, other) -> None:
    read = frame([" ".join(one), " ".join(other)])
    mine, others = ([w for w in text if kind(w)] for text in (one, other))
    assert (read["digest"][0] == read["digest"][1]) == (mine == others)
    assert (read["digest"][0] == 0) == (not mine)
    assert read["figures_at"][0].to_list() == [i for i, w in enumerate(one) if kind(w)]


@given(TEXTS, TEXTS)
def test_differing(one, other) -> None:
    read = frame([" ".join(one), " ".join(other)])
    (told,) = figure_differences(pl.DataFrame({"doc": [0], "other": [1]}), read).iter_rows(
        named=True
    )
    left, mine = list(other), []
    for word in one:
        if word in left:
            left.remove(word)
        elif kind(word):
            mine.append(kind(word))
    assert {k: told[k] for k in KINDS} == {k: mine.count(k) for k in KINDS}
    assert len(told["at"]) == min(5, len(mine)) and all(kind(one[i]) for i in told["at"])


def test_nothing_of_a_figure_is_told() -> None:
    read = frame(["ИИН 900101300017", "ИИН 900101300018"])
    told = figure_differences(pl.DataFrame({"doc": [0], "other": [1]}), read).row(0)
    assert told == (0, 1, 0, 0, [1])
