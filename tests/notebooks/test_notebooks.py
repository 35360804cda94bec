"""Each notebook runs from its first to its last cell, and is stored without outputs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from helpers.commands import ROOT

nbformat = pytest.importorskip("nbformat", reason="the extra `notebooks` is not installed")
nbclient = pytest.importorskip("nbclient", reason="the extra `notebooks` is not installed")
pytest.importorskip("ipykernel", reason="the extra `notebooks` is not installed")
pytest.importorskip("matplotlib", reason="the extra `notebooks` is not installed")

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@each
def test_notebook_runs(
    path: Path, sample_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    settings = {
        "TAMGA_HOME": sample_run,
        "PYTHONPATH": ROOT,
        "MPLBACKEND": "agg",
        "TMPDIR": tmp_path,
        **{
            name: tmp_path / name
            for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR")
        },
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    # no kernel folders: use this interpreter, not a kernel that the user has installed
    native = KernelSpecManager(kernel_dirs=[])
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=native)
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, km=manager, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=os.environ.copy())
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


@each
def test_notebook_is_stored_without_outputs(path: Path) -> None:
    text = path.read_text("utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert 8 <= len(notebook.cells) <= 20
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    places = [place for place in (Path.home(), ROOT, Path(sys.prefix)) if len(place.parts) > 1]
    assert not any(json.dumps(str(place))[1:-1] in text for place in places)


def test_there_is_a_notebook_per_user() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["data-engineers", "legal", "trainers"]
