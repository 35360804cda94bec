"""Kill a withdrawal with `kill -9`: each release stays complete, and a repeated command finishes.

The process counts its changes of the file system, and kills itself before the n-th change.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import ROOT, copy_run
from helpers.release_tables import read_table

from lineage import receipts
from lineage.register_files import load_register
from lineage.signing import keys, release_log
from lineage.storage import release_files
from lineage.verify import defects
from pipelines.withdrawal import command as withdraw

CHILD = """
import os, signal, sys
from pipelines.withdrawal import command, execution, impact, purge
last, changes = int(sys.argv[1]), 0
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link"}

def count_change(event, args):
    global changes
    writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    if event in CHANGES or writes:
        changes += 1
        if changes == last:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count_change)
code = command.main(sys.argv[2:])
print(changes)
sys.exit(code)
"""


def attempt(home: Path, last: int) -> subprocess.CompletedProcess[str]:
    args = ["source", "kz-bilik", "--confirm", "--erase", "--by", "counsel", "--ground", "x"]
    command = [sys.executable, "-c", CHILD, str(last), *args, "--params", home / "params.yaml"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def origin(sample_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_run(sample_run, tmp_path_factory.mktemp("origin") / "home")


@pytest.fixture(scope="module")
def changes(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """The number of changes of an uninterrupted withdrawal."""
    home = tmp_path_factory.mktemp("whole") / "home"
    shutil.copytree(origin, home)
    done = attempt(home, -1)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("part", range(6))
def test_a_killed_withdrawal_can_be_repeated(
    part: int, changes: int, origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(origin, home)
    last = random.Random(part).randrange(1 + part * changes // 6, 1 + (part + 1) * changes // 6)
    assert attempt(home, last).returncode == -9
    release = home / "release/sample"
    key = keys.public_key(home / "work/keys/signing.pub")
    assert not list(defects(release, key, home / "release" / release_files.LOG)), (
        f"killed at {last}"
    )
    load_register(home / "register")
    held = (read_table(release, "data")["source_id"] == "kz-bilik").sum()
    assert held in (
        0,
        (read_table(origin / "release/sample", "data")["source_id"] == "kz-bilik").sum(),
    )
    again = ["source", "kz-bilik", "--confirm", "--erase", "--by", "counsel", "--ground", "x"]
    assert withdraw.main([*again, "--params", str(home / "params.yaml")]) == 0
    assert not list(defects(release, key, home / "release" / release_files.LOG))
    assert not (read_table(release, "data")["source_id"] == "kz-bilik").any()
    assert len(load_register(home / "register").withdrawals) == 1
    (receipt,) = (home / "release/receipts").glob("*.dsse.json")
    assert not list(receipts.defects(receipt, key))
    assert not (home / "work/ingest").exists()
    assert not list((home / "release/.withdraw").iterdir())
    assert len(release_log.read(home / "release" / release_files.LOG)) == 2
