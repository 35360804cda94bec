"""Judge a stage's counts natively by its suite of expectations.

The suites are data that Great Expectations reads too: `schemas/expectations/<stage>.json`.  `_KINDS`
has a function for each type of expectation that they use.  Great Expectations' own verdict comes
from `pipelines.engine.data_docs`.
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

#: The columns that identify a row of counts.
KEY: Final = ("lang", "shard")
#: The number of shards that a failure lists.
SHOWN: Final = 5
_ROWS: Final = "expect_table_row_count_to_be_between"
_LIMITS: Final = ("min_value", "max_value", "value_set")


class Verdict(NamedTuple):
    """The result of an expectation; `column` lists its columns with commas, or is empty."""

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
    """Load the suite of `stage`: name, notes, meta, expectations.

    Raises:
      Invalid: names the file and each expectation of an unknown type.
    """
    file = entry(stage).suite
    text = resources.files("schemas").joinpath(file).read_text("utf-8")
    return check_types(json.loads(text), f"schemas/{file}")


def check_types(spec: dict[str, Any], file: str) -> dict[str, Any]:
    """Return the suite if all its expectations are of known types.

    Raises:
      Invalid: names the file and each expectation of an unknown type.
    """
    problems = [
        Problem(
            file,
            None,
            f"expectations[{i}].type",
            f"{expectation['type']} is not implemented; allowed are: {', '.join(sorted(_KINDS))}",
        )
        for i, expectation in enumerate(spec["expectations"])
        if expectation["type"] not in _KINDS
    ]
    if problems:
        raise Invalid(problems)
    return spec


def parameters(min_keep_share: float | None) -> dict[str, float]:
    """Return the values of the suites' `$PARAMETER`s; None: nothing needs to be kept."""
    return {
        "min_keep": 0 if min_keep_share is None else 1,
        "min_keep_share": min_keep_share or 0.0,
    }


def derive(aggregates: pl.DataFrame, meta: Mapping[str, Any]) -> pl.DataFrame:
    """Add the columns by which sums are judged.

    Args:
      aggregates: a row of counts per shard.
      meta: of the suite; names the columns `whole`, `parts`, `kept` and `nullable`.

    Returns:
      `aggregates` with `uncounted`: how many counts are missing from the row; `unaccounted`: the
      whole less its parts; `kept_share`: the share of the whole kept over all shards (1 if the
      whole is 0).  A column whose terms are absent is left out.
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
    """Return the rows that a suite judges: sorted, with the derived columns."""
    # a column of only nulls has no type to compare by
    typed = aggregates.with_columns(pl.col(pl.Null).cast(pl.Float64))
    # -0.0 is 0.0, and Arrow's sets tell them apart
    typed = typed.with_columns(
        pl.when(pl.col(name) == 0).then(pl.lit(0.0)).otherwise(pl.col(name)).alias(name)
        for name in typed.select(cs.float()).columns
    )
    return derive(typed.sort(pl.all()), meta) if len(typed) else typed


def applicable(spec: Mapping[str, Any], frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the expectations of a suite that apply to `frame`.

    An expectation about an absent column does not apply: the one about the set of columns reports
    it.  If there are no shards, only the expectation about their number applies.
    """
    if frame.is_empty():
        return [e for e in spec["expectations"] if e["type"] == _ROWS]
    return [e for e in spec["expectations"] if {*columns(e)} <= {*frame.columns}]


def judge(
    spec: Mapping[str, Any], frame: pl.DataFrame, values: Mapping[str, float]
) -> list[Verdict]:
    """Return the verdict on each expectation that applies, in the suite's order.

    Args:
      spec: a suite.
      frame: a row per shard, from `prepare_rows`.
      values: of the suite's parameters, from `parameters`.
    """
    verdicts = []
    for expectation in applicable(spec, frame):
        kind, args = expectation["type"], _fill_parameters(expectation["kwargs"], values)
        try:
            success, observed = _KINDS[kind](frame, args)
        except _NoAnswer as error:
            success, observed = False, f"no answer, {error}"
        verdicts.append(Verdict(kind, ",".join(columns(expectation)), success, observed))
    return verdicts


def failures(spec: Mapping[str, Any], verdicts: Iterable[Verdict]) -> list[Failure]:
    """Return the verdicts that are not a success, with what the suite wants."""
    by_key = {(e["type"], ",".join(columns(e))): e for e in spec["expectations"]}
    return [
        Failure(v.expectation, v.column, v.observed, _requirement(by_key[v[:2]]))
        for v in verdicts
        if not v.success
    ]


def columns(expectation: Mapping[str, Any]) -> list[str]:
    """Return the columns that an expectation refers to."""
    kwargs = expectation["kwargs"]
    named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return named + kwargs.get("column_list", [])


def describe_shards(count: int, total: int, shown: Sequence[Mapping[str, Any]]) -> str:
    """Say how many shards are not as expected, and list the first of them."""
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
    """Replace `$PARAMETER` in the arguments by its value."""
    return {
        name: values[value["$PARAMETER"]] if isinstance(value, dict) else value
        for name, value in kwargs.items()
    }


# --- the types of expectation: (rows, arguments) -> success, observation

Args = Mapping[str, Any]


class _NoAnswer(Exception):
    """A column whose values cannot be compared; the message says why."""


def _numbers(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a column of numbers.  It may hold NaN, for which each comparison is false.

    Raises:
      _NoAnswer: if it holds other values.
    """
    if not frame[name].dtype.is_numeric():
        raise _NoAnswer(f"{name} holds {frame[name].dtype}, not numbers")
    return frame[name]


def _between(value: Any, args: Args) -> bool:
    low, high = args.get("min_value"), args.get("max_value")
    return bool((low is None or value >= low) and (high is None or value <= high))


def _number_text(value: Any) -> str:
    return "None" if value != value else str(value)  # JSON has no NaN


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
    """Return the result of an expectation about each row; `bad`: the rows that fail."""
    if key := [name for name in KEY if name in frame.columns]:
        failing = frame[list(bad[:SHOWN])].select(list(dict.fromkeys([*names, *key])))
        shown = failing.with_columns(cs.float().fill_nan(None)).to_dicts()
    else:
        shown = [{"row": i} for i in bad[:SHOWN]]
    return not bad, describe_shards(len(bad), frame.height, shown)


def _each_value(frame: pl.DataFrame, args: Args, fits: Callable[[Any], bool]) -> tuple[bool, str]:
    """Return the result of an expectation about a column's values; nulls are ignored."""
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
    present = ~keys.select(pl.all_horizontal(pl.all().is_null())).to_series()
    return _by_row(frame, names, (keys.is_duplicated() & present).arg_true().to_list())


def _each_pair(
    frame: pl.DataFrame, args: Args, fits: Callable[[Any, Any], bool]
) -> tuple[bool, str]:
    """Return the result of an expectation about two columns."""
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
