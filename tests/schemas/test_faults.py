"""Each error in parameters or the register names its file, line, key and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.params_files import LEAST, params_problems, write_params
from helpers.register_folders import entry_text, register_problems, write_register
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.configuration import load_params
from lineage.register_files import load_register
from schemas.errors import Invalid

FAULTS = yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text("utf-8"))
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=4,
)
CASES = [(kind, number) for kind, some in FAULTS.items() for number in range(len(some))]


def changed(right: str, fault: dict[str, Any]) -> str:
    assert fault["old"] in right
    return right.replace(fault["old"], fault["new"], 1)


@pytest.mark.parametrize(("kind", "number"), CASES)
def test_each_error_names_its_line_and_remedy(tmp_path: Path, kind: str, number: int) -> None:
    fault = FAULTS[kind][number]
    if kind == "params":
        file = tmp_path / "params.yaml"
        found = params_problems(tmp_path, changed(LEAST, fault))
    else:
        file = tmp_path / "sources/one.yaml"
        text = changed(entry_text(), fault)
        found = register_problems(write_register(tmp_path, {"one": text}))
    mine = [p for p in found if p.key == fault["key"]]
    assert len(mine) == 1 and mine[0].line == fault["line"], found
    assert fault["message"] in mine[0].message
    assert mine[0].file == str(file)


@pytest.mark.parametrize("kind", FAULTS)
@settings(max_examples=40)
@given(data=st.data(), junk=JUNK)
def test_any_value_is_read_or_a_problem(tmp_path_factory, kind, data, junk) -> None:  # type: ignore[no-untyped-def]
    value = yaml.safe_load(LEAST if kind == "params" else entry_text())
    place, key = value, data.draw(st.sampled_from(sorted(value)))
    while isinstance(place[key], dict) and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = junk
    folder = tmp_path_factory.mktemp("junk")
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=None)
    try:
        if kind == "params":
            load_params(write_params(folder, text)).digest()
        else:
            load_register(write_register(folder, {"one": text}))
    except Invalid as invalid:
        assert all(p.line is None or p.line > 0 for p in invalid.problems) and str(invalid)
