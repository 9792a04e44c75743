"""Comparisons, logic and inversion, in all spellings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from stratum_dask.ops.steps import Ref
from tests.ops.generate import COMPARISON_UFUNCS, COMPARISONS, DTYPES, INTEGERS, LOGIC
from tests.ops.operands import (
    STATES,
    call,
    check_under,
    each_op,
    operands,
    prefixed,
    some,
)
from tests.ops.oracle import check, step


@each_op(*prefixed("operator", COMPARISONS), *prefixed("numpy", COMPARISON_UFUNCS))
@some(0.4, values=operands(), swapped=st.booleans(), state=STATES, data=st.data())
def test_comparison(op, values, swapped, state, data):
    steps, inputs = data.draw(call(op, values[::-1] if swapped else values))
    check_under(state, steps, inputs)


@each_op(*prefixed("", COMPARISONS))
@some(0.4, values=operands(), named=st.booleans(), data=st.data())
def test_method(op, values, named, data):
    if named:
        steps, inputs = [step(op, Ref(0), other=Ref(1))], values
    else:
        steps, inputs = data.draw(call(op, values))
    check(steps, inputs)


WITHOUT_FLOATS = st.sampled_from(["bool", "bool", "bool", *INTEGERS, "float64"])


@each_op(*prefixed("operator", LOGIC))
@some(1, values=operands(WITHOUT_FLOATS), swapped=st.booleans(), data=st.data())
def test_logic(op, values, swapped, data):
    steps, inputs = data.draw(call(op, values[::-1] if swapped else values))
    check(steps, inputs)


@each_op("operator.invert")
@some(1, values=operands(WITHOUT_FLOATS, count=1))
def test_invert(op, values):
    check([step(op, Ref(0))], values)


@each_op(*prefixed("operator", [*COMPARISONS, *LOGIC]))
@some(0.3, values=operands(count=1), reduction=st.sampled_from(["max", "mean", "sum", "count"]))
def test_reduced_operand(op, values, reduction):
    """A column meets a scalar that exists only inside the program."""
    steps = [step(f".{reduction}", Ref(0)), step(f"{op}", Ref(0), Ref(1))]
    check(steps, values)


@pytest.mark.parametrize("dtype", [*INTEGERS, "float64", "float32"])
@pytest.mark.parametrize("op", COMPARISONS)
def test_limits_of_dtypes(op, dtype):
    """Python integers compare exactly, also those that don't fit the column's dtype."""
    limits = [0, 1, 2**24 + 1, 2**53, 2**53 + 1]
    for bits in (8, 16, 32, 64):
        limits += [2**bits, 2**bits - 1, 2 ** (bits - 1), -(2 ** (bits - 1)) - 1]
    if dtype.startswith("float"):
        column = pd.Series(np.array(limits, dtype=dtype))
    else:
        info = np.iinfo(dtype)
        column = pd.Series([x for x in limits if info.min <= x <= info.max], dtype=dtype)
    for limit in [*limits, 0.5, float(2**63), np.float32(2**24), np.float64(0.1)]:
        check([step(f"operator.{op}", Ref(0), limit)], [column])
        check([step(f"operator.{op}", limit, Ref(0))], [column])


@pytest.mark.parametrize("left", DTYPES)
def test_dtypes_meet(left):
    def edges(dtype: str) -> pd.Series:
        if dtype == "bool":
            return pd.Series([True, False, True, False])
        if dtype.startswith("float"):
            return pd.Series([2.0**53, -1.0, np.nan, 0.5], dtype=dtype)
        info = np.iinfo(dtype)
        return pd.Series([info.max, info.min, info.max - 1, 1], dtype=dtype)

    for right in DTYPES:
        for op in (*COMPARISONS, *LOGIC):
            check([step(f"operator.{op}", Ref(0), Ref(1))], [edges(left), edges(right)])
