"""Builds the nodes of a kernel program: constants, conversions, NumPy's promotion rules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask import _native
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.frames.environment import Environment
from stratum_dask.ops.frames.symbols import (
    CODES,
    DTYPES,
    Column,
    Frame,
    OtherLength,
    Row,
    Source,
    Unsupported,
)

#: Integers of at most this size are exact in a float64.
EXACT_INTEGER = 2**53

#: A longer Series is hardly about the columns of a frame.
_LONGEST_ROW = 1_000

#: The largest and the smallest normal float32, as Python floats: comparing a NumPy scalar to a
#: float would round the float, and warn where it is too large.
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_FLOAT32_TINY = float(np.finfo(np.float32).tiny)

#: NumPy's inner loops that programs can call, by name and dtype.
_LOOPS = frozenset(_native.ufunc_loops())
#: What has parameters after its operand.
_OF_ONE = frozenset({"isin", "lookup", "day", "date"})
_REDUCTIONS = frozenset({"count", "sum", "median", "quantile", "min", "max", "var", "mode"})


class Builder:
    """The program of a stretch of steps, while it grows.

    Equal nodes are made once, so that a median that two steps ask for is computed once.

    Parameters
    ----------
    environment : Environment
        The state that decides how pandas computes.
    values : sequence
        The values that the stretch starts from.

    Attributes
    ----------
    nodes : list of tuple
        The nodes, as ``_native.Program`` takes them.
    sources : list of Source
        The input columns, in the order of the "input" nodes.
    is_column : list of bool
        Whether each node is a column, else it is a scalar.
    visible : list of int
        Nodes that have effects beyond their value: floating point errors in them are reported by
        NumPy, or they may raise.
    loud : set of int
        The nodes among them whose floating point errors NumPy reports, because pandas doesn't
        silence them.
    finite, false : list of int
        Scalar nodes that must be finite, or false, or else pandas runs the steps.
    missing : dict
        Columns of dates, and whether any is missing: on this the program was built.
    rows : dict
        Short Series, and copies of those whose values the program has built in.
    length : int or None
        The length class of the columns.
    """

    def __init__(self, environment: Environment, values: Sequence[Any]) -> None:
        self.environment = environment
        self._values = values
        self.nodes: list[tuple[Any, ...]] = []
        self.sources: list[Source] = []
        self.is_column: list[bool] = []
        self.visible: list[int] = []
        self.loud: set[int] = set()
        self.finite: list[int] = []
        self.false: list[int] = []
        self.missing: dict[Source, bool] = {}
        self.rows: dict[Source, pd.Series] = {}
        self.length: int | None = None
        self._known: dict[tuple[Any, ...], int] = {}

    def add(self, *node: Any) -> int:
        """Return the number of a node, which is new or the same as an earlier one."""
        number = self._known.get(node)
        if number is None:
            number = self._known[node] = self.append(*node)
        return number

    def append(self, *node: Any) -> int:
        """Add a node that can't be compared to others (it holds arrays)."""
        spans_rows = node[0] == "input" or (
            node[0] not in _REDUCTIONS and any(self.is_column[i] for i in _operands(node))
        )
        self.nodes.append(node)
        self.is_column.append(spans_rows)
        return len(self.nodes) - 1

    def computed_for(self, wanted: Iterable[int]) -> set[int]:
        """Return the nodes that have to be computed for some of them."""
        found: set[int] = set()
        pending = list(wanted)
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                pending.extend(_operands(self.nodes[node]))
        return found

    def mark(self) -> tuple[int, int, int]:
        """Return a state to which `reset` can go back."""
        return len(self.visible), len(self.finite), len(self.false)

    def reset(self, mark: tuple[int, int, int]) -> None:
        """Forget the effects and guards that a refused step has added since `mark`."""
        for items, length in zip((self.visible, self.finite, self.false), mark, strict=True):
            del items[length:]

    def dtype(self, node: int) -> str:
        """Return the dtype of a node."""
        code: str = self.nodes[node][1]
        return code

    def claim(self, length: int) -> None:
        """Make sure that the program's columns have this length."""
        if self.length is None:
            self.length = length
        elif self.length != length:
            raise OtherLength

    def load(self, column: Column) -> int:
        """Return the node of a column."""
        if column.node is not None:
            return column.node
        self.claim(column.length)
        if column.source is None:
            return self.const(column.dtype, column.literal)
        if column.dtype is None:
            raise Unsupported("dtype")
        key = ("input", column.source)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self.append("input", column.dtype, len(self.sources))
            self.sources.append(column.source)
        return number

    def load_dates(self, column: Column) -> tuple[int, bool]:
        """Return the node of a column of dates, as integers, and whether any is missing."""
        source = column.source
        assert source is not None
        if source not in self.missing:
            self.missing[source] = blocks.has_missing_dates(self._values, source)
        return self.load(replace(column, dtype="i64")), self.missing[source]

    def series(self, source: Source) -> pd.Series:
        """Return a short Series, whose values the program will have built in."""
        if source not in self.rows:
            series = self._values[source.value]
            if len(series) > _LONGEST_ROW:
                raise Unsupported("Series operand of a frame")
            self.rows[source] = series.copy()
        return self.rows[source]

    def const(self, dtype: str | None, value: Any) -> int:
        """Return a constant of a dtype; the value must fit."""
        assert dtype is not None
        kind = dtype[0]
        if kind == "f":
            value = float(value)
            if dtype == "f32":
                if 0 < abs(value) < _FLOAT32_TINY and not self.environment.underflow_ignored:
                    raise Unsupported("underflow is reported")
                value = _to_float32(value)
            key = value.hex()
        elif kind == "b":
            key = value = bool(value)
        else:
            info = integer_info(dtype)
            if not info.min <= value <= info.max:
                raise Unsupported("integer out of bounds")
            key = value = int(value)
        number = self._known.get(("const", dtype, key))
        if number is None:
            number = self.append("const", dtype, value)
            self._known["const", dtype, key] = number
        return number

    def cast(self, node: int, dtype: str) -> int:
        """Return the node converted to a dtype that holds its values."""
        return node if self.dtype(node) == dtype else self.add("cast", dtype, node)

    def ufunc(self, dtype: str, name: str, *operands: int) -> int:
        """Return a node that calls NumPy's inner loop."""
        if (name, dtype) not in _LOOPS:
            raise Unsupported("no such inner loop")
        return self.add("ufunc", dtype, name, *operands)

    def refuse_numexpr(self, value: Frame | Column | Row) -> None:
        """Leave a value to pandas that is large enough for it to use numexpr."""
        if isinstance(value, Row):
            allowed, parts = self.environment.numexpr_labels, len(value.scalars)
        else:
            by_length = self.environment.numexpr_columns
            allowed = None if by_length is None else by_length[value.length]
            parts = len(value.columns) if isinstance(value, Frame) else 1
        if allowed is not None and parts > allowed:
            raise Unsupported("pandas may use numexpr")

    def guard_visible(self, node: int, *, loud: bool) -> int:
        """Mark a node whose effects must happen even if nobody needs its value."""
        self.visible.append(node)
        if loud:
            self.loud.add(node)
        return node


def _operands(node: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the nodes that a node reads; what else it holds are parameters and tables."""
    opcode = node[0]
    if opcode in ("input", "const"):
        return ()
    if opcode in _OF_ONE or opcode in _REDUCTIONS:
        return node[2:3]
    return node[3:] if opcode == "ufunc" else node[2:]


@lru_cache(maxsize=512)
def promote(left: str, right: str) -> str:
    """Return the dtype to which NumPy converts two columns.

    Examples
    --------
    >>> promote("i64", "f32")
    'f64'
    """
    return code_of(np.result_type(DTYPES[left], DTYPES[right]))


def code_of(dtype: np.dtype[Any]) -> str:
    """Return the code of a dtype, or refuse one that programs don't compute with."""
    code = CODES.get(dtype)
    if code is None:
        raise Unsupported("dtype")
    return code


@lru_cache(maxsize=16)
def integer_info(dtype: str) -> Any:
    """Return the limits of an integer dtype."""
    return np.iinfo(DTYPES[dtype])


def is_number(value: Any) -> bool:
    """Whether a value is a plain int or float, or a NumPy scalar of such a dtype (not a bool)."""
    kind = type(value)
    return kind is int or kind is float or (isinstance(value, np.generic) and _numeric(value))


def _numeric(value: np.generic) -> bool:
    return value.dtype.kind in "iuf" and value.dtype in CODES


def fits_float(value: Any, dtype: str) -> bool:
    """Whether pandas stores this number in a float column of `dtype` without changing it.

    pandas compares by NumPy's rules: a Python float compares to a float32 after rounding, so it
    always fits, where a float64 scalar must be exact.
    """
    if isinstance(value, (int, np.integer)):
        limit = EXACT_INTEGER if dtype == "f64" else 2**24
        return bool(-limit <= value <= limit)
    if dtype == "f64" or math.isnan(value) or math.isinf(value):
        return True
    if abs(float(value)) > _FLOAT32_MAX:
        return False
    return type(value) is float or float(np.float32(value)) == float(value)


def fits_integer(value: Any, dtype: str) -> bool:
    """Whether pandas stores this number in an integer column of `dtype`."""
    if isinstance(value, (float, np.floating)) and (
        not float(value).is_integer() or abs(float(value)) > EXACT_INTEGER
    ):
        return False
    info = integer_info(dtype)
    return bool(info.min <= int(value) <= info.max)


def _to_float32(value: float) -> float:
    if abs(value) > _FLOAT32_MAX and not math.isinf(value):
        raise Unsupported("float out of bounds")
    return float(np.float32(value))
