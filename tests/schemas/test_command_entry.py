"""Errors become a message and an exit code; defects keep their traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.command_entry import with_exit_code
from schemas.errors import Usage

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Usage("name a RELEASE"), 2, "tamga: name a RELEASE\n"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a"), 2, "tamga: a: No such file\n"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), 2,
         "tamga: a: Permission denied\n"),
        (OSError(errno.ENOSPC, "No space left", "a"), 3,
         "tamga: a: No space left; mend this, then start the command again\n"),
        (TimeoutError(), 3,
         "tamga: a file cannot be read (TimeoutError); mend this, then start the command again\n"),
        (OSError("Not a gzipped file (b'Az')"), 1, "tamga: a file cannot be read (OSError)\n"),
        (KeyboardInterrupt(), 130, "tamga: interrupted; start the command again\n"),
    ],
    ids=["usage", "missing", "denied", "full", "network", "content", "interrupt"],
)  # fmt: skip
def test_each_kind(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @with_exit_code
    def main() -> int:
        raise error

    assert main() == code
    assert capsys.readouterr().err == message


def test_a_defect_is_not_hidden() -> None:
    @with_exit_code
    def main() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


def test_arguments_and_the_code_pass() -> None:
    @with_exit_code
    def main(first: int, *, second: int) -> int:
        return first + second

    assert main(1, second=2) == 3
    assert main.__name__ == "main"


SCRIPT = """
import sys
from schemas.command_entry import with_exit_code

@with_exit_code
def main():
    print("x" * int(sys.argv[1]))
    return 0

sys.exit(main())
"""


@pytest.mark.parametrize("characters", ["10", "1000000"])
def test_a_closed_pipe_is_an_end(characters: str) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", SCRIPT, characters]
    done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("characters", ["10", "1000000"])
def test_a_full_disk_below_the_output(characters: str) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-c", SCRIPT, characters]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 3
    assert done.stderr.startswith("tamga: No space left on device") and done.stderr.count("\n") == 1


def test_it_loads_no_library() -> None:
    script = "import sys, schemas.command_entry, pipelines.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    heavy = {"apache_beam", "polars", "pyarrow", "great_expectations", "yaml", "jsonschema"}
    assert not loaded & heavy
