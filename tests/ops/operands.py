"""Operands of a single call: Series, frames, arrays and scalars that belong together or don't."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stratum_dask.ops.frames import SUPPORTED
from stratum_dask.ops.steps import Ref, Step
from tests.ops.generate import DTYPES, SCALARS, frames, indexes, values_of
from tests.ops.oracle import Outcome, check, step

LENGTHS = st.sampled_from([0, 1, 2, 5, 5, 17])
NAMES = st.sampled_from([None, "a", "a", "b", 0, 1, ("a", 1), 2.0])
NATIVE = st.sampled_from([*DTYPES, "float64", "float64", "int64", "bool"])
#: How NumPy reports floating point errors; None is what a program starts with.
STATES = st.sampled_from(
    [None, None, None, {"all": "raise"}, {"all": "ignore"}, {"all": "warn"}, {"under": "raise"}]
)
#: Scalars of every kind that a program can write or that a reduction returns.
LITERALS = st.one_of(
    SCALARS,
    st.sampled_from(
        [
            False,
            127,
            128,
            -129,
            255,
            256,
            2**31,
            2**53 + 1,
            2**63 - 1,
            -(2**63),
            2**63,
            2**64,
            -1e300,
            5e-324,
            np.float64("nan"),
            np.float32("inf"),
            np.float16(1.5),
            np.int8(-1),
            np.uint8(200),
            np.int64(2**53 + 1),
            np.uint64(2**63),
            np.longdouble(1),
            np.complex128(1j),
            np.str_("x"),
            1j,
            pd.NA,
            pd.NaT,
            pd.Timestamp("2024-02-29"),
            np.datetime64("NaT", "ns"),
        ]
    ),
)
#: Columns that programs don't compute with, each with missing values where its dtype has them.
FOREIGN: dict[str, Callable[[int], Any]] = {
    "Int64": lambda n: pd.array([None, *range(n)][:n], dtype="Int64"),
    "UInt8": lambda n: pd.array(list(range(n)), dtype="UInt8"),
    "Float64": lambda n: pd.array([0.5, None, -2.0, *range(n)][:n], dtype="Float64"),
    "boolean": lambda n: pd.array(([True, None, False] * n)[:n], dtype="boolean"),
    "str": lambda n: pd.array((["x", None, "y"] * n)[:n], dtype="str"),
    "category": lambda n: pd.Categorical((["u", None, "v"] * n)[:n], categories=["v", "u"]),
    "numbers": lambda n: pd.Categorical(([1.5, None, 2.5] * n)[:n]),
    "datetime": lambda n: pd.array((["2024-02-29", None] * n)[:n], dtype="datetime64[ns]"),
    "zoned": lambda n: pd.array((["2024-02-29", None] * n)[:n], dtype="datetime64[us, UTC]"),
    "timedelta": lambda n: pd.array(([1, None] * n)[:n], dtype="timedelta64[s]"),
    "object": lambda n: pd.array(([1, None, 2.5] * n)[:n], dtype=object),
    "float16": lambda n: np.arange(n, dtype="float16"),
    "complex": lambda n: np.arange(n) * 1j,
}


def foreign(kind: str, length: int) -> Any:
    return FOREIGN[kind](length)


@st.composite
def series(
    draw: st.DrawFn, length: int, index: pd.Index, dtypes: st.SearchStrategy[str] = NATIVE
) -> pd.Series:
    values = draw(values_of(draw(dtypes), length))
    return pd.Series(values, index=index, name=draw(NAMES))


@st.composite
def unlike(draw: st.DrawFn, length: int, index: pd.Index) -> Any:
    """A value that no program takes together with a Series of this index."""
    kind = draw(st.sampled_from(["foreign", "foreign", "index", "length", "2d", "bare"]))
    if kind == "foreign":
        name = draw(st.sampled_from(list(FOREIGN)))
        return pd.Series(foreign(name, length), index=index, name=draw(NAMES))
    if kind == "index":
        other = draw(indexes(length))
        return draw(series(length, other))
    if kind == "length":
        return draw(series(length + 1, pd.RangeIndex(length + 1)))
    if kind == "2d":
        return np.ones((length, 1))
    return draw(st.sampled_from([[1.0] * length, "text", (1, 2), object]))


@st.composite
def operands(
    draw: st.DrawFn,
    dtypes: st.SearchStrategy[str] = NATIVE,
    *,
    count: int = 2,
    whole: bool = True,
) -> list[Any]:
    """A Series (or a frame, if `whole`) and what may stand beside it: mostly a good match."""
    length = draw(LENGTHS)
    index = draw(indexes(length))
    first: Any
    if whole and draw(st.integers(0, 3)) == 0:
        first = draw(frames())
        length, index = len(first), first.index
    elif draw(st.integers(0, 7)) == 0:
        first = draw(unlike(length, index))
        assume(isinstance(first, pd.Series))
    else:
        first = draw(series(length, index, dtypes))
    rest: list[st.SearchStrategy[Any]] = [
        series(length, index, dtypes),
        series(length, index.copy(), dtypes),
        LITERALS,
        LITERALS,
        unlike(length, index),
        dtypes.flatmap(lambda dtype: values_of(dtype, length)),
    ]
    if isinstance(first, pd.DataFrame):
        rest += [frames(), st.just(first.copy()), rows(first)]
    return [first, *(draw(st.one_of(rest)) for _ in range(count - 1))]


@st.composite
def rows(draw: st.DrawFn, frame: pd.DataFrame) -> pd.Series:
    """A Series with a value per column, as reductions return it."""
    values = draw(values_of("float64", frame.shape[1]))
    return pd.Series(values, index=frame.columns)


def is_literal(value: Any) -> bool:
    """Whether a graph could carry the value inside a call's arguments."""
    return not isinstance(value, (pd.Series, pd.DataFrame, np.ndarray, list))


@st.composite
def call(
    draw: st.DrawFn, op: str, values: list[Any], *extra: Any, **kwargs: Any
) -> tuple[list[Step], list[Any]]:
    """A call on the values, where scalars are sometimes inputs and sometimes literals."""
    inputs: list[Any] = []
    args: list[Any] = []
    for value in values:
        if inputs and is_literal(value) and draw(st.booleans()):
            args.append(value)
        else:
            args.append(Ref(len(inputs)))
            inputs.append(value)
    return [step(op, *args, *extra, **kwargs)], inputs


def check_under(state: dict[str, Any] | None, steps: list[Step], inputs: list[Any]) -> Outcome:
    """Compare with pandas while NumPy reports floating point errors as `state` says."""
    with np.errstate(**(state or {})):
        return check(steps, inputs)


def each_op(*names: str) -> Any:
    """Run a test for each of these operations."""
    assert set(names) <= SUPPORTED
    return pytest.mark.parametrize("op", names)


def prefixed(prefix: str, names: Iterable[str]) -> list[str]:
    return [f"{prefix}.{name}" for name in names]


def some(part: float, *strategies: Any, **named: Any) -> Any:
    """``given``, with this part of the profile's examples, since many operations share a rule."""

    def decorate(function: Any) -> Any:
        examples = max(5, round(settings.default.max_examples * part))
        return settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )(given(*strategies, **named)(function))

    return decorate
