"""The base class of the project's errors, their exit codes, and the problems of a configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

#: Exit codes of all commands: 1 is also "the output falls short", 2 also "bad parameters".
YES: Final = 0
NO: Final = 1
BAD_USAGE: Final = 2
TRY_AGAIN: Final = 3
INTERRUPTED: Final = 130


class TamgaError(Exception):
    """An error that a user can meet.  `schemas.command_entry` catches it, prints `message()` to
    standard error and ends the command with `exit_code`.

    The text names what is wrong, where, what is allowed and what to do.  It holds no personal data.
    """

    exit_code: ClassVar[int] = NO

    def message(self) -> str:
        """One line or more for standard error."""
        return f"tamga: {self}"


class Usage(TamgaError):
    """A command line that cannot be used."""

    exit_code = BAD_USAGE


@dataclass(frozen=True, slots=True)
class Problem:
    """One defect of a configuration.

    Attributes:
      file: the file, or the argument of a command line.
      line: its line; None: the whole file.
      key: the path of the value (`basis.purposes[1]`).
      message: what is allowed.
      value: the present value, shortened; None: there is none.
    """

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


class Invalid(TamgaError):
    """A configuration that cannot be used, with all its problems, sorted by file and line."""

    exit_code = BAD_USAGE

    def __init__(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(set(problems), key=lambda p: (p.file, p.line or 0, p.key, p.message))
        self.problems: tuple[Problem, ...] = tuple(ordered)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))

    def message(self) -> str:
        """A line per problem; each begins with its file and line, as compilers write it."""
        return str(self)
