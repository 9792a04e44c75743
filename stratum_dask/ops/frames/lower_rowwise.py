"""Reductions of rows, such as ``frame.sum(axis=1)``.

pandas adds the columns of a block one after the other, in the order of the block, then what it has
of each block. So do the programs here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stratum_dask.ops.frames.builder import Builder, code_of
from stratum_dask.ops.frames.environment import adds_rows_by_blocks
from stratum_dask.ops.frames.symbols import DTYPES, Column, Frame, Unsupported

ROWWISE = frozenset({"sum", "count", "mean"})
"""The reductions of rows without parameters; there are also std and var."""


def reduce_rows(b: Builder, frame: Frame, name: str, numeric_only: bool, ddof: int = 1) -> Column:
    """Lower ``frame.sum(axis=1)`` and the same for count, mean, std and var."""
    frame.refuse_strided()
    blocks = [list(block) for block in frame.blocks]
    if numeric_only:
        blocks = [block for block in blocks if not frame.is_passive(block[0])]
    columns = [[b.load(frame.column(position)) for position in block] for block in blocks]
    if not columns:
        raise Unsupported("axis")
    if b.environment.bottleneck and name in ("std", "var"):
        raise Unsupported("pandas uses bottleneck")
    if not adds_rows_by_blocks():
        raise Unsupported("pandas adds rows in another order")
    if frame.length in b.environment.short:
        raise Unsupported("few rows")
    if name == "count":
        dtype, node = "i64", _counts(b, columns, "i64")
        if not b.is_column[node]:
            total = sum(map(len, columns))
            return Column(dtype, frame.length, index=frame.index, literal=total)
    elif name in ("sum", "mean"):
        dtype, node = (_sum if name == "sum" else _mean)(b, columns)
    else:
        nodes = [node for block in columns for node in block]
        if len(blocks) > 1:  # pandas puts them next to each other first
            order = np.argsort([position for block in blocks for position in block])
            nodes = [nodes[position] for position in order]
        add = _add if len(blocks) == 1 else _add_row
        dtype, node = _spread(b, nodes, ddof, add, root=name == "std")
    return Column(dtype, frame.length, node, index=frame.index)


def logic_rule(op: str) -> Callable[..., Column]:
    """Return the rule of ``frame.any(axis=1)`` or ``frame.all(axis=1)`` of bools."""

    def rule(b: Builder, self: Any, /, *, axis: Any) -> Column:
        if not isinstance(self, Frame) or not of_rows(axis):
            raise Unsupported("axis")
        self.refuse_strided()
        columns = [self.column(position) for position in range(len(self.columns))]
        if not columns or any(column.dtype != "bool" for column in columns):
            raise Unsupported("dtype")
        node, *others = map(b.load, columns)
        for other in others:
            node = b.add(op, "bool", node, other)
        return Column("bool", self.length, node, index=self.index)

    return rule


def of_rows(axis: Any) -> bool:
    """Whether an argument asks for the reduction of rows."""
    return (type(axis) is int and axis == 1) or (type(axis) is str and axis == "columns")


def _add(b: Builder, dtype: str, nodes: list[int]) -> int:
    """Add nodes one after the other; NumPy reports overflow on the way."""
    total = nodes[0]
    for node in nodes[1:]:
        total = b.add("add", dtype, total, node)
        if dtype[0] == "f":
            b.guard_visible(total, loud=True)
    return total


def _add_row(b: Builder, dtype: str, nodes: list[int]) -> int:
    """Add nodes in the order in which NumPy adds values that lie next to each other."""
    if len(nodes) < 8:
        return _add(b, dtype, nodes)
    if len(nodes) > 128:
        raise Unsupported("many columns")
    end = len(nodes) - len(nodes) % 8
    lanes = [_add(b, dtype, nodes[lane:end:8]) for lane in range(8)]
    while len(lanes) > 1:
        lanes = [_add(b, dtype, lanes[i : i + 2]) for i in range(0, len(lanes), 2)]
    return _add(b, dtype, [*lanes, *nodes[end:]])


def _present(b: Builder, node: int) -> int:
    """Return the values with 0 in place of missing ones."""
    dtype = b.dtype(node)
    if dtype[0] != "f":
        return node
    return b.add("select", dtype, b.add("isnan", "bool", node), b.const(dtype, 0), node)


def _total(b: Builder, blocks: list[list[int]], dtype: str, sum_dtype: str) -> int:
    """Add up all columns, converted to a dtype, in another."""
    totals = []
    for block in blocks:
        values = [b.cast(_present(b, b.cast(node, dtype)), sum_dtype) for node in block]
        totals.append(_add(b, sum_dtype, values))
    return _add(b, sum_dtype, totals)


def _common(b: Builder, blocks: list[list[int]]) -> str:
    return code_of(np.result_type(*[DTYPES[b.dtype(block[0])] for block in blocks]))


def _sum(b: Builder, blocks: list[list[int]]) -> tuple[str, int]:
    dtype = _common(b, blocks)
    if dtype[0] == "f":
        return dtype, _total(b, blocks, dtype, dtype)
    sum_dtype = "u64" if dtype[0] == "u" else "i64"
    return sum_dtype, _total(b, blocks, dtype, sum_dtype)


def _counts(b: Builder, blocks: list[list[int]], dtype: str) -> int:
    """Count the values of each row that are not missing."""
    nodes = [node for block in blocks for node in block]
    certain = sum(b.dtype(node)[0] != "f" for node in nodes)
    counts = b.const(dtype, certain)
    for node in nodes:
        if b.dtype(node)[0] == "f":
            present = b.add("not", "bool", b.add("isnan", "bool", node))
            counts = b.add("add", dtype, counts, b.cast(present, dtype))
    return counts


def _mean(b: Builder, blocks: list[list[int]]) -> tuple[str, int]:
    dtype = _common(b, blocks)
    if dtype == "f32" or dtype == "bool":
        raise Unsupported("dtype")
    total = _total(b, blocks, "f64", "f64")
    return "f64", b.add("truediv", "f64", total, _counts(b, blocks, "f64"))


def _spread(
    b: Builder, nodes: list[int], ddof: int, add: Callable[..., int], *, root: bool
) -> tuple[str, int]:
    if any(b.dtype(node) in ("f32", "u64", "bool") for node in nodes):
        raise Unsupported("dtype")
    counts = _counts(b, [nodes], "f64")
    values = [b.cast(node, "f64") for node in nodes]
    enough = b.add("gt", "bool", counts, b.const("f64", ddof))
    zero, nothing = b.const("f64", 0), b.const("f64", float("nan"))
    present = [_present(b, node) for node in values]
    mean = b.add("truediv", "f64", add(b, "f64", present), counts)
    squares = []
    for node, value in zip(values, present, strict=True):
        distance = b.add("sub", "f64", mean, value)
        square = b.add("mul", "f64", distance, distance)
        for visible in (distance, square):
            b.guard_visible(visible, loud=True)
        missing = b.add("isnan", "bool", node)
        squares.append(b.add("select", "f64", missing, zero, square))
    degrees = b.add("sub", "f64", counts, b.const("f64", ddof))
    variance = b.add("truediv", "f64", add(b, "f64", squares), degrees)
    variance = b.add("select", "f64", enough, variance, nothing)
    return "f64", b.add("sqrt", "f64", variance) if root else variance
