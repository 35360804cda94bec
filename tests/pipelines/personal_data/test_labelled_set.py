"""The benchmark's labelled set: recall and precision by class, and example telephone numbers."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from helpers.commands import ROOT

from pipelines.personal_data.finder import Finder
from pipelines.personal_data.rules import entities


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = ROOT / "benchmarks/privacy.py"
    spec = importlib.util.spec_from_file_location("privacy_benchmark", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_each_class_is_found_and_decoys_are_not(benchmark: ModuleType) -> None:
    cases = benchmark.cases(each=2, seed=5)
    figures = benchmark.measure(cases, benchmark.find_ours(Finder(), cases))
    assert set(figures) == set(entities())
    decoys = sum(case.entity is None for case in cases)
    assert decoys >= 2 * (len(cases) - decoys)
    missed = {e: v for e, v in figures.items() if v["recall"] * v["planted"] < v["planted"] - 1}
    assert not missed
    assert sum(v["false"] for v in figures.values()) <= 0.002 * len(cases)


def test_example_telephone_numbers_are_found(benchmark: ModuleType, shared: Path) -> None:
    metadata = shared / "data/phone-examples/resources/PhoneNumberMetadata.xml"
    share, _ = benchmark.measure_phones(Finder(), metadata)
    assert share >= benchmark.PHONES
