"""Only `lineage/storage` writes files, atomically."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES: Final = ("schemas", "lineage", "pipelines", "desk")
HOME: Final = ROOT / "lineage/storage"
#: File -> its writing calls, with the reason why they need not be atomic.
ALLOWED: Final = {
    (
        "schemas/command_entry.py",
        "os.O_WRONLY",
    ): "stdout goes to the null device once its reader is gone",
    ("pipelines/engine/data_docs.py", "fdopen"): "stdout under another number, for answers alone",
}

_METHODS: Final = {"write_text", "write_bytes", "touch", "hardlink_to", "symlink_to"}
_FUNCTIONS: Final = {
    "os": {"replace", "rename", "renames", "link", "symlink", "truncate", "mkfifo", "mknod"},
    "shutil": {"copy", "copy2", "copyfile", "copytree", "move"},
    "tempfile": {"NamedTemporaryFile", "mkstemp"},
}
_FLAGS: Final = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC", "O_TMPFILE"}
_FRAMES: Final = ("write_parquet", "write_csv", "write_ndjson", "write_json", "write_ipc", "sink_")
_OURS: Final = {"disk"}  # lineage.storage.disk


def writes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The places in a module that write files: the line, and the call or flag."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _FLAGS:
            yield node.lineno, f"os.{node.attr}"
        if isinstance(node, ast.Call) and (name := _writing(node)):
            yield node.lineno, name


def _writing(call: ast.Call) -> str | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    name = call.func.id if isinstance(call.func, ast.Name) else name
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    module = owner.id if isinstance(owner, ast.Name) else ""
    if module in _OURS:
        return None
    if name in ("open", "fdopen", "ZipFile", "GzipFile") and any(map(_is_mode, _values(call))):
        return name
    if name.startswith(_FRAMES):  # without a target these return the text
        return name if call.args else None
    if name in _METHODS or name in _FUNCTIONS.get(module, ()):
        return f"{module}.{name}".lstrip(".")
    if module == "pq" and name in (
        "write_table",
        "ParquetWriter",
    ):  # Parquet goes into memory or an `atomic_file`
        target = _values(call)[name == "write_table"]
        return None if isinstance(target, ast.Name) and target.id in ("sink", "file") else name
    moves = name in ("replace", "rename") and len(call.args) == 1 and not call.keywords
    if moves and not isinstance(call.args[0], (ast.Dict, ast.Constant)):  # Polars renames by these
        return name
    return None


def _values(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(k.value for k in call.keywords)]


def _is_mode(value: ast.expr) -> bool:
    text = value.value if isinstance(value, ast.Constant) else None
    return isinstance(text, str) and {*text} <= {*"rwaxbt+"} and bool({*text} & {*"wax+"})


def test_no_other_module_opens_a_file_for_writing() -> None:
    found: dict[tuple[str, str], list[int]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.is_relative_to(HOME):
                continue
            for line, what in writes(ast.parse(path.read_bytes())):
                key = (path.relative_to(ROOT).as_posix(), what)
                found.setdefault(key, []).append(line)
    assert found.keys() == ALLOWED.keys(), found


@pytest.mark.parametrize(
    "code",
    [
        "open(path, 'w')",
        "open(path, mode='ab')",
        "path.open('x')",
        "path.open('r+b')",
        "gzip.open(path, 'wt')",
        "os.fdopen(number, 'wb')",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "path.write_text('x')",
        "path.write_bytes(b'x')",
        "path.touch()",
        "os.replace(part, path)",
        "os.link(one, other)",
        "part.replace(path)",
        "part.rename(path)",
        "shutil.copytree(one, other)",
        "tempfile.mkstemp()",
        "frame.write_parquet(path)",
        "frame.sink_parquet(path)",
        "pq.write_table(rows, path)",
        "pq.ParquetWriter(folder / 'x', schema)",
    ],
)
def test_each_way_of_writing_is_seen(code: str) -> None:
    assert list(writes(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "open(path)",
        "path.open('rb')",
        "os.open(path, os.O_RDONLY)",
        "text.replace('a', 'b')",
        "day.replace(tzinfo=zone)",
        "frame.rename({'a': 'b'})",
        "disk.write_bytes(path, content)",
        "pq.write_table(rows, sink)",
        "frame.write_csv()",
    ],
)
def test_reading_is_not_writing(code: str) -> None:
    assert not list(writes(ast.parse(code)))
