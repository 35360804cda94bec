"""The imports of the commands, and the message and exit code of each kind of error."""

from __future__ import annotations

import ast
import json
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from helpers.commands import ROOT, tamga

from pipelines.cli import COMMANDS
from schemas.stages import STAGES

#: Commands that run Beam jobs.
JOBS = {"run", *STAGES}
HEAVY = {"apache_beam", "great_expectations", "scipy", "presidio_analyzer"}
#: Commands that read releases and their store; they must not import Arrow either.
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
    """Return, by command, the packages that its module imports and earlier commands do not."""
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
    packages_of = imported(queries)
    assert {*packages_of} == {*queries} and "polars" in set().union(*packages_of.values())
    assert {
        name: heavy for name, packages in packages_of.items() if (heavy := packages & HEAVY)
    } == {}


def test_commands_on_releases_import_no_arrow() -> None:
    packages_of = imported({name: COMMANDS[name][0] for name in LIGHT})
    unwanted = {"pyarrow", "numpy", "jsonschema", "pandas"}
    assert {*packages_of} == {*LIGHT}
    assert {
        name: bad for name, packages in packages_of.items() if (bad := packages & unwanted)
    } == {}


@pytest.mark.parametrize("package", ["lineage", "pipelines", "pipelines.cli", "schemas"])
def test_a_package_imports_no_library(package: str) -> None:
    (packages,) = imported({package: package}).values()
    assert packages - {*sys.stdlib_module_names} <= {"lineage", "pipelines", "schemas"}


def test_the_store_is_opened_through_the_package() -> None:
    import lineage
    from lineage.store import store

    assert lineage.open is store.open and lineage.Store is store.Store
    with pytest.raises(AttributeError, match="no attribute 'shut'"):
        _ = lineage.shut


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Parameters, register and an empty folder `release/none`; no raw files."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "register", tmp_path / "register")
    (tmp_path / "release/none").mkdir(parents=True)
    return tmp_path


def failed(home: Path, code: int, *command: str) -> str:
    """Run a command that must end with a code; return its message.  `HOME` is the folder."""
    done = tamga(*(word.replace("HOME", str(home)) for word in command))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and not done.stdout
    return done.stderr


@pytest.mark.parametrize(
    ("code", "command", "message"),
    [
        (2, "verify", "tamga: "),
        (2, "verify --key HOME/params.yaml", "no public key"),
        (2, "verify HOME/release/none --key HOME/none.pub", "none.pub: the key cannot be read"),
        (2, "profile HOME/release/none", "holds no release"),
        (2, "report licences --release HOME/release/none", "holds no release"),
        (2, "trace x --release HOME/release/none", "holds no release"),
        (2, "prove x --release HOME/release/none", "holds no release"),
        (2, "policy diff KZ KZ --release HOME/release/none", "holds no release"),
        (2, "sources check --params HOME/params.yaml --release HOME/release/none", "holds no"),
        (2, "query --releases HOME/release", "tamga index"),
        (2, "find --domain x.kz --releases HOME/release", "tamga index"),
        (2, "prove --check HOME/params.yaml", "this is not a proof"),
        (2, "prove --grown 1 2 --log HOME/none", "the log has 0 entries"),
        (2, "quality train --out HOME/model.bin", "--curated"),
        (2, "language --params HOME/params.yaml --no-such-option", "--no-such-option"),
        (2, "scrub HOME/none.txt", "HOME/none.txt: No such file or directory"),
        (2, "scrub HOME/release", "HOME/release: Is a directory"),
        (2, "identify HOME/none.txt", "HOME/none.txt: No such file or directory"),
        (1, "language --params HOME/params.yaml", "run `tamga ingest` first"),
        (1, "case add c-0009 HOME/params.yaml --by counsel --params HOME/params.yaml",
         "there is no case c-0009"),
        (1, "policy show QQ", "no policy pack has the name QQ"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else None,
)  # fmt: skip
def test_an_error_is_one_line_and_an_exit_code(
    home: Path, code: int, command: str, message: str
) -> None:
    error = failed(home, code, *command.split())
    assert error.startswith("tamga: ") and message.replace("HOME", str(home)) in error
    assert error.count("\n") == 1 and error.endswith("\n")


def test_an_unknown_command(home: Path) -> None:
    error = failed(home, 2, "dance")
    assert error.startswith("tamga: no command 'dance'\n") and "exit codes: 0 yes" in error


@pytest.mark.parametrize("command", ["run", "ingest", "clean", "withdraw source x", "case list"])
def test_all_problems_of_the_parameters_are_listed(home: Path, command: str) -> None:
    params = home / "params.yaml"
    text = params.read_text("utf-8").replace("purpose: pretraining", "purpose: fun\ncolour: red")
    params.write_text(text, "utf-8")
    error = failed(home, 2, *command.split(), "--params", "HOME/params.yaml")
    keys = [line.split()[1] for line in error.splitlines()]
    assert keys == ["purpose:", "colour:"]
    assert all(line.startswith(f"{params}:") for line in error.splitlines())


def test_a_module_of_a_stage_is_the_same_command(home: Path) -> None:
    command = [sys.executable, "-m", "pipelines.language", "--params", str(home / "params.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    message = failed(home, 1, "language", "--params", "HOME/params.yaml")
    assert done.stderr.endswith(message) and "Traceback" not in done.stderr


def test_a_path_that_cannot_be_written(home: Path) -> None:
    """`work` is a file."""
    (home / "work").write_text("")
    error = failed(home, 2, "ingest", "--params", "HOME/params.yaml", "--workers", "1")
    assert error.startswith(f"tamga: {home}/work") and error.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_ends_with_try_again(home: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "sources", "list", "--params"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*command, str(home / "params.yaml")],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith("tamga: No space left on device") and done.stderr.count("\n") == 1


def test_an_interrupted_command() -> None:
    """The interruption comes while the command waits for more lines."""
    command = [sys.executable, "-m", "pipelines.cli", "identify"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # ignored in some shells
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"a line of text\n" * 4096)
        process.stdin.flush()
        assert process.stdout.readline().count(b"\t") == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == b"tamga: interrupted; start the command again\n"


@pytest.mark.parametrize("module", sorted({module for module, _ in COMMANDS.values()}))
def test_each_command_catches_errors_in_the_one_way(module: str) -> None:
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8"))
    [main] = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main"]
    assert [ast.unparse(one) for one in main.decorator_list] == ["with_exit_code"]
