"""NumPy's universal functions on Series, frames, arrays and scalars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from stratum_dask.ops.steps import Ref
from tests.ops.generate import DTYPES, SPECIAL, UFUNCS
from tests.ops.operands import (
    FOREIGN,
    STATES,
    call,
    check_under,
    each_op,
    foreign,
    operands,
    prefixed,
    some,
)
from tests.ops.oracle import check, step

UNARY = prefixed("numpy", UFUNCS)
BINARY = ["numpy.maximum", "numpy.minimum"]


@each_op(*UNARY)
@some(1, values=operands(count=1), as_array=st.booleans(), state=STATES)
def test_unary(op, values, as_array, state):
    inputs = [value.to_numpy() for value in values] if as_array else values
    check_under(state, [step(op, Ref(0))], inputs)


@each_op(*BINARY)
@some(3, values=operands(), swapped=st.booleans(), state=STATES, data=st.data())
def test_binary(op, values, swapped, state, data):
    steps, inputs = data.draw(call(op, values[::-1] if swapped else values))
    check_under(state, steps, inputs)


@each_op(*BINARY)
@some(1, values=operands(count=1), reduction=st.sampled_from(["sum", "min", "median", "count"]))
def test_reduced_operand(op, values, reduction):
    check([step(f".{reduction}", Ref(0)), step(op, Ref(0), Ref(1))], values)


@each_op(*UNARY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits(op, dtype):
    """Long enough for vector code and its remainder, over the whole range of the dtype."""
    rng = np.random.default_rng(len(dtype))
    if dtype.startswith("float"):
        size = np.dtype(dtype).itemsize
        parts = [np.frombuffer(rng.bytes(size * 1003), dtype), np.linspace(-3, 90, 999), SPECIAL]
        with np.errstate(all="ignore"):
            values = np.concatenate([np.asarray(part).astype(dtype) for part in parts])
    else:
        values = np.frombuffer(rng.bytes(8 * 103), dtype="u1").view("u1")
        values = (values % 2 == 0) if dtype == "bool" else values.view(dtype)
    for state in (None, {"all": "raise"}, {"all": "ignore"}):
        check_under(state, [step(op, Ref(0))], [pd.Series(values)])
        check_under(state, [step(op, Ref(0))], [pd.Series(values)[::2]])


@each_op(*UNARY)
@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes(op, kind):
    for length in (0, 4):
        column = pd.Series(foreign(kind, length))
        check([step(op, Ref(0))], [column])
        check([step(op, Ref(0))], [pd.DataFrame({"a": 0.5, "b": column})])


@each_op(*UNARY, *BINARY)
def test_keywords(op):
    column = pd.Series([0.5, np.nan, 2.0])
    operands = [Ref(0), 1.0] if op in BINARY else [Ref(0)]
    for keywords in [{"dtype": "float32"}, {"where": True}, {"casting": "safe"}, {"x": 1}]:
        check([step(op, *operands, **keywords)], [column])
    check([step(op)], [])
    check([step(op, *operands, 1, 2)], [column])
