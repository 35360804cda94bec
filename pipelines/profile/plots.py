"""Plots as inline SVG: no script, no font and no file from elsewhere; colours are the page's.

Every string that comes from data is escaped by `safe`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final

#: What a page cannot hold, or what would turn the reading direction of what follows.
_UNSHOWN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
OUTCOMES: Final = ("keep", "refuse", "drop", "damaged")
_WIDE, _LEFT, _ROW = 860, 110, 34


def safe(value: object) -> str:
    """A value as the text of a page or of an attribute: escaped, without controls."""
    return escape(_UNSHOWN.sub("\ufffd", str(value)))


def number(value: float | None) -> str:
    """A count with thin spaces between thousands, a fraction in three places; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value != int(value):
        return f"{value:,.3g}" if abs(value) < 100 else number(round(value))
    return f"{int(value):,}".replace(",", "\u202f")


def short_number(value: float) -> str:
    """A count for an axis: 1.5k, 20M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def share(part: float, whole: float) -> str:
    """A part of a whole in per cent; a dash of nothing."""
    return f"{part / whole:.1%}" if whole else "–"


def _svg(width: int, height: int, label: str, body: Sequence[str], kind: str = "plot") -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{safe(label)}">{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{safe(text)}</text>'
    )


def _rect(x: float, y: float, w: float, h: float, kind: str, told: str = "") -> str:
    title = f"<title>{safe(told)}</title>" if told else ""
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(w, 0):.2f}" height="{max(h, 0):.2f}" '
        f'class="{kind}">{title}</rect>'
    )


def stage_flow(stages: Sequence[Mapping[str, Any]]) -> str:
    """A bar for each stage, as long as what it was handed, parted by what became of it."""
    most = max((sum(s[o] for o in OUTCOMES) for s in stages), default=0)
    room, body = _WIDE - _LEFT - 120, []
    for i, stage in enumerate(stages):
        x, y = float(_LEFT), i * _ROW + 6
        body.append(_text(_LEFT - 12, y + 16, stage["stage"], "end", "name"))
        for outcome in OUTCOMES:
            width = room * stage[outcome] / most if most else 0
            told = f"{stage['stage']}: {number(stage[outcome])} {outcome}"
            body.append(_rect(x, y, width, 22, f"o-{outcome}", told))
            x += width
        handed = sum(stage[o] for o in OUTCOMES)
        told = f"{number(stage['keep'])} · {share(stage['keep'], handed)}"
        body.append(_text(x + 8, y + 16, told, kind="soft"))
    return _svg(_WIDE, len(stages) * _ROW + 8, "What each stage kept", body)


def outcome_bar(row: Mapping[str, Any], most: int) -> str:
    """The same in a cell of a table: a bar as long as the row's share of the most."""
    body, x = [], 0.0
    for outcome in OUTCOMES:
        width = 200 * row[outcome] / most if most else 0
        body.append(_rect(x, 2, width, 10, f"o-{outcome}", f"{number(row[outcome])} {outcome}"))
        x += width
    told = ", ".join(f"{number(row[o])} {o}" for o in OUTCOMES)
    return _svg(200, 14, told, body, "cell")


def histogram(
    bins: Sequence[Mapping[str, Any]],
    label: str,
    *,
    series: Sequence[tuple[str, str]] = (("n", "fill"),),
    marks: Sequence[float] = (),
    tick: Callable[[float], str] = short_number,
    every: int = 4,
    size: tuple[int, int] = (_WIDE, 220),
) -> str:
    """Bars of equal width side by side, a bin each.

    Args:
      bins: least, below, and a count for each series; in order, without gaps.
      label: what is drawn, for those who do not see it.
      series: (key of the count, class), stacked upwards.
      marks: values at which an upright line stands.
      tick: how the edges of bins are written.
      every: write each n-th edge.
      size: width and height.
    """
    width, height = size
    left, bottom, top = 44.0, height - 24.0, 14.0
    most = max((sum(b[key] for key, _ in series) for b in bins), default=0) or 1
    step = (width - left - 12) / max(len(bins), 1)
    body = [
        _text(left - 6, top + 8, short_number(most), "end", "soft"),
        f'<path d="M{left} {top}H{width - 12}" class="grid"/>',
        f'<path d="M{left} {bottom}H{width - 12}" class="axis"/>',
    ]
    for i, one in enumerate(bins):
        y, x = bottom, left + i * step
        for key, kind in series:
            tall = (bottom - top) * one[key] / most
            tall = max(tall, 1.5) if one[key] else 0  # one document is seen beside a million
            y -= tall
            told = f"{tick(one['least'])}–{tick(one['below'])}: {number(one[key])}"
            body.append(_rect(x + 0.5, y, step - 1, tall, kind, told))
        if i % every == 0:
            body.append(_text(x, height - 8, tick(one["least"]), "middle", "soft"))
    if bins and len(bins) % every == 0:
        end = left + len(bins) * step
        body.append(_text(end, height - 8, tick(bins[-1]["below"]), "end", "soft"))
    for mark in marks:
        x = left + step * _place(bins, mark)
        body.append(f'<path d="M{x:.1f} {top - 8}V{bottom}" class="mark"/>')
        body.append(_text(x + 4, top - 2, tick(mark), kind="marked"))
    return _svg(width, height, label, body)


def _place(bins: Sequence[Mapping[str, Any]], value: float) -> float:
    """Where a value stands among the bins, in bins from the left."""
    for i, one in enumerate(bins):
        if value < one["below"]:
            return i + max(0.0, (value - one["least"]) / (one["below"] - one["least"]))
    return float(len(bins))
