"""Each exception class of the packages derives from `TamgaError` and has an exit code."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from schemas import errors
from schemas.errors import Invalid, Problem, TamgaError

ROOT = Path(__file__).resolve().parents[2]
#: Control flow inside a reader or parser; the module's callers catch them, no command sees them.
CAUGHT_INSIDE = {"DocumentError", "_NoAnswer", "_Stop"}
CODES = {errors.NO, errors.BAD_USAGE, errors.TRY_AGAIN}


def exception_classes() -> Iterator[tuple[str, str]]:
    """Module and name of each class whose base is an exception, by the source alone."""
    paths = [p for name in ("schemas", "lineage", "pipelines") for p in (ROOT / name).rglob("*.py")]
    classes = {}
    for path in sorted(paths):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                classes[module, node.name] = bases
    known = {"BaseException", "Exception"} | {
        name for name in dir(builtins) if name.endswith("Error")
    }
    while new := {n for (_, n), bases in classes.items() if bases & known and n not in known}:
        known |= new
    return ((m, n) for (m, n) in classes if n in known and n not in CAUGHT_INSIDE)


FOUND = sorted(exception_classes())


def test_the_walk_finds_the_classes() -> None:
    names = {name for _, name in FOUND}
    assert {
        "TamgaError",
        "Invalid",
        "Usage",
        "StageError",
        "WorkerLost",
        "BadCertificates",
    } <= names
    assert len(FOUND) > 30


@pytest.mark.parametrize(("module", "name"), FOUND, ids=".".join)
def test_each_class_has_the_base_and_a_code(module: str, name: str) -> None:
    kind = getattr(import_module(module), name)
    assert issubclass(kind, TamgaError)
    assert kind.exit_code in CODES
    stated = "exit_code" in vars(kind)
    assert stated or any(
        "exit_code" in vars(base) for base in kind.__bases__ if base is not TamgaError
    )
    assert kind.__doc__


def test_a_message_begins_with_the_program() -> None:
    assert errors.Usage("no command 'x'").message() == "tamga: no command 'x'"


def test_problems_begin_with_their_places() -> None:
    problems = [
        Problem("b.yaml", 2, "kind", "is not known"),
        Problem("a.yaml", None, "", "is empty"),
    ]
    assert Invalid(problems).message() == "a.yaml: is empty\nb.yaml:2: kind: is not known"


def test_the_codes_are_those_of_the_design() -> None:
    assert (errors.YES, errors.NO, errors.BAD_USAGE, errors.TRY_AGAIN) == (0, 1, 2, 3)
    assert errors.INTERRUPTED == 130
