"""``.replace`` of numbers: fused and in pandas they can't be told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from stratum_dask.ops.steps import Ref
from tests.ops.generate import replacements
from tests.ops.operands import FOREIGN, STATES, call, check_under, each_op, foreign, operands, some
from tests.ops.oracle import check, step


@each_op(".replace")
@some(5, values=operands(count=1), one=replacements(Ref(0)), state=STATES)
def test_numbers(op, values, one, state):
    check_under(state, [one], values)


@each_op(".replace")
@some(3, data=st.data(), values=operands(count=3))
def test_anything(op, data, values):
    check(*data.draw(call(op, values)))


@each_op(".replace")
@some(1, values=operands(count=1, whole=False))
def test_by_a_reduction(op, values):
    steps = [step(".median", Ref(0)), step(op, Ref(0), np.nan, Ref(1))]
    check(steps, values)


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes(kind):
    for length in (0, 1, 4):
        column = pd.Series(foreign(kind, length))
        for args in ((1, 2), ([np.inf, -np.inf], np.nan), ([1, 2.5], [3, 4]), ({1: 2},)):
            check([step(".replace", Ref(0), *args)], [column])
            check([step(".replace", Ref(0), *args)], [pd.DataFrame({"a": 1.5, "b": column})])
