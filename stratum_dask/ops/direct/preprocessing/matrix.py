"""Blocks as the matrices that scikit-learn would have made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config

from stratum_dask import _native
from stratum_dask.ops.direct.preprocessing.cells import Block, Other, Text
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Unsupported

_LARGEST = np.iinfo(np.int32).max
#: Memory that this small part of an array's entries would waste is kept.
_WASTE = 1 / 8


def refuse_set_output(estimator: Any) -> None:
    """Leave an estimator to scikit-learn that makes something else of its arrays."""
    configured = getattr(estimator, "_sklearn_output_config", None)
    if configured or get_config()["transform_output"] != "default":
        raise Unsupported("set_output")


def write(block: Block) -> Any:
    """Return a block as an array or a sparse matrix.

    Raises
    ------
    Unsupported
        If it holds strings or an infinite number, or needs 64-bit indices.
    """
    return _sparse(block) if block.sparse else dense(block)


def dense(block: Block) -> np.ndarray:
    """Return a block as an array."""
    flat = np.zeros(block.rows * block.width)
    try:
        _native.write_matrix(_features(block), block.rows, flat, block.order)
    except OverflowError:
        raise Unsupported("an infinite number") from None
    return flat.reshape((block.rows, block.width), order=block.order)  # type: ignore[call-overload,no-any-return]


def _sparse(block: Block) -> Any:
    features = _features(block)
    room = block.rows * len(features)
    if max(room, block.width) > _LARGEST:
        raise Unsupported("64-bit indices")
    data, indices = empty(room, np.float64), empty(room, np.int32)
    indptr = np.empty(block.rows + 1, dtype=np.int32)
    try:
        entries = _native.write_sparse(features, block.rows, data, indices, indptr)
    except OverflowError:
        raise Unsupported("an infinite number") from None
    data, indices = data[:entries], indices[:entries]
    if room - entries > room * _WASTE:
        data, indices = data.copy(), indices.copy()
    wanted = get_config().get("sparse_interface", "spmatrix")
    kind = sparse.csr_array if wanted == "sparray" else sparse.csr_matrix
    return kind((data, indices, indptr), shape=(block.rows, block.width))


def _features(block: Block) -> list[tuple[Any, ...]]:
    if np.geterr()["under"] != "ignore":
        raise Unsupported("underflow is watched")
    features = []
    for cell in block.cells:
        if isinstance(cell, Text | Other):
            raise Unsupported("strings in the result")
        features.append(cell.feature())
    return features
