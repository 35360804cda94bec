from __future__ import annotations

import json
import pickle
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import params
from schemas.errors import Invalid, Problem

LEAST = """as_of: "2026-11-22"
purpose: pretraining
storage_country: KZ
register: register
inputs:
  - {collection: web, format: warc, paths: ["raw/*.warc.gz"]}
  - collection: gazette
    format: jsonl
    paths: [raw/gazette.jsonl.gz]
    fields: {uri: id, text: body}
licences:
  allow: [CC0-1.0, cc-by-4.0, LicenseRef-x]
work: work
release: {name: first, path: release}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text, "utf-8")
    return path


def problems(folder: Path, text: str) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        params.load(write(folder, text))
    return list(caught.value.problems)


def test_the_least_that_runs(tmp_path: Path) -> None:
    run = params.load(write(tmp_path, LEAST))
    assert run.as_of == date(2026, 11, 22)
    assert run.register == tmp_path / "register" and run.work == tmp_path / "work"
    assert run.inputs[1].fields == {"uri": "id", "text": "body"}
    assert run.licences_allow == ("CC0-1.0", "CC-BY-4.0", "LicenseRef-x")
    assert run.dedup == params.DedupParams() and run.language.floor == 0.2
    assert run.release.shard_bytes == 256 << 20
    assert {"*", "GPTBot", "CCBot", "ClaudeBot", "Google-Extended"} <= set(run.robots_agents)
    assert pickle.loads(pickle.dumps(run)) == run


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        ('as_of: "2026-11-22"', "as_of: 2026-11-22", 1, "as_of", 'quote it: as_of: "2026-11-22"'),
        ('as_of: "2026-11-22"', 'as_of: "2026-13-22"', 1, "as_of", "quoted date"),
        ("purpose: pretraining", "purpose: train", 2, "purpose", "one of: pretraining, finetuning"),
        ("storage_country: KZ", "storage_country: UK", 3, "storage_country", "ISO 3166-1"),
        ("work: work\n", "", 1, "work", "missing"),
        ("work: work", "wrok: work", 13, "wrok", "did you mean `work`"),
        ("work: work", "work: gs://bucket/work", 13, "work", "path of this machine"),
        ("work: work", "work: work\ndedup:\n  shingles: 3", 15, "dedup.shingles", "mean `shingle`"),
        ("work: work", "work: work\ndedup: {threshold: 1.5}", 14, "dedup.threshold", "from 0 to 1"),
        ("work: work", "work: work\ndedup: {rows: true}", 14, "dedup.rows", "whole number"),
        (
            "work: work",
            "work: work\ndedup: {shingle_of: lines}",
            14,
            "dedup.shingle_of",
            "words, ch",
        ),
        ("work: work", "work: work\ndedup: {containment: 2}", 14, "dedup.containment", "from 0"),
        ("work: work", "work: work\ndedup: {figures: maybe}", 14, "dedup.figures", "or ignore"),
        ("work: work", "work: work\ndedup: {figures: {x: ignore}}", 14, "dedup.figures", "or igno"),
        (
            "work: work",
            "work: work\nguard: {accept_source_loss: [a>b]}",
            14,
            "guard.accept_source_loss[0]",
            "LOSER > KEEPER",
        ),
        (
            "work: work",
            "work: work\nlanguage: {floors: {ua: 0.1}}",
            14,
            "language.floors",
            "ISO 639",
        ),
        ("work: work", "work: work\nwork: again", 14, "work", "given twice: first on line 13"),
        ("format: warc", "format: WARC", 6, "inputs[0].format", "one of: warc, arc"),
        ("format: jsonl", "format: text", 10, "inputs[1].fields", "left out"),
        ("uri: id", "url: id", 10, "inputs[1].fields.url", "did you mean `uri`"),
        (
            "[raw/gazette.jsonl.gz]",
            "['raw/*.warc.gz']",
            9,
            "inputs[1].paths[0]",
            "read by inputs[0]",
        ),
        ("CC0-1.0", "CC0 1.0", 12, "licences.allow[0]", "SPDX licence"),
        ("CC0-1.0", "MIT OR CC0-1.0", 12, "licences.allow[0]", "one licence per item"),
        ("[CC0-1.0, cc-by-4.0, LicenseRef-x]", "[]", 12, "licences.allow", "at least one licence"),
        ("name: first", "name: ../first", 14, "release.name", "a name of letters"),
    ],
)
def test_each_error_names_its_line_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, key: str, message: str
) -> None:
    assert old in LEAST
    found = [p for p in problems(tmp_path, LEAST.replace(old, new)) if p.key == key]
    assert len(found) == 1 and found[0].line == line, found
    assert message in found[0].message


def test_an_extractor_that_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = LEAST + "ingest: {extractor: trafilatura}\n"
    monkeypatch.setattr(params, "find_spec", lambda name: object())
    assert params.load(write(tmp_path, text)).ingest.extractor == "trafilatura"
    monkeypatch.setattr(params, "find_spec", lambda name: None)
    (found,) = problems(tmp_path, text)
    assert (found.key, found.value, found.line) == ("ingest.extractor", "trafilatura", 15)
    assert "tamga[extraction]" in found.message


def test_all_errors_at_once(tmp_path: Path) -> None:
    text = LEAST.replace("pretraining", "x").replace("KZ", "XX").replace("warc,", "zip,")
    found = problems(tmp_path, text.replace("work: work\n", "extra: 1\n"))
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
    assert problems(tmp_path, text)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        params.load(tmp_path / "params.yaml")


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
    one = params.load(write(tmp_path_factory.mktemp("a"), LEAST))
    two = params.load(write(tmp_path_factory.mktemp("b"), yaml.safe_dump(moved)))
    assert one.canonical() == two.canonical()


def test_sections(tmp_path: Path) -> None:
    run = params.load(write(tmp_path, LEAST))
    other = params.load(write(tmp_path, LEAST + "dedup: {rows: 4}\nguard: {min_keep_share: 0}\n"))
    assert run.digest("language", "inputs") == other.digest("inputs", "language")
    assert run.digest("dedup") != other.digest("dedup") and len(run.digest()) == 64
    assert json.loads(run.canonical("release")) == {
        "release": {"name": "first", "shard_bytes": 256 << 20}
    }
    with pytest.raises(ValueError, match="no such section"):
        run.digest("works")
    same = params.load(
        write(tmp_path, LEAST + "guard: {min_keep_share: 0.0}\ndedup: {rows: 4.0}\n")
    )
    assert same.digest() == other.digest()


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=4,
)


@settings(max_examples=40)
@given(data=st.data(), junk=JUNK)
def test_any_value_is_read_or_a_problem(tmp_path_factory, data, junk) -> None:  # type: ignore[no-untyped-def]
    value = yaml.safe_load(LEAST)
    place, key = value, data.draw(st.sampled_from(sorted(value)))
    while isinstance(place[key], dict) and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = junk
    folder = tmp_path_factory.mktemp("junk")
    try:
        params.load(write(folder, yaml.safe_dump(value, allow_unicode=True))).digest()
    except Invalid as invalid:
        assert all(p.line is None or p.line > 0 for p in invalid.problems) and str(invalid)


@pytest.mark.parametrize(
    ("written", "institutional", "web"),
    [
        ("ignore", "ignore", "ignore"),
        ("{web: distinguish}", "distinguish", "distinguish"),
        ("{institutional: ignore}", "ignore", "ignore"),
    ],
)
def test_figures_by_kind_of_source(
    tmp_path: Path, written: str, institutional: str, web: str
) -> None:
    text = LEAST.replace("work: work", f"work: work\ndedup: {{figures: {written}}}")
    found = params.load(write(tmp_path, text)).dedup
    assert found.figures == {"institutional": institutional, "web": web}
