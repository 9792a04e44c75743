"""Reductions of a column to a scalar, and of a frame to a Series of scalars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops.frames.builder import EXACT_INTEGER, Builder, code_of
from stratum_dask.ops.frames.environment import fraction
from stratum_dask.ops.frames.lower_missing import DEFAULT
from stratum_dask.ops.frames.lower_rowwise import ROWWISE, of_rows, reduce_rows
from stratum_dask.ops.frames.symbols import (
    DTYPES,
    Column,
    Frame,
    Labels,
    Mode,
    Row,
    Scalar,
    Unsupported,
)

Reduction = Callable[..., Any]


def reduction_rule(name: str) -> Reduction:
    """Return the rule of the method `name`, which takes no arguments."""
    lower = SIMPLE[name]

    def rule(b: Builder, self: Any, /, *, axis: Any = DEFAULT, numeric_only: Any = DEFAULT) -> Any:
        if isinstance(self, Frame):
            if of_rows(axis) and name in ROWWISE:
                return reduce_rows(b, self, name, _flag(numeric_only))
            if axis is not DEFAULT:
                raise Unsupported("no rule" if of_rows(axis) else "axis")
            return _frame_reduction(b, self, lower, numeric_only)
        if axis is not DEFAULT or (name == "count" and numeric_only is not DEFAULT):
            raise Unsupported("arguments")  # only frames count with it
        result: Scalar = lower(b, _load(b, self, numeric_only))
        return result

    return rule


def spread_rule(name: str) -> Reduction:
    """Return the rule of ``.std`` or ``.var``."""

    def rule(
        b: Builder,
        self: Any,
        /,
        *,
        axis: Any = DEFAULT,
        ddof: int = 1,
        numeric_only: Any = DEFAULT,
    ) -> Any:
        if type(ddof) is not int or ddof < 0:
            raise Unsupported("operand")
        if axis is not DEFAULT:
            if not isinstance(self, Frame) or not of_rows(axis):
                raise Unsupported("axis")
            return reduce_rows(b, self, name, _flag(numeric_only), ddof)

        def lower(b: Builder, node: int) -> Scalar:
            return _spread(b, node, ddof, root=name == "std")

        if isinstance(self, Frame):
            return _frame_reduction(b, self, lower, numeric_only)
        return lower(b, _load(b, self, numeric_only))

    return rule


def quantile(
    b: Builder, self: Any, /, q: Any = 0.5, *, numeric_only: Any = DEFAULT
) -> Scalar | Row:
    """Lower ``.quantile(q)`` of one number, or of a column and a list of them."""
    if type(q) is list and q and isinstance(self, Column) and numeric_only is DEFAULT:
        node, fractions = _load(b, self), [_fraction_of(one) for one in q]
        index = pd.Index(q, dtype="float64")
        scalars = tuple([_quantile(b, node, one) for one in fractions])
        return Row(Labels(tuple(fractions), index, index), scalars, "f64", self.name)
    q = _fraction_of(q)
    if isinstance(self, Frame):
        row = _frame_reduction(b, self, lambda b, node: _quantile(b, node, q), numeric_only)
        return replace(row, name=np.float64(q))
    if numeric_only is not DEFAULT:
        raise Unsupported("arguments")  # only frames know it
    return _quantile(b, _load(b, self), q)


def _fraction_of(q: Any) -> float:
    if type(q) not in (int, float) or not 0 <= q <= 1:
        raise Unsupported("operand")
    return float(q)


def _quantile(b: Builder, node: int, q: float) -> Scalar:
    dtype = b.dtype(node)
    if dtype == "i64":  # NumPy takes distances of integers
        limit = b.const("i64", EXACT_INTEGER // 2)
        b.false.append(b.add("max", "bool", b.add("gt", "bool", b.add("abs", "i64", node), limit)))
        node = b.cast(node, "f64")
    elif dtype != "f64":
        raise Unsupported("dtype")
    return _reported(b, _reduce(b, "quantile", "f64", node, fraction(q)))


def mode(b: Builder, self: Any, /) -> Mode:
    """Lower ``Series.mode()``, of which the first value can be used."""
    node = _load(b, self)
    return Mode(self, _reduce(b, "mode", b.dtype(node), node))


def _load(b: Builder, value: Any, numeric_only: Any = DEFAULT) -> int:
    if numeric_only is not DEFAULT and type(numeric_only) is not bool:
        raise Unsupported("operand")
    if not isinstance(value, Column) or value.index is None:
        raise Unsupported("operand")
    return b.load(value)


def _frame_reduction(b: Builder, frame: Frame, lower: Reduction, numeric_only: Any) -> Row:
    numeric_only = _flag(numeric_only)
    frame.refuse_strided()
    columns = [frame.column(position) for position in range(len(frame.columns))]
    kept = list(range(len(columns)))
    if numeric_only:
        kept = [position for position in kept if not frame.is_passive(position)]
    dtypes = {columns[position].dtype for position in kept}
    if not kept or None in dtypes:
        raise Unsupported("dtype")
    if dtypes != {"f64"} and not b.environment.whole_sums:
        raise Unsupported("NumPy adds piece by piece")
    scalars = [lower(b, b.load(columns[position])) for position in kept]
    results = {scalar.dtype for scalar in scalars}
    if "bool" in results and len(results) > 1:
        raise Unsupported("bools among numbers")  # of which pandas makes objects
    common = code_of(np.result_type(*map(DTYPES.__getitem__, results)))
    labels = frame.labels if len(kept) == len(columns) else frame.labels.take(kept)
    return Row(labels, tuple([_converted(b, scalar, common) for scalar in scalars]), common)


def _converted(b: Builder, scalar: Scalar, dtype: str) -> Scalar:
    return Scalar(dtype, b.cast(scalar.node, dtype))


def _flag(value: Any) -> bool:
    if value is DEFAULT:
        return False
    if type(value) is not bool:
        raise Unsupported("operand")
    return value


def _reduce(b: Builder, op: str, dtype: str, node: int, *parameters: Any) -> Scalar:
    return Scalar(dtype, b.add(op, dtype, node, *parameters))


def _finite(b: Builder, scalar: Scalar) -> Scalar:
    """Leave results that are not finite to pandas: it may warn, or give another type."""
    if scalar.dtype[0] == "f":
        b.finite.append(scalar.node)
    return scalar


def _reported(b: Builder, scalar: Scalar) -> Scalar:
    """Leave results to pandas if NumPy reports what happened on the way, whoever reads them."""
    b.guard_visible(scalar.node, loud=True)
    return _finite(b, scalar)


def _refuse_bottleneck(b: Builder) -> None:
    """Leave what bottleneck would compute to pandas; it never adds or counts."""
    if b.environment.bottleneck:
        raise Unsupported("pandas uses bottleneck")


def _refuse_pieces(b: Builder, dtype: str) -> None:
    """Leave sums of floats to a NumPy that adds them piece by piece."""
    if dtype[0] == "f" and not b.environment.whole_sums:
        raise Unsupported("NumPy adds piece by piece")


def _floating(b: Builder, node: int) -> int:
    return node if b.dtype(node)[0] == "f" else b.cast(node, "f64")


def _median(b: Builder, node: int) -> Scalar:
    _refuse_bottleneck(b)
    node = _floating(b, node)
    return _reported(b, _reduce(b, "median", b.dtype(node), node))


def _mean(b: Builder, node: int) -> Scalar:
    dtype = "f32" if b.dtype(node) == "f32" else "f64"
    if b.dtype(node) == "bool":  # counted as integers
        total = b.cast(b.add("sum", "i64", node), dtype)
    else:
        if b.dtype(node) != dtype and not b.environment.default_buffer:
            raise Unsupported("buffer size")
        if b.dtype(node) == dtype:
            _refuse_pieces(b, dtype)
        total = b.add("sum", dtype, node)
    count = b.cast(b.add("count", "i64", node), dtype)
    # NumPy reports what happens when it divides, whoever reads the result.
    mean = b.guard_visible(b.add("truediv", dtype, total, count), loud=True)
    return _finite(b, Scalar(dtype, mean))


def _sum(b: Builder, node: int) -> Scalar:
    dtype = b.dtype(node)
    if dtype[0] != "f":
        dtype = "u64" if dtype[0] == "u" else "i64"
    _refuse_pieces(b, dtype)
    return _finite(b, _reduce(b, "sum", dtype, node))


def _count(b: Builder, node: int) -> Scalar:
    return _reduce(b, "count", "i64", node)


def _min(b: Builder, node: int) -> Scalar:
    return _extreme(b, "min", node)


def _max(b: Builder, node: int) -> Scalar:
    return _extreme(b, "max", node)


def _extreme(b: Builder, op: str, node: int) -> Scalar:
    _refuse_bottleneck(b)
    dtype = b.dtype(node)
    extreme = _reduce(b, op, dtype, node)
    if dtype[0] == "f":  # of no values pandas makes a NaN of another type
        b.false.append(b.add("isnan", "bool", extreme.node))
    return extreme


def _spread(b: Builder, node: int, ddof: int, *, root: bool) -> Scalar:
    _refuse_bottleneck(b)
    node = _floating(b, node)
    dtype = b.dtype(node)
    _refuse_pieces(b, dtype)
    if dtype == "f32" and not b.environment.default_buffer:
        raise Unsupported("buffer size")  # NumPy adds float32 up as float64
    variance = _finite(b, _reduce(b, "var", dtype, node, ddof))
    b.guard_visible(variance.node, loud=True)
    return Scalar(dtype, b.add("sqrt", dtype, variance.node)) if root else variance


#: The reductions without parameters.
SIMPLE: dict[str, Callable[[Builder, int], Scalar]] = {
    "median": _median,
    "mean": _mean,
    "sum": _sum,
    "count": _count,
    "min": _min,
    "max": _max,
}
