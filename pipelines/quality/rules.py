"""Rules over the statistics of documents: which rules fail, and by which value and threshold.

Rules and thresholds are data: `thresholds.tsv`, or a file of the same form that params name.  The
first row of a rule (language and kind `*`) defines which statistic it limits and when it applies.
Each further row sets another value, or `off`, for a language, a kind of source, or both.  A rule
does not apply where its statistic is null.
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
    """The thresholds file cannot be used; the message names file, line and remedy."""

    exit_code = BAD_USAGE


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
      statistic: the statistic that it limits.
      bound: `max` or `min`.
      when: conditions (statistic, comparison, number); the rule applies if all are true.
      values: (language, kind) -> threshold, or None where the rule is off.
    """

    name: str
    statistic: str
    bound: str
    when: tuple[tuple[str, str, float], ...]
    values: dict[tuple[str, str], float | None] = field(default_factory=dict)

    def value(self, language: str | None, kind: str) -> float | None:
        """Return the threshold for documents of a language from a kind of source; None: off."""
        for key in ((language, kind), (language, ANY), (ANY, kind), (ANY, ANY)):
            if key in self.values:
                return self.values[key]
        return None


def load(path: Path = THRESHOLDS) -> list[Rule]:
    """Read the rules of a file, in its order.

    Raises:
      BadThresholds: the file cannot be read, or a row is wrong; the message names the first one.
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
    """Find the rules that documents fail.

    Args:
      measured: doc_id, lang, kind, and the statistics that the rules name.
      rules: the rules.

    Returns:
      `measured` with the column `failures` (list of struct rule, statistic, value, bound,
      threshold), in the order of the rules.
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
    with_limits = measured.join(
        limits, on=["lang", "kind"], how="left", nulls_equal=True, maintain_order="left"
    )
    failures = [_failure(rule) for rule in rules]
    listed = pl.concat_list(failures).list.drop_nulls() if failures else pl.lit([])
    return with_limits.with_columns(failures=listed).drop(f"limit:{r.name}" for r in rules)


def _failure(rule: Rule) -> pl.Expr:
    """Return the failure of a rule as a struct, null where it does not fail."""
    value, limit = pl.col(rule.statistic).cast(pl.Float64), pl.col(f"limit:{rule.name}")
    applies = [_COMPARE[sign](pl.col(name), than) for name, sign, than in rule.when]
    fails = getattr(value, BOUNDS[rule.bound])(limit)
    failure = pl.struct(
        rule=pl.lit(rule.name),
        statistic=pl.lit(rule.statistic),
        value=value.round(4),
        bound=pl.lit(rule.bound),
        threshold=limit,
    )
    return pl.when(reduce(operator.and_, applies, fails)).then(failure)


def _add(rules: dict[str, Rule], row: list[str]) -> None:
    """Add a row of the file to the rules; raise ValueError if it is wrong."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} columns; {len(COLUMNS)} are needed, separated by tabs")
    cells: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    name, key = cells["rule"], (cells["language"], cells["kind"])
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError(f"rule {name!r}: allowed are small letters, digits and hyphens")
    if cells["kind"] not in KINDS:
        raise ValueError(f"kind {cells['kind']!r}: allowed are {', '.join(KINDS)}")
    if name not in rules:
        if key != (ANY, ANY):
            raise ValueError(f"rule {name!r}: its first row must be for language * and kind *")
        rules[name] = _rule(cells)
    if key in rules[name].values:
        raise ValueError(f"rule {name!r}: second value for language {key[0]}, kind {key[1]}")
    rules[name].values[key] = None if cells["value"] == "off" else _number(cells["value"])


def _rule(cells: Mapping[str, str]) -> Rule:
    """Return the rule that a first row defines; raise ValueError if it is wrong."""
    if cells["statistic"] not in STATISTICS:
        raise ValueError(f"statistic {cells['statistic']!r}: allowed are {', '.join(STATISTICS)}")
    if cells["bound"] not in BOUNDS:
        raise ValueError(f"bound {cells['bound']!r}: allowed are {', '.join(BOUNDS)}")
    conditions = []
    for text in cells["when"].split():
        match = _CONDITION.fullmatch(text)
        if not match or match[1] not in STATISTICS:
            raise ValueError(
                f"when {text!r}: allowed is a statistic, >= or <=, and a number, as in n_words>=50"
            )
        conditions.append((match[1], match[2], _number(match[3])))
    return Rule(cells["rule"], cells["statistic"], cells["bound"], tuple(conditions))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"value {text!r}: allowed is a number, or off") from None
