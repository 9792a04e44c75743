"""Reductions of a column to a scalar, and of a frame to a Series of scalars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stratum_dask.ops.frames.builder import Builder
from stratum_dask.ops.frames.lower_missing import DEFAULT
from stratum_dask.ops.frames.symbols import Column, Frame, Mode, Row, Scalar, Unsupported

Reduction = Callable[..., Any]


def reduction_rule(name: str) -> Reduction:
    """Return the rule of the method `name`, which takes no arguments."""
    lower = SIMPLE[name]

    def rule(b: Builder, self: Any, /, *, numeric_only: Any = DEFAULT) -> Any:
        if isinstance(self, Frame):
            return _frame_reduction(b, self, lower, numeric_only)
        if name == "count" and numeric_only is not DEFAULT:
            raise Unsupported("arguments")  # only frames count with it
        result: Scalar = lower(b, _load(b, self, numeric_only))
        return result

    return rule


def spread_rule(name: str) -> Reduction:
    """Return the rule of ``.std`` or ``.var``."""

    def rule(b: Builder, self: Any, /, *, ddof: int = 1, numeric_only: Any = DEFAULT) -> Any:
        if type(ddof) is not int or ddof < 0:
            raise Unsupported("operand")

        def lower(b: Builder, node: int) -> Scalar:
            return _spread(b, node, ddof, root=name == "std")

        if isinstance(self, Frame):
            return _frame_reduction(b, self, lower, numeric_only)
        return lower(b, _load(b, self, numeric_only))

    return rule


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
    if numeric_only is DEFAULT:
        numeric_only = False
    if type(numeric_only) is not bool:
        raise Unsupported("operand")
    frame.refuse_strided()
    columns = [frame.column(position) for position in range(len(frame.columns))]
    kept = list(range(len(columns)))
    if numeric_only:
        kept = [position for position in kept if not frame.is_passive(position)]
    if not kept or any(columns[position].dtype != "f64" for position in kept):
        raise Unsupported("dtype")
    scalars = tuple(lower(b, b.load(columns[position])) for position in kept)
    labels = frame.labels if len(kept) == len(columns) else frame.labels.take(kept)
    return Row(labels, scalars, scalars[0].dtype)


def _reduce(b: Builder, op: str, dtype: str, node: int, *parameters: Any) -> Scalar:
    return Scalar(dtype, b.add(op, dtype, node, *parameters))


def _finite(b: Builder, scalar: Scalar) -> Scalar:
    """Leave results that are not finite to pandas: it may warn, or give another type."""
    if scalar.dtype[0] == "f":
        b.finite.append(scalar.node)
    return scalar


def _refuse_bottleneck(b: Builder) -> None:
    """Leave what bottleneck would compute to pandas; it never adds or counts."""
    if b.environment.bottleneck:
        raise Unsupported("pandas uses bottleneck")


def _refuse_pieces(b: Builder, dtype: str) -> None:
    """Leave sums of floats to a NumPy that adds them piece by piece."""
    if dtype[0] == "f" and not b.environment.whole_sums:
        raise Unsupported("NumPy adds piece by piece")


def _floating(b: Builder, node: int) -> int:
    dtype = b.dtype(node)
    if dtype == "bool":
        raise Unsupported("dtype")
    return node if dtype[0] == "f" else b.cast(node, "f64")


def _median(b: Builder, node: int) -> Scalar:
    _refuse_bottleneck(b)
    node = _floating(b, node)
    return _finite(b, _reduce(b, "median", b.dtype(node), node))


def _mean(b: Builder, node: int) -> Scalar:
    dtype = "f32" if b.dtype(node) == "f32" else "f64"
    if b.dtype(node) == "bool":
        raise Unsupported("dtype")
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
