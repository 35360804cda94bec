"""The rules of the layout: direction of imports, size of files, forbidden names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from schemas import stages

ROOT = Path(__file__).resolve().parents[1]
#: Each package may import those after it.
ORDER = ("desk", "pipelines", "lineage", "schemas")
#: Names that do not say what a function does or returns.
VAGUE = {"told", "said", "made", "found", "one", "some", "stands", "whole"}
VAGUE_MODULES = {"util", "utils", "helpers", "common", "misc"}
MOST_LINES = 400
MOST_FILES = 6
#: Stages whose names have a second meaning: a column and a kind of guard; a key of a run's summary.
AMBIGUOUS = {"language", "release"}
#: The files whose words are checked, and their folders.
WORDED = ("*.py", "*.md", "*.ipynb", "*.html", "*.css")
FOLDERS = (*ORDER, "benchmarks", "docs", "notebooks", "samples", "tests")

Graph = Mapping[str, set[str]]


@cache
def module_files() -> dict[str, Path]:
    """Module -> its file."""
    found = {}
    for top in ORDER:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(module: str, is_package: bool, source: str) -> Iterator[tuple[str, str | None]]:
    """(module, name or None) of each import, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")
                package = package[: len(package) - node.level + is_package]
                base = ".".join([*package, *([base] if base else [])])
            yield from ((base, alias.name) for alias in node.names)


def import_graph(sources: Mapping[str, tuple[bool, str]]) -> dict[str, set[str]]:
    """Module -> the modules among these that it imports.

    Args:
      sources: module -> whether it is a package, and its text.
    """
    graph: dict[str, set[str]] = {module: set() for module in sources}
    for module, (is_package, source) in sources.items():
        for base, name in imports_of(module, is_package, source):
            submodule = f"{base}.{name}"
            target = submodule if name and submodule in sources else base
            if target in sources and target != module:
                graph[module].add(target)
    return graph


@cache
def project_graph() -> Graph:
    return import_graph(
        {
            module: (path.name == "__init__.py", path.read_text("utf-8"))
            for module, path in module_files().items()
        }
    )


def circles(graph: Graph) -> list[list[str]]:
    """The strongly connected components of at least two nodes (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            place = stack.index(node)
            component = stack[place:]
            del stack[place:]
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def folder_of(module: str) -> str:
    return module_files()[module].parent.relative_to(ROOT).as_posix()


def folder_graph() -> dict[str, set[str]]:
    """Folder -> the folders that its modules import from."""
    graph: dict[str, set[str]] = {}
    for module, targets in project_graph().items():
        folder = folder_of(module)
        others = {folder_of(target) for target in targets} - {folder}
        graph.setdefault(folder, set()).update(others)
    return graph


def functions(folder: str) -> Iterator[tuple[str, str]]:
    """(place, name) of each function and method."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.name


def test_imports_are_seen() -> None:
    graph = import_graph(
        {
            "a": (True, "from . import b"),
            "a.b": (False, "def f():\n    from a.c import value"),
            "a.c": (False, "if TYPE_CHECKING:\n    from .d import Kind\nimport os"),
            "a.d": (False, "import a.b\nfrom a import e"),
        }
    )
    assert graph == {"a": {"a.b"}, "a.b": {"a.c"}, "a.c": {"a.d"}, "a.d": {"a.b", "a"}}
    assert circles(graph) == [["a", "a.b", "a.c", "a.d"]]
    assert circles({"x": {"y"}, "y": {"z"}, "z": set()}) == []
    assert "pipelines.dedup.duplicates" in project_graph()["pipelines.dedup.sketches"]


def test_no_circle_between_modules() -> None:
    assert circles(project_graph()) == []


def test_no_circle_between_folders() -> None:
    assert circles(folder_graph()) == []


def test_imports_run_one_way() -> None:
    place = {top: number for number, top in enumerate(ORDER)}
    upwards = {
        (module, target)
        for module, targets in project_graph().items()
        for target in targets
        if place[target.partition(".")[0]] < place[module.partition(".")[0]]
    }
    assert upwards == set()


def test_the_engine_imports_no_stage() -> None:
    engine = [module for module in project_graph() if folder_of(module) == "pipelines/engine"]
    assert len(engine) > 5
    reached = {(module, target) for module in engine for target in project_graph()[module]}
    stage_folders = {("pipelines", name) for name in stages.STAGES}
    assert {(m, t) for m, t in reached if tuple(t.split(".")[:2]) in stage_folders} == set()


def test_the_engine_names_no_stage() -> None:
    named = []
    for path in sorted((ROOT / "pipelines/engine").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                first = node.value.partition("/")[0]
                if first in stages.STAGES and node.value not in AMBIGUOUS:
                    named.append((path.name, node.lineno, node.value))
    assert named == []


def test_few_files_beside_the_folders() -> None:
    files = sorted(path.name for path in (ROOT / "pipelines").glob("*.py"))
    assert 0 < len(files) <= MOST_FILES, files


def test_no_module_is_long() -> None:
    lines = {m: len(p.read_text("utf-8").splitlines()) for m, p in module_files().items()}
    assert {module: number for module, number in lines.items() if number > MOST_LINES} == {}


def test_each_module_has_a_subject() -> None:
    assert {m for m in module_files() if m.rpartition(".")[2] in VAGUE_MODULES} == set()


@pytest.mark.parametrize("folder", ["pipelines", "lineage", "schemas"])
def test_functions_have_names_that_say_something(folder: str) -> None:
    assert [(p, name) for p, name in functions(folder) if name.strip("_") in VAGUE] == []


@pytest.mark.parametrize("folder", ["tests/helpers", "tests/runs"])
def test_helpers_have_names_that_say_something(folder: str) -> None:
    assert [(p, name) for p, name in functions(folder) if name.strip("_") in VAGUE] == []


def test_a_word_that_says_too_little_is_gone() -> None:
    """STYLE: each `told` gets the verb of what it does."""
    word = re.compile(r"(?<![a-z])told(?![a-z])", re.I)
    paths = [p for folder in FOLDERS for kind in WORDED for p in (ROOT / folder).rglob(kind)]
    paths += ROOT.glob("*.md")
    counts = {
        str(path.relative_to(ROOT)): len(word.findall(path.read_text("utf-8")))
        for path in sorted(set(paths))
        if path.name != Path(__file__).name
    }
    assert {path: number for path, number in counts.items() if number} == {}


def test_no_test_module_replaces_what_others_use() -> None:
    """A module that is collected must not change a library for the rest of the process."""
    replaced = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(target, ast.Attribute) for target in targets):
                replaced.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert replaced == []
