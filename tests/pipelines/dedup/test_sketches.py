"""Sketches of an indexed release equal the signatures of the job `dedup`."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from datasketch import MinHashLSH
from helpers import dedup_job
from helpers.commands import ROOT

from lineage.configuration import load_params
from pipelines.dedup import release_index, sketches
from pipelines.engine.published import StageError
from schemas.sections import DedupParams

WORDS = [f"word{n}" for n in range(60)]
TEXT = " ".join(WORDS)
CLOSE = " ".join([*WORDS[:-4], "other", "words", "stand", "here"])
FAR = " ".join(f"term{n}" for n in range(60))
EXAMPLE = "## Find near-duplicates of your own texts"


@pytest.fixture(scope="module")
def indexed_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the index `index/sample` of two texts and one text without words."""
    home = tmp_path_factory.mktemp("indexed")
    dedup = DedupParams(index=str(home / "index"), seed=3)
    params = load_params(ROOT / "params.yaml")
    params = replace(params, dedup=dedup, release=replace(params.release, name="sample"))
    texts = {"a": ("s", TEXT), "b": ("s", FAR), "c": ("s", "...")}
    job = dedup_job.run_dedup(home, texts, params=dedup)
    signed = sorted((home / "state/signatures").glob("*.parquet"))
    release_index.index_release(params, "1", pl.Series(sorted(job.kept)), signed)
    return home


def test_sketches_hold_the_signatures_that_the_job_wrote(indexed_release: Path) -> None:
    files = sorted((indexed_release / "state/signatures").glob("*.parquet"))
    signed = pl.concat(pl.read_parquet(f, columns=["doc_id", "signature"]) for f in files)
    written = {doc_id: list(signature) for doc_id, signature in signed.iter_rows()}
    found = dict(sketches.indexed_sketches(indexed_release / "index/sample"))
    assert found.keys() == {"a", "b"}
    assert {d: s.hashvalues.tolist() for d, s in found.items()} == {d: written[d] for d in "ab"}
    assert {s.seed for s in found.values()} == {3}


def test_texts_are_compared_with_the_release(indexed_release: Path) -> None:
    entry = indexed_release / "index/sample"
    params = sketches.indexed_params(entry)
    released = dict(sketches.indexed_sketches(entry))
    same, close, far, nothing = sketches.text_sketches([TEXT, CLOSE, "far off", "!!!"], params)
    assert nothing is None and same is not None and close is not None and far is not None
    assert same == released["a"] and far.jaccard(same) == 0
    assert close.jaccard(released["a"]) == pytest.approx(52 / 60, abs=0.1)
    bands, rows = sketches.bands_and_rows(params)
    lsh = MinHashLSH(num_perm=bands * rows, params=(bands, rows))
    for doc_id, sketch in released.items():
        lsh.insert(doc_id, sketch)
    assert [lsh.query(s) for s in (same, close, far)] == [["a"], ["a"], []]


def test_shingles_of_characters(tmp_path: Path) -> None:
    params = DedupParams(shingle_of="characters", shingle=3, rows=4)
    (own,) = sketches.text_sketches([TEXT], params)
    job_params = replace(params, index=str(tmp_path / "index"))
    job = dedup_job.run_dedup(tmp_path, {"a": ("s", TEXT)}, params=job_params)
    run = load_params(ROOT / "params.yaml")
    run = replace(run, dedup=job_params, release=replace(run.release, name="letters"))
    release_index.index_release(
        run, "1", pl.Series(sorted(job.kept)), sorted((tmp_path / "state/signatures").glob("*"))
    )
    assert list(sketches.indexed_sketches(tmp_path / "index/letters")) == [("a", own)]


def test_an_index_of_another_version_is_refused(indexed_release: Path, tmp_path: Path) -> None:
    entry = tmp_path / "sample"
    shutil.copytree(indexed_release / "index/sample", entry)
    header = json.loads((entry / "index.json").read_text())
    header["parameters"]["algorithm"] = "minhash-of-before"
    (entry / "index.json").write_text(json.dumps(header))
    with pytest.raises(StageError, match=r"minhash-of-before.*run the release sample again"):
        next(sketches.indexed_sketches(entry))
    with pytest.raises(StageError, match="missing"):
        sketches.indexed_params(tmp_path / "nowhere")


def test_the_example_in_the_docs(
    indexed_release: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/trainers.md").read_text("utf-8")
    block = re.search(r"^```python\n(.*?)^```$", page.partition(EXAMPLE)[2], re.M | re.S)
    assert block is not None
    monkeypatch.chdir(indexed_release)
    Path("own.txt").write_text(CLOSE)
    exec(block[1], {})
    doc_id, similarity = capsys.readouterr().out.split()
    assert doc_id == "a" and float(similarity) > 0.7
