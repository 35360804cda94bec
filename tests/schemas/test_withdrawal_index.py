"""Tests of the ids of records and parts that the register names for a withdrawn text."""

from __future__ import annotations

from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.language.stage import decide_records
from pipelines.withdrawal.impact import split_by_coverage
from schemas.register import Withdrawal
from schemas.tables import DECISIONS
from schemas.withdrawal_index import WithdrawalIndex

RECORDS = st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 3), min_size=1)


@st.composite
def cut(draw: st.DrawFn) -> tuple[dict[str, set[str]], set[str]]:
    """Record -> ids of its parts (itself, where it was not split); some of all ids."""
    own = {
        record: {record, *(f"{record}{i}" for i in range(n))} for record, n in draw(RECORDS).items()
    }
    every = sorted(set().union(*own.values()))
    return own, draw(st.sets(st.sampled_from(every)))


def table(own: dict[str, set[str]]) -> pl.DataFrame:
    rows = [(one, record) for record, ids in own.items() if len(ids) > 1 for one in sorted(ids)]
    return pl.DataFrame(rows, {"doc_id": pl.String, "part_of": pl.String}, orient="row")


@given(cut())
def test_each_id_is_barred_and_no_other_record(found: tuple[dict[str, set[str]], set[str]]) -> None:
    own, named = found
    documents, parts = split_by_coverage(named, table(own))
    assert not documents & parts
    for record, ids in own.items():
        assert (record in documents) == (ids <= named)
        assert (record in parts) == bool(ids & named and not ids <= named)
        assert record in documents or ids & named <= parts
    assert documents | parts <= named | {record for record, ids in own.items() if ids & named}


@given(cut(), st.booleans())
def test_a_record_goes_whole_where_it_is_not_cut_so_again(
    found: tuple[dict[str, set[str]], set[str]], again: bool
) -> None:
    own, named = found
    documents, parts = split_by_coverage(named, table(own))
    ids = (tuple(sorted(documents)), tuple(sorted(parts)))
    one = Withdrawal(
        "text", "0" * 64, date(2026, 1, 1), "asked for", documents=ids[0], parts=ids[1]
    )
    why = f'{{"withdrawal_sha256":"{one.sha256}"}}'
    rows = [
        {"doc_id": id, "outcome": "refuse", "reason": "withdrawn", "evidence": why}
        if again and id in named
        else {"doc_id": id, "outcome": "keep", "reason": None, "evidence": "{}"}
        for record, every in own.items()
        for id in (sorted(every) if again else [record])
    ]
    schema = dict.fromkeys(DECISIONS.names, pl.String)
    decided = decide_records(
        pl.DataFrame(rows, schema), table(own if again else {}), WithdrawalIndex.build([one])
    )
    out = set(decided.filter(outcome="refuse")["doc_id"])
    whole = {record for record, every in own.items() if every & named and not every <= named}
    assert out == (named if again else whole)
