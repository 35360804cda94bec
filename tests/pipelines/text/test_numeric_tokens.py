"""Figures of texts, and the differences between those of two texts."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text.numeric_tokens import KINDS, figure_differences, figure_kinds, find_figures
from pipelines.text.ragged import lists
from pipelines.text.shingles import words


def kind(word: str) -> str | None:
    (index,) = figure_kinds(words(pl.Series([word])).vocabulary)
    return KINDS[index] if index >= 0 else None


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


def figure_table(texts: list[str]) -> pl.DataFrame:
    figures = find_figures(words(pl.Series(texts, dtype=pl.String)))
    return pl.DataFrame(
        {
            "doc": range(len(texts)),
            "figures": lists(figures.hashes, figures.offsets),
            "figures_at": lists(figures.at, figures.offsets),
            "digest": pl.Series(figures.digests()),
        }
    )


@given(TEXTS, TEXTS)
def test_digests_depend_on_figures_and_their_order(left, right) -> None:
    table = figure_table([" ".join(left), " ".join(right)])
    mine, theirs = ([w for w in text if kind(w)] for text in (left, right))
    assert (table["digest"][0] == table["digest"][1]) == (mine == theirs)
    assert (table["digest"][0] == 0) == (not mine)
    assert table["figures_at"][0].to_list() == [i for i, w in enumerate(left) if kind(w)]


@given(TEXTS, TEXTS)
def test_differences(left, right) -> None:
    table = figure_table([" ".join(left), " ".join(right)])
    (row,) = figure_differences(pl.DataFrame({"doc": [0], "other": [1]}), table).iter_rows(
        named=True
    )
    unmatched, missing = list(right), []
    for word in left:
        if word in unmatched:
            unmatched.remove(word)
        elif kind(word):
            missing.append(kind(word))
    assert {k: row[k] for k in KINDS} == {k: missing.count(k) for k in KINDS}
    assert len(row["at"]) == min(5, len(missing)) and all(kind(left[i]) for i in row["at"])


def test_differences_do_not_reveal_figures() -> None:
    table = figure_table(["ИИН 900101300017", "ИИН 900101300018"])
    row = figure_differences(pl.DataFrame({"doc": [0], "other": [1]}), table).row(0)
    assert row == (0, 1, 0, 0, [1])
