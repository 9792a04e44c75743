"""``.replace`` of numbers by numbers, in Series and whole frames.

pandas looks for all that is to be replaced in the values as they were, and replaces in the order of
the list, so that of equal ones the last counts.
"""

from __future__ import annotations

import math
from typing import Any

from stratum_dask.ops.frames.builder import Builder, fits_integer, is_number
from stratum_dask.ops.frames.lower_missing import DEFAULT, stored, with_node
from stratum_dask.ops.frames.symbols import Column, Frame, Scalar, Unsupported

#: How the dtypes are called whose columns hold no numbers to replace.
_NO_NUMBERS = ("str", "datetime64", "timedelta64")


def replace(b: Builder, self: Any, /, to_replace: Any, value: Any = DEFAULT) -> Any:
    """Lower ``.replace`` of a number, a list of them, or (in a Series) a dict."""
    pairs = _pairs(to_replace, value)
    if isinstance(self, Column) and self.index is not None:
        return _column(b, self, pairs)
    if not isinstance(self, Frame) or type(to_replace) is dict:
        raise Unsupported("operand")
    frame = self

    def lower(column: Column) -> Column:
        origin = None if column.source is None else column.source.position
        if column.dtype is None and origin is not None:
            if not frame.layout.merging[origin][1].startswith(_NO_NUMBERS):
                raise Unsupported("dtype")
            return column
        return _column(b, column, pairs)

    return frame.map(lower)


def _pairs(wanted: Any, value: Any) -> list[tuple[Any, Any]]:
    if type(wanted) is dict and value is DEFAULT:
        pairs = list(wanted.items())
    else:
        wanted = wanted if type(wanted) is list else [wanted]
        values = value if type(value) is list else [value] * len(wanted)
        if len(values) != len(wanted):
            raise Unsupported("lists of different lengths")
        pairs = list(zip(wanted, values, strict=True))
    if not pairs:
        raise Unsupported("nothing to replace")
    for old, new in pairs:
        if not is_number(old) or not (is_number(new) or isinstance(new, Scalar)):
            raise Unsupported("replaces what are no numbers")
    return pairs


def _column(b: Builder, column: Column, pairs: list[tuple[Any, Any]]) -> Column:
    dtype = column.dtype
    if dtype is None:
        raise Unsupported("dtype")
    if dtype == "f32" or dtype == "bool":
        raise Unsupported("dtype")
    if dtype != "f64":
        pairs = [pair for pair in pairs if _may_hold(pair[0], dtype)]
        if not pairs:
            return column
    node = result = b.load(column)
    for old, new in pairs:
        if isinstance(old, float) and math.isnan(old):
            found = b.add("isnan", "bool", node)
        else:
            found = b.add("eq", "bool", node, stored(b, old, dtype, column.index))
        replacement = stored(b, new, dtype, column.index)
        result = b.add("select", dtype, found, replacement, result)
    return with_node(column, dtype, result)


def _may_hold(value: Any, dtype: str) -> bool:
    """Whether a column of integers may hold a number, which may be infinite or NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return fits_integer(value, dtype)
