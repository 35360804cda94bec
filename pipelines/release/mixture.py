"""Select and cap the documents of a release by language, domain and source.

The input is a small table, a row per document. The order of its rows does not matter.

Caps are applied in the order of the file, each to the documents that the caps before it left.
Documents are taken in the mixture's order while they fit. A share refers to the characters of the
final release. Its size T is computed as if texts could be cut anywhere: it is the largest T for
which the documents under the limits `share * T` add up to T. Documents are not cut, so the real
shares differ from the wanted ones by about one document.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from pipelines.engine import decisions
from pipelines.text.shingles import fmix64
from schemas.mixture import FILTERS, Cap, Mixture

RULE_VERSION: Final = "fmix64/1"
#: Key of a filter -> column of the table.
COLUMNS: Final = {"language": "lang", "domain": "domain", "source": "source_id"}
#: How many passes over the remaining documents are made before a cap counts as full.
PASSES: Final = 32
_ROUNDING: Final = 1e-9
_SEED: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, as SplitMix64 steps


def leave_out(table: pl.DataFrame, mixture: Mixture) -> pl.DataFrame:
    """Choose the documents that the release leaves out.

    Args:
      table: doc_id (32 hex digits, each once), lang, domain (null: none), source_id, n_chars,
        score (null: none).
      mixture: the filters and caps.

    Returns:
      doc_id, reason (`not-selected` or `mixture-cap`), rule, rule_version, evidence (JSON: the
      filter and the limit), sorted by doc_id.
    """
    not_selected, selected = _select(table, mixture)
    ordered = _order(selected, mixture)
    cap, evidence = _apply_caps(ordered, mixture.caps)
    over = ordered.select("doc_id", cap=pl.Series(cap)).join(
        evidence, on="cap", maintain_order="left"
    )
    capped = over.select("doc_id", reason=pl.lit("mixture-cap"), evidence="evidence")
    return (
        pl.concat([not_selected, capped])
        .with_columns(rule=pl.lit("mixture"), rule_version=pl.lit(RULE_VERSION))
        .select("doc_id", "reason", "rule", "rule_version", "evidence")
        .sort("doc_id")
    )


def _select(table: pl.DataFrame, mixture: Mixture) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Divide the documents by the filters.

    Returns:
      doc_id, reason, evidence of the documents that are not selected, by the first filter that they
      do not match; and the rows of the selected documents.
    """
    out, rest = [], table
    for name, key in FILTERS.items():
        wanted, column = getattr(mixture, name), pl.col(COLUMNS[key])
        if wanted is None:
            continue
        fits = column.is_in(list(wanted)).fill_null(False)
        evidence = pl.struct(filter=pl.lit(f"select.{name}"), found=column).struct.json_encode()
        out.append(
            rest.filter(~fits).select("doc_id", reason=pl.lit("not-selected"), evidence=evidence)
        )
        rest = rest.filter(fits)
    empty = pl.DataFrame(schema=dict.fromkeys(("doc_id", "reason", "evidence"), pl.String))
    return pl.concat([empty, *out]), rest


def _order(table: pl.DataFrame, mixture: Mixture) -> pl.DataFrame:
    """Sort the documents by preference: the best score, then a hash of the id, then the id."""
    halves = np.frombuffer(bytes.fromhex("".join(table["doc_id"].str.head(16))), ">u8")
    with np.errstate(over="ignore"):
        key = fmix64(np.asarray([mixture.seed], np.uint64) + _SEED)
    keyed = table.with_columns(key=pl.Series(fmix64(halves.astype(np.uint64) ^ key)))
    by = ["key", "doc_id"]
    if mixture.order == "quality":
        best = pl.col("score").fill_nan(None).rank("dense", descending=True)
        return keyed.with_columns(place=best).sort("place", *by, nulls_last=True)
    return keyed.sort(by)


def _apply_caps(ordered: pl.DataFrame, caps: tuple[Cap, ...]) -> tuple[np.ndarray, pl.DataFrame]:
    """Apply all caps in turn.

    Returns:
      For each document the number of the cap (from 1) that leaves it out, 0 for none; and cap,
      evidence.
    """
    chars = ordered["n_chars"].to_numpy().astype(np.int64)
    groups = [_cap_rows(ordered, cap) for cap in caps]
    size = _release_size(chars, caps, groups) if any(cap.unit == "share" for cap in caps) else 0
    over, evidence = np.zeros(len(chars), np.int32), []
    for number, (cap, group) in enumerate(zip(caps, groups, strict=True), 1):
        limit = int(cap.limit * size if cap.unit == "share" else cap.limit)
        rest = group[over[group] == 0]
        sizes = np.ones(len(rest), np.int64) if cap.unit == "documents" else chars[rest]
        over[rest[~fill_cap(sizes, limit)]] = number
        evidence.append((number, _cap_evidence(number, cap, limit, size)))
    return over, pl.DataFrame(evidence, {"cap": pl.Int32, "evidence": pl.String}, orient="row")


def _cap_rows(ordered: pl.DataFrame, cap: Cap) -> np.ndarray:
    """Return the row numbers of the documents that a cap applies to."""
    fits = [(pl.col(COLUMNS[key]) == value).fill_null(False) for key, value in cap.filters.items()]
    rows = ordered.select(pl.all_horizontal(pl.lit(True), *fits).alias("fits"))["fits"]
    return np.flatnonzero(np.broadcast_to(rows.to_numpy(), ordered.height))


def _cap_evidence(number: int, cap: Cap, limit: int, size: int) -> str:
    """Return the evidence for documents over a cap, as JSON; `size`: of the whole release."""
    value = {"cap": number, "filter": cap.filters, "limit": limit, "unit": cap.unit}
    if cap.unit == "share":
        value |= {"unit": "chars", "share": cap.limit, "of": size}
    return decisions.evidence(value)


def fill_cap(sizes: np.ndarray, limit: int) -> np.ndarray:
    """Take sizes in their order while their sum stays within a limit.

    Sizes that do not fit are skipped. Up to `PASSES` passes are made over the skipped ones.

    Args:
      sizes: (n,) integers.
      limit: the largest sum.

    Returns:
      (n,) whether each size is taken.
    """
    taken, room, rest = np.zeros(len(sizes), bool), limit, np.arange(len(sizes))
    for _ in range(PASSES):
        rest = rest[sizes[rest] <= room]
        if not len(rest):
            break
        fits = np.cumsum(sizes[rest]) <= room
        taken[rest[fits]] = True
        room -= int(sizes[rest[fits]].sum())
        rest = rest[~fits]
    return taken


def _release_size(chars: np.ndarray, caps: tuple[Cap, ...], groups: list[np.ndarray]) -> int:
    """Compute the release's size T in characters (see above); 0 if the shares leave no room.

    The amount of text under the limits for T never shrinks as T grows, so bisection finds T.
    """
    low, high = 0, int(chars.sum())
    while low < high:
        middle = (low + high + 1) // 2
        if _divisible_size(chars, caps, groups, middle) >= middle * (1 - _ROUNDING):
            low = middle
        else:
            high = middle - 1
    return low


def _divisible_size(
    chars: np.ndarray, caps: tuple[Cap, ...], groups: list[np.ndarray], size: int
) -> float:
    """Return how many characters the caps leave of a release of this size, if texts could be cut."""
    part = np.ones(len(chars))
    for cap, group in zip(caps, groups, strict=True):
        weights = part[group] * (1 if cap.unit == "documents" else chars[group])
        limit = cap.limit * size if cap.unit == "share" else cap.limit
        before = np.cumsum(weights) - weights
        taken = np.clip(limit - before, 0, weights)
        part[group] *= np.divide(taken, weights, out=np.ones(len(group)), where=weights > 0)
    return float((part * chars).sum())
