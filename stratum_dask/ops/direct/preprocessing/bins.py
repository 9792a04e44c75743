"""KBinsDiscretizer: what the bins are, scikit-learn finds; where each number lies, kernels do."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from stratum_dask import _native
from stratum_dask.ops.direct.dictionary import Dictionary
from stratum_dask.ops.direct.preprocessing import matrix
from stratum_dask.ops.direct.preprocessing.cells import Block, Code, Number, OneHot
from stratum_dask.ops.direct.preprocessing.frame import block_of, refuse_other_columns
from stratum_dask.ops.steps import Unsupported


def fit_transform(binner: Any, X: Any, y: Any = None, /) -> Any:
    """Fit a KBinsDiscretizer and return the bins of `X`."""
    _check(binner)
    binner.fit(X, y)
    with suppress(Unsupported):
        return transform(binner, X)
    return binner.transform(X)  # fitted once: it must not draw its sample twice


def transform(binner: Any, X: Any, /) -> Any:
    """Return the bins of `X`: their numbers, or a column for each.

    Raises
    ------
    Unsupported
        If `X` is not what it was fitted on, or holds other than finite numbers.
    """
    _check(binner)
    if not hasattr(binner, "bin_edges_"):
        raise Unsupported("not fitted")
    block = _block(X)
    refuse_other_columns(binner, block)
    cells: list[Code | OneHot] = []
    for cell, edges in zip(block.numbers(), binner.bin_edges_, strict=True):
        count = len(edges) - 1
        found = Dictionary(_bins(cell.values, edges[1:-1]), None, np.arange(count), count)
        if binner.encode == "ordinal":
            cells.append(Code(found, np.arange(count, dtype=np.float64)))
        else:
            cells.append(OneHot(found, np.arange(count, dtype=np.int32), count))
    if binner.encode == "ordinal":
        return matrix.write(block.then(cells, order=block.order))
    return matrix.write(block.then(cells, order="C", sparse=binner._encoder.sparse_output))


def _check(binner: Any) -> None:
    if binner.dtype not in (None, np.float64):
        raise Unsupported("dtype")
    matrix.refuse_set_output(binner)


def _block(X: Any) -> Block:
    if type(X) is not np.ndarray:
        return block_of(X)
    if X.ndim != 2 or X.dtype != np.float64 or not X.dtype.isnative or not X.size:
        raise Unsupported("no table of floats")
    cells = tuple(Number(np.require(column, requirements=("C", "A"))) for column in X.T)
    return Block(cells, len(X), None, "C" if X.flags.c_contiguous else "F")


def _bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return how many edges each number reaches, as ``numpy.searchsorted(side="right")`` does."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Unsupported("values that are not finite")
    places = np.empty(len(values), dtype=np.int32)
    try:
        _native.places(values, np.ascontiguousarray(edges), places)
    except ValueError as error:
        raise Unsupported(str(error)) from error
    places += 1  # 2 i below the i-th edge, 2 i + 1 on it
    places >>= 1
    return places
