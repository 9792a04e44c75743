"""Arithmetic, in all spellings: operators, methods, reflected methods, NumPy's ufuncs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.steps import Ref
from tests.ops.generate import ARITHMETIC, ARITHMETIC_METHODS, ARITHMETIC_UFUNCS, frames
from tests.ops.operands import (
    STATES,
    call,
    check_under,
    each_op,
    operands,
    prefixed,
    series,
    some,
)
from tests.ops.oracle import assert_same, check, in_pandas, observe, step

UNARY = ["operator.abs", ".abs", "numpy.abs", "numpy.absolute", "operator.neg", "numpy.negative"]


@each_op(*prefixed("operator", ARITHMETIC), *prefixed("numpy", ARITHMETIC_UFUNCS))
@some(0.4, values=operands(), swapped=st.booleans(), state=STATES, data=st.data())
def test_operator(op, values, swapped, state, data):
    steps, inputs = data.draw(call(op, values[::-1] if swapped else values))
    check_under(state, steps, inputs)


@each_op(*prefixed("", ARITHMETIC_METHODS))
@some(0.3, values=operands(), named=st.booleans(), state=STATES, data=st.data())
def test_method(op, values, named, state, data):
    if named:
        inputs = values
        steps = [step(op, Ref(0), other=Ref(1))]
    else:
        steps, inputs = data.draw(call(op, values))
    check_under(state, steps, inputs)


@each_op(*UNARY)
@some(0.4, values=operands(count=1), state=STATES)
def test_unary(op, values, state):
    check_under(state, [step(op, Ref(0))], values)


@each_op(*prefixed("operator", ["add", "sub", "mul", "truediv"]))
@some(0.4, left=st.floats(), right=st.one_of(st.floats(), st.integers()), state=STATES)
def test_scalars(op, left, right, state):
    """Results of reductions meet each other and literals."""
    steps = [step(".max", Ref(0)), step(op, Ref(1), right), step(op, Ref(2), Ref(1))]
    check_under(state, steps, [pd.Series([left, 1.0])])


@each_op(*prefixed("operator", ARITHMETIC), *prefixed("", ["add", "rsub", "mod"]))
@some(0.3, values=operands(count=1), reduction=st.sampled_from(["sum", "min", "median", "count"]))
def test_reduced_operand(op, values, reduction):
    """A column meets a scalar that exists only inside the program."""
    steps = [step(f".{reduction}", Ref(0)), step(op, Ref(0), Ref(1))]
    check(steps, values)


REDUCTIONS = st.sampled_from(["mean", "std", "median", "min", "max", "sum", "count"])
ON_ROWS = ["add", "sub", "mul", "truediv", "lt", "ge", "eq"]


@each_op(*prefixed("operator", ON_ROWS), ".sub", ".div")
@some(0.5, frame=frames(), first=REDUCTIONS, second=REDUCTIONS, state=STATES, given=st.booleans())
def test_rows_of_frames(op, frame, first, second, state, given):
    """Columns meet their means or the like: inside one program, or made by another."""
    rows = [step(f".{name}", Ref(0), numeric_only=True) for name in (first, second)]
    inputs: list[Any] = [frame]
    if given:
        inputs += [observe(lambda: in_pandas([row], [frame])).value for row in rows]  # noqa: B023
        rows = []
    last = step("operator.sub", Ref(1), Ref(2))
    check_under(state, [*rows, last, step(op, Ref(0), Ref(3))], inputs)
    check_under(state, [*rows, step(op, Ref(0), Ref(1)), step(op, Ref(3), Ref(2))], inputs)


@each_op(*prefixed("operator", ON_ROWS))
@some(
    0.3,
    frame=frames(),
    change=st.sampled_from(["order", "missing", "names", "none"]),
    data=st.data(),
)
def test_other_rows(op, frame, change, data):
    """A Series with the labels of the columns, in any order, or with others."""
    row = data.draw(series(frame.shape[1], frame.columns))
    row = {
        "order": lambda: row[::-1],
        "missing": lambda: row.iloc[1:],
        "names": lambda: row.rename_axis("columns"),
        "none": lambda: row,
    }[change]()
    check([step(op, Ref(0), Ref(1))], [frame, row])
    check([step(".fillna", Ref(0), Ref(1))], [frame, row])


def test_programs_serve_only_the_row_whose_values_they_have():
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [3, 4], "t": [True, False]})
    centred = FusedFrame((step("operator.sub", Ref(0), Ref(1)),), 2)
    for values in ([1.0, 2.0, 0.5], [1.0, 2.0, -0.0], [1, 2, 3]):
        row = pd.Series(values, index=frame.columns)
        assert_same(centred(frame, row), frame - row)
    row.iloc[0] = 7
    assert_same(centred(frame, row), frame - row)
    counters.reset()
    centred(frame, row)
    assert counters.snapshot().hits == {"operator.sub": 1}


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "uint8", "uint64"])
@pytest.mark.parametrize("op", ["floordiv", "mod", "pow"])
def test_edges_of_division_and_power(op, dtype):
    """All pairs of the values at which divisions and powers have their special cases."""
    edges = [0, 1, 2, 3, 7]
    if dtype.startswith("float"):
        edges += [-0.0, -1, -2.5, 0.5, np.inf, -np.inf, np.nan]
    else:
        info = np.iinfo(dtype)
        edges += [info.min, info.max, info.max - 1]
    values = np.array(edges, dtype=dtype)
    left = pd.Series(np.repeat(values, len(values)))
    right = pd.Series(np.tile(values, len(values)))
    check([step(f"operator.{op}", Ref(0), Ref(1))], [left, right])
    for edge in edges:
        check([step(f"operator.{op}", Ref(0), edge)], [left])
        check([step(f"operator.{op}", edge, Ref(0))], [left])


@pytest.mark.parametrize("op", ["mod", "floordiv", "truediv"])
def test_division_of_nothing_by_zero(op):
    """The dtype of a remainder depends on a scalar divisor, not only on the rows."""
    for column in (pd.Series([], dtype="int64"), pd.Series([], dtype="int8").to_frame("a")):
        for divisor in (0, 1, 0.0, Ref(0)):
            check([step(f"operator.{op}", Ref(0), divisor)], [column])
        counted = [step(".count", Ref(0)), step(f"operator.{op}", Ref(0), Ref(1))]
        check(counted, [column])


def test_rows_of_reductions_meet_their_frame():
    frame = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": [0.0, -2.0, 5.0]})
    steps = [
        step(".mean", Ref(0)),
        step("operator.sub", Ref(0), Ref(1)),
        step(".std", Ref(0)),
        step("operator.truediv", Ref(2), Ref(3)),
    ]
    check(steps, [frame])
