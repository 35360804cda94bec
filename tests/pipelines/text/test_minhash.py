from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text import minhash
from pipelines.text.minhash import EMPTY, band_keys, bands, permutations, probability, signatures
from pipelines.text.shingles import Shingles, shingle


def sets(*documents: list[int]) -> Shingles:
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    return Shingles(np.array([h for d in documents for h in d], np.uint64), offsets)


def datasketch(document: list[int], number: int, seed: int) -> list[int]:
    peer = MinHash(number, seed=seed, hashfunc=lambda value: value & 0xFFFFFFFF, scheme="affine32")
    if document:
        peer.update_batch(document)
    return peer.hashvalues.tolist()


@pytest.mark.parametrize("seed", [1, 7])
def test_permutations_are_datasketch_s(seed: int) -> None:
    assert np.array_equal(permutations(200, seed), MinHash(200, seed=seed).permutations)


@given(
    st.lists(st.lists(st.integers(0, (1 << 63) - 1), max_size=30), max_size=8),
    st.integers(1, 40),
    st.integers(0, 1000),
)
def test_signatures_are_datasketch_s(documents: list[list[int]], number: int, seed: int) -> None:
    found = signatures(sets(*documents), number, seed)
    assert found.dtype == np.uint32 and found.shape == (len(documents), number)
    assert found.tolist() == [datasketch(d, number, seed) for d in documents]


def test_signatures_of_texts_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(str(i * j % 97) for i in range(5 * j)) for j in range(40)]
    shingles = shingle(pl.Series(texts))
    whole = signatures(shingles, 130, 3)
    monkeypatch.setattr(minhash, "_BLOCK", 61)
    assert np.array_equal(whole, signatures(shingles, 130, 3))
    bounds = shingles.offsets
    for i, row in enumerate(whole):
        document = shingles.hashes[bounds[i] : bounds[i + 1]].tolist()
        assert row.tolist() == datasketch(document, 130, 3)


def test_no_shingles() -> None:
    assert (signatures(sets([], []), 4) == EMPTY).all()
    assert signatures(sets(), 4).shape == (0, 4)


@given(st.floats(0.3, 1), st.floats(0.5, 0.99999), st.integers(1, 10))
def test_bands_are_the_fewest(candidate: float, recall: float, rows: int) -> None:
    number = bands(candidate, recall, rows)
    assert probability(candidate, number, rows) >= recall
    assert number == 1 or probability(candidate, number - 1, rows) < recall + 1e-12


def test_defaults() -> None:
    assert bands(0.75, 0.999, 5) == 26 and bands(0.75, 0.999, 6) == 36
    assert probability(0.75, 26, 5) == pytest.approx(1 - (1 - 0.75**5) ** 26)
    assert probability(0.0, 26, 5) == 0 and probability(1.0, 26, 5) == 1


@pytest.mark.parametrize("wrong", [(0, 0.9, 5), (1.1, 0.9, 5), (0.7, 1, 5), (0.7, 0.9, 0)])
def test_bands_refuse(wrong: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        bands(*wrong)


def test_band_keys_meet_where_bands_do() -> None:
    random = np.random.default_rng(0)
    signature = random.integers(0, 3, (300, 12)).astype(np.uint32)
    keys = band_keys(signature, 4, 3)
    assert keys.dtype == np.uint64 and keys.shape == (300, 4)
    values = [(b, *row[3 * b : 3 * b + 3]) for row in signature.tolist() for b in range(4)]
    assert len(set(values)) == len(np.unique(keys))
    assert len(set(zip(values, keys.ravel().tolist(), strict=True))) == len(set(values))


def test_band_keys_refuse_short_signatures() -> None:
    with pytest.raises(ValueError, match="need 12"):
        band_keys(np.zeros((1, 11), np.uint32), 4, 3)


@pytest.mark.parametrize("similarity", [0.6, 0.75, 0.9])
def test_the_curve(similarity: float) -> None:
    random = np.random.default_rng(1)
    shared, own = round(200 * similarity), (200 - round(200 * similarity)) // 2
    documents = []
    for _ in range(400):
        h = random.integers(0, 1 << 63, shared + 2 * own).tolist()
        documents += [h[: shared + own], h[:shared] + h[shared + own :]]
    keys = band_keys(signatures(sets(*documents), 130), 26, 5)
    met = (keys[::2] == keys[1::2]).any(axis=1).mean()
    assert met == pytest.approx(probability(similarity, 26, 5), abs=0.06)
