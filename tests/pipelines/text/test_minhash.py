"""MinHash signatures and bands."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from datasketch import LeanMinHash, MinHash, MinHashLSH
from helpers.commands import ROOT
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text import minhash
from pipelines.text.minhash import (
    EMPTY,
    band_keys,
    fewest_bands,
    permutations,
    probability,
    signatures,
    to_datasketch,
)
from pipelines.text.shingles import Shingles, shingle


def make_shingles(*documents: list[int]) -> Shingles:
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    return Shingles(np.array([h for d in documents for h in d], np.uint64), offsets)


def datasketch(document: list[int], number: int, seed: int) -> list[int]:
    peer = MinHash(number, seed=seed, hashfunc=lambda value: value & 0xFFFFFFFF, scheme="affine32")
    if document:
        peer.update_batch(document)
    return peer.hashvalues.tolist()


@pytest.mark.parametrize(
    ("seed", "multipliers", "addends"),
    [
        (1, [3582191691, 4270784983, 1892572953], [4005303368, 491263, 550290313]),
        (7, [655483231, 1952827785, 2404484147], [1369975286, 1882953283, 4201435347]),
    ],
)
def test_permutations_are_stable(seed: int, multipliers: list[int], addends: list[int]) -> None:
    """Stored signatures depend on them.  This test fails if a new library draws others."""
    assert [p.tolist() for p in permutations(3, seed)] == [multipliers, addends]


@given(
    st.lists(st.lists(st.integers(0, (1 << 63) - 1), max_size=30), max_size=8),
    st.integers(1, 40),
    st.integers(0, 1000),
)
def test_signatures_equal_those_of_datasketch(
    documents: list[list[int]], number: int, seed: int
) -> None:
    rows = signatures(make_shingles(*documents), number, seed)
    assert rows.dtype == np.uint32 and rows.shape == (len(documents), number)
    assert rows.tolist() == [datasketch(d, number, seed) for d in documents]


def test_signatures_of_texts_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(str(i * j % 97) for i in range(5 * j)) for j in range(40)]
    shingles = shingle(pl.Series(texts))
    expected = signatures(shingles, 130, 3)
    monkeypatch.setattr(minhash, "_BLOCK", 61)
    assert np.array_equal(expected, signatures(shingles, 130, 3))
    bounds = shingles.offsets
    for i, row in enumerate(expected):
        document = shingles.hashes[bounds[i] : bounds[i + 1]].tolist()
        assert row.tolist() == datasketch(document, 130, 3)


def test_sketches_compare_like_signatures() -> None:
    rows = signatures(make_shingles([1, 2, 3, 4], [1, 2, 3, 5], [9]), 256, 7)
    lean = [to_datasketch(row, 7) for row in rows]
    assert all(isinstance(sketch, LeanMinHash) for sketch in lean)
    assert lean[0].jaccard(lean[1]) == np.mean(rows[0] == rows[1])
    assert lean[0].jaccard(lean[1]) == pytest.approx(0.6, abs=0.1)
    assert lean[0].jaccard(lean[2]) == 0
    peer = MinHash(256, seed=7, hashfunc=int)
    peer.update_batch([1, 2, 3, 4])
    assert lean[0] == LeanMinHash(peer) and peer.jaccard(lean[1]) == lean[0].jaccard(lean[1])
    other = MinHash(256, seed=8)
    with pytest.raises(ValueError, match="seeds"):
        lean[0].jaccard(other)


def test_datasketch_s_index_finds_the_same_candidates() -> None:
    random = np.random.default_rng(2)
    documents = []
    for _ in range(60):
        family = random.integers(0, 1 << 63, 40)
        for _ in range(4):
            own = random.integers(0, 1 << 63, random.integers(0, 12))
            documents.append(np.concatenate([family[len(own) :], own]).tolist())
    rows = signatures(make_shingles(*documents), 130, 1)
    index = MinHashLSH(num_perm=130, params=(26, 5))
    for number, row in enumerate(rows):
        index.insert(number, to_datasketch(row))
    keys = band_keys(rows, 26, 5)
    candidates = {
        (a, b) for a in range(len(rows)) for b in range(len(rows)) if (keys[a] == keys[b]).any()
    }
    assert 240 < len(candidates) < 240 * 240
    assert candidates == {
        (a, b) for a, row in enumerate(rows) for b in index.query(to_datasketch(row))
    }


def test_no_shingles() -> None:
    assert (signatures(make_shingles([], []), 4) == EMPTY).all()
    assert signatures(make_shingles(), 4).shape == (0, 4)


@given(st.floats(0.3, 1), st.floats(0.5, 0.99999), st.integers(1, 10))
def test_fewer_bands_do_not_reach_the_recall(candidate: float, recall: float, rows: int) -> None:
    number = fewest_bands(candidate, recall, rows)
    assert probability(candidate, number, rows) >= recall
    assert number == 1 or probability(candidate, number - 1, rows) < recall + 1e-12


def test_defaults() -> None:
    assert fewest_bands(0.75, 0.999, 5) == 26 and fewest_bands(0.75, 0.999, 6) == 36
    assert probability(0.75, 26, 5) == pytest.approx(1 - (1 - 0.75**5) ** 26)
    assert probability(0.0, 26, 5) == 0 and probability(1.0, 26, 5) == 1


@pytest.mark.parametrize("wrong", [(0, 0.9, 5), (1.1, 0.9, 5), (0.7, 1, 5), (0.7, 0.9, 0)])
def test_wrong_arguments_of_bands(wrong: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        fewest_bands(*wrong)


def test_band_keys_are_equal_where_bands_are() -> None:
    random = np.random.default_rng(0)
    signature = random.integers(0, 3, (300, 12)).astype(np.uint32)
    keys = band_keys(signature, 4, 3)
    assert keys.dtype == np.uint64 and keys.shape == (300, 4)
    values = [(b, *row[3 * b : 3 * b + 3]) for row in signature.tolist() for b in range(4)]
    assert len(set(values)) == len(np.unique(keys))
    assert len(set(zip(values, keys.ravel().tolist(), strict=True))) == len(set(values))


def test_band_keys_of_short_signatures() -> None:
    with pytest.raises(ValueError, match="need 12"):
        band_keys(np.zeros((1, 11), np.uint32), 4, 3)


@pytest.mark.parametrize("similarity", [0.6, 0.75, 0.9])
def test_the_s_curve(similarity: float) -> None:
    random = np.random.default_rng(1)
    shared, own = round(200 * similarity), (200 - round(200 * similarity)) // 2
    documents = []
    for _ in range(400):
        h = random.integers(0, 1 << 63, shared + 2 * own).tolist()
        documents += [h[: shared + own], h[:shared] + h[shared + own :]]
    keys = band_keys(signatures(make_shingles(*documents), 130), 26, 5)
    share = (keys[::2] == keys[1::2]).any(axis=1).mean()
    assert share == pytest.approx(probability(similarity, 26, 5), abs=0.06)


def run_alone(script: str) -> None:
    """Run a script in a process that has imported nothing yet."""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_signing_does_not_import_the_whole_library() -> None:
    run_alone(
        "import sys\n"
        "from pipelines.text import minhash\n"
        "permutations = minhash.permutations(8, 1)\n"
        "assert not {'scipy', 'datasketch.lsh'} & {*sys.modules}\n"
        "import datasketch\n"
        "assert datasketch.MinHash is sys.modules['datasketch.minhash'].MinHash\n"
        "assert datasketch.MinHashLSH and datasketch.__version__\n"
        "own = datasketch.MinHash(8, seed=1, scheme=minhash.SCHEME).permutations\n"
        "assert all((a == b).all() for a, b in zip(own, permutations))\n"
        "assert not hasattr(datasketch, 'no_such_name')\n"
    )


def test_threads_share_one_library() -> None:
    run_alone(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from threading import Barrier\n"
        "from pipelines.text import minhash\n"
        "barrier = Barrier(8)\n"
        "def use(number):\n"
        "    barrier.wait()\n"
        "    if number % 2:\n"
        "        from datasketch import MinHash, MinHashLSH\n"
        "        assert MinHashLSH\n"
        "        return MinHash\n"
        "    minhash.permutations(8, 1)\n"
        "    return minhash._minhash_module().MinHash\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    assert len({*pool.map(use, range(8))}) == 1\n"
    )


def test_a_lazy_package_tries_again_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "lazy_sample"
    package = tmp_path / name
    package.mkdir()
    (package / "part.py").write_text("VALUE = 1\n")
    (package / "__init__.py").write_text(
        "import os\nfrom lazy_sample.part import VALUE\nos.stat('ready')\nDONE = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    spec = find_spec(name)
    assert spec
    lazy: Any = minhash._LazyPackage(spec)
    monkeypatch.setitem(sys.modules, name, lazy)
    assert import_module(f"{name}.part").VALUE == 1 and "DONE" not in vars(lazy)
    with pytest.raises(FileNotFoundError):
        _ = lazy.DONE
    (tmp_path / "ready").touch()
    assert lazy.DONE and lazy is import_module(name)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = lazy.no_such_name
