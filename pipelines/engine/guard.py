"""The guard: a run that would keep much less than it should stops.

Stages count; this module judges the counts and words the message.  It reads no file.

| count of a | falls short if | is allowed by |
|---|---|---|
| stage, source, language | it keeps less than `min_keep_share` of what was seen | `allow` |
| stage, source, language | it keeps less than `1 - max_fall` of what was expected | `allow` |
| loss of a source to another | more than `max_source_loss` is lost | `accept_source_loss` |

Counts of fewer than `min_documents` (seen or expected) are not judged, nor are losses of fewer than
`min_source_loss`.
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
    """How many documents were kept of those that were seen.

    Attributes:
      kind: whose documents: of a stage, a source or a language, or of a source that loses
        documents to another (`loss`).
      name: of the stage, source or language; of a loss see `loss_name`.
      expected: how many would be kept at the rates of the last release; None: not known.
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
        """What is kept, as a share of what the limit is about."""
        whole = self.count.expected if self.limit == "max_fall" else self.count.seen
        return self.count.kept / whole if whole else 0.0


def loss_name(loser: str, keeper: str) -> str:
    """The name of a loss, as `accept_source_loss` has it."""
    return f"{loser}{_ARROW}{keeper}"


def loss_sources(name: str) -> tuple[str, str]:
    """The sources of a loss by its name: the one that loses, the one that keeps."""
    loser, _, keeper = name.partition(_ARROW)
    return loser, keeper


def is_allowed(kind: Kind, name: str, params: GuardParams) -> bool:
    """Whether the parameters allow a shortfall: by its name or as `kind:name`; a loss by its
    name in `accept_source_loss`."""
    if kind == "loss":
        return name in params.accept_source_loss
    return name in params.allow or f"{kind}:{name}" in params.allow


def stage_floor(stage: str, params: GuardParams) -> float:
    """The least share of its input that a stage must keep."""
    return 0.0 if is_allowed("stage", stage, params) else params.min_keep_share


def under_floor(stage: str, outcomes: Mapping[str, int]) -> Shortfall:
    """The shortfall of a stage that fell under its floor."""
    return Shortfall(
        Count("stage", stage, sum(outcomes.values()), outcomes.get("keep", 0)), "min_keep_share"
    )


def shortfalls(counts: Iterable[Count], params: GuardParams) -> list[Shortfall]:
    """The counts that fall short and are not allowed to, by kind, the worst of each kind first."""
    found = [
        Shortfall(one, limit)
        for one in counts
        if not is_allowed(one.kind, one.name, params)
        and (limit := _broken_limit(one, params)) is not None
    ]
    return sorted(found, key=lambda one: (one.count.kind, one.share, one.count.name))


def _broken_limit(count: Count, params: GuardParams) -> Limit | None:
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
    """Judge counts, and stop the run where some fall short.

    Args:
      stage: which one stops.
      explain: the documents behind a shortfall, a line each, without personal data.

    Raises:
      StageError: names each shortfall and the parameter that allows it.
    """
    if found := shortfalls(counts, params):
        lines = message_lines(found, params, explain)
        raise StageError(
            "\n".join([f"{stage}: the guard stops the run; no release is published", *lines])
        )


def message_lines(
    found: Sequence[Shortfall],
    params: GuardParams,
    explain: Callable[[Shortfall], Iterable[str]],
) -> list[str]:
    """Lines: each shortfall with what explains it, then the parameters that allow them all."""
    lines = []
    for one in found:
        lines.append(f"guard: {_describe(one, params)}")
        lines += [f"  {line}" for line in explain(one)]
    for parameter, names in _allowances(found).items():
        listed = ", ".join(f'"{name}"' for name in names)
        lines.append(f"to allow this, set `guard: {{{parameter}: [{listed}]}}` in the parameters")
    return lines


def _describe(found: Shortfall, params: GuardParams) -> str:
    """What falls short, by how much, and the limit that it breaks."""
    count = found.count
    if found.limit == "max_source_loss":
        loser, keeper = loss_sources(count.name)
        return (
            f"source {loser}: {count.lost} of {count.seen} documents "
            f"({count.lost / count.seen:.0%}) are lost to source {keeper}; at most "
            f"{_percent(params.max_source_loss)} may be lost (guard.max_source_loss)"
        )
    kept = f"{count.kind} {count.name}: {count.kept} kept of {count.seen}"
    if found.limit == "min_keep_share":
        least = _percent(params.min_keep_share)
        return f"{kept}; at least {least} must be kept (guard.min_keep_share)"
    return (
        f"{kept}; {count.expected:.0f} are expected by the last release, and at least "
        f"{_percent(1 - params.max_fall)} of these must be kept (guard.max_fall)"
    )


def _allowances(found: Iterable[Shortfall]) -> dict[str, list[str]]:
    """Parameter -> the names that it needs.  A stage that keeps nothing is never allowed."""
    out: dict[str, list[str]] = {}
    for one in found:
        kind, name = one.count.kind, one.count.name
        if kind == "loss":
            out.setdefault("accept_source_loss", []).append(name)
        elif kind != "stage" or one.count.kept:
            out.setdefault("allow", []).append(f"{kind}:{name}")
    return out


def _percent(share: float) -> str:
    return f"{100 * share:g}%"
