"""``frame.clip`` between bounds of each column, such as its quantiles.

pandas replaces what lies beyond one bound, then what lies beyond the other, block by block. A block
in which nothing does stays as it is. One that cannot hold the bounds, such as one of integers,
falls apart into its columns, and those of them that have to change become floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.core.computation import expressions

from stratum_dask import _native
from stratum_dask.ops.direct.arrow import plain
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.frames.symbols import CODES, DTYPES
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Unsupported

_BEYOND = ("lt", "gt")
"""How values compare to a bound that they don't keep to: to the lower one, to the upper one."""

Node = tuple[Any, ...]


class _Block(NamedTuple):
    """Columns in one block: their positions, their dtype, and the bounds that changed some."""

    positions: list[int]
    dtype: str
    bounds: tuple[tuple[int, str], ...] = ()

    def bounded(self, bound: int, dtype: str) -> _Block:
        """Return the block after values beyond a bound were replaced."""
        return _Block(self.positions, dtype, (*self.bounds, (bound, dtype)))


def clip(
    frame: pd.DataFrame, lower: Any = None, upper: Any = None, *, axis: Any = None
) -> pd.DataFrame:
    """Run ``frame.clip(lower, upper, axis=1)`` for Series of floats as bounds.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": range(10_000), "b": 0.5})
    >>> clip(frame, frame.quantile(0.25), frame.quantile(0.75), axis=1)["a"].iloc[[0, -1]].tolist()
    [2499.75, 7499.25]
    """
    if type(axis) not in (int, str) or axis not in (1, "columns"):
        raise Unsupported("axis")
    if expressions._evaluate is not expressions._evaluate_standard:
        raise Unsupported("pandas may use numexpr")
    if not blocks.plain(frame) or not frame.columns.is_unique or frame.empty:
        raise Unsupported("attrs, flags, repeated columns, or no values")
    bounds = [_values(frame, bound) for bound in (lower, upper)]
    columns = [_numbers(frame, position) for position in range(frame.shape[1])]
    found = [_Block(b.mgr_locs.as_array.tolist(), CODES[b.dtype]) for b in frame._mgr.blocks]
    for number, (limits, beyond) in enumerate(zip(bounds, _BEYOND, strict=True)):
        if limits is not None:
            outside = _outside(columns, beyond, limits)
            found = [part for block in found for part in _replaced(block, number, limits, outside)]
    return _filled(frame, columns, bounds, found)


def _values(frame: pd.DataFrame, bound: Any) -> list[float] | None:
    if bound is None:
        return None
    if type(bound) is not pd.Series or bound.dtype != np.float64:
        raise Unsupported("bounds that are no Series of float64")
    plain(bound)
    if not bound.index.identical(frame.columns) or bound.hasnans:
        raise Unsupported("other labels, or a missing bound")
    values: list[float] = bound.tolist()
    return values


def _numbers(frame: pd.DataFrame, position: int) -> np.ndarray:
    values: Any = frame._mgr.iget_values(position)
    if values.dtype not in CODES or values.dtype in (np.bool_, np.float32):
        raise Unsupported(f"dtype {values.dtype}")
    if not values.flags.c_contiguous:
        raise Unsupported("rows are stored next to each other")
    return np.require(values, requirements="A")


def _outside(columns: list[np.ndarray], beyond: str, limits: list[float]) -> list[bool]:
    """Tell for each column whether any value lies beyond its bound."""
    nodes: list[Node] = []
    wanted = []
    for number, (column, limit) in enumerate(zip(columns, limits, strict=True)):
        values = _add(nodes, "cast", "f64", _add(nodes, "input", CODES[column.dtype], number))
        found = _add(nodes, beyond, "bool", values, _add(nodes, "const", "f64", limit))
        wanted.append(_add(nodes, "max", "bool", found))
    scalars, _ = _native.Program(nodes, wanted).run(columns, [])
    return [bool(scalar) for scalar in scalars]


def _replaced(
    block: _Block, number: int, limits: list[float], outside: list[bool]
) -> Sequence[_Block]:
    """Return what a block becomes when values beyond a bound are replaced."""
    positions = block.positions
    if not any(outside[position] for position in positions):
        return [block]
    if all(_holds(block.dtype, limits[position]) for position in positions):
        return [block.bounded(number, block.dtype)]
    if len(positions) == 1:
        return [block.bounded(number, "f64")]
    single = [block._replace(positions=[position]) for position in positions]
    return [part for each in single for part in _replaced(each, number, limits, outside)]


def _holds(dtype: str, limit: float) -> bool:
    """Whether pandas stores a bound in a column without another dtype."""
    if dtype == "f64":
        return True
    if not math.isfinite(limit):
        raise Unsupported("infinite bounds")  # NumPy may warn when it tries
    info = np.iinfo(DTYPES[dtype])
    if not info.min <= limit <= info.max or abs(limit) > 2**53:
        raise Unsupported("huge bounds")
    return limit.is_integer()


def _filled(
    frame: pd.DataFrame,
    columns: list[np.ndarray],
    bounds: list[list[float] | None],
    found: list[_Block],
) -> pd.DataFrame:
    """Return the frame of these blocks; those that nothing changed are shared."""
    nodes: list[Node] = []
    wanted: list[int] = []
    inputs: list[np.ndarray] = []
    outputs: list[np.ndarray] = []
    parts = []
    for block in found:
        if not block.bounds:
            parts.append(blocks.share_columns(frame, block.positions, block.positions))
            continue
        values = empty((len(block.positions), len(frame)), DTYPES[block.dtype])
        for row, position in zip(values, block.positions, strict=True):
            number = _add(nodes, "input", CODES[columns[position].dtype], len(inputs))
            inputs.append(columns[position])
            limits = [(bounds[i] or [])[position] for i, _ in block.bounds]
            wanted.append(_clipped(nodes, number, block, limits))
            outputs.append(row)
        parts.append(blocks.new_block(values, block.positions))
    if wanted:
        _native.Program(nodes, wanted).run(inputs, outputs)
    return blocks.make_frame(parts, frame.columns.view(), frame.index.view())


def _clipped(nodes: list[Node], values: int, block: _Block, limits: list[float]) -> int:
    """Add the nodes that keep a column to its bounds, and return the last."""
    compared = _add(nodes, "cast", "f64", values)
    result = values
    for (bound, dtype), limit in zip(block.bounds, limits, strict=True):
        beyond = _add(nodes, _BEYOND[bound], "bool", compared, _add(nodes, "const", "f64", limit))
        stored = _add(nodes, "const", dtype, limit if dtype[0] == "f" else int(limit))
        result = _add(nodes, "cast", dtype, result)
        result = _add(nodes, "select", dtype, beyond, stored, result)
    return result


def _add(nodes: list[Node], *node: Any) -> int:
    """Add a node, and return its number; a conversion to the same dtype is none."""
    if node[0] == "cast" and nodes[node[2]][1] == node[1]:
        number: int = node[2]
        return number
    nodes.append(node)
    return len(nodes) - 1


CLIPPING = {(".clip", pd.DataFrame): clip}
"""The entries of the table of direct calls."""
