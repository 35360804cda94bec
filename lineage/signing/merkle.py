"""The Merkle tree of RFC 6962, section 2.1: roots, inclusion proofs and consistency proofs.

Hashes are SHA-256, 32 bytes each.  The hash of a leaf covers the byte `00` and the leaf's bytes.
The hash of a node covers the byte `01` and its two children, so a node cannot pass for a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

#: The root of a tree without leaves (RFC 6962, 2.1).
EMPTY = sha256(b"").digest()


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf's bytes."""
    return sha256(b"\x00" + content).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """All levels of the tree, leaves first.

    The last hash of an odd level is passed up unchanged.  This gives the same tree as the split at
    the largest power of two in RFC 6962.
    """
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [_node(a, b) for a, b in zip(below[::2], below[1::2], strict=False)]
        levels.append([*above, below[-1]] if len(below) % 2 else above)
    return levels


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over the hashes of leaves, in order."""
    return _levels(leaves)[-1][0] if leaves else EMPTY


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of a leaf (RFC 6962, 2.1.1), from the leaf's sibling upward.

    Raises:
      IndexError: if there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} in a tree of {len(leaves)}")
    path = []
    for level in _levels(leaves)[:-1]:
        if (sibling := index ^ 1) < len(level):
            path.append(level[sibling])
        index //= 2
    return path


def root_by_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Compute the root from a leaf's hash and its audit path.

    Returns:
      The root, or None if the path does not fit `index` in a tree of `size` leaves.
    """
    if not 0 <= index < size:
        return None
    last, rest, node = size - 1, list(path), leaf
    while last:
        if index % 2 or index < last:
            if not rest:
                return None
            sibling = rest.pop(0)
            node = _node(sibling, node) if index % 2 else _node(node, sibling)
        index, last = index // 2, last // 2
    return None if rest else node


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """The proof that the tree of the first `old` leaves is the start of the whole tree (RFC 6962,
    2.1.2).

    Raises:
      IndexError: if `old` is not between 1 and the number of leaves.
    """
    if not 1 <= old <= len(leaves):
        raise IndexError(f"no tree of {old} leaves within one of {len(leaves)}")
    return _subproof(leaves, old, complete=True)


def _subproof(leaves: Sequence[bytes], old: int, complete: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if complete else [root(leaves)]
    split = _split(len(leaves))
    if old <= split:
        return [*_subproof(leaves[:split], old, complete), root(leaves[split:])]
    return [*_subproof(leaves[split:], old - split, complete=False), root(leaves[:split])]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def is_consistent(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether a proof shows that the tree of `old` leaves is the start of the tree of `new` leaves.

    The algorithm is that of RFC 9162, 2.1.4.2.
    """
    if old == new:
        return not proof and old_root == new_root
    if not 1 <= old < new:
        return False
    path = list(proof)
    if old & (old - 1) == 0:  # a complete subtree: its root is the first hash
        path.insert(0, old_root)
    if not path:
        return False
    index, last = old - 1, new - 1
    while index % 2:
        index, last = index // 2, last // 2
    first = second = path.pop(0)
    for hash in path:
        if last == 0:
            return False
        if index % 2 or index == last:
            first, second = _node(hash, first), _node(hash, second)
            while index and not index % 2:
                index, last = index // 2, last // 2
        else:
            second = _node(second, hash)
        index, last = index // 2, last // 2
    return first == old_root and second == new_root and last == 0
