"""Plots as inline SVG, without scripts, fonts or files from other places.  The page sets the colours.

Each string that comes from data is escaped by `safe`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final

#: Characters that a page cannot hold, or that change the reading direction of the text after them.
_UNSHOWN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
OUTCOMES: Final = ("keep", "refuse", "drop", "damaged")
_WIDE, _LEFT, _ROW = 860, 110, 34


def safe(value: object) -> str:
    """Escape a value for the text of a page or for an attribute; replace control characters."""
    return escape(_UNSHOWN.sub("\ufffd", str(value)))


def number(value: float | None) -> str:
    """Format a count with thin spaces, or a fraction with three digits; a dash for None."""
    if value is None or not math.isfinite(value):
        return "–"
    if value != int(value):
        return f"{value:,.3g}" if abs(value) < 100 else number(round(value))
    return f"{int(value):,}".replace(",", "\u202f")


def short_number(value: float) -> str:
    """Format a count for an axis: 1.5k, 20M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def share(count: float, total: float) -> str:
    """Format a share in per cent; a dash if the total is 0."""
    return f"{count / total:.1%}" if total else "–"


def _svg(width: int, height: int, label: str, body: Sequence[str], kind: str = "plot") -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{safe(label)}">{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{safe(text)}</text>'
    )


def _rect(x: float, y: float, w: float, h: float, kind: str, note: str = "") -> str:
    title = f"<title>{safe(note)}</title>" if note else ""
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(w, 0):.2f}" height="{max(h, 0):.2f}" '
        f'class="{kind}">{title}</rect>'
    )


def stage_flow(stages: Sequence[Mapping[str, Any]]) -> str:
    """Draw a bar for each stage: its length is the stage's input, its segments are the outcomes."""
    most = max((sum(s[o] for o in OUTCOMES) for s in stages), default=0)
    room, body = _WIDE - _LEFT - 120, []
    for i, stage in enumerate(stages):
        x, y = float(_LEFT), i * _ROW + 6
        body.append(_text(_LEFT - 12, y + 16, stage["stage"], "end", "name"))
        for outcome in OUTCOMES:
            width = room * stage[outcome] / most if most else 0
            note = f"{stage['stage']}: {number(stage[outcome])} {outcome}"
            body.append(_rect(x, y, width, 22, f"o-{outcome}", note))
            x += width
        total = sum(stage[o] for o in OUTCOMES)
        label = f"{number(stage['keep'])} · {share(stage['keep'], total)}"
        body.append(_text(x + 8, y + 16, label, kind="soft"))
    return _svg(_WIDE, len(stages) * _ROW + 8, "What each stage kept", body)


def outcome_bar(row: Mapping[str, Any], most: int) -> str:
    """Draw the outcomes of a table's row as a bar; its length is the row's share of `most`."""
    body, x = [], 0.0
    for outcome in OUTCOMES:
        width = 200 * row[outcome] / most if most else 0
        body.append(_rect(x, 2, width, 10, f"o-{outcome}", f"{number(row[outcome])} {outcome}"))
        x += width
    label = ", ".join(f"{number(row[o])} {o}" for o in OUTCOMES)
    return _svg(200, 14, label, body, "cell")


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
    """Draw a bar of equal width for each bin.

    Args:
      bins: least, below, and a count for each series; in order, without gaps.
      label: a description for readers who cannot see the plot.
      series: (key of the count, CSS class), stacked upwards.
      marks: values that are marked by a vertical line.
      tick: formats the edges of bins.
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
    for i, bin in enumerate(bins):
        y, x = bottom, left + i * step
        for key, kind in series:
            bar = (bottom - top) * bin[key] / most
            bar = max(bar, 1.5) if bin[key] else 0  # one document is visible beside a million
            y -= bar
            note = f"{tick(bin['least'])}–{tick(bin['below'])}: {number(bin[key])}"
            body.append(_rect(x + 0.5, y, step - 1, bar, kind, note))
        if i % every == 0:
            body.append(_text(x, height - 8, tick(bin["least"]), "middle", "soft"))
    if bins and len(bins) % every == 0:
        end = left + len(bins) * step
        body.append(_text(end, height - 8, tick(bins[-1]["below"]), "end", "soft"))
    for mark in marks:
        x = left + step * _position(bins, mark)
        body.append(f'<path d="M{x:.1f} {top - 8}V{bottom}" class="mark"/>')
        body.append(_text(x + 4, top - 2, tick(mark), kind="marked"))
    return _svg(width, height, label, body)


def _position(bins: Sequence[Mapping[str, Any]], value: float) -> float:
    """Return the position of a value on the axis, counted in bins from the left."""
    for i, bin in enumerate(bins):
        if value < bin["below"]:
            return i + max(0.0, (value - bin["least"]) / (bin["below"] - bin["least"]))
    return float(len(bins))
