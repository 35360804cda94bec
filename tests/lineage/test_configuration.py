"""Parameters are read with their mixture and register."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.params_files import LEAST, write_mixture, write_params
from helpers.register_folders import entry_text, write_register

from lineage.configuration import load_both, load_params, required_params
from schemas.errors import Invalid


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        load_params(tmp_path / "params.yaml")


def test_a_missing_mixture(tmp_path: Path) -> None:
    path = write_mixture(tmp_path, "seed: 3\n")
    (tmp_path / "mixture.yaml").unlink()
    with pytest.raises(Invalid) as caught:
        load_params(path)
    (found,) = caught.value.problems
    assert (found.line, found.key, found.value) == (14, "release.mixture", "mixture.yaml")


def test_a_missing_params_file_is_reported_with_remedies(tmp_path: Path) -> None:
    for instead, remedy in (("a release by --release", ", or a release by"), ("", "by --params")):
        with pytest.raises(Invalid) as caught:
            required_params(tmp_path / "none.yaml", instead)
        (found,) = caught.value.problems
        assert found.file.endswith("none.yaml") and remedy in found.message
        assert (", or" in found.message) is bool(instead)
    path = write_params(tmp_path, LEAST)
    assert required_params(path, "") == load_params(path)


def test_parameters_and_register_are_judged_together(tmp_path: Path) -> None:
    write_register(tmp_path / "register", {"one": entry_text()})
    path = write_params(tmp_path, LEAST)
    params, register = load_both(path)
    assert params == load_params(path) and [*register.sources] == ["one"]
    write_register(tmp_path / "register", {"two": "id: 2\n"})
    for text in (LEAST.replace("KZ", "XX"), LEAST + "policy: {path: none}\n"):
        write_params(tmp_path, text)
        with pytest.raises(Invalid) as caught:
            load_both(path)
        files = {Path(p.file).name for p in caught.value.problems}
        assert "two.yaml" in files and files & {"params.yaml", "none"}
