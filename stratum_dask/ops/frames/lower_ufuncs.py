"""NumPy's universal functions on Series, frames and arrays, through NumPy's own inner loops.

pandas turns the arithmetic ones into operators; the others warn or raise as ``np.errstate`` says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from stratum_dask.ops.frames.builder import Builder, code_of, is_number, promote
from stratum_dask.ops.frames.promotion import common_name
from stratum_dask.ops.frames.symbols import DTYPES, Column, Frame, Scalar, Unsupported


def unary_rule(name: str) -> Callable[[Builder, Any], Any]:
    """Return the rule of a ufunc of one operand with float results."""
    ufunc = getattr(np, name)

    @lru_cache(maxsize=16)
    def loop_dtype(dtype: str) -> str:
        return code_of(ufunc.resolve_dtypes((DTYPES[dtype], None))[1])

    def rule(b: Builder, x: Any, /) -> Any:
        def lower(column: Column) -> Column:
            node = b.load(column)
            dtype = loop_dtype(b.dtype(node))
            new = b.ufunc(dtype, name, b.cast(node, dtype))
            b.guard_visible(new, loud=True)
            return Column(dtype, column.length, new, index=column.index, name=column.name)

        if isinstance(x, Frame):
            return x.map(lower)
        if isinstance(x, Column):
            return lower(x)
        raise Unsupported("operand")

    return rule


def binary_rule(name: str) -> Callable[[Builder, Any, Any], Any]:
    """Return the rule of a ufunc of two operands that isn't a pandas operator."""

    def rule(b: Builder, x1: Any, x2: Any, /) -> Column:
        columns = [value for value in (x1, x2) if isinstance(value, Column)]
        series = [column for column in columns if column.index is not None]
        if not series:
            raise Unsupported("operand")
        owner = series[0]
        result_name = owner.name
        if len(series) == 2:
            if series[0].index != series[1].index:
                raise Unsupported("different index")
            result_name = common_name(series[0].name, series[1].name)
        dtype = _operand_dtype(b, x1, x2)
        first, second = (_operand(b, value, dtype) for value in (x1, x2))
        node = b.guard_visible(b.ufunc(dtype, name, first, second), loud=True)
        return Column(dtype, owner.length, node, index=owner.index, name=result_name)

    return rule


def _operand_dtype(b: Builder, x1: Any, x2: Any) -> str:
    """Return the common dtype: a NumPy scalar counts with its own, a Python number adapts."""
    dtypes = []
    for value in (x1, x2):
        if isinstance(value, Column):
            dtypes.append(b.dtype(b.load(value)))
        elif isinstance(value, Scalar):
            dtypes.append(value.dtype)
        elif isinstance(value, np.generic) and is_number(value):
            dtypes.append(code_of(value.dtype))
    if len(dtypes) == 2:
        dtype = promote(dtypes[0], dtypes[1])
    else:
        literal = x2 if isinstance(x1, (Column, Scalar)) else x1
        if type(literal) is not int and type(literal) is not float:
            raise Unsupported("operand")
        dtype = code_of(np.result_type(DTYPES[dtypes[0]], literal))
    if dtype[0] != "f":
        raise Unsupported("dtype")
    return dtype


def _operand(b: Builder, value: Any, dtype: str) -> int:
    if isinstance(value, Column):
        return b.cast(b.load(value), dtype)
    if isinstance(value, Scalar):
        return b.cast(value.node, dtype)
    return b.const(dtype, value)


def isnan(b: Builder, x: Any, /) -> Column:
    """Lower ``numpy.isnan`` of a float column."""
    if not isinstance(x, Column):
        raise Unsupported("operand")
    node = b.load(x)
    if b.dtype(node)[0] != "f":
        raise Unsupported("dtype")
    return Column("bool", x.length, b.add("isnan", "bool", node), index=x.index, name=x.name)
