"""What is wrong with a configuration, all at once, each with its file, line and remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One defect.  `key` is the path of the value (`basis.purposes[1]`); `message` says what
    is allowed; `value` is what was found, shortened (None: nothing was)."""

    file: str
    line: int | None
    key: str
    message: str
    value: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else self.file
        key = f" {self.key}:" if self.key else ""
        found = f" (found: {self.value})" if self.value is not None else ""
        return f"{place}:{key} {self.message}{found}"


class Invalid(Exception):
    """Configuration that cannot be used; holds every problem found, by file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(set(problems), key=lambda p: (p.file, p.line or 0, p.key, p.message))
        self.problems: tuple[Problem, ...] = tuple(ordered)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))
