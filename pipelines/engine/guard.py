"""The guard stops a run that would keep too few documents.

Stages count; this module compares the counts with the limits and writes the message.  It reads no
file.

| count of a | falls short if | is allowed by |
|---|---|---|
| stage, source, language | it keeps less than `min_keep_share` of the documents seen | `allow` |
| stage, source, language | it keeps less than `1 - max_fall` of those expected | `allow` |
| loss of a source to another | more than `max_source_loss` is lost | `accept_source_loss` |

Counts of fewer than `min_documents` (seen or expected) and losses of fewer than `min_source_loss`
are never too small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pipelines.engine.published import StageError
from schemas.sections import GuardParams

Kind = Literal["stage", "source", "language", "loss"]
Limit = Literal["min_keep_share", "max_fall", "max_source_loss"]
_ARROW: Final = " > "


@dataclass(frozen=True)
class Count:
    """The number of documents seen and kept.

    Attributes:
      kind: whose documents: of a stage, a source or a language, or of a source that loses
        documents to another (`loss`).
      name: of the stage, source or language; of a loss see `loss_name`.
      expected: how many would be kept at the rates of the last release; None if not known.
    """

    kind: Kind
    name: str
    seen: int
    kept: int
    expected: float | None = None

    @property
    def lost(self) -> int:
        return self.seen - self.kept


@dataclass(frozen=True)
class Shortfall:
    """A count and the parameter of `guard` that it breaks."""

    count: Count
    limit: Limit

    @property
    def share(self) -> float:
        """The share kept of the documents that the limit refers to: seen or expected."""
        total = self.count.expected if self.limit == "max_fall" else self.count.seen
        return self.count.kept / total if total else 0.0


def loss_name(loser: str, keeper: str) -> str:
    """Return the name of a loss, as used in `accept_source_loss`."""
    return f"{loser}{_ARROW}{keeper}"


def loss_sources(name: str) -> tuple[str, str]:
    """Split the name of a loss into the source that loses and the source that keeps."""
    loser, _, keeper = name.partition(_ARROW)
    return loser, keeper


def is_allowed(kind: Kind, name: str, params: GuardParams) -> bool:
    """Whether the parameters allow a shortfall.

    `allow` lists it by its name or as `kind:name`; `accept_source_loss` lists a loss by its name.
    """
    if kind == "loss":
        return name in params.accept_source_loss
    return name in params.allow or f"{kind}:{name}" in params.allow


def stage_floor(stage: str, params: GuardParams) -> float:
    """Return the least share of its input that a stage must keep."""
    return 0.0 if is_allowed("stage", stage, params) else params.min_keep_share


def under_floor(stage: str, outcomes: Mapping[str, int]) -> Shortfall:
    """Return the shortfall of a stage that kept less than its floor."""
    return Shortfall(
        Count("stage", stage, sum(outcomes.values()), outcomes.get("keep", 0)), "min_keep_share"
    )


def shortfalls(counts: Iterable[Count], params: GuardParams) -> list[Shortfall]:
    """Return the counts that fall short and are not allowed, by kind, the worst first."""
    short = [
        Shortfall(count, limit)
        for count in counts
        if not is_allowed(count.kind, count.name, params)
        and (limit := _broken_limit(count, params)) is not None
    ]
    return sorted(short, key=lambda s: (s.count.kind, s.share, s.count.name))


def _broken_limit(count: Count, params: GuardParams) -> Limit | None:
    """The limit that a count breaks, or None."""
    seen, kept, expected = count.seen, count.kept, count.expected
    if count.kind == "loss":
        many = count.lost >= params.min_source_loss
        return "max_source_loss" if many and count.lost / seen > params.max_source_loss else None
    if seen >= params.min_documents and kept < params.min_keep_share * seen:
        return "min_keep_share"
    if expected is None or expected < params.min_documents:
        return None
    return "max_fall" if kept < (1 - params.max_fall) * expected else None


def stop_if_short(
    counts: Iterable[Count],
    params: GuardParams,
    *,
    stage: str,
    explain: Callable[[Shortfall], Iterable[str]],
) -> None:
    """Stop the run if counts fall short.

    Args:
      counts: of any kinds.
      params: the limits, and the shortfalls that are allowed.
      stage: the stage that stops.
      explain: returns the documents behind a shortfall, a line each, without personal data.

    Raises:
      StageError: names each shortfall and the parameter that allows it.
    """
    if short := shortfalls(counts, params):
        lines = message_lines(short, params, explain)
        raise StageError(
            "\n".join([f"{stage}: the guard stops the run; no release is published", *lines])
        )


def message_lines(
    short: Sequence[Shortfall],
    params: GuardParams,
    explain: Callable[[Shortfall], Iterable[str]],
) -> list[str]:
    """Return each shortfall with its explanation, then the parameters that allow them all."""
    lines = []
    for shortfall in short:
        lines.append(f"guard: {_describe(shortfall, params)}")
        lines += [f"  {line}" for line in explain(shortfall)]
    for parameter, names in _allowances(short).items():
        listed = ", ".join(f'"{name}"' for name in names)
        lines.append(f"to allow this, set `guard: {{{parameter}: [{listed}]}}` in the parameters")
    return lines


def _describe(shortfall: Shortfall, params: GuardParams) -> str:
    """Say what falls short, by how much, and which limit it breaks."""
    count = shortfall.count
    if shortfall.limit == "max_source_loss":
        loser, keeper = loss_sources(count.name)
        return (
            f"source {loser}: {count.lost} of {count.seen} documents "
            f"({count.lost / count.seen:.0%}) are lost to source {keeper}; at most "
            f"{_percent(params.max_source_loss)} may be lost (guard.max_source_loss)"
        )
    kept = f"{count.kind} {count.name}: {count.kept} kept of {count.seen}"
    if shortfall.limit == "min_keep_share":
        least = _percent(params.min_keep_share)
        return f"{kept}; at least {least} must be kept (guard.min_keep_share)"
    return (
        f"{kept}; {count.expected:.0f} are expected by the last release, and at least "
        f"{_percent(1 - params.max_fall)} of these must be kept (guard.max_fall)"
    )


def _allowances(short: Iterable[Shortfall]) -> dict[str, list[str]]:
    """Parameter -> the names to list in it.  A stage that keeps nothing cannot be allowed."""
    out: dict[str, list[str]] = {}
    for shortfall in short:
        kind, name = shortfall.count.kind, shortfall.count.name
        if kind == "loss":
            out.setdefault("accept_source_loss", []).append(name)
        elif kind != "stage" or shortfall.count.kept:
            out.setdefault("allow", []).append(f"{kind}:{name}")
    return out


def _percent(share: float) -> str:
    return f"{100 * share:g}%"
