"""What the commands import before they do anything."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipelines.cli import COMMANDS
from schemas.stages import STAGES

#: Commands that run Beam jobs, and those that share their guard against errors.
JOBS = {"run", *STAGES, "clean", "identify"}
HEAVY = {"apache_beam", "great_expectations", "scipy", "presidio_analyzer"}
#: Commands that read releases and their store: they need no Arrow library either.
LIGHT = ("trace", "find", "explain", "query", "diff", "verify", "prove", "report", "withdraw")

_IMPORT_EACH = """
import importlib, json, sys
named = {}
for command, module in json.load(sys.stdin).items():
    before = set(sys.modules)
    importlib.import_module(module)
    named[command] = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
print(json.dumps(named))
"""


def imported(modules: dict[str, str]) -> dict[str, set[str]]:
    """Command -> the packages that its module imports beyond those of the commands before it."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_EACH],
        input=json.dumps(modules),
        capture_output=True,
        text=True,
        check=True,
    )
    return {command: set(names) for command, names in json.loads(done.stdout).items()}


def test_query_commands_import_no_heavy_library() -> None:
    queries = {name: module for name, (module, _) in COMMANDS.items() if name not in JOBS}
    found = imported(queries)
    assert {*found} == {*queries} and "polars" in set().union(*found.values())
    assert {name: heavy for name, packages in found.items() if (heavy := packages & HEAVY)} == {}


def test_commands_on_releases_import_no_arrow() -> None:
    found = imported({name: COMMANDS[name][0] for name in LIGHT})
    unwanted = {"pyarrow", "numpy", "jsonschema", "pandas"}
    assert {*found} == {*LIGHT}
    assert {name: bad for name, packages in found.items() if (bad := packages & unwanted)} == {}


@pytest.mark.parametrize("package", ["lineage", "pipelines", "pipelines.cli", "schemas"])
def test_a_package_imports_no_library(package: str) -> None:
    (found,) = imported({"it": package}).values()
    assert found - {*sys.stdlib_module_names} <= {"lineage", "pipelines", "schemas"}


def test_the_store_is_opened_through_the_package() -> None:
    import lineage
    from lineage.store import store

    assert lineage.open is store.open and lineage.Store is store.Store
    with pytest.raises(AttributeError, match="no attribute 'shut'"):
        _ = lineage.shut
