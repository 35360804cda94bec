"""A stage's suite of expectations, judged natively from the file that Great Expectations reads.

The suites are data, `schemas/expectations/<stage>.json`; `_KINDS` has a function for each type of
expectation that they use.  `pipelines.engine.data_docs` has Great Expectations' own verdict.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, Final, NamedTuple

import polars as pl
from polars import selectors as cs

from schemas.errors import Invalid, Problem
from schemas.stages import entry

#: The columns that name a row of counts.
KEY: Final = ("lang", "shard")
#: Shards that a failure names.
SHOWN: Final = 5
_ROWS: Final = "expect_table_row_count_to_be_between"
_LIMITS: Final = ("min_value", "max_value", "value_set")


class Verdict(NamedTuple):
    """An expectation about an output; `column` names several with commas, or is empty."""

    expectation: str
    column: str
    success: bool
    observed: str


class Failure(NamedTuple):
    """An expectation that was not met."""

    expectation: str
    column: str
    observed: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.expectation}({self.column}): observed {self.observed}; wanted: {self.wanted}"


def suite(stage: str) -> dict[str, Any]:
    """The expectations of `stage` as data: name, notes, meta, expectations.

    Raises:
      Invalid: names the file and each expectation of an unknown type.
    """
    file = entry(stage).suite
    text = resources.files("schemas").joinpath(file).read_text("utf-8")
    return check_types(json.loads(text), f"schemas/{file}")


def check_types(spec: dict[str, Any], file: str) -> dict[str, Any]:
    """A suite whose expectations are all of known types.

    Raises:
      Invalid: names the file and each expectation of an unknown type.
    """
    problems = [
        Problem(
            file,
            None,
            f"expectations[{i}].type",
            f"{one['type']} is not implemented; known are: {', '.join(sorted(_KINDS))}",
        )
        for i, one in enumerate(spec["expectations"])
        if one["type"] not in _KINDS
    ]
    if problems:
        raise Invalid(problems)
    return spec


def parameters(min_keep_share: float | None) -> dict[str, float]:
    """Values of the suites' `$PARAMETER`s; None: nothing needs to be kept."""
    return {
        "min_keep": 0 if min_keep_share is None else 1,
        "min_keep_share": min_keep_share or 0.0,
    }


def derive(aggregates: pl.DataFrame, meta: Mapping[str, Any]) -> pl.DataFrame:
    """`aggregates` with the columns that sums are judged by.

    `uncounted`: how many counts are missing from the row; `unaccounted`: the whole less its
    parts; `kept_share`: what is kept over all shards, as a share of the whole (1 of nothing).
    A column whose terms are absent is left out.
    """
    present, whole, parts, kept = aggregates.columns, meta["whole"], meta["parts"], meta["kept"]
    counts = [name for name in present if name not in meta["nullable"]]
    derived = [pl.sum_horizontal(pl.col(counts).is_null().cast(pl.Int64)).alias("uncounted")]
    if whole in present and {*parts} <= {*present}:
        accounted = pl.sum_horizontal(pl.col(parts).cast(pl.Int64), ignore_nulls=False)
        derived.append((pl.col(whole).cast(pl.Int64) - accounted).alias("unaccounted"))
    if {whole, kept} <= {*present}:
        share = pl.col(kept).sum() / pl.col(whole).sum()
        derived.append(share.fill_nan(1.0).alias("kept_share"))
    return aggregates.with_columns(derived)


def prepare_rows(aggregates: pl.DataFrame, meta: Mapping[str, Any]) -> pl.DataFrame:
    """The rows that a suite is asked about: sorted, with the derived columns."""
    # a column of nulls alone has no type to compare by
    typed = aggregates.with_columns(pl.col(pl.Null).cast(pl.Float64))
    return derive(typed.sort(pl.all()), meta) if len(typed) else typed


def applicable(spec: Mapping[str, Any], frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The expectations of a suite that can be asked of `frame`.

    An expectation about an absent column is not asked: the one about the set of columns names
    it.  Of no shards only their number is asked.
    """
    return [
        one
        for one in spec["expectations"]
        if (one["type"] == _ROWS if frame.is_empty() else {*columns(one)} <= {*frame.columns})
    ]


def judge(
    spec: Mapping[str, Any], frame: pl.DataFrame, values: Mapping[str, float]
) -> list[Verdict]:
    """The verdict on each expectation that can be asked, in the suite's order.

    Args:
      spec: a suite.
      frame: a row per shard, as `rows` makes them.
      values: of the suite's parameters.
    """
    verdicts = []
    for one in applicable(spec, frame):
        try:
            success, observed = _KINDS[one["type"]](frame, _fill_parameters(one["kwargs"], values))
        except _NoAnswer as error:
            success, observed = False, f"no answer, {error}"
        verdicts.append(Verdict(one["type"], ",".join(columns(one)), success, observed))
    return verdicts


def failures(spec: Mapping[str, Any], verdicts: Iterable[Verdict]) -> list[Failure]:
    """What is wrong, with what was wanted."""
    by = {(one["type"], ",".join(columns(one))): one for one in spec["expectations"]}
    return [
        Failure(one.expectation, one.column, one.observed, _requirement(by[one[:2]]))
        for one in verdicts
        if not one.success
    ]


def columns(expectation: Mapping[str, Any]) -> list[str]:
    """The columns that an expectation is about."""
    kwargs = expectation["kwargs"]
    named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return named + kwargs.get("column_list", [])


def describe_shards(count: int, total: int, shown: Sequence[Mapping[str, Any]]) -> str:
    """How many shards are not as expected, and the first of them."""
    lines = [_describe_row(row) for row in shown[:SHOWN]]
    lines += [f"{count - len(lines)} more"] * (count > len(lines))
    return f"{count} of {total} shards: {'; '.join(lines)}"


def _describe_row(row: Mapping[str, Any]) -> str:
    shard = "/".join(str(row[key]) for key in KEY if key in row)
    values = ", ".join(f"{name} {value}" for name, value in sorted(row.items()) if name not in KEY)
    return f"{shard} ({values})" if shard and values else shard or values


def _requirement(expectation: Mapping[str, Any]) -> str:
    kwargs = expectation["kwargs"]
    limits = ", ".join(f"{key} {kwargs[key]}" for key in _LIMITS if key in kwargs)
    return expectation["meta"]["notes"].rstrip(".") + (f" ({limits})" if limits else "")


def _fill_parameters(kwargs: Mapping[str, Any], values: Mapping[str, float]) -> dict[str, Any]:
    """The arguments with the parameters' values in place of their names."""
    return {
        name: values[value["$PARAMETER"]] if isinstance(value, dict) else value
        for name, value in kwargs.items()
    }


# --- the types of expectation: (rows, arguments) -> success, what was observed

Args = Mapping[str, Any]


class _NoAnswer(Exception):
    """A column whose values cannot be compared; the message says why."""


def _numbers(frame: pl.DataFrame, name: str) -> pl.Series:
    """A column of numbers; NaN among them, which no comparison holds for.

    Raises:
      _NoAnswer: where it holds other values.
    """
    if not frame[name].dtype.is_numeric():
        raise _NoAnswer(f"{name} holds {frame[name].dtype}, not numbers")
    return frame[name]


def _between(value: Any, args: Args) -> bool:
    low, high = args.get("min_value"), args.get("max_value")
    return bool((low is None or value >= low) and (high is None or value <= high))


def _number_text(value: Any) -> str:
    return "None" if value != value else str(value)  # NaN, which JSON has no word for


def _row_count(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    return _between(frame.height, args), str(frame.height)


def _column_set(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    missing = sorted({*args["column_set"]} - {*frame.columns})
    return not missing, f"no {', '.join(missing)}" if missing else str(sorted(frame.columns))


def _sum(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    total = _numbers(frame, args["column"]).sum()
    return _between(total, args), _number_text(total)


def _minimum(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    least = _numbers(frame, args["column"]).min()
    return _between(least, args), _number_text(least)


def _by_row(frame: pl.DataFrame, names: Sequence[str], bad: Sequence[int]) -> tuple[bool, str]:
    """The answer of an expectation that each row meets or not; `bad`: the rows that do not."""
    if key := [name for name in KEY if name in frame.columns]:
        some = frame[list(bad[:SHOWN])].select(list(dict.fromkeys([*names, *key])))
        shown = some.with_columns(cs.float().fill_nan(None)).to_dicts()
    else:
        shown = [{"row": i} for i in bad[:SHOWN]]
    return not bad, describe_shards(len(bad), frame.height, shown)


def _each_value(frame: pl.DataFrame, args: Args, fits: Callable[[Any], bool]) -> tuple[bool, str]:
    """The answer of an expectation about a column's values; nulls are not looked at."""
    values = frame[args["column"]].to_list()
    bad = [i for i, value in enumerate(values) if value is not None and not fits(value)]
    return _by_row(frame, [args["column"]], bad)


def _in_set(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    _numbers(frame, args["column"])
    return _each_value(frame, args, lambda value: value in args["value_set"])


def _in_range(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    _numbers(frame, args["column"])
    return _each_value(frame, args, lambda value: _between(value, args))


def _unique(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    column = frame[args["column"]]
    bad = (column.is_duplicated() & column.is_not_null()).arg_true().to_list()
    return _by_row(frame, [args["column"]], bad)


def _unique_together(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    names = args["column_list"]
    keys = frame.select(names)
    some = ~keys.select(pl.all_horizontal(pl.all().is_null())).to_series()
    return _by_row(frame, names, (keys.is_duplicated() & some).arg_true().to_list())


def _each_pair(
    frame: pl.DataFrame, args: Args, fits: Callable[[Any, Any], bool]
) -> tuple[bool, str]:
    names = [args["column_A"], args["column_B"]]
    for name in names:
        _numbers(frame, name)
    lenient = args.get("ignore_row_if") == "either_value_is_missing"
    bad = []
    for i, (first, second) in enumerate(frame.select(names).rows()):
        if first is None or second is None:
            if not lenient and first is not second:
                raise _NoAnswer(f"one of {names[0]} and {names[1]} is missing")
        elif not fits(first, second):
            bad.append(i)
    return _by_row(frame, names, bad)


def _equal(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    return _each_pair(frame, args, lambda first, second: first == second)


def _greater(frame: pl.DataFrame, args: Args) -> tuple[bool, str]:
    compare = operator.ge if args.get("or_equal") else operator.gt
    return _each_pair(frame, args, compare)


_KINDS: Final[Mapping[str, Callable[[pl.DataFrame, Args], tuple[bool, str]]]] = {
    _ROWS: _row_count,
    "expect_table_columns_to_match_set": _column_set,
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _unique_together,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_be_between": _in_range,
    "expect_column_pair_values_to_be_equal": _equal,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_sum_to_be_between": _sum,
    "expect_column_min_to_be_between": _minimum,
}
