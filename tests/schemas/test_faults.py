"""Each error in parameters or the register names its file, line, key and what helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import test_params
import test_register
import yaml

FAULTS = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text("utf-8"))
CASES = [(kind, number) for kind, some in FAULTS.items() for number in range(len(some))]


def changed(right: str, fault: dict[str, Any]) -> str:
    assert fault["old"] in right
    return right.replace(fault["old"], fault["new"], 1)


@pytest.mark.parametrize(("kind", "number"), CASES)
def test_each_error_names_its_line_and_remedy(tmp_path: Path, kind: str, number: int) -> None:
    fault = FAULTS[kind][number]
    if kind == "params":
        file = tmp_path / "params.yaml"
        found = test_params.problems(tmp_path, changed(test_params.LEAST, fault))
    else:
        file = tmp_path / "sources/one.yaml"
        text = changed(test_register.entry(), fault)
        found = test_register.problems(test_register.write(tmp_path, {"one": text}))
    mine = [p for p in found if p.key == fault["key"]]
    assert len(mine) == 1 and mine[0].line == fault["line"], found
    assert fault["message"] in mine[0].message
    assert mine[0].file == str(file)
