"""Which of several copies has the better right to stay."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date

from judging import source

from pipelines.rights import ranks
from schemas.register import Register, Source


def ordered(*sources: Source) -> list[str]:
    results = set()
    for some in itertools.permutations(sources):
        found = ranks(Register({s.id: s for s in some}, {}, (), "0" * 64))
        assert sorted(found.values()) == list(range(len(some)))
        results.add(tuple(sorted(found, key=found.__getitem__)))
    (only,) = results  # whatever the order of the register
    return list(only)


def test_the_basis_comes_first():
    assert ordered(
        source("a", spdx="CC0-1.0"),
        source("b", kind="consent"),
        source("c", kind="contract"),
        source("d", kind="statute", spdx="LicenseRef-x"),
    ) == list("dcba")


def test_then_the_licence():
    assert ordered(
        source("a", spdx="LicenseRef-x"),
        source("b", spdx="CC-BY-SA-4.0"),
        source("c", spdx="CC-BY-4.0"),
        source("d", spdx="CC0-1.0"),
    ) == list("dcba")


def test_then_the_validity_and_the_id():
    assert ordered(
        source("a", until=date(2027, 1, 1)),
        source("b", until=date(2028, 1, 1)),
        source("d"),
        source("c"),
    ) == list("cdba")


def test_no_sources():
    assert ranks(Register({}, {}, (), "0" * 64)) == {}
    assert ordered(replace(source("x"), title="other")) == ["x"]
