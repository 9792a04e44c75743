"""Trees as XGBoost stores them in a model: as UBJSON (https://ubjson.org).

Objects have their keys in order, arrays of numbers are of one type and big-endian, integers have as
few bytes as they need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_KINDS: dict[str, tuple[bytes, str]] = {
    "base_weights": (b"d", ">f4"),
    "categories": (b"l", ""),
    "categories_nodes": (b"l", ""),
    "categories_segments": (b"L", ""),
    "categories_sizes": (b"L", ""),
    "default_left": (b"U", "u1"),
    "id": (b"", ""),
    "left_children": (b"l", ">i4"),
    "loss_changes": (b"d", ">f4"),
    "parents": (b"l", ">i4"),
    "right_children": (b"l", ">i4"),
    "split_conditions": (b"d", ">f4"),
    "split_indices": (b"l", ">i4"),
    "split_type": (b"U", "u1"),
    "sum_hessian": (b"d", ">f4"),
}
"""What a tree has, and how its numbers are written; there are none of those without a dtype."""


def stored(columns: Mapping[str, Any], features: int) -> list[bytes]:
    r"""Write trees, one after the other.

    Parameters
    ----------
    columns : dict of ndarray
        What is stored of the nodes of all trees, and ``count``, how many nodes each tree has.
    features : int
        How many columns they may be split by.

    Examples
    --------
    >>> leaf = {name: np.zeros(1) for name, (_, dtype) in _KINDS.items() if dtype}
    >>> [tree] = stored({"count": np.array([1]), **leaf}, features=3)
    >>> tree[:12], tree.count(b"num_nodes")
    (b'{L\x00\x00\x00\x00\x00\x00\x00\x0cba', 1)
    """
    ends = np.cumsum(columns["count"]).tolist()
    spans = list(zip([0, *ends[:-1]], ends, strict=True))
    parts: list[list[bytes]] = []
    for name, (mark, dtype) in _KINDS.items():
        key = _key(name)
        if not mark:
            parts.append([key + _integer(number) for number in range(len(spans))])
            continue
        key += b"[$" + mark + b"#"
        if not dtype:
            parts.append([key + _length(0)] * len(spans))
            continue
        numbers = columns.get(name, np.zeros(ends[-1])).astype(dtype)
        parts.append(
            [key + _length(end - start) + numbers[start:end].tobytes() for start, end in spans]
        )
    ending = _text("num_deleted", "0") + _text("num_feature", str(features))
    parts.append(
        [
            _key("tree_param")
            + b"{"
            + ending
            + _text("num_nodes", str(end - start))
            + _text("size_leaf_vector", "1")
            + b"}}"
            for start, end in spans
        ]
    )
    return [b"{" + b"".join(tree) for tree in zip(*parts, strict=True)]


def with_trees(model: bytes, trees: list[bytes]) -> bytes | None:
    """Write a model of several trees, given one of the first; None if its tree is another one.

    Parameters
    ----------
    model : bytes
        A booster of one round, with its configuration.
    trees : list of bytes
        As `stored` returns them, one for each round.
    """
    first, *rest = model.split(_trees(trees[:1]))
    one, all_of_them = (_text("num_trees", str(count)) for count in (1, len(trees)))
    # Once in the configuration, once in the model.
    if len(rest) != 1 or model.count(one) != 2:
        return None
    return _trees(trees).join([first, *rest]).replace(one, all_of_them)


def _trees(trees: list[bytes]) -> bytes:
    """Write the part of a model that has the trees: which are of which round and class, too."""
    numbers = [_integer(number) for number in range(len(trees) + 1)]
    return (
        _array("iteration_indptr", numbers)
        + _array("tree_info", [_integer(0)] * len(trees))
        + _array("trees", trees)
    )


def _array(name: str, items: list[bytes]) -> bytes:
    return _key(name) + b"[#" + _length(len(items)) + b"".join(items)


def _text(name: str, value: str) -> bytes:
    return _key(name) + b"S" + _length(len(value)) + value.encode()


def _key(name: str) -> bytes:
    return _length(len(name)) + name.encode()


def _length(count: int) -> bytes:
    return b"L" + count.to_bytes(8, "big")


def _integer(value: int) -> bytes:
    for mark, size in ((b"i", 1), (b"I", 2), (b"l", 4)):
        if value < 1 << (8 * size - 1):
            return mark + value.to_bytes(size, "big")
    return b"L" + value.to_bytes(8, "big")
