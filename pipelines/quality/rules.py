"""Rules over the statistics of documents: which fail, by what value, against which threshold.

Rules and thresholds are data: `thresholds.tsv`, or a file of the same form named in params.  The
first row of a rule (language and kind `*`) says which statistic it bounds and when it applies;
further rows of it set another value for a language, a kind of source, or both, or put it `off`.
Where a statistic is null, no rule judges it.
"""

from __future__ import annotations

import csv
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, Final

import polars as pl

from pipelines.quality.statistics import STATISTICS
from schemas.errors import BAD_USAGE, TamgaError

THRESHOLDS: Final = Path(__file__).with_name("thresholds.tsv")
COLUMNS: Final = ("rule", "statistic", "bound", "value", "when", "language", "kind", "source")
BOUNDS: Final = {"max": "gt", "min": "lt"}
KINDS: Final = ("*", "web", "institutional")
ANY: Final = "*"
_CONDITION: Final = re.compile(r"([a-z0-9_]+)(>=|<=)([0-9.]+)")
_COMPARE: Final[Mapping[str, Callable[[pl.Expr, float], pl.Expr]]] = {
    ">=": operator.ge,
    "<=": operator.le,
}


class BadThresholds(TamgaError):
    """A thresholds file that cannot be used; the message names file, line and remedy."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Rule:
    """`values`: (language, kind) -> threshold, or None where the rule is off."""

    name: str
    statistic: str
    bound: str
    when: tuple[tuple[str, str, float], ...]
    values: dict[tuple[str, str], float | None] = field(default_factory=dict)

    def value(self, language: str | None, kind: str) -> float | None:
        """The threshold for documents of a language from a kind of source."""
        for key in ((language, kind), (language, ANY), (ANY, kind), (ANY, ANY)):
            if key in self.values:
                return self.values[key]
        return None


def load(path: Path = THRESHOLDS) -> list[Rule]:
    """The rules of a file, in its order.

    Raises:
      BadThresholds: for the first row that is wrong, or a file that cannot be read.
    """
    rules: dict[str, Rule] = {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8"
        raise BadThresholds(f"quality.thresholds: {path}: {reason}") from None
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not numbered or tuple(numbered[0][1].split("\t")) != COLUMNS:
        raise BadThresholds(f"{path}: the first line must be the columns {', '.join(COLUMNS)}")
    for number, line in numbered[1:]:
        try:
            _add(rules, next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE)))
        except ValueError as error:
            raise BadThresholds(f"{path}:{number}: {error}") from None
    return list(rules.values())


def find_failures(measured: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """Hold documents against rules.

    Args:
      measured: doc_id, lang, kind, and the statistics that the rules name.

    Returns:
      `measured` with `failures` (list of struct rule, statistic, value, bound, threshold), in
      the order of the rules.
    """
    pairs = measured.select("lang", "kind").unique()
    limits = pairs.with_columns(
        pl.Series(
            f"limit:{rule.name}",
            [rule.value(language, kind) for language, kind in pairs.iter_rows()],
            dtype=pl.Float64,
        )
        for rule in rules
    )
    judged = measured.join(
        limits, on=["lang", "kind"], how="left", nulls_equal=True, maintain_order="left"
    )
    found = [_failure(rule) for rule in rules]
    listed = pl.concat_list(found).list.drop_nulls() if found else pl.lit([])
    return judged.with_columns(failures=listed).drop(f"limit:{r.name}" for r in rules)


def _failure(rule: Rule) -> pl.Expr:
    value, limit = pl.col(rule.statistic).cast(pl.Float64), pl.col(f"limit:{rule.name}")
    applies = [_COMPARE[sign](pl.col(name), than) for name, sign, than in rule.when]
    fails = getattr(value, BOUNDS[rule.bound])(limit)
    told = pl.struct(
        rule=pl.lit(rule.name),
        statistic=pl.lit(rule.statistic),
        value=value.round(4),
        bound=pl.lit(rule.bound),
        threshold=limit,
    )
    return pl.when(reduce(operator.and_, applies, fails)).then(told)


def _add(rules: dict[str, Rule], row: list[str]) -> None:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} columns where {len(COLUMNS)} belong, separated by tabs")
    cells: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    name, key = cells["rule"], (cells["language"], cells["kind"])
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError(f"rule {name!r}: a name of small letters, digits and hyphens")
    if cells["kind"] not in KINDS:
        raise ValueError(f"kind {cells['kind']!r}: one of {', '.join(KINDS)}")
    if name not in rules:
        if key != (ANY, ANY):
            raise ValueError(f"rule {name!r}: its first row must be for language * and kind *")
        rules[name] = _rule(cells)
    if key in rules[name].values:
        raise ValueError(f"rule {name!r}: a second value for {key[0]}, {key[1]}")
    rules[name].values[key] = None if cells["value"] == "off" else _number(cells["value"])


def _rule(cells: Mapping[str, str]) -> Rule:
    if cells["statistic"] not in STATISTICS:
        raise ValueError(f"statistic {cells['statistic']!r}: one of {', '.join(STATISTICS)}")
    if cells["bound"] not in BOUNDS:
        raise ValueError(f"bound {cells['bound']!r}: one of {', '.join(BOUNDS)}")
    conditions = []
    for text in cells["when"].split():
        match = _CONDITION.fullmatch(text)
        if not match or match[1] not in STATISTICS:
            raise ValueError(f"when {text!r}: a statistic, >= or <=, and a number: n_words>=50")
        conditions.append((match[1], match[2], _number(match[3])))
    return Rule(cells["rule"], cells["statistic"], cells["bound"], tuple(conditions))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"value {text!r}: a number, or off") from None
