"""Statistics of columns, in the order of operations of scikit-learn on arrays of whole columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from stratum_dask import _native
from stratum_dask.ops.direct.preprocessing.cells import Number
from stratum_dask.ops.frames.symbols import CODES
from stratum_dask.ops.steps import Unsupported

#: An extreme or median is 0 and both zeros occur (see `_native.Program.run`).
_AMBIGUOUS_ZERO = 64
#: From here on, the sum of two numbers may overflow.
_HUGE = 1e300

Node = tuple[Any, ...]


class Moments(NamedTuple):
    """Of each column the count, the sum, and the sums of deviations and of their squares."""

    counts: np.ndarray
    sums: np.ndarray
    corrections: np.ndarray
    squares: np.ndarray


def medians(cells: Sequence[Number]) -> np.ndarray:
    """Return the medians of the values that are not missing, as ``np.ma.median`` computes them."""
    total, found = _run("median", cells)
    _refuse_infinite(total)
    for cell, median in zip(cells, found, strict=True):
        if abs(median) > _HUGE:
            raise Unsupported("huge numbers")
        if median == 0 and _has_negative_zero(cell.values):
            raise Unsupported("negative zero")
    return found


def means(cells: Sequence[Number]) -> np.ndarray:
    """Return the means of the values that are not missing, as ``np.ma.mean`` computes them."""
    total, count = _run("count", cells)
    _refuse_infinite(total)
    means: np.ndarray = total * 1.0 / count.astype(np.int64)
    return means


def extremes(cells: Sequence[Number]) -> np.ndarray:
    """Return the least and the greatest value of each column as two rows."""
    total, least, greatest = _run("extremes", cells)
    _refuse_infinite(total)
    return np.array([least, greatest])


def moments(cells: Sequence[Number]) -> Moments:
    """Return what mean and variance are made of."""
    total, count = _run("count", cells)
    _refuse_infinite(total)
    centers = total / count
    correction, squares = _run("deviations", cells, centers.tolist())
    return Moments(count, total, correction, squares)


def _refuse_infinite(totals: np.ndarray) -> None:
    if not np.isfinite(totals).all():
        raise Unsupported("an infinite number")


def _has_negative_zero(values: np.ndarray) -> bool:
    return values.dtype.kind == "f" and bool(np.signbit(values[values == 0]).any())


def _run(
    name: str, cells: Sequence[Number], centers: Sequence[float] = ()
) -> tuple[np.ndarray, ...]:
    """Run one program over all columns; return each statistic as an array over the columns."""
    filled = tuple(not math.isnan(cell.fill) for cell in cells)
    dtypes = tuple(CODES[cell.values.dtype] for cell in cells)
    constants = [] if name == "median" else [cell.fill for cell in cells]
    if name in ("median", "count") and not any(filled):
        program = _program(name, dtypes, filled, (), ())
    else:
        program = _program.__wrapped__(name, dtypes, filled, tuple(constants), tuple(centers))
    scalars, flags = program.run([cell.values for cell in cells], [])
    if any(bits & _AMBIGUOUS_ZERO for _, bits in flags):
        raise Unsupported("both zeros")
    found = np.array(scalars, dtype=np.float64).reshape(len(cells), -1)
    return tuple(np.ascontiguousarray(column) for column in found.T)


@lru_cache(maxsize=64)
def _program(
    name: str,
    dtypes: tuple[str, ...],
    filled: tuple[bool, ...],
    fills: tuple[float, ...],
    centers: tuple[float, ...],
) -> _native.Program:
    nodes: list[Node] = []
    outputs: list[int] = []

    def add(*node: Any) -> int:
        nodes.append(node)
        return len(nodes) - 1

    for i, dtype in enumerate(dtypes):
        values = add("input", dtype, i)
        if dtype != "f64":
            values = add("cast", "f64", values)
        elif filled[i]:
            fill = add("const", "f64", fills[i])
            values = add("select", "f64", add("isnan", "bool", values), fill, values)
        if name == "deviations":
            values = add("sub", "f64", values, add("const", "f64", centers[i]))
            squares = add("mul", "f64", values, values)
            outputs += [add("sum", "f64", values), add("sum", "f64", squares)]
            continue
        outputs.append(add("sum", "f64", values))
        if name == "median":
            outputs.append(add("median", "f64", values))
        elif name == "count":
            count = add("count", "i64", values)
            outputs.append(count)
        else:
            outputs += [add("min", "f64", values), add("max", "f64", values)]
    return _native.Program(nodes, outputs)
