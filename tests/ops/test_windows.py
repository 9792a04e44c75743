"""Extremes of rolling windows: native and in pandas they can't be told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.steps import Ref
from tests.ops.generate import DTYPES, columns, frames
from tests.ops.operands import FOREIGN, foreign
from tests.ops.oracle import check, step

pytestmark = pytest.mark.usefixtures("few_rows_too")

KINDS = ["float64", "float64", *DTYPES]

WINDOWS = st.fixed_dictionaries(
    {"window": st.sampled_from([1, 2, 3, 5, 8, 30, 0, -1, "3s", 2.5])},
    optional={
        "min_periods": st.sampled_from([None, 0, 1, 2, 40, -1]),
        "center": st.booleans(),
        "closed": st.sampled_from([None, "right", "left", "both", "neither", "other"]),
        "step": st.sampled_from([None, 1, 3]),
        "method": st.sampled_from(["single", "single", "table"]),
        "win_type": st.sampled_from([None, None, None, "boxcar"]),
    },
)
OPS = st.sampled_from([".min", ".max", ".mean", ".sum", ".std"])
OPTIONS = st.sampled_from([{}, {}, {}, {"numeric_only": True}, {"engine": "cython"}])


@given(columns(KINDS), WINDOWS, OPS, OPTIONS)
def test_columns(column, windows, op, options):
    check([step(".rolling", Ref(0), **windows), step(op, Ref(1), **options)], [column])


@given(frames(), WINDOWS, OPS, OPTIONS)
def test_frames(frame, windows, op, options):
    check([step(".rolling", Ref(0), **windows), step(op, Ref(1), **options)], [frame])


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0]), max_size=20), st.integers(1, 9), OPS)
def test_zeros_of_both_signs(values, window, op):
    check([step(".rolling", Ref(0), window), step(op, Ref(1))], [pd.Series(values)])


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes(kind):
    column = pd.Series(foreign(kind, 9))
    for table in (column, pd.DataFrame({"a": 1.5, "b": column})):
        check([step(".rolling", Ref(0), 3), step(".max", Ref(1))], [table])


@pytest.mark.parametrize("window", [1, 2, 7, 100, 500])
@pytest.mark.parametrize("op", [".min", ".max"])
def test_long_columns_run_natively(window, op):
    rng = np.random.default_rng(window)
    column = pd.Series(np.round(rng.normal(scale=300, size=20_000)) + 0.0)
    column[rng.random(20_000) < 0.1] = np.nan
    counters.reset()
    for options in ({}, {"min_periods": 1}, {"center": True}):
        for table in (column, column.astype("float32").to_frame(), column.fillna(0).astype(int)):
            check([step(".rolling", Ref(0), window, **options), step(op, Ref(1))], [table])
    assert not counters.snapshot().fallbacks
