"""Columns as wholes: selection, assignment, renaming, dropping, conversion, rounding."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from dask.delayed import Delayed, delayed

from stratum_dask.ops.frames import layout
from stratum_dask.ops.frames import lower_dates as dates
from stratum_dask.ops.frames.builder import Builder
from stratum_dask.ops.frames.lower_missing import DEFAULT, each, with_node
from stratum_dask.ops.frames.symbols import (
    CODES,
    DTYPES,
    Column,
    Dates,
    Frame,
    Mode,
    Scalar,
    Unsupported,
    named,
)

#: Spellings of dtypes that mean a plain NumPy one to pandas.
SPELLINGS: dict[Any, str] = {
    **{dtype.name: code for dtype, code in CODES.items()},
    **{dtype.type: code for dtype, code in CODES.items()},
    **{code[0] + str(int(code[1:]) // 8): code for code in DTYPES if code != "bool"},
    "int": "i64",
    int: "i64",
    "float": "f64",
    float: "f64",
    bool: "bool",
}

#: pandas warns when a column is added to a frame of more blocks than this.
_MANY_BLOCKS = 100


def with_column(df: Any, name: Hashable, value: Any) -> Any:
    """Return a frame in which the column `name` is `value`: the pure form of ``df[name] = value``.

    Parameters
    ----------
    df : DataFrame or Delayed
        The frame, which stays as it is.
    name : hashable
        The column to replace or to add at the end.
    value : Series, array or scalar
        The new values; a Series is aligned on the index, as pandas does.

    Returns
    -------
    DataFrame or Delayed
        Delayed if the frame or the value is.

    Examples
    --------
    >>> with_column(pd.DataFrame({"a": [1, 2]}), "b", 0)
       a  b
    0  1  0
    1  2  0
    >>> lazy = delayed(pd.DataFrame)({"a": [1, 2]})
    >>> with_column(lazy, "b", lazy["a"] * 2).compute()
       a  b
    0  1  2
    1  2  4
    """
    if isinstance(df, Delayed) or isinstance(value, Delayed):
        return delayed(with_column)(df, name, value)
    out = df.copy(deep=False)
    out[name] = value
    return out


def getitem(b: Builder, self: Any, key: Any, /) -> Any:
    """Lower ``frame[label]``, ``frame[[labels]]`` and ``mode()[0]``."""
    if isinstance(self, Mode):
        if type(key) is not int or key != 0:
            raise Unsupported("key")
        b.guard_visible(self.scalar.node, loud=False)  # of no values pandas raises
        return self.scalar
    if not isinstance(self, Frame):
        raise Unsupported("operand")
    if type(key) is list:
        return self.select([self.labels.find(label) for label in key], "getitem", key)
    if type(key) is not str and type(key) is not int:
        raise Unsupported("key")
    return self.column(self.labels.find(key))


def get_attribute(b: Builder, self: Any, name: str, /) -> Column | Dates:
    """Lower ``getattr(frame, "column")``, ``getattr(series, "dt")`` and fields of dates."""
    if isinstance(self, Column):
        return dates.accessor(self, name)
    if isinstance(self, Dates):
        return dates.field(b, self.column, name)
    if not isinstance(self, Frame) or hasattr(pd.DataFrame, name):
        raise Unsupported("attribute")
    return self.column(self.labels.find(name))


def get_accessor_attribute(b: Builder, self: Any, accessor: str, name: str, /) -> Column | Dates:
    """Lower Dask's own ``getattr(getattr(series, accessor), name)``."""
    if not isinstance(self, Column):
        raise Unsupported("operand")
    return get_attribute(b, get_attribute(b, self, accessor), name)


def assign(b: Builder, self: Any, /, **columns: Any) -> Frame:
    """Lower ``DataFrame.assign(name=value, ...)``."""
    for name, value in columns.items():
        self = set_column(b, self, name, value)
    if not isinstance(self, Frame):
        raise Unsupported("operand")
    return self


def assign_pairs(b: Builder, self: Any, /, *pairs: Any) -> Frame:
    """Lower Dask's own ``assign(df, name, value, ...)``."""
    if len(pairs) % 2 or not all(type(name) is str for name in pairs[::2]):
        raise Unsupported("arguments")
    return assign(b, self, **dict(zip(pairs[::2], pairs[1::2], strict=True)))


def set_column(b: Builder, df: Any, name: Any, value: Any) -> Frame:
    """Lower ``with_column(df, name, value)``."""
    if not isinstance(df, Frame):
        raise Unsupported("operand")
    if type(name) is not str or not df.labels.unique:
        raise Unsupported("label")
    column = _column_from(b, df, name, value)
    position = df.labels.positions.get(name)
    if position is None:
        if len(df.blocks) >= _MANY_BLOCKS:
            raise Unsupported("pandas may warn of many blocks")
        blocks = layout.append(df.blocks, len(df.columns))
        return df.replace((*df.columns, column), df.labels.append(name), blocks)
    blocks = layout.replace(df.blocks, position)
    return df.replace((*df.columns[:position], column, *df.columns[position + 1 :]), blocks=blocks)


def _column_from(b: Builder, frame: Frame, name: str, value: Any) -> Column:
    if isinstance(value, Column):
        if value.length != frame.length or value.index not in (frame.index, None):
            raise Unsupported("different index")
        if value.index is None:  # pandas copies an array
            return Column(value.dtype, frame.length, b.load(value), index=frame.index, name=name)
        return named(value, name, frame.index)
    b.claim(frame.length)
    if isinstance(value, Scalar):
        return Column(value.dtype, frame.length, value.node, index=frame.index, name=name)
    dtype = {bool: "bool", int: "i64", float: "f64"}.get(type(value))
    if dtype is None:
        raise Unsupported("operand")
    b.const(dtype, value)  # refuses an int that needs more than 64 bits
    return Column(dtype, frame.length, index=frame.index, name=name, literal=value)


def drop(
    b: Builder, self: Any, /, labels: Any = None, *, axis: Any = DEFAULT, columns: Any = None
) -> Frame:
    """Lower ``DataFrame.drop`` of columns."""
    if not isinstance(self, Frame):
        raise Unsupported("operand")
    if axis is not DEFAULT:  # pandas refuses it beside `columns`
        if columns is not None or (axis != "columns" and (type(axis) is not int or axis != 1)):
            raise Unsupported("drop of rows")
        columns, labels = labels, None
    if columns is None or labels is not None:
        raise Unsupported("drop of rows")
    dropped = columns if type(columns) is list else [columns]
    gone = {self.labels.find(label) for label in dropped}
    kept = [position for position in range(len(self.columns)) if position not in gone]
    return self.select(kept, "drop", dropped)


def rename(b: Builder, self: Any, /, *, columns: Any) -> Frame:
    """Lower ``DataFrame.rename(columns=dict)``."""
    if not isinstance(self, Frame) or type(columns) is not dict:
        raise Unsupported("operand")
    return self.replace(self.columns, self.labels.rename(columns))


def copy(b: Builder, self: Any, /, deep: bool = True) -> Any:
    """Lower ``.copy()``: with copy on write a shared column is as good as a copied one."""
    if isinstance(self, Frame):
        self.refuse_strided()
        if type(deep) is not bool:
            raise Unsupported("arguments")
        for position in range(len(self.columns)) if deep else ():
            _refuse_readonly(b, self.column(position))
        blocks = layout.merge(self.blocks, self.merge_key) if deep else self.blocks
        if blocks == self.blocks:
            return self
        for block in blocks:
            origins = [self.columns[i] for i in block if self.column(i).dtype is None]
            if not self.layout.together([c for c in origins if isinstance(c, int)]):
                raise Unsupported("dtype")
        return self.replace(self.columns, blocks=blocks)
    if isinstance(self, Column) and self.index is not None:
        if deep:
            _refuse_readonly(b, self)
        return self
    raise Unsupported("operand")


def _refuse_readonly(b: Builder, column: Column) -> None:
    """Leave columns to pandas of which it makes ones that may be written to."""
    if column.source is not None and column.source.value in b.environment.readonly:
        raise Unsupported("read-only memory")


def astype(b: Builder, self: Any, /, dtype: Any) -> Any:
    """Lower ``.astype`` between numeric dtypes; a dict converts a frame by column."""
    if type(dtype) is dict:
        if not isinstance(self, Frame):
            raise Unsupported("operand")
        self.refuse_strided()
        columns = list(self.columns)
        blocks = layout.apart(len(columns)) if columns else None
        for label, target in dtype.items():
            position = self.labels.find(label)
            column = self.column(position)
            converted = _convert(b, column, _code(target))
            if converted is not column:
                columns[position] = converted
        return self.replace(columns, blocks=blocks)
    code = _code(dtype)
    return each(self, lambda column: _convert(b, column, code))


def _code(dtype: Any) -> str:
    if isinstance(dtype, np.dtype):
        code = CODES.get(dtype)
    else:
        code = SPELLINGS.get(dtype) if isinstance(dtype, Hashable) else None
    if code is None:
        raise Unsupported("dtype")
    return code


def _convert(b: Builder, column: Column, dtype: str) -> Column:
    if column.dtype == dtype:
        return column
    node = b.load(column)
    floating = b.dtype(node)[0] == "f"
    if floating and dtype[0] == "u":
        raise Unsupported("float to unsigned")  # pandas refuses all negative values
    new = b.add("cast", dtype, node)
    if floating and dtype != "bool":
        b.guard_visible(new, loud=dtype == "f32")
    return with_node(column, dtype, new)


def round_to(b: Builder, self: Any, /, decimals: Any = 0) -> Any:
    """Lower ``.round(decimals)``."""
    if type(decimals) is not int or not -22 <= decimals <= 22:  # 10**22 is exact
        raise Unsupported("operand")

    def apply(column: Column) -> Column:
        if column.dtype is None or (column.dtype[0] != "f" and decimals < 0):
            raise Unsupported("dtype")
        if column.dtype[0] != "f":
            _refuse_readonly(b, column)
            return column
        node, dtype = b.load(column), column.dtype
        if decimals == 0:
            return with_node(column, dtype, b.add("rint", dtype, node))
        if not b.environment.underflow_ignored:
            raise Unsupported("underflow is reported")
        scale = b.const(dtype, 10.0 ** abs(decimals))
        first, second = ("mul", "truediv") if decimals > 0 else ("truediv", "mul")
        scaled = b.add(first, dtype, node, scale)
        result = b.add(second, dtype, b.add("rint", dtype, scaled), scale)
        for before, after in ((node, scaled), (scaled, result)):
            _refuse_overflow(b, dtype, before, after)
        return with_node(column, dtype, result)

    return each(self, apply)


def _refuse_overflow(b: Builder, dtype: str, before: int, after: int) -> None:
    """Leave columns in which a finite value became infinite to NumPy, which warns of it."""
    infinity = b.const(dtype, math.inf)
    finite = b.add("lt", "bool", b.add("abs", dtype, before), infinity)
    overflow = b.add("eq", "bool", b.add("abs", dtype, after), infinity)
    b.false.append(b.add("max", "bool", b.add("and", "bool", finite, overflow)))
