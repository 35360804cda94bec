"""The one place where errors become a message on standard error and an exit code.

It imports no library: the command line imports it before anything else.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

from schemas.errors import BAD_USAGE, INTERRUPTED, NO, TRY_AGAIN, YES, TamgaError

_Options = ParamSpec("_Options")

#: What a path in a command or its parameters can cause: the same command would fail again.
_WRONG_PATH: Final = (
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


def with_exit_code(main: Callable[_Options, int]) -> Callable[_Options, int]:
    """Decorate the `main` of a command: it returns an exit code for each error that a user can meet.

    An error that is not a `TamgaError`, an `OSError` or an interruption is a defect of the project
    and keeps its traceback.
    """

    @wraps(main)
    def run(*args: _Options.args, **options: _Options.kwargs) -> int:
        # Polars restarts a read that Ctrl-C interrupts: the command would go on waiting for input
        signal.siginterrupt(signal.SIGINT, True)
        try:
            code = main(*args, **options)
            sys.stdout.flush()  # a full disk or a closed pipe shows here, not at the end
            return code
        except BrokenPipeError:  # the reader of the pipe has stopped, as `head` does
            _discard_output()
            return YES
        except TamgaError as error:
            print(error.message(), file=sys.stderr)
            return error.exit_code
        except OSError as error:
            print(f"tamga: {_in_words(error)}", file=sys.stderr)
            _discard_output()
            return exit_code(error)
        except KeyboardInterrupt:
            print("tamga: interrupted; start the command again", file=sys.stderr)
            return INTERRUPTED

    return run


def exit_code(error: OSError) -> int:
    """3 where the disk or the network failed, 2 for a path that cannot be used, 1 for content that
    cannot be read: libraries raise that as an `OSError` without a number."""
    if isinstance(error, _WRONG_PATH):
        return BAD_USAGE
    known = error.errno is not None or isinstance(error, ConnectionError | TimeoutError)
    return TRY_AGAIN if known else NO


def _in_words(error: OSError) -> str:
    """The file and what is wrong; only the class where the text may quote what was read."""
    place = "" if error.filename is None else f"{error.filename}: "
    hint = "; mend this, then start the command again"
    what = error.strerror or f"a file cannot be read ({type(error).__name__})"
    return place + what + (hint if exit_code(error) == TRY_AGAIN else "")


def _discard_output() -> None:
    """Discard the remaining output if it cannot be printed: Python would report it again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
