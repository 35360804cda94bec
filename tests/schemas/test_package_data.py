"""`schemas` parses bytes.  It opens only the data files of its own package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import schemas

PACKAGE: Final = Path(schemas.__file__).parent
#: Function -> what it opens: data of the package, or the null device.
ALLOWED: Final = {
    "code_version.code_version": "the code itself",
    "command_entry._discard_output": "the null device",
    "params.default_robots_agents": "robots_agents.txt",
    "policy.built_in": "policies/*.yaml",
    "schema_check.schema_of": "*.schema.json",
}
_METHODS: Final = {
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "exists", "is_file", "is_dir",
    "iterdir", "glob", "rglob", "walk", "scandir", "listdir", "stat", "lstat", "mkdir", "unlink",
    "rename", "fdopen", "touch", "samefile", "readlink",
}  # fmt: skip


def accesses(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the name and line of each function of a module that accesses files."""
    for body in tree.body:
        name = getattr(body, "name", "")
        for node in ast.walk(body):
            if isinstance(node, ast.Call) and _accesses_file(node.func):
                yield name, node.lineno


def _accesses_file(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr in _METHODS
    return isinstance(function, ast.Name) and function.id in {
        "open",
        "read_parquet",
        "scan_parquet",
    }


def test_no_module_opens_other_files() -> None:
    found: dict[str, int] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        for name, line in accesses(ast.parse(path.read_bytes())):
            found.setdefault(f"{module}.{name}", line)
    assert found.keys() == ALLOWED.keys(), found


def test_schemas_imports_neither_lineage_nor_pipelines_nor_desk() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.partition(".")[0] for n in names} & {"lineage", "pipelines", "desk"}, path


@pytest.mark.parametrize(
    "code",
    ["open(path)", "path.open('rb')", "path.read_bytes()", "os.listdir(path)", "path.is_file()"],
)
def test_each_kind_of_access_is_detected(code: str) -> None:
    assert list(accesses(ast.parse(f"def f():\n    {code}\n"))) == [("f", 2)]
