from __future__ import annotations

import json
import pickle
from datetime import date
from pathlib import Path

import pytest
import yaml
from helpers.params_files import LEAST, params_problems, write_params
from hypothesis import given
from hypothesis import strategies as st

from lineage.configuration import load_params
from schemas import params, sections
from schemas.errors import Invalid


def test_the_least_that_runs(tmp_path: Path) -> None:
    run = load_params(write_params(tmp_path, LEAST))
    assert run.as_of == date(2026, 11, 22)
    assert run.register == tmp_path / "register" and run.work == tmp_path / "work"
    assert run.inputs[1].fields == {"uri": "id", "text": "body"}
    assert run.licences_allow == ("CC0-1.0", "CC-BY-4.0", "LicenseRef-x")
    assert run.dedup == sections.DedupParams() and run.language.floor == 0.2
    assert run.release.shard_bytes == 256 << 20
    assert {"*", "GPTBot", "CCBot", "ClaudeBot", "Google-Extended"} <= set(run.robots_agents)
    assert pickle.loads(pickle.dumps(run)) == run


def test_an_extractor_that_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = LEAST + "ingest: {extractor: trafilatura}\n"
    monkeypatch.setattr(params, "find_spec", lambda name: object())
    assert load_params(write_params(tmp_path, text)).ingest.extractor == "trafilatura"
    monkeypatch.setattr(params, "find_spec", lambda name: None)
    (found,) = params_problems(tmp_path, text)
    assert (found.key, found.value, found.line) == ("ingest.extractor", "trafilatura", 15)
    assert "tamga[extraction]" in found.message


def test_all_errors_at_once(tmp_path: Path) -> None:
    text = LEAST.replace("pretraining", "x").replace("KZ", "XX").replace("warc,", "zip,")
    found = params_problems(tmp_path, text.replace("work: work\n", "extra: 1\n"))
    assert {p.key for p in found} == {
        "purpose",
        "storage_country",
        "inputs[0].format",
        "work",
        "extra",
    }
    shown = str(Invalid(found)).splitlines()
    assert shown[1].startswith(f"{tmp_path / 'params.yaml'}:2: purpose: ")
    assert shown[1].endswith("(found: x)")


@pytest.mark.parametrize("text", ["", "- 1\n", "text", "as_of: [", "null"])
def test_what_is_no_mapping(tmp_path: Path, text: str) -> None:
    assert params_problems(tmp_path, text)


@given(st.randoms(use_true_random=False), st.text("ab/", min_size=1, max_size=6))
def test_the_digest_hangs_on_content_alone(tmp_path_factory, random, place: str) -> None:  # type: ignore[no-untyped-def]
    value = yaml.safe_load(LEAST)
    items = list(value.items())
    random.shuffle(items)
    moved = dict(items) | {"work": "w" + place, "register": "r" + place}
    moved["release"] = {"path": "p" + place, "name": "first"}
    moved["inputs"] = [dict(i, paths=[place + i["format"]]) for i in value["inputs"]]
    random.shuffle(moved["inputs"])
    random.shuffle(moved["licences"]["allow"])
    moved["dedup"] = {"threshold": 0.7}
    one = load_params(write_params(tmp_path_factory.mktemp("a"), LEAST))
    two = load_params(write_params(tmp_path_factory.mktemp("b"), yaml.safe_dump(moved)))
    assert one.canonical() == two.canonical()


def test_sections(tmp_path: Path) -> None:
    run = load_params(write_params(tmp_path, LEAST))
    other = load_params(
        write_params(tmp_path, LEAST + "dedup: {rows: 4}\nguard: {min_keep_share: 0}\n")
    )
    assert run.digest("language", "inputs") == other.digest("inputs", "language")
    assert run.digest("dedup") != other.digest("dedup") and len(run.digest()) == 64
    assert json.loads(run.canonical("release")) == {
        "release": {"name": "first", "shard_bytes": 256 << 20}
    }
    with pytest.raises(ValueError, match="have no section"):
        run.digest("works")
    same = load_params(
        write_params(tmp_path, LEAST + "guard: {min_keep_share: 0.0}\ndedup: {rows: 4.0}\n")
    )
    assert same.digest() == other.digest()
