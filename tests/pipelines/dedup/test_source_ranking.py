"""Sources are ranked by basis, licence, validity and the given order."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date

from helpers.judged_records import make_source

from pipelines.dedup.source_ranking import rank_sources
from schemas.register import Register, Source


def places(*sources: Source, order: tuple[str, ...] = ()) -> dict[str, int]:
    return rank_sources(Register({s.id: s for s in sources}, {}, (), "0" * 64), order)


def ordered(*sources: Source) -> list[str]:
    results = set()
    for permuted in itertools.permutations(sources):
        found = rank_sources(Register({s.id: s for s in permuted}, {}, (), "0" * 64))
        results.add(tuple(sorted(found, key=lambda one: (found[one], one))))
    (only,) = results  # whatever the order of the register
    return list(only)


def test_the_basis_decides_first():
    assert ordered(
        make_source("a", spdx="CC0-1.0"),
        make_source("b", kind="consent"),
        make_source("c", kind="contract"),
        make_source("d", kind="statute", spdx="LicenseRef-x"),
    ) == list("dcba")


def test_the_licence_decides_next():
    assert ordered(
        make_source("a", spdx="LicenseRef-x"),
        make_source("b", spdx="CC-BY-SA-4.0"),
        make_source("c", spdx="CC-BY-4.0"),
        make_source("d", spdx="CC0-1.0"),
    ) == list("dcba")


def test_the_validity_decides_next_and_equal_sources_share_a_rank():
    assert ordered(
        make_source("a", until=date(2027, 1, 1)),
        make_source("b", until=date(2028, 1, 1)),
        make_source("d"),
        make_source("c"),
    ) == list("cdba")
    assert places(make_source("d"), make_source("c")) == {"c": 0, "d": 0}


def test_the_given_order_decides_last():
    best = make_source("x", kind="statute")
    found = places(
        make_source("a"), make_source("b"), make_source("c"), best, order=("c", "b", "a")
    )
    assert found == {"x": 0, "c": 1, "b": 2, "a": 3}
    assert places(make_source("a"), make_source("b"), make_source("c"), order=("c",)) == {
        "c": 0,
        "a": 1,
        "b": 1,
    }


def test_no_sources():
    assert rank_sources(Register({}, {}, (), "0" * 64)) == {}
    assert ordered(replace(make_source("x"), title="other")) == ["x"]
