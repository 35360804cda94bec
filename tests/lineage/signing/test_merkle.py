"""Trees and proofs against the definitions of RFC 6962."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.signing import merkle

leaves = st.lists(st.binary(max_size=8).map(merkle.leaf_hash), min_size=1, max_size=40)


def by_definition(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha256(b"\x01" + by_definition(hashes[:k]) + by_definition(hashes[k:])).digest()


@given(st.lists(st.binary(max_size=8).map(merkle.leaf_hash), max_size=70))
def test_root_equals_the_definition(hashes: list[bytes]) -> None:
    assert merkle.root(hashes) == by_definition(hashes)


def test_known_answers() -> None:
    """The eight leaves of the Certificate Transparency reference tests."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    inputs.append("606162636465666768696a6b6c6d6e6f")
    hashes = [merkle.leaf_hash(bytes.fromhex(one)) for one in inputs]
    assert merkle.root(hashes[:1]).hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert merkle.root(hashes).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@given(leaves, st.data())
def test_every_leaf_is_proved(hashes: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(hashes) - 1))
    path = merkle.inclusion_proof(hashes, index)
    root = merkle.root_by_inclusion(hashes[index], index, len(hashes), path)
    assert root == merkle.root(hashes)


@given(leaves, st.data())
def test_another_leaf_index_or_path_fails(hashes: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(hashes) - 1))
    path, size = merkle.inclusion_proof(hashes, index), len(hashes)
    root = merkle.root(hashes)
    assert merkle.root_by_inclusion(bytes(32), index, size, path) != root
    assert merkle.root_by_inclusion(hashes[index], index, size, [*path, bytes(32)]) is None
    assert merkle.root_by_inclusion(hashes[index], size, size, path) is None
    if path:
        assert merkle.root_by_inclusion(hashes[index], index, size, path[:-1]) is None


@given(leaves, st.data())
def test_a_tree_grows_from_its_start(hashes: list[bytes], data: st.DataObject) -> None:
    old, new = data.draw(st.integers(1, len(hashes))), len(hashes)
    proof = merkle.consistency_proof(hashes, old)
    old_root, new_root = merkle.root(hashes[:old]), merkle.root(hashes)
    assert merkle.is_consistent(old, old_root, new, new_root, proof)
    assert not merkle.is_consistent(old, bytes(32), new, new_root, proof)
    assert not merkle.is_consistent(old, old_root, new, bytes(32), proof)
    assert not merkle.is_consistent(old, old_root, new, new_root, [*proof, bytes(32)])
    if proof:
        assert not merkle.is_consistent(old, old_root, new, new_root, proof[:-1])


@pytest.mark.parametrize("index", [-1, 3])
def test_no_such_leaf(index: int) -> None:
    with pytest.raises(IndexError, match="no leaf"):
        merkle.inclusion_proof([bytes(32)] * 3, index)


@pytest.mark.parametrize("old", [0, 4])
def test_no_such_tree(old: int) -> None:
    with pytest.raises(IndexError, match="no tree"):
        merkle.consistency_proof([bytes(32)] * 3, old)
