"""Missing and replaced values: fillna, isna, clip, where, mask, isin, map, numpy.where.

pandas keeps a column's dtype only if the new value fits it, and decides that from the data when it
doesn't; such calls are refused here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops.frames import layout
from stratum_dask.ops.frames.builder import (
    EXACT_INTEGER,
    Builder,
    code_of,
    fits_float,
    fits_integer,
    integer_info,
    is_number,
)
from stratum_dask.ops.frames.rows import series_of
from stratum_dask.ops.frames.symbols import (
    DTYPES,
    Column,
    Frame,
    Row,
    Scalar,
    Unsupported,
)

#: Marks a keyword that was not given.
DEFAULT: Any = object()


def stored(b: Builder, value: Any, dtype: str, index: int | None) -> int:
    """Return the node of a value that pandas stores in a column of `dtype` as it is."""
    if isinstance(value, Column):
        if value.dtype != dtype or value.index not in (index, None):
            raise Unsupported("operand")
        return b.load(value)
    if isinstance(value, Scalar):
        node = value.node
        if dtype == "f32" and b.nodes[node][0] == "cast":  # in a row with columns of float64
            node = b.nodes[node][2]
        if b.dtype(node) != dtype:
            raise Unsupported("mixed dtypes")
        return node
    if dtype == "bool":
        fits = type(value) is bool
    else:
        fits = is_number(value) and (fits_float if dtype[0] == "f" else fits_integer)(value, dtype)
    if not fits:
        raise Unsupported("value doesn't fit the dtype")
    return b.const(dtype, value)


def with_node(column: Column, dtype: str, node: int) -> Column:
    """Return a Series like `column` with another node."""
    return Column(dtype, column.length, node, index=column.index, name=column.name)


def each(value: Any, function: Any) -> Any:
    """Apply a rule to a Series, or to every column of a frame."""
    if isinstance(value, Frame):
        return value.map(function)
    if isinstance(value, Column) and value.index is not None:
        return function(value)
    raise Unsupported("operand")


def fillna(b: Builder, self: Any, /, value: Any) -> Any:
    """Lower ``.fillna(value)``; a dict or a Series of scalars fills a frame by column."""
    if isinstance(self, Frame) and isinstance(value, Column):
        value = _by_label(series_of(b, value))
    if isinstance(self, Frame) and isinstance(value, (dict, Row)):
        return _fill_columns(b, self, value)
    return each(self, lambda column: _fill(b, column, value))


def _by_label(series: pd.Series) -> dict[Any, Any]:
    """Return the values of a Series as pandas goes through them."""
    if not series.index.is_unique:
        raise Unsupported("duplicate column names")
    return dict(series.items())


def _fill(b: Builder, column: Column, value: Any) -> Column:
    if column.dtype is None:
        raise Unsupported("dtype")
    if column.dtype[0] != "f":
        if not (isinstance(value, Scalar) or is_number(value)):
            raise Unsupported("operand")
        return column
    if isinstance(value, Column) and value.index is None:
        raise Unsupported("array operand")
    if isinstance(value, Frame):
        raise Unsupported("operand")
    node = b.load(column)
    filling = stored(b, value, column.dtype, column.index)
    missing = b.add("isnan", "bool", node)
    return with_node(column, column.dtype, b.add("select", column.dtype, missing, filling, node))


def _fill_columns(b: Builder, frame: Frame, value: dict[Any, Any] | Row) -> Frame:
    if isinstance(value, Row):
        value = dict(zip(value.labels.values, value.scalars, strict=True))
    if not frame.labels.unique:
        raise Unsupported("duplicate column names")
    columns = list(frame.columns)
    blocks = frame.blocks
    for label, filling in value.items():
        if isinstance(filling, Column):
            raise Unsupported("operand")
        position = frame.labels.positions.get(label)
        if position is None:
            continue
        position = frame.labels.find(label)
        column = frame.column(position)
        filled = _fill(b, column, filling)
        blocks = layout.replace(blocks, position)
        if filled is not column:
            columns[position] = filled
    return frame.replace(columns, blocks=blocks)


def isna(b: Builder, self: Any, /) -> Any:
    """Lower ``.isna()`` and its aliases."""
    return each(self, lambda column: _isna(b, column))


def notna(b: Builder, self: Any, /) -> Any:
    """Lower ``.notna()`` and its aliases."""

    def lower(column: Column) -> Column:
        missing = b.load(_isna(b, column))
        return with_node(column, "bool", b.add("not", "bool", missing))

    return each(self, lower)


def _isna(b: Builder, column: Column) -> Column:
    node = b.load(column)
    if b.dtype(node)[0] == "f":
        return with_node(column, "bool", b.add("isnan", "bool", node))
    return with_node(column, "bool", b.add("ne", "bool", node, node))


def clip(
    b: Builder, self: Any, /, lower: Any = None, upper: Any = None, *, axis: None = None
) -> Any:
    """Lower ``.clip(lower, upper)`` with numbers as bounds."""
    if axis is not None:
        raise Unsupported("axis")
    lower, upper = (_bound(b, x) for x in (lower, upper))
    if lower is None and upper is None:
        raise Unsupported("no bound")
    if lower is not None and upper is not None:
        if isinstance(lower, Scalar) or isinstance(upper, Scalar):
            # pandas swaps bounds that are in the wrong order.
            nodes = [stored(b, bound, "f64", None) for bound in (lower, upper)]
            b.false.append(b.add("gt", "bool", *nodes))
        else:
            lower, upper = min(lower, upper), max(lower, upper)
    if isinstance(self, (Frame, Column)):
        b.refuse_numexpr(self)  # pandas compares to the bounds

    def apply(column: Column) -> Column:
        node = b.load(column)
        dtype = b.dtype(node)
        if dtype == "bool":
            raise Unsupported("dtype")
        for bound, keeps in ((lower, "ge"), (upper, "le")):
            if bound is not None:
                limit = stored(b, bound, dtype, column.index)
                keep = b.add(keeps, "bool", node, limit)
                if dtype[0] == "f":
                    keep = b.add("or", "bool", b.add("isnan", "bool", node), keep)
                node = b.add("select", dtype, keep, node, limit)
        return with_node(column, dtype, node)

    return each(self, apply)


def numpy_clip(b: Builder, a: Any, /, a_min: Any, a_max: Any) -> Any:
    """Lower ``numpy.clip(a, a_min, a_max)``, which has to be given both bounds."""
    return clip(b, a, a_min, a_max)


def _bound(b: Builder, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, Scalar):
        if value.dtype != "f64":
            raise Unsupported("operand")
        b.false.append(b.add("isnan", "bool", value.node))  # of which pandas makes no bound
        return value
    if not is_number(value):
        raise Unsupported("operand")
    return None if math.isnan(value) else value


def where(b: Builder, self: Any, /, cond: Any, other: Any = DEFAULT) -> Column:
    """Lower ``Series.where(cond, other)``."""
    return _replace(b, self, cond, other, keep=True)


def mask(b: Builder, self: Any, /, cond: Any, other: Any = DEFAULT) -> Column:
    """Lower ``Series.mask(cond, other)``."""
    return _replace(b, self, cond, other, keep=False)


def _replace(b: Builder, self: Any, cond: Any, other: Any, *, keep: bool) -> Column:
    if not isinstance(self, Column) or self.index is None:
        raise Unsupported("operand")
    if not isinstance(cond, Column) or cond.dtype != "bool" or cond.index != self.index:
        raise Unsupported("condition")
    node, condition = b.load(self), b.load(cond)
    dtype = b.dtype(node)
    if other is DEFAULT:
        if dtype[0] != "f":
            raise Unsupported("value doesn't fit the dtype")
        other = math.nan
    replacement = stored(b, other, dtype, self.index)
    first, second = (node, replacement) if keep else (replacement, node)
    return with_node(self, dtype, b.add("select", dtype, condition, first, second))


def isin(b: Builder, self: Any, /, values: Any) -> Column:
    """Lower ``Series.isin(values)`` for a list, tuple or set of plain numbers."""
    if not isinstance(self, Column) or self.index is None:
        raise Unsupported("operand")
    if type(values) not in (list, tuple, set, frozenset):
        raise Unsupported("operand")
    node = b.load(self)
    dtype = b.dtype(node)
    table = np.array(_comparable(values, dtype), dtype=DTYPES[dtype])
    return with_node(self, "bool", b.append("isin", "bool", node, table))


def _comparable(values: Any, dtype: str) -> list[Any]:
    """Return the numbers that a column of `dtype` can equal."""
    if dtype in ("bool", "u64"):
        raise Unsupported("dtype")
    if dtype[0] in "iu":
        if not all(type(value) is int for value in values):
            raise Unsupported("value is not an int")
        if any(abs(value) > integer_info("i64").max for value in values):
            raise Unsupported("integer out of bounds")
        return [value for value in values if fits_integer(value, dtype)]
    for value in values:
        if type(value) is float:
            if math.isnan(value):
                raise Unsupported("NaN among the values")
        elif type(value) is not int or abs(value) > EXACT_INTEGER:
            raise Unsupported("value is not a number")
    if dtype == "f32":
        return [value for value in values if _is_float32(value)]
    return list(values)


def _is_float32(value: Any) -> bool:
    if abs(value) > float(np.finfo(np.float32).max):
        return math.isinf(value)
    return bool(float(np.float32(value)) == value)


def map_values(b: Builder, self: Any, /, mapping: Any) -> Column:
    """Lower ``Series.map(dict)`` from numbers to numbers."""
    if not isinstance(self, Column) or self.index is None:
        raise Unsupported("operand")
    if type(mapping) is not dict or not mapping:
        raise Unsupported("operand")
    node = b.load(self)
    dtype = b.dtype(node)
    values = list(mapping.values())
    if dtype == "bool":
        if not all(type(key) is bool for key in mapping):
            raise Unsupported("key is not a bool")
        pairs = list(mapping.items())
    elif dtype == "f32":
        raise Unsupported("float32")
    else:
        comparable = set(_comparable(list(mapping), dtype))
        pairs = [(key, value) for key, value in mapping.items() if key in comparable]
    keys = np.array([key for key, _ in pairs], dtype=DTYPES[dtype])
    if all(type(value) is int for value in values):
        if any(abs(value) > integer_info("i64").max for value in values):
            raise Unsupported("integer out of bounds")
        # Where a key is missing pandas gives float64 and NaN: all must be found.
        missing = b.add("not", "bool", b.append("isin", "bool", node, keys))
        b.false.append(b.add("max", "bool", missing))
        result = "i64"
    elif all(type(value) in (int, float) for value in values):
        if any(type(value) is int and abs(value) > EXACT_INTEGER for value in values):
            raise Unsupported("integer out of bounds")
        result = "f64"
    else:
        raise Unsupported("value is not a number")
    table = np.array([value for _, value in pairs], dtype=DTYPES[result])
    default = 0 if result == "i64" else math.nan
    return with_node(self, result, b.append("lookup", result, node, keys, table, default))


def numpy_where(b: Builder, condition: Any, x: Any, y: Any, /) -> Column:
    """Lower ``numpy.where(condition, x, y)``, which gives an array."""
    if not isinstance(condition, Column) or condition.dtype != "bool":
        raise Unsupported("condition")
    chosen = b.load(condition)
    dtype = code_of(np.where(False, _witness(x), _witness(y)).dtype)
    first, second = (_branch(b, value, dtype) for value in (x, y))
    return Column(dtype, condition.length, b.add("select", dtype, chosen, first, second))


def _witness(value: Any) -> Any:
    """Return something that NumPy promotes as it does the value."""
    if isinstance(value, (Column, Scalar)):
        if value.dtype is None:
            raise Unsupported("dtype")
        return np.empty(1, dtype=DTYPES[value.dtype])
    if type(value) is bool or is_number(value):
        return value
    raise Unsupported("operand")


def _branch(b: Builder, value: Any, dtype: str) -> int:
    if isinstance(value, Column):
        return b.cast(b.load(value), dtype)
    if isinstance(value, Scalar):
        return b.cast(value.node, dtype)
    return b.const(dtype, value)
