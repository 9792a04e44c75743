"""Arithmetic, comparisons and logic: operators, their method twins and NumPy's twins.

pandas treats a NumPy scalar like a Python one (it takes the column's dtype), silences floating
point errors, and gives integer division by zero its own results, which the program reports.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stratum_dask.ops.frames import layout
from stratum_dask.ops.frames.builder import EXACT_INTEGER, Builder, is_number
from stratum_dask.ops.frames.layout import Blocks
from stratum_dask.ops.frames.promotion import (
    ARITHMETIC,
    COMPARISONS,
    LOGIC,
    common_dtype,
    common_name,
    dtype_with,
)
from stratum_dask.ops.frames.rows import row_of
from stratum_dask.ops.frames.symbols import (
    DTYPES,
    Column,
    Frame,
    Row,
    Scalar,
    Unsupported,
)

#: What is done between frames and rows: other operations have corners of their own.
ON_ROWS = COMPARISONS | {"add", "sub", "mul", "truediv"}

#: What pandas leaves to numexpr in large columns.
NUMEXPR = (ARITHMETIC | COMPARISONS) - {"floordiv", "mod"}


def binary(b: Builder, op: str, left: Any, right: Any, *, method: bool = False) -> Any:
    """Lower a binary operation in which pandas decides the result."""
    for value in (left, right):
        if isinstance(value, (Frame, Column, Row)) and op in NUMEXPR:
            b.refuse_numexpr(value)
    if isinstance(left, Frame) or isinstance(right, Frame):
        return _frame_binary(b, op, left, right)
    if _is_series(left) or _is_series(right):
        if method and isinstance(right, Column) and right.index is None:
            raise Unsupported("array operand")
        return series_binary(b, op, left, right)
    if isinstance(left, Row) or isinstance(right, Row):
        return _row_binary(b, op, left, right)
    if isinstance(left, Scalar) or isinstance(right, Scalar):
        return _scalar_binary(b, op, left, right)
    raise Unsupported("operand")


def _is_series(value: Any) -> bool:
    return isinstance(value, Column) and value.index is not None


def series_binary(b: Builder, op: str, left: Any, right: Any, *, strong: bool = False) -> Column:
    """Lower an operation on columns and scalars, of which one is a Series."""
    first, second = columns_of(b, op, left, right, strong=strong)
    owner = left if _is_series(left) else right
    name = owner.name
    if _is_series(left) and _is_series(right):
        if left.index != right.index:
            raise Unsupported("different index")
        name = common_name(left.name, right.name)
    dtype, node = _node(b, op, first, second, right)
    return Column(dtype, owner.length, node, index=owner.index, name=name)


def columns_of(
    b: Builder, op: str, left: Any, right: Any, *, strong: bool = False
) -> tuple[int, int]:
    """Return the operands as nodes of one dtype, in which the operation computes.

    A scalar that is `strong` counts with its dtype, as a column would.
    """
    if isinstance(left, Column) and isinstance(right, Column):
        first, second = b.load(left), b.load(right)
        dtype = common_dtype(op, b.dtype(first), b.dtype(second))
        return b.cast(first, dtype), b.cast(second, dtype)
    if isinstance(left, Column):
        column, scalar = b.load(left), right
    else:
        column, scalar = b.load(right), left
    if isinstance(scalar, Scalar) and strong:
        dtype = common_dtype(op, b.dtype(column), scalar.dtype)
        value = b.cast(scalar.node, dtype)
    elif isinstance(scalar, Scalar):
        dtype, value = _lazy_operand(b, op, b.dtype(column), scalar)
    elif is_number(scalar):
        dtype = dtype_with(op, b.dtype(column), scalar)
        value = b.const(dtype, scalar)
    elif type(scalar) is bool and b.dtype(column) == "bool" and op not in ARITHMETIC:
        dtype, value = "bool", b.const("bool", scalar)
    else:
        raise Unsupported("operand")
    column = b.cast(column, dtype)
    return (column, value) if isinstance(left, Column) else (value, column)


def _lazy_operand(b: Builder, op: str, column: str, scalar: Scalar) -> tuple[str, int]:
    if op in LOGIC or op == "pow" or scalar.dtype == "bool" or column == "bool":
        raise Unsupported("operand")
    if scalar.dtype[0] == "f":
        dtype = column if column[0] == "f" else "f64"
    elif column[0] == "f":
        if column == "f32":
            raise Unsupported("mixed dtypes")
        dtype = column
    elif op == "truediv":
        dtype = "f64"
    elif np.can_cast(DTYPES[scalar.dtype], DTYPES[column]):
        dtype = column
    else:
        raise Unsupported("mixed dtypes")
    return dtype, b.cast(scalar.node, dtype)


def _node(b: Builder, op: str, first: int, second: int, right: Any) -> tuple[str, int]:
    dtype = b.dtype(first)
    if op in COMPARISONS:
        return "bool", b.add(op, "bool", first, second)
    if op == "pow":
        return dtype, _power(b, dtype, first, second, right)
    if op == "floordiv" and dtype == "f32":
        raise Unsupported("float32")  # pandas widens the result where it divides by zero
    node = b.add(op, dtype, first, second)
    if op in ("floordiv", "mod") and dtype[0] in "iu":
        b.guard_visible(node, loud=False)
        if op == "mod" and not b.is_column[second]:  # pandas gives float64 even of no rows
            b.false.append(b.add("eq", "bool", second, b.const(dtype, 0)))
    return dtype, node


def _power(b: Builder, dtype: str, first: int, second: int, exponent: Any) -> int:
    if isinstance(exponent, Column):
        pass
    elif dtype[0] in "iu":
        if exponent < 0:
            raise Unsupported("negative exponent")
    elif exponent == 2:  # NumPy's shortcuts for a scalar exponent have their own bits
        return b.add("mul", dtype, first, first)
    elif exponent == 0.5:
        return b.add("sqrt", dtype, first)
    elif exponent in (-1, 0, 1):
        raise Unsupported("exponent")
    if dtype[0] in "iu":
        return b.guard_visible(b.add("ufunc", dtype, "power", first, second), loud=False)
    return b.ufunc(dtype, "power", first, second)


def _scalar_binary(b: Builder, op: str, left: Any, right: Any) -> Scalar:
    """Lower NumPy scalar arithmetic, which warns where the result is not finite."""
    if op not in ("add", "sub", "mul", "truediv") or not b.environment.underflow_ignored:
        raise Unsupported("scalar operation")
    nodes = []
    for value in (left, right):
        if isinstance(value, Scalar) and value.dtype == "f64":
            nodes.append(value.node)
        elif type(value) is float or (type(value) is int and abs(value) <= EXACT_INTEGER):
            nodes.append(b.const("f64", value))
        else:
            raise Unsupported("scalar operation")
    node = b.add(op, "f64", *nodes)
    b.finite.append(node)
    return Scalar("f64", node)


def _row_binary(b: Builder, op: str, left: Any, right: Any) -> Row:
    """Lower arithmetic of reductions of frames, in which pandas silences floating point errors."""
    if op not in ON_ROWS - COMPARISONS:
        raise Unsupported("operand")
    if isinstance(left, Row) and isinstance(right, Row):
        if not _same_labels(left, right):
            raise Unsupported("different labels")
        dtype = common_dtype(op, left.dtype, right.dtype)
        pairs = [
            (b.cast(one.node, dtype), b.cast(other.node, dtype))
            for one, other in zip(left.scalars, right.scalars, strict=True)
        ]
        name = common_name(left.name, right.name)
    else:
        row, number = (left, right) if isinstance(left, Row) else (right, left)
        if not is_number(number):
            raise Unsupported("operand")
        dtype = dtype_with(op, row.dtype, number)
        constant = b.const(dtype, number)
        pairs = [(b.cast(scalar.node, dtype), constant) for scalar in row.scalars]
        if row is right:
            pairs = [pair[::-1] for pair in pairs]
        name = row.name
    owner = left if isinstance(left, Row) else right
    scalars = tuple([Scalar(dtype, b.add(op, dtype, *pair)) for pair in pairs])
    return Row(owner.labels, scalars, dtype, name)


def _same_labels(left: Frame | Row, right: Frame | Row) -> bool:
    """Whether pandas takes the columns of two values for the same, in the same order."""
    one, other = left.labels, right.labels
    return one.unique and one.values == other.values and one.like.dtype == other.like.dtype


def _frame_binary(b: Builder, op: str, left: Any, right: Any) -> Frame:
    if isinstance(left, Frame) and isinstance(right, Frame):
        if left.index != right.index or not _same_labels(left, right):
            raise Unsupported("different labels")
        right.refuse_strided()
        others = [right.column(i) for i in range(len(right.columns))]
        return _frame_with(b, op, left, others, layout.pair(left.blocks, right.blocks))
    frame: Frame = left if isinstance(left, Frame) else right
    other = right if frame is left else left
    if isinstance(other, Column):
        other = row_of(b, other)
    if isinstance(other, Row):
        if frame is not left or op not in ON_ROWS:
            raise Unsupported("operand")
        if not _same_labels(frame, other):
            raise Unsupported("different labels")
        columns = tuple(range(len(frame.columns)))
        blocks = layout.pair(frame.blocks, (columns,) if columns else ())
        return _frame_with(b, op, frame, list(other.scalars), blocks, strong=True)

    def lower(column: Column) -> Column:
        pair = (column, other) if frame is left else (other, column)
        return series_binary(b, op, *pair)

    return frame.map(lower)


def _frame_with(
    b: Builder, op: str, frame: Frame, others: list[Any], blocks: Blocks, *, strong: bool = False
) -> Frame:
    remaining = iter(others)

    def lower(column: Column) -> Column:
        return series_binary(b, op, column, next(remaining), strong=strong)

    return frame.map(lower, blocks)


def absolute(b: Builder, value: Any, /) -> Any:
    """Lower ``abs(value)``."""
    return _unary(b, "abs", value)


def negative(b: Builder, value: Any, /) -> Any:
    """Lower ``-value``."""
    return _unary(b, "neg", value)


def invert(b: Builder, value: Any, /) -> Any:
    """Lower ``~value``."""
    return _unary(b, "not", value)


def _unary(b: Builder, op: str, value: Any) -> Any:
    def lower(column: Column) -> Column:
        node = b.load(column)
        dtype = b.dtype(node)
        if (dtype[0] == "f") if op == "not" else (dtype == "bool"):
            raise Unsupported("dtype")
        new = b.add(op, dtype, node)
        return Column(dtype, column.length, new, index=column.index, name=column.name)

    if isinstance(value, Frame):
        return value.map(lower)
    if _is_series(value):
        return lower(value)
    raise Unsupported("operand")


def operator_rule(op: str) -> Callable[[Builder, Any, Any], Any]:
    """Return the rule of an operator function or NumPy ufunc."""

    def rule(b: Builder, left: Any, right: Any, /) -> Any:
        return binary(b, op, left, right)

    return rule


def method_rule(op: str, *, swapped: bool = False) -> Callable[[Builder, Any, Any], Any]:
    """Return the rule of a method such as ``.add`` or, swapped, ``.radd``."""

    def rule(b: Builder, self: Any, /, other: Any) -> Any:
        if not isinstance(self, (Column, Frame)) or (
            isinstance(self, Column) and self.index is None
        ):
            raise Unsupported("operand")
        if swapped:
            if isinstance(other, (Column, Frame, Row)):
                raise Unsupported("operand")
            return binary(b, op, other, self)
        return binary(b, op, self, other, method=True)

    return rule
